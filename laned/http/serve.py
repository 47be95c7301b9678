"""HTTP/1.1 servers on TCP and unix sockets that no peer can knock over or hold up.

hypercorn turns bytes into ASGI and back (`H11Protocol`). The sockets are ours, because in
hypercorn 0.18 the trio worker's own connection (`TCPServer`)

- lets one connection end the whole process: a half-close that collides with an answer raises
  `BusyResourceError` through the server's nursery (upstream #203, #106, #228, #361, #376);
- sends shielded and without a deadline, so one peer that stops reading blocks stop and cancel;
- does not see a hang-up while bytes after the request wait to be read (#210), keeps a socket whose
  peer left without a request until the keep-alive timeout, and waits for ever to tell an app that
  has stopped reading its body;
- takes up HTTP/2 (prior knowledge or `Upgrade: h2c`) and WebSocket, which cannot be switched off
  and in which its idle timeout no longer holds;
- knows neither a limit on connections nor who is at the other end of a unix socket;
- takes a peer that has shut its sending side for one that hung up, and tells the app so.

The attacks are in tests/serve: they judge a new version of hypercorn.
"""

import errno
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from math import inf
from typing import Any, cast

import trio
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ConnectionState, TaskGroup
from msgspec import Struct

from laned.exits import innermost
from laned.http.asgi import ASGIApp, Message, Scope, ThrottledLog, respond
from laned.http.hangup import gone, unread, watch_for_silence
from laned.http.http11 import Http11, Inbox, Resumption
from laned.http.listen import Listener
from laned.http.peer import Peer as Peer
from laned.http.peer import endpoints
from laned.http.slots import Share, Slots

PEER = "laned.peer"
"""Key in the ASGI scope's `extensions`: the `Peer` at the other end of a unix socket."""
RECEIVE_BYTES = 16 * 1024
"""Read from a socket at a time."""
READ_AHEAD_BYTES = 16 * 1024
"""Taken in beyond the request that is being answered; more ends the connection."""
ACCEPT_BACKOFF_SECONDS = 0.5
"""Pause when the system has no file descriptor or memory for one more connection."""

HTTP_VERSIONS = frozenset({"1.0", "1.1"})
OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_log = logging.getLogger(__name__)


class Limits(Struct, frozen=True, kw_only=True):
    """What one server grants its peers. Times in seconds."""

    max_connections: int = 64
    """Open connections per listener, where no `Door` grants shares of them."""
    max_per_peer: int = 64
    """Of these, one TCP address's or one user's."""
    max_header_bytes: int = 16 * 1024
    """Of an unfinished request head; a finished one can be larger by RECEIVE_BYTES at most."""
    head_timeout: float = 5.0
    """From a request's first byte to the end of its head."""
    keep_alive_timeout: float = 5.0
    """For a request to begin after an answer, which says so; 0: each answer is the last."""
    keep_alive_grace: float = 1.0
    """Added to that, as a request may be on its way when it is over."""
    write_timeout: float = 2.0
    """For one piece of an answer to be taken; then the connection and its app are cancelled."""
    linger_timeout: float = 1.0
    """For the peer to read the last answer and close."""
    graceful_timeout: float = 1.0
    """For answers in progress when the server stops; then they are cancelled."""


Door = Callable[[str | Peer], Share]
"""Decides at accept, before anything is read, what the peer at an address may hold."""


async def serve(
    app: ASGIApp,
    listeners: Sequence[Listener],
    *,
    stop: trio.Event,
    limits: Limits | None = None,
    door: Door | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `app` on `listeners`, which are closed at the end, until `stop` is set.

    The app sees only scopes of type "http", version 1.0 or 1.1; the scope's `client` is the TCP
    peer's address, its `extensions["laned.peer"]` a unix peer's `Peer`. At the stop no connection
    is accepted any more, idle ones are closed, and answers in progress have `graceful_timeout`;
    an app that streams must end by itself when it sees the same event. No exception of a
    connection or of the app leaves this function.

    `door` says which share of the connections a peer may hold; without one, all share the limits'
    number. Whoever gets no slot is closed at once.

    An app whose peer hangs up gets `http.disconnect`; a peer that has only shut its sending side is
    still there, and gets its answer (`laned.http.hangup`). An app whose answer is not taken is
    cancelled.
    Work that must not be lost is therefore done, or handed to another task, before answering.
    """
    server = _Server(app, limits or Limits(), door)
    async with trio.open_nursery() as connections:
        async with trio.open_nursery() as acceptors:
            for listener in listeners:
                acceptors.start_soon(server.accept, listener, connections)
            task_status.started()
            await stop.wait()
            acceptors.cancel_scope.cancel()
        await server.stop()
        connections.cancel_scope.deadline = trio.current_time() + server.limits.graceful_timeout


class _Server:
    """What the connections of one `serve` share."""

    def __init__(self, app: ASGIApp, limits: Limits, door: Door | None) -> None:
        self.app = app
        self.limits = limits
        self.door = door or _one_share(limits)
        self.log = ThrottledLog(_log)
        self.context = WorkerContext(None)
        self.config = Config()
        self.config.accesslog = None
        self.config.errorlog = None
        self.config.include_server_header = False
        self.config.h11_max_incomplete_size = limits.max_header_bytes
        self._connections: set[_Connection] = set()

    async def accept(self, listener: Listener, connections: trio.Nursery) -> None:
        slots = Slots()
        async with listener:
            while True:
                stream = await self._accept_one(listener)
                connections.start_soon(self._connection, stream, slots)

    async def _accept_one(self, listener: Listener) -> trio.SocketStream:
        while True:
            try:
                return await listener.accept()
            except OSError as error:
                if error.errno not in OUT_OF_RESOURCES:
                    raise
                self.log.warning("accept", f"cannot accept connections: {error.strerror}")
                await trio.sleep(ACCEPT_BACKOFF_SECONDS)

    async def _connection(self, stream: trio.SocketStream, slots: Slots) -> None:
        """Run one connection; whatever goes wrong in it ends it, and nothing else."""
        try:
            connection = _Connection(self, stream)
            with self._slot(connection, slots) as share:
                if share is not None:
                    await connection.run(share.seconds)
        except* Exception as group:
            self.log.warning("connection", f"connection dropped: {innermost(group)!r}")
        finally:
            stream.socket.close()

    @contextmanager
    def _slot(self, connection: "_Connection", slots: Slots) -> Iterator[Share | None]:
        """Hold the slot that the door grants; None where there is none left."""
        who = connection.peer or (connection.client or ("",))[0]
        key = connection.peer.uid if connection.peer is not None else who
        share = self.door(who)
        if not slots.take(share, key, connection):
            self.log.warning(f"full {share.name}", f"no {share.name} left, one is closed")
            yield None
            return
        self._connections.add(connection)
        try:
            yield share
        finally:
            self._connections.discard(connection)
            slots.give_back(share, key, connection)

    async def stop(self) -> None:
        await self.context.terminated.set()
        for connection in self._connections:
            connection.close_if_idle()


class _Connection:
    """One peer: a socket with deadlines, under hypercorn's protocol, over the app."""

    def __init__(self, server: _Server, stream: trio.SocketStream) -> None:
        self._server = server
        self._limits = server.limits
        self._stream = stream
        self.client, self._address, self.peer = endpoints(stream.socket)
        self._scope = trio.CancelScope()  # all of it, the app included
        self._reading = trio.CancelScope()  # its deadline is the linger timer
        self._awaiting = trio.CancelScope()  # bytes; its deadline is the idle timer
        self._write_lock = trio.Lock()
        self._read_ahead = b""
        self._heard_all = False  # the peer has ended what it sends
        self._idle_since: float | None = None
        self._idle_until = inf
        self._head_begun = False
        self._leaving = False  # ends as soon as it is idle
        self._closing = False

    async def run(self, seconds: float) -> None:
        watch_for_silence(self._stream.socket)
        self._scope.deadline = trio.current_time() + seconds
        with self._scope:
            async with trio.open_nursery() as self._nursery:
                self._protocol = Http11(
                    cast("AppWrapper", self._server.app),  # comes back to spawn_app
                    self._server.config,
                    self._server.context,
                    cast("TaskGroup", self),
                    ConnectionState({}),
                    False,
                    self.client,
                    self._address,
                    self._send,
                )
                self._protocol.can_read = Resumption(self._watch_for_hang_up)
                if self._limits.keep_alive_timeout:
                    self._protocol.keep_alive_seconds = int(self._limits.keep_alive_timeout)
                self._set_idle(True)
                with self._reading:
                    await self._read()
                await self._protocol.handle(Closed())  # the app may still be at work
                if self._closing:
                    await self._stream.aclose()

    def close_if_idle(self) -> None:
        if self._idle_since is not None and not self._closing:
            self._leaving = True
            self._awaiting.cancel()

    # What `Slots` asks and tells.

    def idle_since(self) -> float | None:
        if self._closing or self._idle_since is None:
            return self._idle_since
        # What has come and is not read yet may be a payment: closing would lose its answer.
        return None if unread(self._stream.socket) else self._idle_since

    def give_way(self) -> None:
        if self._closing or self._idle_since is None:
            self._scope.cancel()
        else:
            self.close_if_idle()

    # Reading

    async def _read(self) -> None:
        with suppress(trio.BrokenResourceError):  # reset by the peer
            while data := await self._receive():
                # After the last answer, what still comes is thrown away: closing with unread bytes
                # would reset the connection, and the peer could lose the answer.
                if not self._closing:
                    self._begin_head()
                    await self._protocol.handle(RawData(data))
            if data is None:
                return
            if not self._closing:
                await self._protocol.handle(RawData(b""))
            if self._idle_since is None:
                await gone(self._stream.socket)

    async def _receive(self) -> bytes | None:
        """Receive some bytes, b"" at their end; None when they are not waited for any longer."""
        if self._read_ahead:
            data, self._read_ahead = self._read_ahead, b""
            return data
        if self._heard_all:
            return b""
        # Only this wait is cancelled: whatever has been received, also at that very moment, is
        # answered.
        with trio.CancelScope(deadline=self._idle_until) as self._awaiting:
            if not (self._leaving and self._idle_since is not None):
                return await self._stream.receive_some(RECEIVE_BYTES)
        return None

    async def _watch_for_hang_up(self) -> None:
        """Stand in for `_read` while the protocol waits for an answer's end to parse on."""
        with suppress(trio.BrokenResourceError):
            while not self._heard_all:
                data = await self._stream.receive_some(RECEIVE_BYTES)
                self._heard_all = not data
                self._read_ahead += data
                if len(self._read_ahead) > READ_AHEAD_BYTES:
                    self._scope.cancel()
            await gone(self._stream.socket)
        self._reading.cancel()

    def _begin_head(self) -> None:
        """From its first byte on, a request's head has a time of its own."""
        if self._idle_since is not None and not self._head_begun:
            self._head_begun = True
            latest = trio.current_time() + self._limits.head_timeout
            self._idle_until = min(self._idle_until, latest)

    # Writing

    async def _send(self, event: Event) -> None:
        if isinstance(event, RawData):
            await self._write(event.data)
        elif isinstance(event, Closed):
            await self._finish()
        elif isinstance(event, Updated):
            self._set_idle(event.idle)

    async def _write(self, data: bytes) -> None:
        async with self._write_lock:
            sent = False
            try:
                with trio.move_on_after(self._limits.write_timeout):
                    await self._stream.send_all(data)
                    sent = True
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
            finally:
                if not sent:  # too slow, gone or cancelled: the rest would not make sense any more
                    self._scope.cancel()
        # Also the way out of an app that sends on and on to a peer that went away.
        await trio.lowlevel.checkpoint()

    async def _finish(self) -> None:
        """The protocol has said its last: let the peer read it, and the app know."""
        self._closing = True
        self._idle_since = trio.current_time()
        self._reading.deadline = self._idle_since + self._limits.linger_timeout
        async with self._write_lock:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self._stream.send_eof()
        await self._protocol.handle(Closed())

    def _set_idle(self, idle: bool) -> None:
        now = trio.current_time()
        self._idle_since = now if idle else None
        self._head_begun = False
        self._idle_until = now + self._patience() if idle else inf
        self._awaiting.deadline = self._idle_until
        if idle and self._leaving:
            self._awaiting.cancel()

    def _patience(self) -> float:
        """Seconds for which a request is waited for."""
        limits = self._limits
        if not limits.keep_alive_timeout:
            return limits.head_timeout
        return limits.keep_alive_timeout + limits.keep_alive_grace

    # The two methods of hypercorn's TaskGroup that the protocol calls.

    def spawn(self, func: Callable[..., Awaitable[object]], *args: Any) -> None:
        self._nursery.start_soon(func, *args)

    async def spawn_app(
        self, app: ASGIApp, config: Config, scope: Scope, send: Callable[[Message | None], Any]
    ) -> Callable[[Message], Awaitable[None]]:
        inbox = Inbox()
        self._nursery.start_soon(self._answer, app, scope, inbox, send)
        return inbox.put

    async def _answer(
        self, app: ASGIApp, scope: Scope, inbox: Inbox, send: Callable[[Message | None], Any]
    ) -> None:
        try:
            if scope["http_version"] not in HTTP_VERSIONS:
                await respond(send, 505)
            else:
                if self.peer is not None:
                    scope["extensions"][PEER] = self.peer
                await app(scope, inbox.receive, send)
        except* Exception as group:
            self._server.log.warning("app", f"the app failed: {innermost(group)!r}")
        await send(None)  # a 500 if no answer had begun, the connection's end if one was cut off


def _one_share(limits: Limits) -> Door:
    share = Share(
        name="connections", connections=limits.max_connections, per_peer=limits.max_per_peer
    )
    return lambda who: share
