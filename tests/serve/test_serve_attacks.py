"""One bad peer must never end, hold up or leak anything but its own connection.

Each shape of `CRASHERS` is repeated: hypercorn's own connection dies of them by chance, after
three to eighteen shots (BusyResourceError out of the server).
"""

from pathlib import Path

import pytest
import trio
from attacks import CRASHERS, malformed
from hypercorn.protocol.h11 import H11Protocol
from msgspec.structs import replace
from serving import (
    LIMITS,
    fds_fall_to,
    habits,
    ok,
    open_fds,
    raising,
    request,
    running,
)

from laned.http.asgi import ASGIApp

SHOTS = 25
FUZZ = 300
KINDS = ["tcp", "unix"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", CRASHERS)
async def test_crashers_end_their_own_connection_only(
    shape: str, kind: str, tmp_path: Path
) -> None:
    raw, finish = CRASHERS[shape]
    async with habits(kind, tmp_path) as site:
        before = open_fds()
        for _ in range(SHOTS):
            await site.say(raw, finish=finish)
        assert b" 200 " in await site.get()
        await fds_fall_to(before)


@pytest.mark.parametrize("app", [ok, raising], ids=["reading", "raising"])
async def test_malformed_requests(app: ASGIApp, tmp_path: Path) -> None:
    async with running(lambda stop: app, "tcp", tmp_path) as site:
        before = open_fds()
        limiter = trio.CapacityLimiter(24)

        async def shoot(seed: int) -> None:
            async with limiter:
                raw, finish = malformed(seed)
                try:
                    await site.say(raw, finish=finish)
                except trio.TooSlowError:
                    pytest.fail(f"seed {seed}: the connection never ended: {raw!r}")

        async with trio.open_nursery() as nursery:
            for seed in range(FUZZ):
                nursery.start_soon(shoot, seed)
        status = b" 200 " if app is ok else b" 500 "
        assert status in await site.get()
        await fds_fall_to(before)


async def test_an_error_of_the_protocol_ends_its_connection_and_is_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def explode(self: H11Protocol, event: object) -> None:
        raise LookupError("not foreseen")

    async with habits("tcp", tmp_path) as site:
        before = open_fds()
        with monkeypatch.context() as patched:
            patched.setattr(H11Protocol, "handle", explode)
            for _ in range(5):
                assert await site.say(request("GET", "/ok")) == b""
        assert b" 200 " in await site.get()
        await fds_fall_to(before)
    [record] = caplog.records
    assert record.getMessage() == "connection dropped: LookupError('not foreseen')"
    assert record.exc_info is None


@pytest.mark.parametrize("kind", KINDS)
async def test_bytes_after_an_event_stream_request_do_not_hide_the_hang_up(
    kind: str, tmp_path: Path
) -> None:
    async with habits(kind, tmp_path) as site:
        before = open_fds()
        for _ in range(20):
            stream = await site.connect()
            await stream.send_all(request("GET", "/events", connection="keep-alive"))
            await stream.send_all(b"GARBAGE\r\n\r\n")
            with trio.fail_after(2):
                assert b" 200 " in await stream.receive_some()
            await stream.aclose()
        await fds_fall_to(before, within=1)


async def test_a_flood_behind_an_open_request_is_cut(tmp_path: Path) -> None:
    async with habits("tcp", tmp_path) as site:
        stream = await site.connect()
        await stream.send_all(request("GET", "/events", connection="keep-alive"))
        with trio.fail_after(2), pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"A" * 32_000_000)
        await stream.aclose()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_peer_that_never_reads_blocks_neither_stop_nor_others(
    kind: str, tmp_path: Path
) -> None:
    async with habits(kind, tmp_path) as site:
        stream = await site.connect()
        await stream.send_all(request("GET", "/flood"))
        await trio.sleep(0.05)  # its socket's buffers fill
        assert b" 200 " in await site.get()
        site.stop.set()
        with trio.fail_after(1):
            await site.done.wait()
        await stream.aclose()


async def test_a_peer_that_never_reads_is_dropped_after_the_write_timeout(tmp_path: Path) -> None:
    async with habits("unix", tmp_path) as site:
        before = open_fds()
        stream = await site.connect()
        await stream.send_all(request("GET", "/flood"))
        await fds_fall_to(before + 1, within=1)  # ours alone
        await stream.aclose()


async def test_an_app_that_only_sends_does_not_spin_after_the_hang_up(tmp_path: Path) -> None:
    async with habits("tcp", tmp_path) as site:
        before = open_fds()
        stream = await site.connect()
        await stream.send_all(request("GET", "/flood"))
        await stream.receive_some()
        await stream.aclose()
        await fds_fall_to(before, within=1)


async def test_an_answer_while_a_large_unread_body_comes(tmp_path: Path) -> None:
    async with habits("tcp", tmp_path) as site:
        before = open_fds()
        await site.say(request("POST", "/late", b"x" * 2_000_000))
        await fds_fall_to(before)


async def test_cancelling_does_not_wait_for_a_peer_that_never_reads(tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        site_up = trio.Event()
        peers: list[trio.SocketStream] = []

        async def run() -> None:
            async with habits("tcp", tmp_path, replace(LIMITS, write_timeout=3.0)) as site:
                peers.append(await site.connect())
                await peers[0].send_all(request("GET", "/flood"))
                await trio.sleep(0.05)
                site_up.set()
                await trio.sleep_forever()

        nursery.start_soon(run)
        with trio.fail_after(2):
            await site_up.wait()
        started = trio.current_time()
        nursery.cancel_scope.cancel()
    assert trio.current_time() - started < 1.0
    await peers[0].aclose()


WEBSOCKET = (
    b"GET /%s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


async def test_a_websocket_is_not_taken_up(tmp_path: Path) -> None:
    async with habits("tcp", tmp_path) as site:
        for handshake in (WEBSOCKET, WEBSOCKET.replace(b"Version: 13", b"Version: x")):
            answer = await site.say(
                (handshake % b"whoami").replace(b"upgrade\r", b"upgrade,close\r")
            )
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b'"type":"http"' in answer


async def test_an_offer_of_h2c_is_ignored(tmp_path: Path) -> None:
    fields = ["Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"]
    raw = request("GET", "/ok", b"", *fields, connection="upgrade, http2-settings, close")
    async with habits("tcp", tmp_path) as site:
        answer = await site.say(raw)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b" 101 " not in answer


async def test_http2_by_prior_knowledge_is_refused_at_once(tmp_path: Path) -> None:
    async with habits("tcp", tmp_path) as site:
        before = open_fds()
        answer = await site.say(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert answer.startswith((b"HTTP/1.1 505 ", b"HTTP/1.1 400 "))
        await fds_fall_to(before, within=1)
