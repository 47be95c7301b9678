"""Who is gone and who has only said all that it had to say; nobody's answer is withheld."""

import socket
import struct
from pathlib import Path

import pytest
import trio
from msgspec.structs import replace
from serving import LIMITS, events, fds_fall_to, habits, open_fds, request, running

from laned.http.asgi import Receive, Scope, Send, disconnected, respond
from laned.http.hangup import KEEP_ALIVE

KINDS = ["tcp", "unix"]


async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers after a while, unless it hears that its peer has gone; as a wait for a payment."""
    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            await disconnected(receive)
            nursery.cancel_scope.cancel()

        nursery.start_soon(watch)
        await trio.sleep(0.3)
        await respond(send, 200, b"the true answer")
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("connection", ["close", "keep-alive"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_peer_that_half_closes_gets_its_answer(
    kind: str, connection: str, tmp_path: Path
) -> None:
    """Also one that its app waits for, watching for the hang-up."""
    async with running(lambda stop: waiting, kind, tmp_path) as site:
        before = open_fds()
        for body in (b"", b"12345"):
            raw = request("PUT", "/", body, connection=connection)
            answer = await site.say(raw, finish=True)
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert answer.endswith(b"\r\n\r\nthe true answer")
            assert b"\r\nconnection: close\r\n" in answer.lower(), "nothing more can be asked there"
        await fds_fall_to(before, within=1)


@pytest.mark.parametrize("kind", KINDS)
async def test_requests_sent_together_are_all_answered_after_a_half_close(
    kind: str, tmp_path: Path
) -> None:
    async with running(lambda stop: waiting, kind, tmp_path) as site:
        raw = request("GET", "/", connection="keep-alive")
        assert (await site.say(raw * 3, finish=True)).count(b"the true answer") == 3


@pytest.mark.parametrize("kind", KINDS)
async def test_a_half_closed_stream_goes_on(kind: str, tmp_path: Path) -> None:
    async with habits(kind, tmp_path) as site, await site.connect() as stream:
        await stream.send_all(request("GET", "/events"))
        await stream.send_eof()
        with trio.move_on_after(0.3) as quiet:
            async for data in stream:
                assert data
        assert quiet.cancelled_caught


@pytest.mark.parametrize("part", [b"", request("POST", "/deaf", b"12345")[:-2]])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_request_that_will_never_be_whole_ends_at_once(
    kind: str, part: bytes, tmp_path: Path
) -> None:
    limits = replace(LIMITS, head_timeout=30.0, keep_alive_timeout=30.0)
    async with habits(kind, tmp_path, limits) as site:
        before = open_fds()
        answer = await site.say(part, finish=True)
        assert answer.startswith(b"HTTP/1.1 400 ") if part else answer == b""
        await fds_fall_to(before, within=1)


async def hangs_up(stream: trio.SocketStream, how: str) -> None:
    if how == "reset":
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif how == "shutdown":
        stream.socket.shutdown(socket.SHUT_RDWR)
        return
    elif how == "half, then closes":
        await stream.send_eof()
        await trio.sleep(0.05)
    await stream.aclose()


@pytest.mark.parametrize("behind", [b"", b"GARBAGE\r\n\r\n"], ids=["alone", "with more behind"])
@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("unix", "closes"),
        ("unix", "shutdown"),
        ("unix", "half, then closes"),
        ("tcp", "reset"),
    ],
)
async def test_a_hang_up_is_told_at_once(
    kind: str, how: str, behind: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = trio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await disconnected(receive)
        await trio.lowlevel.checkpoint()
        told.set()

    async with running(lambda stop: app, kind, tmp_path) as site:
        before = open_fds()
        stream = await site.connect()
        await stream.send_all(request("GET", "/", connection="keep-alive") + behind)
        await trio.testing.wait_all_tasks_blocked(0.01)
        await hangs_up(stream, how)
        with trio.fail_after(0.5):
            await told.wait()
        await stream.aclose()
        await fds_fall_to(before, within=0.5)
    assert not caplog.records


async def test_on_tcp_a_peer_that_closed_shows_itself_when_written_to(tmp_path: Path) -> None:
    """Its end looks like a half-close; so an event stream ends with its second line."""
    async with running(lambda stop: events(stop, heartbeat=0.1), "tcp", tmp_path) as site:
        before = open_fds()
        stream = await site.connect()
        await stream.send_all(request("GET", "/events"))
        answer = b""
        while b"data: {}" not in answer:
            answer += await stream.receive_some()
        await stream.aclose()
        await fds_fall_to(before, within=1)


async def test_the_kernel_looks_after_a_silent_tcp_peer(tmp_path: Path) -> None:
    """One without power neither closes nor resets."""
    async with habits("tcp", tmp_path) as site, await site.connect() as stream:
        await stream.send_all(request("GET", "/events"))
        await stream.receive_some()
        mine, theirs = (f"{name[1]:04X}" for name in (stream.socket.getsockname(), site.address))
        table = await trio.Path("/proc/net/tcp").read_text(encoding="ascii")
        rows = [line.split() for line in table.splitlines()[1:]]
        [timer] = [r[5] for r in rows if r[1].endswith(f":{theirs}") and r[2].endswith(f":{mine}")]
    assert timer.startswith("02:"), "02: its keep-alive timer runs"
    assert int(timer[3:], 16) <= 100 * KEEP_ALIVE[1][2]
