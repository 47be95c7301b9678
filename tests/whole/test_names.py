"""A terminal that is configured by name: what the name server does is nothing to a payment."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
from posts import display, peer
from trio.testing import MockClock
from wholelane import ADDRESS, Rig, World, world

from laned.lane import events as ev
from laned.terminal.allowlist import STRANGERS, TERMINAL
from laned.terminal.names import LOOK_UP_EVERY, LOOK_UP_WITHIN, MAX_ADDRESSES, Names

NAME = "terminal.lan"
BY_NAME = {"address": f"{NAME}:11000"}
ELSEWHERE = "192.0.2.99"


class NameServer:
    """Knows one name; `mood` says how it answers."""

    def __init__(self, *addresses: str) -> None:
        self.addresses: Sequence[str] = addresses
        self.mood = "knows"
        self.asked = 0

    async def __call__(self, name: str) -> Sequence[str]:
        assert name == NAME
        self.asked += 1
        await trio.lowlevel.checkpoint()
        if self.mood == "silent":
            await trio.sleep_forever()
        if self.mood == "fails" or not self.addresses:
            raise OSError("no such name")
        return self.addresses


# -- Names ----------------------------------------------------------------------------------------


async def test_an_address_is_not_looked_up(autojump_clock: MockClock) -> None:
    names = Names(server := NameServer("192.0.2.1"))
    for host in ("192.0.2.7", "2001:db8::7"):
        names.connected(host, "192.0.2.8")
        assert names.known(host) == await names.for_login(host) == (host,)
        assert await names.in_session(host) == (host,)
    assert server.asked == 0


@pytest.mark.parametrize("mood", ["silent", "fails"])
async def test_what_was_found_stands(autojump_clock: MockClock, mood: str) -> None:
    names = Names(server := NameServer("192.0.2.1", "192.0.2.2"))
    assert names.known(NAME) == ()
    assert await names.for_login(NAME) == ("192.0.2.1", "192.0.2.2")
    server.mood = mood
    await names.refresh(NAME)
    began = trio.current_time()
    for found in (names.known(NAME), await names.for_login(NAME), await names.in_session(NAME)):
        assert found == ("192.0.2.1", "192.0.2.2")
    assert trio.current_time() == began


async def test_a_first_look_up_is_waited_for_and_not_for_ever(autojump_clock: MockClock) -> None:
    names = Names(server := NameServer("192.0.2.1"))
    server.mood = "silent"
    assert await names.for_login(NAME) == ()
    assert trio.current_time() == pytest.approx(LOOK_UP_WITHIN)
    server.mood = "fails"
    assert await names.in_session(NAME) == ()
    assert trio.current_time() == pytest.approx(LOOK_UP_WITHIN)


async def test_a_session_stays_where_its_login_went(autojump_clock: MockClock) -> None:
    names = Names(server := NameServer("192.0.2.1"))
    await names.refresh(NAME)
    names.connected(NAME, "192.0.2.1")
    server.addresses = ("192.0.2.2",)
    await names.refresh(NAME)
    assert await names.in_session(NAME) == ("192.0.2.1",)
    assert names.known(NAME) == ("192.0.2.1", "192.0.2.2"), "both may post"
    assert await names.for_login(NAME) == ("192.0.2.2",)
    names.connected(NAME, "192.0.2.2")
    assert await names.in_session(NAME) == names.known(NAME) == ("192.0.2.2",)


async def test_what_a_name_may_be(autojump_clock: MockClock) -> None:
    """IPv4 first, each once, nothing that a URL does not take, and not without end."""
    names = Names(NameServer("::1", "fe80::1%eth0", "192.0.2.1", "::1", "192.0.2.1", "junk"))
    assert await names.for_login(NAME) == ("192.0.2.1", "::1")
    names = Names(NameServer(*(f"192.0.2.{last}" for last in range(200))))
    assert len(await names.for_login(NAME)) == MAX_ADDRESSES


async def test_the_systems_look_up() -> None:
    assert "127.0.0.1" in await Names().for_login("localhost")


async def test_what_a_name_is_first_found_to_mean_is_told_once(autojump_clock: MockClock) -> None:
    told: list[tuple[str, list[str]]] = []
    server = NameServer("192.0.2.1")
    names = Names(server, lambda host, addresses: told.append((host, list(addresses))))
    server.mood = "fails"
    await names.refresh(NAME)
    assert told == []
    server.mood = "knows"
    await names.refresh(NAME)
    server.addresses = ("192.0.2.2",)
    await names.refresh(NAME)
    assert told == [(NAME, ["192.0.2.1"])]


# -- A lane ---------------------------------------------------------------------------------------


async def started(found: World, server: NameServer) -> Rig:
    found.look_up = server
    return await found.start(terminal=BY_NAME)


def silent(server: NameServer) -> None:
    server.mood = "silent"


def fails(server: NameServer) -> None:
    server.mood = "fails"


def moved(server: NameServer) -> None:
    server.addresses = (ELSEWHERE,)


@pytest.mark.parametrize("trouble", [silent, fails, moved])
async def test_a_payment_is_nothing_to_the_name_server(
    tmp_path: Path, autojump_clock: MockClock, trouble: object
) -> None:
    """The terminal's posts are heard, an abort reaches it, and it is asked after."""
    server = NameServer(ADDRESS)
    async with world(tmp_path, "aborted") as found:
        rig = await started(found, server)
        assert (await rig.put()).status_code == 201
        assert callable(trouble)
        trouble(server)
        asked = server.asked
        await rig.terminal.until(lambda: rig.terminal.display == ("Present card",))
        await trio.sleep(2.5 * LOOK_UP_EVERY)
        assert server.asked >= asked + 2
        assert rig.lane.door(ADDRESS) is TERMINAL
        async with peer(rig) as terminal:
            began = trio.current_time()
            await terminal.tell(display("Still here"))
            assert trio.current_time() == began
        assert (await rig.view())["display"]["lines"] == ["Still here"]
        found.network.cut()
        await trio.sleep(1)
        began = trio.current_time()
        await rig.post("/v1/payments/p-1/abort")
        assert (await rig.payment(wait=60))["state"] == "aborted"
        assert trio.current_time() - began < 10


async def test_a_login_goes_where_the_name_says(tmp_path: Path, autojump_clock: MockClock) -> None:
    server = NameServer(ADDRESS)
    async with world(tmp_path) as found:
        rig = await started(found, server)
        server.addresses = (ELSEWHERE,)
        found.move(ELSEWHERE)
        await trio.sleep(LOOK_UP_EVERY)
        await rig.lane.runner.handle(ev.TerminalProbed(f"{NAME}:11000", reached=False))
        await rig.settled()
        assert rig.lane.door(ELSEWHERE) is TERMINAL
        assert rig.lane.door(ADDRESS) is STRANGERS
        await rig.put()
        assert (await rig.payment(wait=60))["state"] == "approved"


async def test_a_name_that_nobody_knows_yet(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The lane starts without its name server, as after a power cut, and finds the terminal."""
    server = NameServer(ADDRESS)
    server.mood = "silent"
    async with world(tmp_path) as found:
        found.look_up = server
        rig = await found.start(settled=False, terminal=BY_NAME)
        await trio.sleep(100)
        assert (await rig.view())["session"]["state"] in ("offline", "logging_in")
        server.mood = "knows"
        await rig.settled()
        await rig.put()
        assert (await rig.payment(wait=60))["state"] == "approved"
