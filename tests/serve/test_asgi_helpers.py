"""The helpers of both apps, without a server, under virtual time."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
import trio

from laned.http.asgi import (
    DRAIN_BYTES,
    BodyTimeout,
    BodyTooLarge,
    Disconnected,
    Message,
    Receive,
    Scope,
    Send,
    ThrottledLog,
    disconnected,
    guarded,
    read_body,
    respond,
    stream_events,
)

SCOPE: Scope = {"type": "http", "method": "GET", "path": "/x"}


def body(*chunks: bytes, end: bool = True) -> Receive:
    """Return a receive() that yields `chunks`, then the end of the body, then waits for ever."""
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    if end:
        messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Message:
        await trio.lowlevel.checkpoint()
        if not messages:
            await trio.sleep_forever()
        return messages.pop(0)

    return receive


def hang_up_after(seconds: float) -> Receive:
    async def receive() -> Message:
        await trio.sleep(seconds)
        return {"type": "http.disconnect"}

    return receive


class Sent(list[Message]):
    async def __call__(self, message: Message) -> None:
        await trio.lowlevel.checkpoint()
        self.append(message)

    @property
    def status(self) -> int:
        status: int = self[0]["status"]
        return status

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self)


async def test_a_body_up_to_the_limit_is_returned(autojump_clock: object) -> None:
    assert await read_body(body(b"12", b"34"), 4, 1.0) == b"1234"


async def test_a_larger_body_is_read_on_before_it_is_refused() -> None:
    receive = body(b"12345", b"6" * 1000)
    with pytest.raises(BodyTooLarge, match="more than 4 bytes"):
        await read_body(receive, 4, 1.0)
    with trio.move_on_after(0) as scope:
        await receive()
    assert scope.cancelled_caught  # all of it was taken


async def test_reading_on_is_bounded_in_bytes() -> None:
    taken = 0

    async def endless() -> Message:
        nonlocal taken
        await trio.lowlevel.checkpoint()
        taken += 65536
        return {"type": "http.request", "body": b"x" * 65536, "more_body": True}

    with pytest.raises(BodyTooLarge):
        await read_body(endless, 10, 60.0)
    assert DRAIN_BYTES < taken <= DRAIN_BYTES + 2 * 65536


async def test_a_body_that_does_not_end_times_out(autojump_clock: object) -> None:
    started = trio.current_time()
    with pytest.raises(BodyTimeout, match="not complete after 3 s"):
        await read_body(body(b"1", end=False), 4, 3.0)
    with pytest.raises(BodyTooLarge):
        await read_body(body(b"12345", end=False), 4, 3.0)
    assert trio.current_time() - started == pytest.approx(6.0)


async def test_a_hang_up_in_the_body(autojump_clock: object) -> None:
    with pytest.raises(Disconnected):
        await read_body(hang_up_after(1), 4, 3.0)


async def test_disconnected_waits_through_the_body(autojump_clock: object) -> None:
    messages: list[Message] = [{"type": "http.request"}, {"type": "http.disconnect"}]

    async def receive() -> Message:
        await trio.sleep(1)
        return messages.pop(0)

    await disconnected(receive)
    assert trio.current_time() == pytest.approx(2.0)


async def test_respond() -> None:
    sent = Sent()
    await respond(sent, 200, b"{}", "application/json", [(b"retry-after", b"1")])
    assert sent[0]["headers"] == [
        (b"retry-after", b"1"),
        (b"content-type", b"application/json"),
        (b"content-length", b"2"),
    ]
    assert sent[1] == {"type": "http.response.body", "body": b"{}", "more_body": False}


@pytest.mark.parametrize(("status", "headers"), [(204, []), (404, [(b"content-length", b"0")])])
async def test_respond_without_a_body(status: int, headers: list[tuple[bytes, bytes]]) -> None:
    sent = Sent()
    await respond(sent, status)
    assert sent[0]["headers"] == headers


async def test_guarded_answers_500_and_logs(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            raise RuntimeError("deep down")

    sent = Sent()
    app = guarded(broken, body=b"{}", content_type="application/problem+json")
    await app(SCOPE, body(), sent)
    assert sent.status == 500
    assert sent.body == b"{}"
    assert "error while answering GET '/x'" in caplog.text
    assert "deep down" in caplog.text


async def test_guarded_adds_nothing_to_an_answer_that_has_begun() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    sent = Sent()
    await guarded(broken)(SCOPE, body(), sent)
    assert [message["type"] for message in sent] == ["http.response.start"]


async def test_guarded_takes_a_hang_up_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    async def leaving(scope: Scope, receive: Receive, send: Send) -> None:
        raise Disconnected

    sent = Sent()
    await guarded(leaving)(SCOPE, body(), sent)
    assert not sent
    assert not caplog.records


async def test_guarded_lets_cancellation_through() -> None:
    async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
        await trio.sleep_forever()

    with trio.move_on_after(0) as scope:
        await guarded(waiting)(SCOPE, body(), Sent())
    assert scope.cancelled_caught


async def ticks(*waits: float) -> AsyncGenerator[bytes]:
    for wait in waits:
        await trio.sleep(wait)
        yield b"data: %g\n\n" % wait


async def test_events_end_with_their_source(autojump_clock: object) -> None:
    sent = Sent()
    await stream_events(body(), sent, ticks(1, 2), stop=trio.Event())
    assert (b"content-type", b"text/event-stream") in sent[0]["headers"]
    assert sent.body == b"data: 1\n\ndata: 2\n\n"
    assert sent[-1]["more_body"] is False


async def test_a_comment_after_a_quiet_while_counted_from_the_last_event(
    autojump_clock: object,
) -> None:
    sent = Sent()
    await stream_events(body(), sent, ticks(10, 40), stop=trio.Event(), heartbeat=15.0)
    assert sent.body == b"data: 10\n\n: \n\n: \n\ndata: 40\n\n"


async def test_events_end_at_the_stop(autojump_clock: object) -> None:
    stop = trio.Event()
    sent = Sent()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            lambda: stream_events(body(), sent, ticks(1, 1000), stop=stop, heartbeat=2000)
        )
        await trio.sleep(5)
        stop.set()
    assert trio.current_time() == pytest.approx(5.0)
    assert sent[-1]["more_body"] is False


async def test_events_end_at_the_hang_up_and_close_their_source(autojump_clock: object) -> None:
    closed = trio.Event()

    async def source() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"data: x\n\n"
                await trio.sleep(1)
        finally:
            closed.set()

    await stream_events(hang_up_after(2.5), Sent(), source(), stop=trio.Event())
    assert trio.current_time() == pytest.approx(2.5)
    assert closed.is_set()


async def test_a_failing_send_closes_the_source_too() -> None:
    closed = trio.Event()

    async def source() -> AsyncIterator[bytes]:
        try:
            yield b"data: x\n\n"
        finally:
            closed.set()

    async def failing(message: Message) -> None:
        await trio.lowlevel.checkpoint()
        if message["type"] == "http.response.body":
            raise LookupError

    with pytest.RaisesGroup(LookupError):
        await stream_events(body(), failing, source(), stop=trio.Event())
    assert closed.is_set()


async def test_the_stop_does_not_break_off_an_event(autojump_clock: object) -> None:
    stop = trio.Event()
    whole: list[bytes] = []

    async def slow_send(message: Message) -> None:
        await trio.sleep(1)
        whole.append(message.get("body", b""))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: stream_events(body(), slow_send, ticks(0), stop=stop))
        await trio.sleep(1.5)  # the start took one second, the event is half sent
        stop.set()
    assert b"data: 0\n\n" in whole


async def test_a_throttled_log_counts_what_it_leaves_out(
    autojump_clock: object, caplog: pytest.LogCaptureFixture
) -> None:
    log = ThrottledLog(logging.getLogger("test"), interval=10.0)
    for _ in range(5):
        log.warning("subject", "refused")
    log.warning("other", "also refused")
    await trio.sleep(10)
    log.warning("subject", "refused")
    assert caplog.messages == [
        "refused",
        "also refused",
        "refused (4 similar since the last such line)",
    ]


async def test_a_source_that_never_waits_does_not_outlive_the_stop(
    autojump_clock: object,
) -> None:
    """A backlog is always there: only the sends wait, and they are shielded."""
    sent = 0

    async def backlog() -> AsyncIterator[bytes]:
        while True:
            yield b"data: more\n\n"

    async def slow_send(message: Message) -> None:
        nonlocal sent
        sent += 1
        assert sent < 100, "the stream went on after the stop"
        await trio.sleep(2)

    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: stream_events(body(), slow_send, backlog(), stop=stop))
        await trio.sleep(5)
        stop.set()
    assert trio.current_time() <= 5 + 2 * 3
