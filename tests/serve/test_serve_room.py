"""Whose a connection's slot is, how long a connection is kept, and what is said about that."""

import os
import re
import socket
import struct
from pathlib import Path

import pytest
import trio
from msgspec.structs import replace
from serving import LIMITS, Site, every_habit, fds_fall_to, habits, listen, ok, open_fds, request
from serving import running as running_app

from laned.http.http11 import origin_form
from laned.http.listen import Listener
from laned.http.serve import Peer, serve
from laned.http.slots import Share

KEPT = replace(LIMITS, keep_alive_timeout=30.0, keep_alive_grace=5.0, head_timeout=30.0)


async def answer(stream: trio.SocketStream, raw: bytes = request("GET", "/ok")) -> bytes:
    """Ask once on a connection that is kept."""
    await stream.send_all(raw.replace(b"Connection: close\r\n", b""))
    said = b""
    with trio.fail_after(2):
        while not (size := re.search(rb"content-length: (\d+)[\s\S]*?\r\n\r\n", said)) or (
            len(said) < size.end() + int(size[1])
        ):
            data = await stream.receive_some()
            assert data, said
            said += data
    return said


async def ended(stream: trio.SocketStream, within: float = 1.0) -> bool:
    """Whether the server has closed a connection on which nothing is asked."""
    with trio.move_on_after(within):
        try:
            return await stream.receive_some() == b""
        except trio.BrokenResourceError:
            return True
    return False


# -- What is kept ---------------------------------------------------------------------------------


async def test_a_connection_is_kept_for_as_long_as_it_is_said_and_a_little_longer(
    tmp_path: Path,
) -> None:
    limits = replace(LIMITS, keep_alive_timeout=1.0, keep_alive_grace=0.4)
    async with habits("unix", tmp_path, limits) as site, await site.connect() as stream:
        for _ in range(2):
            said = await answer(stream)
            assert b"connection: keep-alive\r\nkeep-alive: timeout=1\r\n" in said
        began = trio.current_time()
        assert await ended(stream, 3.0)
        assert 1.2 < trio.current_time() - began < 2.0


@pytest.mark.parametrize(
    "raw",
    [
        request("GET", "/ok"),
        b"GET /ok HTTP/1.0\r\n\r\n",
        b"GET /ok HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        request("POST", "/early", b"1234567", connection="keep-alive")[:-2],  # not read to its end
        b"nonsense\r\n\r\n",
    ],
)
async def test_what_is_not_kept_is_not_said_to_be(raw: bytes, tmp_path: Path) -> None:
    async with habits("unix", tmp_path, KEPT) as site:
        said = (await site.say(raw)).lower()
    assert said.count(b"connection: close\r\n") == 1
    assert b"keep-alive" not in said


async def test_an_answer_after_the_stop_says_that_it_is_the_last(tmp_path: Path) -> None:
    async with habits("unix", tmp_path, KEPT) as site, await site.connect() as stream:
        await stream.send_all(request("GET", "/slow", connection="keep-alive"))
        await trio.sleep(0.03)
        site.stop.set()
        with trio.fail_after(2):
            said = b"".join([data async for data in stream])
    assert b"connection: close\r\n" in said
    assert said.endswith(b"slowly")


async def test_where_nothing_is_kept_every_answer_is_the_last(tmp_path: Path) -> None:
    limits = replace(LIMITS, keep_alive_timeout=0.0)
    async with habits("tcp", tmp_path, limits) as site:
        for path in ("/ok", "/early", "/raise"):
            async with await site.connect() as stream:
                said = await answer(stream, request("POST", path))
                assert said.lower().count(b"connection: close\r\n") == 1
                assert b"keep-alive" not in said
                assert await ended(stream)
        async with await site.connect() as silent:  # but there is time to say something
            await trio.sleep(0.2)
            assert b" 200 " in await answer(silent)


# -- Whose room -----------------------------------------------------------------------------------


async def test_the_longest_idle_connection_gives_way(tmp_path: Path) -> None:
    limits = replace(KEPT, max_connections=3)
    async with habits("unix", tmp_path, limits) as site:
        streams = [await site.connect() for _ in range(3)]
        for index in (1, 0, 2):
            assert b" 200 " in await answer(streams[index])
        assert b" 200 " in await site.get()
        assert not await ended(streams[0], 0.1)
        assert not await ended(streams[2], 0.1)
        assert await ended(streams[1])
        for stream in streams:
            await stream.aclose()


async def test_one_that_never_asked_anything_gives_way_too(tmp_path: Path) -> None:
    """Nothing at all, or half a head; however many there are, whoever asks gets its answer."""
    limits = replace(KEPT, max_connections=8)
    async with habits("unix", tmp_path, limits) as site:
        before = open_fds()
        silent = []
        for index in range(60):
            silent.append(await site.connect())
            await silent[-1].send_all(b"GET / HT" * (index % 2))
            if index % 10 == 9:
                began = trio.current_time()
                assert b" 200 " in await site.get()
                assert trio.current_time() - began < 0.4
        for stream in silent:
            await stream.aclose()
        await fds_fall_to(before)


async def test_one_that_has_its_last_answer_gives_way(tmp_path: Path) -> None:
    limits = replace(KEPT, max_connections=1, linger_timeout=30.0)
    async with habits("tcp", tmp_path, limits) as site, await site.connect() as slow_to_leave:
        await slow_to_leave.send_all(request("GET", "/ok"))
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert b" 200 " in await site.get()


async def test_a_request_on_its_way_does_not_give_way(tmp_path: Path) -> None:
    """Bytes that wait to be read may be a payment."""
    let_in: list[str | Peer] = []

    def door(who: str | Peer) -> Share:
        let_in.append(who)
        return Share(name="all", connections=4, per_peer=4)

    stop, listener = trio.Event(), await listen("tcp", tmp_path)
    site = Site(listener, stop, stop)
    async with trio.open_nursery() as nursery:
        streams = {}
        for last in range(1, 31):  # all of it before anything is accepted
            streams[f"127.0.0.{last}"] = stream = await site.connect(f"127.0.0.{last}")
            await stream.send_all(request("GET", "/ok"))
        await nursery.start(
            lambda task_status: serve(
                every_habit(stop),
                [listener],
                stop=stop,
                limits=KEPT,
                door=door,
                task_status=task_status,
            )
        )
        await trio.testing.wait_all_tasks_blocked(0.05)
        for who in let_in[:4]:
            assert b" 200 " in await streams[str(who)].receive_some()
        for stream in streams.values():
            await stream.aclose()
        stop.set()


class Dawdling(trio.abc.Listener[trio.SocketStream]):
    """A listener whose connections take a while over what they have received."""

    def __init__(self, inner: Listener, received: trio.Event) -> None:
        self.inner = inner
        self.received = received

    async def accept(self) -> trio.SocketStream:
        stream = await self.inner.accept()
        receive = stream.receive_some

        async def receive_some(max_bytes: int | None = None) -> bytes:
            data = await receive(max_bytes)
            self.received.set()
            with trio.CancelScope(shield=True):
                await trio.sleep(0.05)
            return data

        stream.receive_some = receive_some  # type: ignore[method-assign]
        return stream

    async def aclose(self) -> None:
        await self.inner.aclose()


async def test_a_request_that_comes_while_its_connection_gives_way_is_answered(
    tmp_path: Path,
) -> None:
    stop, received, inner = trio.Event(), trio.Event(), await listen("unix", tmp_path)
    listener, site = Dawdling(inner, received), Site(inner, stop, stop)
    async with trio.open_nursery() as nursery:
        await nursery.start(
            lambda task_status: serve(
                every_habit(stop), [listener], stop=stop, limits=KEPT, task_status=task_status
            )
        )
        stream = await site.connect()
        await stream.send_all(request("GET", "/ok"))
        await received.wait()
        stop.set()
        assert b" 200 " in await stream.receive_some()
        await stream.aclose()


async def test_where_all_are_at_work_a_newcomer_is_closed_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    limits = replace(KEPT, max_connections=2)
    async with habits("tcp", tmp_path, limits) as site:
        busy = [await site.connect() for _ in range(2)]
        for stream in busy:
            await stream.send_all(request("GET", "/deaf"))
        await trio.testing.wait_all_tasks_blocked(0.01)
        for _ in range(5):
            assert await site.get() == b""
        await busy[0].send_all(b"")
        busy[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await busy[0].aclose()
        await trio.testing.wait_all_tasks_blocked(0.01)
        await trio.sleep(0.05)
        await busy[1].aclose()
    [record] = caplog.records
    assert record.getMessage() == "no connections left, one is closed"


async def test_one_peer_cannot_take_all(tmp_path: Path) -> None:
    limits = replace(KEPT, max_connections=8, max_per_peer=3)
    async with habits("tcp", tmp_path, limits) as site:
        greedy = []
        for _ in range(20):
            greedy.append(await site.connect("127.0.0.66"))
            await greedy[-1].send_all(request("GET", "/deaf"))
            await trio.testing.wait_all_tasks_blocked(0.001)
        assert b" 200 " in await site.get()
        assert [await ended(stream, 0.1) for stream in greedy] == [False] * 3 + [True] * 17
        for stream in greedy:
            await stream.aclose()


async def test_the_door_grants_each_kind_a_share_of_its_own(tmp_path: Path) -> None:
    guests = Share(name="guests", connections=2, per_peer=1, seconds=0.3, oldest_goes=True)
    family = Share(name="family", connections=4, per_peer=4)
    async with running_app(
        every_habit, "tcp", tmp_path, KEPT, lambda who: family if who == "127.0.0.1" else guests
    ) as site:
        streams = []
        for last in (2, 3, 3, 4):
            streams.append(await site.connect(f"127.0.0.{last}"))
            await streams[-1].send_all(request("GET", "/deaf"))
            await trio.testing.wait_all_tasks_blocked(0.005)
        # 2 went for 4, and the first of 3 for its second
        assert [await ended(stream, 0.05) for stream in streams] == [True, True, False, False]
        assert b" 200 " in await site.get()
        began = trio.current_time()
        assert [await ended(stream) for stream in streams[2:]] == [True, True]
        assert trio.current_time() - began < 0.35
        home = await site.connect()
        assert b" 200 " in await answer(home)
        assert not await ended(home, 0.5), "who belongs here has all the time"
        await home.aclose()
        for stream in streams:
            await stream.aclose()


async def test_the_door_sees_who_is_at_a_unix_socket(tmp_path: Path) -> None:
    seen: list[str | Peer] = []

    def door(who: str | Peer) -> Share:
        seen.append(who)
        return Share(name="all", connections=1, per_peer=1)

    async with running_app(lambda stop: ok, "unix", tmp_path, KEPT, door) as site:
        await site.get()
    assert seen == [Peer(os.getpid(), os.getuid(), os.getgid())]


async def test_a_peer_that_is_gone_before_it_is_accepted(tmp_path: Path) -> None:
    """Its address cannot be asked any more."""
    stop, listener = trio.Event(), await listen("tcp", tmp_path)
    site = Site(listener, stop, stop)
    async with trio.open_nursery() as nursery:
        early = await site.connect()
        early.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await early.aclose()
        await nursery.start(
            lambda task_status: serve(
                every_habit(stop), [listener], stop=stop, limits=KEPT, task_status=task_status
            )
        )
        assert b" 200 " in await site.get()
        stop.set()


# -- Targets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/v1/lane?x=1", b"/v1/lane?x=1"),
        (b"http://lane/v1/lane?x=1", b"/v1/lane?x=1"),
        (b"HTTPS://lane:8080/", b"/"),
        (b"http://lane", b"/"),
        (b"http://lane?x=1", b"/?x=1"),
        (b"http://lane//v1", b"//v1"),
        (b"/http://lane/v1", b"/http://lane/v1"),
        (b"ftp://lane/v1", b"ftp://lane/v1"),
        (b"*", b"*"),
    ],
)
def test_origin_form(target: bytes, path: bytes) -> None:
    assert origin_form(target) == path


async def test_a_target_may_be_absolute(tmp_path: Path) -> None:
    async with habits("tcp", tmp_path) as site:
        assert b" 200 \r\n" in await site.get("http://lane/whoami")
        assert b'"type":"http"' in await site.get("http://lane/whoami?x=1")
