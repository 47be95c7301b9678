"""Doubts that come one after another, that outlive the daemon, and that move (money rule 14)."""

from datetime import timedelta
from pathlib import Path

import lanes
import pytest
from lanes import Lane
from setaside import (
    ASK,
    LOGIN,
    asked_about,
    closed,
    last_question,
    next_life,
    pay,
    set_aside,
    set_next_aside,
)

from laned.lane import aside
from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.payment import PaymentState
from laned.lane.state import Phase, Reason
from laned.nexo import messages as m

THERE = "192.0.2.99:11000"
DAY = 24 * 3600.0


def counted(lane: Lane) -> list[int]:
    """What the journal was told of doubts in a row."""
    return [entry.doubts for entry in lane.entries if isinstance(entry, fx.DoubtsCounted)]


def back_again(lane: Lane) -> Lane:
    """The lane with a session after a pause; the terminal knows nothing of what is set aside."""
    for _ in range(20):
        if lane.phase is Phase.LOGGING_IN:
            lane.do(lanes.login())
        elif lane.state.asking is not None:
            lane.do(lane.status("NotFound"))
        elif lane.phase is not Phase.READY:
            lane.wait(0.0)
    assert lane.phase is Phase.READY
    return lane


# -- Not for ever ---------------------------------------------------------------------------------


def test_rule_14_one_does_not_close_the_lane() -> None:
    lane = set_aside()
    assert (lane.phase, lane.state.session, lane.state.doubts) == (Phase.READY, "ready", 1)
    assert counted(lane) == [1]


def test_rule_14_two_in_a_row_close_it_for_10_minutes() -> None:
    lane = set_next_aside(set_aside())
    assert (lane.phase, lane.state.session) == (Phase.OFFLINE, "offline")
    assert (lane.state.reason, lane.state.why) == (Reason.DOUBTS, "doubts")
    assert counted(lane) == [1, 2]
    lane.do(ev.PaymentAsked(lanes.order("c")))
    assert lane.last.refusal is not None
    assert lane.last.refusal.code == "terminal_unavailable"
    before = len(lane.sends)
    lane.do(ev.TerminalNotified(event="Initialised"), ev.AddressAnnounced(THERE, admitted=True))
    lane.wait(599.9)
    assert (lane.phase, len(lane.sends)) == (Phase.OFFLINE, before)
    lane.wait(0.1)
    back_again(lane)
    assert lane.state.reason is Reason.NONE
    pay(lane, "c").do(lane.answered())
    assert (lane.ended(), lane.state.doubts) == (("approved", None), 0)


def test_rule_14_then_for_20_minutes() -> None:
    lane = back_again(set_next_aside(set_aside()).wait(600.0))
    set_next_aside(lane, "c")
    assert lane.state.reason is Reason.DOUBTS
    lane.wait(1199.9)
    assert lane.phase is Phase.OFFLINE
    lane.wait(0.1)
    assert lane.phase is not Phase.OFFLINE


def test_rule_14_up_to_a_day() -> None:
    pauses = [aside.pause_for(doubts) for doubts in range(11)]
    assert pauses == [0, 0, 600, 1200, 2400, 4800, 9600, 19200, 38400, 76800, DAY]
    assert aside.pause_for(10_000) == DAY


def test_rule_14_a_login_by_hand_ends_it() -> None:
    lane = set_next_aside(set_aside())
    lane.do(ev.LoginAsked())
    assert lane.last.refusal is None
    assert counted(lane) == [1, 2, 0]
    assert lane.phase in (Phase.REVIEWING, Phase.LOGGING_IN)
    back_again(lane)
    set_next_aside(lane, "c")
    assert (lane.phase, lane.state.doubts) == (Phase.READY, 1)


def test_rule_14_a_maintenance_of_the_terminal_does_not_end_it() -> None:
    lane = set_next_aside(set_aside())
    for event in ("BeginMaintenance", "EndMaintenance", "Initialised"):
        lane.do(ev.TerminalNotified(event=event))
    lane.wait(599.0)
    assert (lane.phase, lane.state.reason) == (Phase.OFFLINE, Reason.DOUBTS)


@pytest.mark.parametrize("condition", [None, "Refusal", "Cancel", "UnavailableService"])
def test_rule_14_one_that_the_terminal_decided_in_between(condition: str | None) -> None:
    lane = pay(set_aside())
    lane.do(lane.answered(condition))
    assert lane.state.doubts == 0
    set_next_aside(lane, "c")
    assert (lane.phase, counted(lane)) == (Phase.READY, [1, 0, 1])


def test_rule_14_one_that_was_never_sent_decides_nothing() -> None:
    lane = pay(set_aside())
    lane.do(lane.not_sent())
    assert (lane.ended(), lane.state.doubts) == (("failed", "NotSent"), 1)
    lane.wait(10.0)
    set_next_aside(back_again(lane), "c")
    assert lane.state.reason is Reason.DOUBTS


def test_rule_14_one_that_the_terminal_decides_later() -> None:
    lane = set_aside()
    lane.do(ev.PaymentAsked(lanes.order("b")))
    lane.do(lane.repeated())
    assert (lane.state.doubts, counted(lane)) == (0, [1, 0])


def test_rule_14_a_wrong_amount_is_a_doubt_as_well() -> None:
    lane = pay(set_aside())
    lane.do(lane.answered(amounts=m.AmountsResp(authorized_amount=lanes.order("x", "1").amount)))
    assert (lane.phase, lane.state.reason) == (Phase.OFFLINE, Reason.DOUBTS)


# -- The next life --------------------------------------------------------------------------------


def test_rule_14_what_is_set_aside_outlives_the_daemon(tmp_path: Path) -> None:
    before = set_aside()
    lane = next_life(before, tmp_path)
    assert (lane.phase, lane.state.payment, lane.state.doubts) == (Phase.OFFLINE, None, 1)
    (one,), (was,) = lane.state.set_aside, before.state.set_aside
    assert (one.payment, one.attempt, one.until) == (was.payment, was.attempt, was.until)
    lane.do(ev.TimePassed())
    assert asked_about(lane, lane.sent_now(ASK)) == [before.service_id()]
    back_again(lane)
    set_next_aside(lane)
    assert lane.state.reason is Reason.DOUBTS, "two in a row"


def test_rule_14_a_pause_outlives_the_daemon(tmp_path: Path) -> None:
    lane = next_life(set_next_aside(set_aside()).wait(300.0), tmp_path)
    assert (lane.phase, lane.state.reason) == (Phase.OFFLINE, Reason.DOUBTS)
    assert lane.state.session == "offline"
    before = len(lane.sends)
    lane.wait(599.0)
    assert len(lane.sends) == before
    lane.wait(1.0)
    assert back_again(lane).phase is Phase.READY


@pytest.mark.parametrize("serial", [lanes.SERIAL, "serial-2"])
def test_rule_14_a_doubt_in_the_next_life(tmp_path: Path, serial: str) -> None:
    lane = next_life(lanes.doubt(), tmp_path).wait(0.0)
    lane.do(lane.status("NotAllowed"), lanes.login(serial))
    if serial == lanes.SERIAL:
        lane.do(lane.status("NotFound"))
    assert (lane.phase, lane.payment.state) == (Phase.READY, PaymentState.UNKNOWN)
    assert lane.payment.set_aside_at == lane.moment().wall


# -- A terminal that moved ------------------------------------------------------------------------


def moved() -> Lane:
    """DOUBT; the terminal has announced another address, and was silent for 2 minutes."""
    lane = lanes.doubt()
    lane.do(ev.AddressAnnounced(THERE, admitted=True))
    began = lane.now
    while lane.sent(ASK)[-1].address != THERE:
        assert lane.now - began < 130.0
        lane.do(closed(lane))
        lane.wait(2.0)
    assert lane.now - began >= 120.0
    return lane


def test_rule_14_a_terminal_that_moved_is_asked_elsewhere_after_2_minutes() -> None:
    lane = moved()
    assert {send.address for send in lane.sent(ASK)[:-1]} == {lane.request().address}
    header = lane.sent(ASK)[-1].message.header
    assert (header.sale_id, header.poi_id) == ("kassa-2", "kiosk-7")
    places = []
    for _ in range(6):
        lane.do(closed(lane))
        lane.wait(2.0)
        places.append(lane.sent(ASK)[-1].address)
    assert set(places) == {THERE, lane.request().address}, "in turn"
    while lane.sent(ASK)[-1].address != THERE:
        lane.do(closed(lane))
        lane.wait(2.0)
    lane.do(lane.repeated())
    assert lane.ended() == ("approved", None)


def test_rule_14_its_address_follows_when_the_serial_agrees() -> None:
    lane = last_question(moved())
    assert lane.sent(LOGIN)[-1].address == THERE
    assert lane.sent_now(ASK)[0].address == THERE
    assert lane.state.attempt is not None
    assert lane.state.attempt.address == THERE
    assert fx.AttemptChanged(lane.state.attempt) in lane.entries
    lane.do(lane.status("NotFound"))
    assert lane.payment.set_aside_at is not None
    assert lane.state.set_aside[0].attempt.address == THERE


def test_rule_14_another_terminal_there_decides_nothing() -> None:
    lane = moved()
    lane.do(lane.status("NotAllowed"), lanes.login("serial-2"))
    lane.wait(2.0)
    assert (lane.phase, lane.payment.set_aside_at) == (Phase.DOUBT, None)
    assert lane.state.attempt is not None
    assert lane.state.attempt.address == lane.request().address
    assert lane.sent(ASK)[-1].address in (THERE, lane.request().address)
    lane.do(lane.repeated())
    assert lane.ended() == ("approved", None)


def test_rule_14_asked_at_the_configured_address_too(tmp_path: Path) -> None:
    config = lanes.configuration()
    config = lanes.replace(config, terminal=lanes.replace(config.terminal, address=THERE))
    lane = next_life(lanes.doubt(), tmp_path, config).wait(0.0)
    for _ in range(70):
        lane.do(closed(lane))
        lane.wait(2.0)
    assert {send.address for send in lane.sent(ASK)[1:]} == {lane.request().address, THERE}


def test_rule_14_the_time_it_was_set_aside_is_told() -> None:
    lane = last_question(lanes.doubt()).wait(5.0)
    lane.do(lane.status("NotFound"))
    at = lanes.BEGIN + timedelta(seconds=lane.now)
    assert (lane.payment.set_aside_at, lane.payment.updated_at) == (at, at)
