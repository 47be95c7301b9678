"""Time, room and connections: what a peer may take, and what happens at the stop."""

import errno
import logging
from contextlib import suppress
from pathlib import Path

import pytest
import trio
from msgspec.structs import replace
from serving import (
    BODY_LIMIT,
    LIMITS,
    Site,
    every_habit,
    fds_fall_to,
    habits,
    listen,
    open_fds,
    request,
)
from serving import running as running_app

from laned.http import serve as serve_module
from laned.http.asgi import DRAIN_BYTES, Receive, Scope, Send, respond
from laned.http.listen import Listener
from laned.http.serve import serve

LONG = replace(LIMITS, keep_alive_timeout=30.0)


async def drip(stream: trio.SocketStream, raw: bytes) -> float:
    """Send a byte at a time until the server hangs up; how long that took."""
    started = trio.current_time()

    async def send() -> None:
        with suppress(trio.BrokenResourceError):
            for at in range(len(raw)):
                await stream.send_all(raw[at : at + 1])
                await trio.sleep(0.05)

    with trio.fail_after(3):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            with suppress(trio.BrokenResourceError):
                while await stream.receive_some():
                    pass
            nursery.cancel_scope.cancel()
    await stream.aclose()
    return trio.current_time() - started


async def test_a_head_must_be_complete_within_its_timeout(tmp_path: Path) -> None:
    async with habits("tcp", tmp_path) as site:
        assert 0.4 < await drip(await site.connect(), b"GET / HTTP/1.1\r\n" + b"X" * 100) < 1.0
        assert 0.4 < await drip(await site.connect(), b"") < 1.0
    patient = replace(LIMITS, keep_alive_timeout=30.0)
    async with habits("tcp", tmp_path, patient) as site:  # also where silence is borne for long
        assert 0.4 < await drip(await site.connect(), b"GET / HTTP/1.1\r\n" + b"X" * 100) < 1.0


async def test_an_idle_connection_is_closed_after_its_answer(tmp_path: Path) -> None:
    async with habits("unix", tmp_path) as site:
        started = trio.current_time()
        answer = await site.say(request("GET", "/ok", connection="keep-alive"))
        assert b" 200 " in answer
        assert 0.4 < trio.current_time() - started < 1.0


async def test_a_slow_answer_outlives_the_keep_alive_timeout(tmp_path: Path) -> None:
    limits = replace(LIMITS, keep_alive_timeout=0.05)
    async with habits("tcp", tmp_path, limits) as site:
        assert b"slowly" in await site.get("/slow")


async def test_a_slow_body_meets_the_deadline_of_the_app(tmp_path: Path) -> None:
    async with habits("tcp", tmp_path) as site:
        stream = await site.connect()
        await stream.send_all(request("POST", "/ok", b"x" * 50)[:-50])
        assert 0.25 < await drip(stream, b"x" * 49) < 1.0


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"], ids=["unfinished", "finished"])
async def test_a_huge_head_is_refused(end: bytes, tmp_path: Path) -> None:
    async with habits("tcp", tmp_path) as site:
        raw = b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 40_000 + end
        assert (await site.say(raw)).startswith(b"HTTP/1.1 431 ")


async def test_a_body_that_is_too_large_gets_its_answer(tmp_path: Path) -> None:
    async with habits("tcp", tmp_path) as site:
        assert b" 200 " in await site.say(request("POST", "/ok", b"x" * BODY_LIMIT))
        assert b" 413 " in await site.say(request("POST", "/ok", b"x" * (BODY_LIMIT + 1)))
        assert b" 413 " in await site.say(request("POST", "/ok", b"x" * DRAIN_BYTES))


async def test_an_endless_body_ends(tmp_path: Path) -> None:
    async with habits("tcp", tmp_path) as site:
        before = open_fds()
        await site.say(request("POST", "/ok", b"x" * 8 * DRAIN_BYTES))
        await fds_fall_to(before, within=1)


async def test_a_peer_that_leaves_without_a_request_is_forgotten_at_once(tmp_path: Path) -> None:
    async with habits("tcp", tmp_path, LONG) as site:
        before = open_fds()
        for opening in (b"", b"GET / HTTP/1.1\r\n"):
            stream = await site.connect()
            await stream.send_all(opening)
            await stream.aclose()
        await fds_fall_to(before, within=0.5)


async def test_pipelined_requests_are_answered_in_turn(tmp_path: Path) -> None:
    async with habits("tcp", tmp_path) as site:
        first = request("GET", "/slow", connection="keep-alive")
        answer = await site.say(first + request("POST", "/ok", b"12"))
        assert answer.index(b"slowly") < answer.index(b"POST 2")


async def test_work_after_the_answer_is_not_cancelled_by_the_hang_up(tmp_path: Path) -> None:
    finished = trio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, 204)
        await trio.sleep(0.1)
        finished.set()

    async with running_app(lambda stop: app, "tcp", tmp_path) as site:
        assert b" 204 " in await site.get()
        with trio.fail_after(1):
            await finished.wait()


async def test_an_event_stream_outlives_the_keep_alive_timeout(tmp_path: Path) -> None:
    limits = replace(LIMITS, keep_alive_timeout=0.05)
    async with habits("tcp", tmp_path, limits) as site, await site.connect() as stream:
        await stream.send_all(request("GET", "/events"))
        with trio.move_on_after(0.2) as quiet:
            async for data in stream:
                assert data
        assert quiet.cancelled_caught


async def test_a_peer_still_sending_gets_to_read_the_answer(tmp_path: Path) -> None:
    async with habits("tcp", tmp_path) as site:
        assert b" 404 " in await site.say(request("POST", "/early", b"x" * 5_000_000))


async def test_a_peer_that_does_not_close_after_its_answer_is_closed(tmp_path: Path) -> None:
    async with habits("tcp", tmp_path) as site:
        before = open_fds()
        async with await site.connect() as stream:
            await stream.send_all(request("GET", "/ok"))
            with trio.fail_after(1):
                assert b"200" in b"".join([data async for data in stream])
            await fds_fall_to(before + 1, within=1)


async def test_a_full_listener_leaves_the_others_alone(tmp_path: Path) -> None:
    limits = replace(LONG, max_connections=1)
    tcp, unix = await listen("tcp", tmp_path), await listen("unix", tmp_path)
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        server = lambda task_status: serve(  # noqa: E731
            every_habit(stop), [tcp, unix], stop=stop, limits=limits, task_status=task_status
        )
        await nursery.start(server)
        busy = await Site(tcp, stop, stop).connect()
        await busy.send_all(request("GET", "/deaf"))
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert await Site(tcp, stop, stop).get() == b""
        assert b" 200 " in await Site(unix, stop, stop).get()
        await busy.aclose()
        stop.set()


class Exhausted(trio.abc.Listener[trio.SocketStream]):
    """A listener whose accept() fails `times` times."""

    def __init__(self, inner: Listener, code: int, times: int) -> None:
        self.inner = inner
        self.code = code
        self.times = times

    async def accept(self) -> trio.SocketStream:
        if self.times:
            self.times -= 1
            await trio.lowlevel.checkpoint()
            raise OSError(self.code, "Too many open files")
        return await self.inner.accept()

    async def aclose(self) -> None:
        await self.inner.aclose()


async def test_no_file_descriptors_left_is_waited_out_quietly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve_module, "ACCEPT_BACKOFF_SECONDS", 0.01)
    inner = await listen("tcp", tmp_path)
    listener = Exhausted(inner, errno.EMFILE, 10)
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(
            lambda task_status: serve(
                every_habit(stop), [listener], stop=stop, limits=LIMITS, task_status=task_status
            )
        )
        assert b" 200 " in await Site(inner, stop, stop).get()
        stop.set()
    assert listener.times == 0
    [record] = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert record.getMessage() == "cannot accept connections: Too many open files"
    assert record.exc_info is None


async def test_any_other_accept_error_is_ours_and_raised(tmp_path: Path) -> None:
    listener = Exhausted(await listen("tcp", tmp_path), errno.EINVAL, 1)
    with pytest.RaisesGroup(pytest.RaisesGroup(OSError)):
        await serve(every_habit(trio.Event()), [listener], stop=trio.Event(), limits=LIMITS)


async def test_stop_ends_event_streams_in_order_and_idle_connections_at_once(
    tmp_path: Path,
) -> None:
    async with habits("unix", tmp_path, replace(LONG, graceful_timeout=3.0)) as site:
        idle = await site.connect()
        events = await site.connect()
        await events.send_all(request("GET", "/events"))
        await events.receive_some()
        await trio.testing.wait_all_tasks_blocked(0.01)
        started = trio.current_time()
        site.stop.set()
        with trio.fail_after(1):
            rest = b""
            async for data in events:
                rest += data
            assert rest.endswith(b"0\r\n\r\n")
            assert await idle.receive_some() == b""
            await events.aclose()
            await site.done.wait()
        assert trio.current_time() - started < 1.0
        with pytest.raises(OSError, match=r"No such file|refused"):
            await site.connect()
        await idle.aclose()


async def test_stop_lets_an_answer_finish(tmp_path: Path) -> None:
    answers: list[bytes] = []
    async with habits("tcp", tmp_path) as site, trio.open_nursery() as nursery:

        async def ask() -> None:
            answers.append(await site.get("/slow"))

        nursery.start_soon(ask)
        await trio.sleep(0.05)
        site.stop.set()
    assert b"slowly" in answers[0]


async def test_stop_cancels_what_does_not_finish(tmp_path: Path) -> None:
    async with habits("tcp", tmp_path) as site:
        stream = await site.connect()
        await stream.send_all(request("GET", "/deaf"))
        await trio.sleep(0.02)
        started = trio.current_time()
        site.stop.set()
        await site.done.wait()
        assert trio.current_time() - started > 0.2
        await stream.aclose()
