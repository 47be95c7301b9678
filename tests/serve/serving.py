"""A server on a real socket, a client that can misbehave, and an app with every bad habit."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio
from msgspec import json

from laned.http.asgi import (
    HEARTBEAT_SECONDS,
    ASGIApp,
    BodyTimeout,
    BodyTooLarge,
    Receive,
    Scope,
    Send,
    read_body,
    respond,
    stream_events,
)
from laned.http.listen import Listener, UnixListener, listen_tcp, listen_unix
from laned.http.serve import PEER, Door, Limits, serve

LIMITS = Limits(
    max_connections=64,
    head_timeout=0.5,
    keep_alive_timeout=0.5,
    keep_alive_grace=0.0,
    write_timeout=0.2,
    linger_timeout=0.2,
    graceful_timeout=0.3,
)
PATIENCE = 5.0
"""Seconds after which a test that waits on a real socket has failed."""
BODY_LIMIT = 64 * 1024
BODY_DEADLINE = 0.3


class Site:
    """A running server and how to reach it."""

    def __init__(self, listener: Listener, stop: trio.Event, done: trio.Event) -> None:
        assert isinstance(listener, trio.SocketListener | UnixListener)
        self.listener = listener
        self.address = listener.socket.getsockname()
        self.stop = stop
        self.done = done

    async def connect(self, source: str | None = None) -> trio.SocketStream:
        """Connect, on TCP perhaps from another loopback address: as another peer."""
        if isinstance(self.address, tuple):
            return await trio.open_tcp_stream(*self.address[:2], local_address=source)
        sock = trio.socket.socket(trio.socket.AF_UNIX)
        try:
            await sock.connect(self.address)
        except BaseException:
            sock.close()
            raise
        return trio.SocketStream(sock)

    async def say(self, raw: bytes, *, finish: bool = False) -> bytes:
        """Send `raw`, perhaps half-close, and return all that comes back until the end."""
        with trio.fail_after(PATIENCE):
            async with await self.connect() as stream:
                answer = b""
                try:
                    await stream.send_all(raw)
                    if finish:
                        await stream.send_eof()
                    async for data in stream:
                        answer += data
                except trio.BrokenResourceError:
                    pass
                return answer

    async def get(self, path: str = "/ok") -> bytes:
        return await self.say(request("GET", path))


def request(
    method: str, path: str, body: bytes = b"", *fields: str, connection: str = "close"
) -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: x", f"Connection: {connection}", *fields]
    if body:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


async def listen(kind: str, folder: Path) -> Listener:
    if kind == "unix":
        return listen_unix(folder / "test.sock", 0o600)
    [listener] = await listen_tcp("127.0.0.1:0")
    return listener


@asynccontextmanager
async def running(
    make_app: Callable[[trio.Event], ASGIApp],
    kind: str,
    folder: Path,
    limits: Limits = LIMITS,
    door: Door | None = None,
) -> AsyncGenerator[Site]:
    """Serve; at the end stop, which must take no longer than the limits say."""
    site = Site(await listen(kind, folder), trio.Event(), trio.Event())

    async def run(task_status: trio.TaskStatus[None]) -> None:
        await serve(
            make_app(site.stop),
            [site.listener],
            limits=limits,
            door=door,
            stop=site.stop,
            task_status=task_status,
        )
        site.done.set()

    async with trio.open_nursery() as nursery:
        await nursery.start(run)
        yield site
        site.stop.set()
        with trio.fail_after(limits.graceful_timeout + limits.write_timeout + 1):
            await site.done.wait()


def open_fds() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def fds_fall_to(count: int, within: float = PATIENCE) -> None:
    """Return when no more than `count` file descriptors are open."""
    with trio.fail_after(within):
        while open_fds() > count:  # noqa: ASYNC110 - the kernel has no event for it
            await trio.sleep(0.005)


async def ok(scope: Scope, receive: Receive, send: Send) -> None:
    """The good citizen: the whole bounded body first, then one answer."""
    try:
        body = await read_body(receive, BODY_LIMIT, BODY_DEADLINE)
    except BodyTooLarge:
        await respond(send, 413)
    except BodyTimeout:
        await respond(send, 408)
    else:
        await respond(send, 200, b"%s %d" % (scope["method"].encode(), len(body)))


async def early(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(send, 404, b"never read it")


async def raising(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("a bug in a handler")


async def raising_midway(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    raise RuntimeError("a bug in a handler")


async def flood(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends for ever and looks at nothing, not even at whether anybody listens."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})


async def late(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers while its body still comes, having read none of it."""
    await trio.sleep(0.05)
    await respond(send, 404, b"never read it")


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    await read_body(receive, BODY_LIMIT, BODY_DEADLINE)
    await trio.sleep(0.1)
    await respond(send, 200, b"slowly")


async def deaf(scope: Scope, receive: Receive, send: Send) -> None:
    await trio.sleep_forever()


async def whoami(scope: Scope, receive: Receive, send: Send) -> None:
    peer = scope["extensions"].get(PEER)
    body = json.encode({"client": scope["client"], "peer": peer, "type": scope["type"]})
    await respond(send, 200, body, "application/json")


def events(stop: trio.Event, heartbeat: float = HEARTBEAT_SECONDS) -> ASGIApp:
    async def source() -> AsyncIterator[bytes]:
        yield b"event: lane\ndata: {}\n\n"
        await trio.sleep_forever()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await stream_events(receive, send, source(), stop=stop, heartbeat=heartbeat)

    return app


def every_habit(stop: trio.Event) -> ASGIApp:
    """Return an app that behaves by its path."""
    routes: dict[str, Callable[[Scope, Receive, Send], Awaitable[None]]] = {
        "/early": early,
        "/raise": raising,
        "/midway": raising_midway,
        "/flood": flood,
        "/late": late,
        "/slow": slow,
        "/deaf": deaf,
        "/whoami": whoami,
        "/events": events(stop),
    }

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await routes.get(scope["path"], ok)(scope, receive, send)

    return app


habits = partial(running, every_habit)
