"""What the two ASGI apps share: bounded bodies, whole answers, event streams, and no exceptions.

The apps are plain ASGI callables behind `laned.http.serve`. Three rules keep them well-behaved
there: read the request's body to its end before answering, watch for the disconnect in everything
that waits (`send` to a peer that went away says nothing), and never raise.
"""

import logging
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    MutableMapping,
)
from typing import Any

import trio

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]

DRAIN_BYTES = 1024 * 1024
"""How much of a body that is too large is still read, so that its sender gets to see the answer."""
HEARTBEAT_SECONDS = 15.0
LOG_INTERVAL_SECONDS = 10.0
BODYLESS = frozenset({204, 304})

_log = logging.getLogger(__name__)


class BodyTooLarge(Exception):  # noqa: N818 - read as a sentence: "except BodyTooLarge"
    """The request's body has more bytes than the route takes."""


class BodyTimeout(Exception):  # noqa: N818
    """The request's body did not arrive whole within its deadline."""


class Disconnected(Exception):  # noqa: N818
    """The peer hung up before its request's body was complete."""


class ThrottledLog:
    """Log lines that a stranger can provoke: one per subject and interval, then a count.

    `subject` is a constant of the caller, never text from outside. Runs inside trio.
    """

    def __init__(self, log: logging.Logger, interval: float = LOG_INTERVAL_SECONDS) -> None:
        self._log = log
        self._interval = interval
        self._next: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def warning(self, subject: str, text: str, error: BaseException | None = None) -> None:
        """Log `text`, with the traceback of `error` if given, unless `subject` was just logged."""
        now = trio.current_time()
        if now < self._next.get(subject, now):
            self._left_out[subject] = self._left_out.get(subject, 0) + 1
            return
        self._next[subject] = now + self._interval
        left_out = self._left_out.pop(subject, 0)
        more = f" ({left_out} similar since the last such line)" if left_out else ""
        self._log.warning("%s%s", text, more, exc_info=error)


async def read_body(receive: Receive, limit: int, deadline: float) -> bytes:
    """Read the request's whole body: at most `limit` bytes, within `deadline` seconds from now.

    A larger one is read on and thrown away for up to `DRAIN_BYTES`, still within the deadline, so
    that a peer which sends everything before it reads gets its 413 and not a reset.

    Raises:
        BodyTooLarge: more than `limit` bytes came.
        BodyTimeout: the end did not come in time.
        Disconnected: the peer hung up first.

    """
    body = bytearray()
    size = 0
    with trio.move_on_after(deadline):
        while size <= limit + DRAIN_BYTES:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            chunk = message.get("body", b"")
            size += len(chunk)
            if size <= limit:
                body += chunk
            if not message.get("more_body", False):
                break
        if size <= limit:
            return bytes(body)
    if size > limit:
        raise BodyTooLarge(f"the body has more than {limit} bytes")
    raise BodyTimeout(f"the body was not complete after {deadline:g} s")


async def respond(
    send: Send,
    status: int,
    body: bytes = b"",
    content_type: str = "text/plain; charset=utf-8",
    headers: Headers = (),
) -> None:
    """Send a whole answer. `content_type` goes with a body only; 204 and 304 have neither."""
    fields = list(headers)
    if body:
        fields.append((b"content-type", content_type.encode("ascii")))
    if status not in BODYLESS:
        fields.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def disconnected(receive: Receive) -> None:
    """Return when the peer has hung up; what is left of the body is thrown away."""
    while (await receive())["type"] != "http.disconnect":
        pass


def guarded(
    handler: ASGIApp,
    *,
    body: bytes = b"internal error\n",
    content_type: str = "text/plain; charset=utf-8",
) -> ASGIApp:
    """Wrap `handler` so that it never raises: an exception is logged and answered with a 500.

    `body` and `content_type` are that answer's. If the handler's own answer had begun, the server
    cuts the connection, which tells the peer the same. `Disconnected` is nobody's fault: silent.
    Cancellation passes.
    """
    log = ThrottledLog(_log)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await handler(scope, receive, watched)
        except* Disconnected:
            pass
        except* Exception as group:
            log.warning("app", f"error while answering {scope['method']} {scope['path']!r}", group)
            if not started:
                await respond(send, 500, body, content_type)

    return app


async def stream_events(
    receive: Receive,
    send: Send,
    source: AsyncIterator[bytes],
    *,
    stop: trio.Event | None = None,
    heartbeat: float = HEARTBEAT_SECONDS,
) -> None:
    """Answer with server-sent events: each item of `source` is sent as it comes, already encoded.

    Ends when the source does, when `stop` (if given) is set, or within milliseconds of the peer's
    hang-up.
    After `heartbeat` seconds of quiet a comment line is sent. `source` is closed at the end if it
    is an async generator.
    """
    fields = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    quiet_since = trio.current_time()

    async def send_chunk(chunk: bytes) -> None:
        nonlocal quiet_since
        # Half an event on the wire would spoil the stream's orderly end, so the stop waits for it;
        # the server's write deadline bounds that.
        with trio.CancelScope(shield=True):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        quiet_since = trio.current_time()
        # A source with a backlog may never wait: this is where a cancelled stream ends.
        await trio.lowlevel.checkpoint()

    async def beat() -> None:
        while True:
            await trio.sleep_until(quiet_since + heartbeat)
            if trio.current_time() >= quiet_since + heartbeat:
                await send_chunk(b": \n\n")

    async def end_after(wait: Callable[[], Awaitable[None]], cancel: trio.CancelScope) -> None:
        await wait()
        cancel.cancel()

    try:
        async with trio.open_nursery() as nursery:
            ended = nursery.cancel_scope
            nursery.start_soon(end_after, lambda: disconnected(receive), ended)
            if stop is not None:
                nursery.start_soon(end_after, stop.wait, ended)
            nursery.start_soon(beat)
            async for chunk in source:
                await send_chunk(chunk)
            ended.cancel()
    finally:
        if isinstance(source, AsyncGenerator):
            await source.aclose()
    await send({"type": "http.response.body", "body": b"", "more_body": False})
