"""A terminal that vanishes while the lane is idle, and one that comes back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock
from wholelane import lane

from laned.terminal.probe import LONGEST_PROBE, PROBE_AGAIN, PROBE_EVERY, tcp_probe, watch


def test_two_tries_are_over_within_a_minute() -> None:
    assert PROBE_EVERY + LONGEST_PROBE + PROBE_AGAIN + LONGEST_PROBE < 60


async def test_a_terminal_that_vanishes_is_noticed_and_logged_in_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig, rig.stream() as stream:
        network = rig.world.network
        rig.nursery.start_soon(watch, rig.lane.watch, rig.lane.runner, network.probe)
        logins = rig.world.categories().count("Login")
        await trio.sleep(3600)
        assert rig.world.categories().count("Login") == logins, "it is not disturbed"
        network.unplugged, began = True, trio.current_time()
        await stream.until("session", state="offline", reason="unreachable")
        assert trio.current_time() - began < 60
        await stream.until("display", lines=["Card terminal offline"])
        await trio.sleep(3600)
        network.unplugged, began = False, trio.current_time()
        await stream.until("session", state="ready")
        assert trio.current_time() - began < 40
        states = [session["state"] for session in stream.of("session")]
        assert states == ["offline", "ready"], "told once, and not with every try"
        await rig.settled()
        assert (await rig.pay())["state"] == "approved"


async def test_a_short_interruption_is_only_asked_about(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig:
        network = rig.world.network
        rig.nursery.start_soon(watch, rig.lane.watch, rig.lane.runner, network.probe)
        before = rig.world.categories()
        await trio.sleep(PROBE_EVERY - 1)
        network.unplugged = True
        await trio.sleep(2)
        network.unplugged = False
        await trio.sleep(60)
        assert rig.world.categories()[len(before) :] == ["TransactionStatus"]
        assert (await rig.view())["session"]["state"] == "ready"


async def test_a_restart_between_two_probes_costs_the_next_payment_a_login_and_no_more(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig:
        await rig.terminal.reboot()
        assert (await rig.pay())["state"] == "approved"
        assert rig.world.categories().count("Login") == 2


async def test_nothing_is_probed_while_a_payment_runs(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    probed = []

    async def probe(address: str) -> bool:
        probed.append((await rig.view())["session"]["state"])
        return True

    async with lane(tmp_path, "aborted") as rig:
        rig.nursery.start_soon(watch, rig.lane.watch, rig.lane.runner, probe)
        await rig.put(wait=60)
        await rig.post("/v1/payments/p-1/abort")
        await rig.payment(wait=60)
        await trio.sleep(100)
        assert set(probed) == {"ready"}


# -- Real sockets ---------------------------------------------------------------------------------


@asynccontextmanager
async def listening() -> AsyncIterator[str]:
    """A terminal that takes connections, and hears nothing on them."""

    async def answer(stream: trio.SocketStream) -> None:
        assert await stream.receive_some() == b""

    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, answer, 0, host="127.0.0.1")
        (listener,) = await nursery.start(serve)
        yield f"127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def test_a_connection_is_made_and_closed() -> None:
    async with listening() as address:
        assert await tcp_probe(3.0)(address)
    assert not await tcp_probe(3.0)(address), "refused"


@pytest.mark.parametrize("address", ["nowhere.invalid:11000", "[::1]:9"])
async def test_what_cannot_be_reached(address: str) -> None:
    assert not await tcp_probe(3.0)(address)


async def test_a_network_that_swallows_everything(autojump_clock: MockClock) -> None:
    with trio.socket.socket() as deaf:
        await deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        kept = [await trio.open_tcp_stream(*deaf.getsockname())]
        assert kept
        began = trio.current_time()
        assert not await tcp_probe(60.0)(address)
        assert trio.current_time() - began == pytest.approx(LONGEST_PROBE)
        for stream in kept:
            await stream.aclose()
