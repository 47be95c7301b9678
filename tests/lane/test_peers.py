"""Whose posts are heard when the present address is not the one that the lane talks to."""

import lanes
import pytest

from laned.lane import events as ev
from laned.lane.state import LaneState
from laned.terminal.allowlist import ALLOWED, STRANGERS, TERMINAL, Peers
from laned.terminal.names import Names

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
def test_who_is_heard(state: LaneState, heard: str, not_heard: str) -> None:
    peers = Peers(Names())
    assert peers.admits(heard, state)
    assert not peers.admits(not_heard, state)
    assert peers.share(heard, state) is TERMINAL
    assert peers.share(not_heard, state) is STRANGERS


def test_the_terminals_connections_are_nobody_elses() -> None:
    """Also where the file lets others post."""
    config = lanes.configuration()
    listener = lanes.replace(config.listener, allow=("192.0.2.0/24",))
    state = lanes.replace(lanes.ready().state, config=lanes.replace(config, listener=listener))
    peers = Peers(Names())
    shares = [peers.share(who, state) for who in (HERE, f"::ffff:{HERE}", THERE, "198.51.100.1")]
    assert shares == [TERMINAL, TERMINAL, ALLOWED, STRANGERS]
