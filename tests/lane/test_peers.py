"""Whose posts are heard when the present address is not the one that the lane talks to."""

import lanes
import pytest

from laned.lane import events as ev
from laned.lane.state import LaneState
from laned.terminal.allowlist import Peers

HERE, THERE = "192.0.2.15", "192.0.2.77"


def paid_elsewhere() -> LaneState:
    """After a restart with another address in the file, a payment is in doubt."""
    config = lanes.configuration()
    moved = lanes.replace(config.terminal, address=f"{THERE}:11000")
    return lanes.restarted(lanes.doubt(), lanes.replace(config, terminal=moved)).state


def asked_elsewhere() -> LaneState:
    """A new journal asks an announced address."""
    lane = lanes.survey_unreachable().then(ev.AddressAnnounced(f"{THERE}:11000", True))
    return lane.then(ev.TimePassed()).state


@pytest.mark.parametrize(
    ("state", "heard", "not_heard"),
    [
        (lanes.ready().state, HERE, THERE),
        (paid_elsewhere(), HERE, THERE),
        (asked_elsewhere(), THERE, HERE),
    ],
    ids=["ready", "a payment was asked for elsewhere", "a new journal asks elsewhere"],
)
async def test_who_is_heard(state: LaneState, heard: str, not_heard: str) -> None:
    assert await Peers().admits(heard, state)
    assert not await Peers().admits(not_heard, state)
