"""hypercorn's HTTP/1.1 protocol, kept to what our servers speak and promise."""

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress

import h11
import trio
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.typing import H11SendableEvent

from laned.http.asgi import Message

INBOX_MESSAGES = 4
"""Pieces of a body, each of one receive's bytes at most, that wait for the app."""

_ABSOLUTE = re.compile(rb"https?://[^/?#]*(/?)", re.IGNORECASE)


class Http11(H11Protocol):
    """HTTP/1.1 and nothing else: an offer to upgrade may be ignored (RFC 9110 7.8)."""

    keep_alive_seconds: int | None = None
    """Said in answers (`Keep-Alive: timeout=`); None: each answer is its connection's last."""

    async def _check_protocol(self, event: h11.Request) -> None:
        """Take up no HTTP/2; its preface reaches `spawn_app` as a request of version 2.0."""

    async def _create_stream(self, request: h11.Request) -> None:
        """Take up no WebSocket: a handshake that hypercorn refuses is never closed."""
        headers = [(name, value) for name, value in request.headers if name != b"upgrade"]
        await super()._create_stream(
            h11.Request(
                method=request.method,
                target=origin_form(request.target),
                headers=headers,
                http_version=request.http_version,
            )
        )

    async def _send_h11_event(self, event: H11SendableEvent) -> None:
        if isinstance(event, h11.Response):
            names = [name for name, _ in event.headers]
            if b"connection" not in names:
                headers = [*event.headers, *self._persistence()]
                event = h11.Response(status_code=event.status_code, headers=headers)
        await super()._send_h11_event(event)

    def _persistence(self) -> list[tuple[bytes, bytes]]:
        """Say whether the connection is kept after this answer, and how long."""
        # DONE: the request has come whole, and allows it; its peer can send another one.
        kept = self.connection.their_state is h11.DONE and not self.context.terminated.is_set()
        if not kept or self.keep_alive_seconds is None:
            return [(b"connection", b"close")]
        timeout = b"timeout=%d" % self.keep_alive_seconds
        return [(b"connection", b"keep-alive"), (b"keep-alive", timeout)]


def origin_form(target: bytes) -> bytes:
    """Strip an absolute-form target, which every server takes (RFC 9112 3.2.2), to path and query.

    Any host is ours, so it is not looked at.
    """
    return _ABSOLUTE.sub(b"/", target, count=1) if _ABSOLUTE.match(target) else target


class Resumption:
    """The protocol's `can_read`: awaited when more came than the request being answered."""

    def __init__(self, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self._meanwhile = meanwhile
        self._event = trio.Event()

    async def clear(self) -> None:
        """Let `wait` wait."""
        self._event = trio.Event()

    async def set(self) -> None:
        """End every `wait`."""
        self._event.set()

    def is_set(self) -> bool:
        """Whether `wait` returns at once."""
        return self._event.is_set()

    async def wait(self) -> None:
        """Do `meanwhile` until it is set."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._meanwhile)
            await self._event.wait()
            nursery.cancel_scope.cancel()


class Inbox:
    """What the app receives. A piece of the body waits for room; the disconnect never does."""

    def __init__(self) -> None:
        self._to_app, self._from_peer = trio.open_memory_channel[Message](INBOX_MESSAGES)

    async def put(self, message: Message) -> None:
        """Hand the app a piece of the body, or the disconnect."""
        if message["type"] == "http.request":
            with suppress(trio.ClosedResourceError):  # by a disconnect, while it waited
                await self._to_app.send(message)
        else:
            self._to_app.close()

    async def receive(self) -> Message:
        """Be the app's `receive`."""
        try:
            return await self._from_peer.receive()
        except trio.EndOfChannel:
            return {"type": "http.disconnect"}
