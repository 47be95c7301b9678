"""LEADS_TO says where a phase can lead, and the drawing above it says the same."""

from pathlib import Path

import draw_phases
import pytest
from test_random_walk import walked
from test_table import situations, variants

from laned.lane import events as ev
from laned.lane import machine
from laned.lane.machine import LEADS_TO, handle
from laned.lane.state import Phase
from laned.lane.table import TABLE

SELDOM = (
    Phase.LOGGED_OUT,
    Phase.SURVEY,
    Phase.UPDATING,
    Phase.RETRYING,
    Phase.RELOGIN,
    Phase.SIGNING,
    Phase.SIGNING_RELOGIN,
    Phase.REVIEWING,
    Phase.CHECKING,
    Phase.BROKEN,
)
"""Phases out of which the walks below take not every way: the prepared lanes are tried as well."""
ELSEWHERE = {
    (Phase.LOGGED_OUT, Phase.OFFLINE),  # a Login by hand of a lane that has no address
    (Phase.PENDING, Phase.CHECKING),  # a customer confirms, and something is set aside
    (Phase.RELOGIN, Phase.LOGGING_OUT),  # set aside, and maintenance fell due meanwhile
    (Phase.RELOGIN, Phase.SIGNING_RELOGIN),
    (Phase.REVIEWING, Phase.PAYING),  # a late charge that nobody has signed for is given back
    (Phase.SIGNING, Phase.LOGGING_OUT),  # maintenance fell due meanwhile
    (Phase.SIGNING, Phase.OFFLINE),
    (Phase.SIGNING_RELOGIN, Phase.LOGGING_OUT),  # the charge had no POITransactionID
    (Phase.SIGNING_RELOGIN, Phase.READY),
    (Phase.SIGNING_RELOGIN, Phase.OFFLINE),
    (Phase.UPDATING, Phase.LOGGING_OUT),
}
"""What takes more than one coincidence: the tests of light integration and the seeds make them."""


def test_every_phase_leads_somewhere_but_the_last() -> None:
    assert set(LEADS_TO) == set(Phase)
    assert [phase for phase, following in LEADS_TO.items() if not following] == [Phase.STOPPED]


def test_the_drawing_is_made_from_it() -> None:
    text = Path(machine.__file__).read_text()
    assert text == draw_phases.drawn(text)
    assert draw_phases.drawing() in text


def test_each_transition_happens() -> None:
    """Those that do not stand in it raise in `handle`, here and in every other test."""
    met = {pair for seed in range(60) for pair in walked(seed).transitions}
    for phase in SELDOM:
        for lane in situations(phase):
            for event in (event for kind in TABLE for event in variants(kind, lane)):
                after = handle(lane.state, event, lane.moment()).state.phase
                if after is not phase:
                    met.add((phase, after))
    drawn = {(phase, after) for phase, following in LEADS_TO.items() for after in following}
    assert met <= drawn
    assert sorted(drawn - met) == sorted(ELSEWHERE)


def test_another_transition_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = next(situations(Phase.READY))
    fewer = {**LEADS_TO, Phase.READY: LEADS_TO[Phase.READY] - {Phase.LOGGING_OUT}}
    monkeypatch.setattr(machine, "LEADS_TO", fewer)
    with pytest.raises(AssertionError, match="ready led to logging_out by LogoutAsked"):
        handle(ready.state, ev.LogoutAsked(maintenance=False), ready.moment())
