"""What a terminal's notifications may cost, and what a stranger that is logged in to may do."""

import logging
from pathlib import Path

import httpx
import trio
from posts import event, peer, print_out, transmit
from trio.testing import MockClock
from wholelane import ADDRESS, lane

from laned.lane import events as ev
from laned.lane.state import LaneState, Phase
from laned.system.logging import OneLine

WISH = event("SaleAdmin").replace(b"TimeStamp", b'MaintenanceRequiredFlag="true" TimeStamp')
MOVED = "192.0.2.66"


async def test_a_long_notification_is_shortened(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The till's history keeps a thousand of them."""
    async with lane(tmp_path) as rig, peer(rig) as terminal, rig.stream() as stream:
        await terminal.tell(event("Completed", "x" * 200_000))
        told = await stream.until("terminal")
        assert len(str(told)) < 10_000


def test_a_message_is_one_line_of_the_log() -> None:
    """Whoever may post could write a payment into it otherwise."""
    text = "terminal Completed \npayment p-9 10.00 SEK approved\x1b[2J"
    record = logging.LogRecord("laned.lane", logging.INFO, "", 1, text, (), None)
    line = OneLine("%(levelname)s %(message)s").format(record)
    assert line.startswith("INFO terminal Completed ")
    assert line.isprintable()


async def test_a_stranger_that_is_logged_in_to_is_not_believed_yet(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Nobody knows yet whether it is the terminal: its serial number comes with the answer."""
    async with lane(tmp_path) as rig, peer(rig, MOVED) as stranger, rig.stream() as stream:
        network = rig.world.network
        network.unplugged = True
        await rig.lane.runner.handle(ev.TerminalProbed(f"{ADDRESS}:11000", reached=False))
        connect = network.handle_async_request

        async def silent(request: httpx.Request) -> httpx.Response:
            await trio.sleep(8)
            return await connect(request)

        network.handle_async_request = silent  # type: ignore[method-assign]
        await stranger.tell(transmit(MOVED))
        await rig.lane.watch.until(_logging_in_there)
        await stranger.post(print_out())
        await stranger.post(WISH)
        await trio.sleep(1)
        assert stream.of("print") == []
        assert not rig.lane.runner.state.maintenance.wanted, "it would log the lane out for an hour"
        network.handle_async_request = connect  # type: ignore[method-assign]
        network.unplugged = False
        await rig.settled()


def _logging_in_there(state: LaneState) -> bool | None:
    there = state.phase is Phase.LOGGING_IN and state.login_to == f"{MOVED}:11000"
    return there or None
