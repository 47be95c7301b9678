"""The simulated terminal as an ASGI application: what hypercorn or a test mounts."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import trio

from laned.simulator.listener import PATH
from laned.simulator.terminal import Reply, Terminal
from laned.simulator.wire import MAX_BYTES

BODY_TIMEOUT = 10.0
"""Seconds for a whole request body to arrive."""
MAX_DISCARDED = 4 * 1024 * 1024
"""Bytes of a too large body that are read, and thrown away, before it is answered."""

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class _GoneError(Exception):
    """The client hung up."""


def simulator_app(terminal: Terminal) -> App:
    """An application for HTTP requests only, that reads a bounded body and never raises.

    200 and 204 as the terminal answers; 400 no nexo message, 404 wrong path, 405 no POST,
    408 slow body, 413 large body, 503 powered off or not running. When the terminal gives no
    answer at all (it lost power), nothing is sent until the client hangs up. Where the connection
    breaks, an answer begins and is broken off: an application cannot hang up in another way.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            reply = await _reply(terminal, scope, receive)
        except _GoneError:
            return
        if reply.cut:
            headers = [(b"content-length", b"1")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            return
        headers = [(b"content-length", str(len(reply.body)).encode())]
        if reply.status == 204:
            headers = []
        elif reply.body:
            headers.append((b"content-type", b"application/xml; charset=utf-8"))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    return app


async def _reply(terminal: Terminal, scope: Scope, receive: Receive) -> Reply:
    with trio.move_on_after(BODY_TIMEOUT) as deadline:
        body = await _read(receive)
    if deadline.cancelled_caught:
        return _wrong(terminal, 408, "the request's body took too long")
    if scope["path"] != PATH:
        return _wrong(terminal, 404, f"found the path {scope['path'][:60]!r}, expected {PATH}")
    if scope["method"] != "POST":
        return _wrong(terminal, 405, f"found the method {scope['method']}, expected POST")
    if body is None:
        return _wrong(terminal, 413, f"a body of over {MAX_BYTES} bytes")
    content_type = dict(scope["headers"]).get(b"content-type", b"").decode("latin-1")
    if content_type.partition(";")[0].strip().lower() != "application/xml":
        terminal.record.violation(f"Content-Type is {content_type!r}, expected application/xml")
    replies: list[Reply] = []
    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            nursery.cancel_scope.cancel()

        nursery.start_soon(watch)
        replies.append(await terminal.handle(body))
        nursery.cancel_scope.cancel()
    if not replies:
        terminal.record.say("the till hung up")
        raise _GoneError
    return replies[0]


async def _read(receive: Receive) -> bytes | None:
    """The whole body; None if it is too large."""
    body, size, more = bytearray(), 0, True
    while more and size <= MAX_DISCARDED:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise _GoneError
        chunk, more = event.get("body", b""), event.get("more_body", False)
        size += len(chunk)
        if size <= MAX_BYTES:
            body += chunk
    return bytes(body) if size <= MAX_BYTES else None


def _wrong(terminal: Terminal, status: int, text: str) -> Reply:
    terminal.record.violation(text)
    return Reply(status)
