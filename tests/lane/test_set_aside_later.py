"""When the terminal is asked after what is set aside (money rule 14, afterwards)."""

from pathlib import Path

import lanes
import pytest
from lanes import Lane
from setaside import (
    ASK,
    LOGIN,
    asked_about,
    closed,
    foreign,
    next_life,
    pay,
    set_aside,
    set_next_aside,
    unreadable,
)

from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.payment import PaymentState
from laned.lane.state import Phase, Reason
from laned.nexo import messages as m

DAY = 24 * 3600.0


def elsewhere() -> lanes.Config:
    """The configuration after somebody has changed POIID and SaleID."""
    config = lanes.configuration()
    terminal = lanes.replace(config.terminal, poi_id="new", sale_id="new")
    return lanes.replace(config, terminal=terminal)


def without_window() -> lanes.Config:
    """The configuration of a lane that nothing logs out."""
    config = lanes.configuration()
    return lanes.replace(config, maintenance=lanes.replace(config.maintenance, window=""))


def several(count: int) -> tuple[Lane, list[str]]:
    """READY with so many set aside, and the ServiceIDs of their attempts, the newest first."""
    lane, ids = set_aside(), list[str]()
    ids.append(lane.service_id())
    for number in range(1, count):
        lane.do(ev.LoginAsked())
        while lane.phase is not Phase.READY:
            lane.do(lane.status("NotFound") if lane.state.asking else lanes.login())
        set_next_aside(lane, f"b{number}")
        ids.append(lane.service_id())
    lane.do(ev.LoginAsked())
    while lane.phase is not Phase.READY or lane.state.review_at == lane.now:
        match lane.phase:
            case Phase.REVIEWING:
                lane.do(lane.status("NotFound"))
            case Phase.LOGGING_IN:
                lane.do(lanes.login())
            case _:
                lane.do(ev.TimePassed())
    assert len(lane.state.set_aside) == count
    return lane, ids[::-1]


def checking(config: lanes.Config | None = None) -> Lane:
    """CHECKING: payment "b" waits while the terminal is asked after "a"."""
    lane = set_aside(config).then(ev.PaymentAsked(lanes.order("b")))
    assert (lane.phase, lane.state.session) == (Phase.CHECKING, "busy")
    return lane


# -- When -----------------------------------------------------------------------------------------


def test_rule_14_asked_before_a_login(tmp_path: Path) -> None:
    before = set_aside()
    lane = next_life(before, tmp_path).then(ev.TimePassed())
    assert lane.phase is Phase.REVIEWING
    (asked,) = lane.sent_now(ASK)
    assert asked_about(lane, [asked]) == [before.service_id()]
    assert not lane.sent_now(LOGIN)
    lane.do(lane.status("NotFound"))
    assert (lane.phase, len(lane.sent_now(LOGIN))) == (Phase.LOGGING_IN, 1)


def test_rule_14_asked_before_the_login_after_maintenance() -> None:
    lane = set_aside(without_window())
    lane.do(ev.LogoutAsked(maintenance=True), lanes.logout())
    logins = len(lane.sent(LOGIN))
    lane.wait(3600.0)
    assert (lane.phase, len(lane.sent(LOGIN))) == (Phase.REVIEWING, logins)
    lane.do(lane.status("NotAllowed"))
    assert len(lane.sent_now(LOGIN)) == 1


def test_rule_14_asked_of_all_before_a_login(tmp_path: Path) -> None:
    before, ids = several(4)
    lane = next_life(before, tmp_path).then(ev.TimePassed())
    asked = asked_about(lane, lane.sent_now(ASK))
    while lane.phase is Phase.REVIEWING:
        lane.do(foreign(lane))
        asked += asked_about(lane, lane.sent_now(ASK))
    assert (asked, lane.phase) == (ids, Phase.LOGGING_IN)


def test_rule_14_without_a_session_one_question_is_enough_before_a_login(tmp_path: Path) -> None:
    before, _ = several(4)
    lane = next_life(before, tmp_path).then(ev.TimePassed())
    lane.do(lane.status("NotAllowed"))
    assert (lane.phase, len(lane.sent_now(LOGIN))) == (Phase.LOGGING_IN, 1)


def test_rule_14_a_terminal_that_is_gone_is_not_asked_on_and_on(tmp_path: Path) -> None:
    before, ids = several(3)
    lane = next_life(before, tmp_path).then(ev.TimePassed())
    lane.do(closed(lane))
    assert (lane.phase, lane.state.reason) == (Phase.OFFLINE, Reason.UNREACHABLE)
    assert not lane.sent_now(LOGIN)
    lane.wait(2.0)
    assert (lane.phase, asked_about(lane)[-1]) == (Phase.REVIEWING, ids[0])


def test_rule_14_a_mute_terminal_is_logged_in_to_all_the_same(tmp_path: Path) -> None:
    before, _ = several(5)
    lane = next_life(before, tmp_path).then(ev.TimePassed())
    began = lane.now
    while lane.phase is Phase.REVIEWING:
        lane.wait(10.0)
        if lane.phase is Phase.REVIEWING:
            lane.do(lane.silent())
    assert (lane.phase, lane.now - began) == (Phase.LOGGING_IN, 30.0)


def test_rule_14_asked_after_every_login() -> None:
    lane, ids = several(2)
    lane.do(ev.TerminalNotified(event="Initialised"))
    lane.do(lane.status("NotAllowed"), lanes.login())
    assert (lane.phase, lane.state.session) == (Phase.READY, "ready")
    lane.wait(0.0)
    asked = asked_about(lane, lane.sent_now(ASK))
    assert (lane.phase, lane.state.session) == (Phase.REVIEWING, "busy")
    lane.do(unreadable(lane))
    asked += asked_about(lane, lane.sent_now(ASK))
    lane.do(lane.status("NotFound"))
    assert (lane.phase, asked) == (Phase.READY, ids)


def test_rule_14_asked_after_a_login_for_the_sake_of_another_payment() -> None:
    lane = pay(set_aside())
    first = lane.state.set_aside[0].attempt.service_id
    lane.do(lane.lost())
    lane.do(lane.status("NotAllowed"), lanes.login())
    lane.do(lane.repeated())
    assert lane.ended() == ("approved", None)
    lane.wait(0.0)
    assert (lane.phase, asked_about(lane, lane.sent_now(ASK))) == (Phase.REVIEWING, [first])


def test_rule_14_asked_before_a_payment() -> None:
    lane = checking()
    (asked,) = lane.sent_now(ASK)
    assert asked_about(lane, [asked]) == [lane.service_id()]
    assert lane.payment.state is PaymentState.PENDING
    assert not lane.sent_now(m.PaymentRequest)
    lane.do(lane.status("NotFound"))
    assert lane.phase is Phase.PAYING
    (paid,) = lane.sent_now(m.PaymentRequest)
    assert paid.message.header.service_id == lane.service_id()


def test_rule_14_asked_before_a_payment_that_a_customer_has_confirmed() -> None:
    lane = set_aside().then(ev.PaymentAsked(lanes.order("b", confirm="button")))
    assert not lane.sent_now(ASK)
    lane.do(ev.ConfirmAsked("b"))
    assert (lane.phase, len(lane.sent_now(ASK))) == (Phase.CHECKING, 1)


def test_rule_14_the_newest_three_before_a_payment() -> None:
    lane, ids = several(5)
    lane.do(ev.PaymentAsked(lanes.order("c")))
    asked = asked_about(lane, lane.sent_now(ASK))
    while lane.phase is Phase.CHECKING:
        lane.do(lane.status("NotFound"))
        asked += asked_about(lane, lane.sent_now(ASK))
    assert (asked, lane.phase) == (ids[:3], Phase.PAYING)


def test_rule_14_5_seconds_in_all_before_a_payment() -> None:
    lane, ids = several(3)
    lane.do(ev.PaymentAsked(lanes.order("c")))
    lane.wait(3.0)
    lane.do(lane.status("NotFound"))
    lane.wait(1.9)
    assert (lane.phase, asked_about(lane)[-2:]) == (Phase.CHECKING, ids[:2])
    lane.wait(0.1)
    assert (lane.phase, len(lane.sent_now(m.PaymentRequest))) == (Phase.PAYING, 1)


def test_rule_14_an_answer_that_comes_after_the_5_seconds_still_decides() -> None:
    lane = checking()
    late = lane.repeated()
    lane.wait(5.0)
    lane.do(late)
    assert lane.state.settled is not None
    assert (lane.state.settled.id, lane.state.settled.state) == ("a", "approved")
    assert (lane.phase, lane.payment.id) == (Phase.PAYING, "b")


@pytest.mark.parametrize("fails", [True, False], ids=["no answer", "nothing within 5 s"])
def test_rule_14_after_three_without_an_answer_only_the_others(fails: bool) -> None:
    lane, ids = several(2)
    newest = ids[0]
    for number in range(3):
        lane.do(ev.PaymentAsked(lanes.order(f"c{number}")))
        assert asked_about(lane, lane.sent_now(ASK)) == [newest]
        if fails:
            lane.do(lane.silent())
            assert asked_about(lane, lane.sent_now(ASK)) == [ids[1]]
            lane.do(lane.status("NotFound"))
        else:
            lane.wait(5.0)
        assert lane.phase is Phase.PAYING
        lane.do(lane.left(), lane.answered())
    lane.do(ev.PaymentAsked(lanes.order("d")))
    assert asked_about(lane, lane.sent_now(ASK)) == [ids[1]]


def test_rule_14_an_answer_in_between_begins_the_count_anew() -> None:
    lane = set_aside()
    for number, answer in enumerate([Lane.silent, Lane.silent, foreign, Lane.silent, Lane.silent]):
        lane.do(ev.PaymentAsked(lanes.order(f"c{number}")))
        lane.do(answer(lanes_checking(lane)))
        lane.do(lane.left(), lane.answered())
    lane.do(ev.PaymentAsked(lanes.order("d")))
    assert lane.phase is Phase.CHECKING


def lanes_checking(lane: Lane) -> Lane:
    assert lane.phase is Phase.CHECKING
    return lane


def test_rule_14_asked_daily() -> None:
    lane = set_aside(without_window())
    first = lane.service_id()
    if lane.state.review_at == lane.now:
        lane.do(ev.TimePassed())
        lane.do(lane.status("NotFound"))
    days = []
    for _ in range(3):
        before = len(lane.sent(ASK))
        lane.wait(DAY - 1.0)
        assert len(lane.sent(ASK)) == before
        lane.wait(1.0)
        asked = asked_about(lane, lane.sent_now(ASK))
        days.append((asked, lane.phase, lane.then(lane.status("NotFound")).phase))
    assert days == [([first], Phase.REVIEWING, Phase.READY)] * 3


def test_rule_14_not_after_7_days(tmp_path: Path) -> None:
    before = set_aside()
    before.now += 7 * DAY - 60.0
    lane = next_life(before, tmp_path).then(ev.TimePassed())
    assert asked_about(lane, lane.sent_now(ASK)) == [before.service_id()]
    lane.do(lane.status("NotFound"), lanes.login())
    lane.now += 60.0
    lane.do(ev.PaymentAsked(lanes.order("b")))
    assert lane.phase is Phase.PAYING
    before.now += 60.0
    assert next_life(before, tmp_path).then(ev.TimePassed()).phase is Phase.LOGGING_IN


# -- Where ----------------------------------------------------------------------------------------


def test_rule_14_asked_as_it_was_sent(tmp_path: Path) -> None:
    lane = next_life(set_aside(), tmp_path, elsewhere()).then(ev.TimePassed())
    header = lane.sent_now(ASK)[0].message.header
    assert (header.poi_id, header.sale_id) == ("kiosk-7", "kassa-2")
    lane.do(lane.repeated())
    assert (lane.payment.id, lane.payment.state) == ("a", "approved")
    header = lane.sent_now(LOGIN)[0].message.header
    assert (header.poi_id, header.sale_id) == ("new", "new")


def test_rule_14_only_at_the_same_serial() -> None:
    lane = set_aside(without_window())
    lane.do(ev.TerminalNotified(event="Initialised"))
    lane.do(lane.status("NotAllowed"), lanes.login("serial-2"))
    asked = len(lane.sent(ASK))
    lane.wait(3 * DAY)
    lane.do(ev.PaymentAsked(lanes.order("b")))
    assert (lane.phase, len(lane.sent(ASK))) == (Phase.PAYING, asked)
    lane.do(lane.left(), lane.answered())
    lane.do(ev.TerminalNotified(event="Initialised"))
    lane.do(lane.status("NotAllowed"), lanes.login())
    lane.wait(0.0)
    assert lane.phase is Phase.REVIEWING, "the first one is back"


# -- A payment that waits, and the stop -----------------------------------------------------------


def test_rule_14_a_payment_that_waits_for_it_can_be_aborted() -> None:
    lane = checking()
    lane.do(ev.AbortAsked("b"))
    assert lane.last.refusal is None
    assert (lane.payment.id, lane.ended()) == ("b", ("aborted", "Aborted"))
    assert lane.phase is Phase.READY
    assert len(lane.sent(m.PaymentRequest)) == 1
    lane.do(lane.silent())  # nobody waits for it any more
    lane.wait(60.0)
    assert (lane.phase, len(lane.sent(m.PaymentRequest))) == (Phase.READY, 1)


def test_rule_14_and_by_the_customer() -> None:
    lane = checking()
    lane.do(ev.ButtonPressed("abort"))
    assert (lane.payment.id, lane.ended()) == ("b", ("aborted", "Aborted"))
    assert len(lane.sent(m.PaymentRequest)) == 1


def test_rule_12_a_stop_while_a_payment_waits_for_it() -> None:
    lane = checking()
    lane.do(ev.StopAsked())
    assert (lane.payment.id, lane.ended()) == ("b", ("aborted", "Aborted"))
    (logout,) = lane.sent_now(m.LogoutRequest)
    assert logout.message.body == m.LogoutRequest(maintenance_allowed=False)
    lane.do(lanes.logout())
    assert lane.phase is Phase.STOPPED
    assert len(lane.sent(m.PaymentRequest)) == 1


@pytest.mark.parametrize("session", [True, False])
def test_rule_12_a_stop_while_it_is_asked_after(tmp_path: Path, session: bool) -> None:
    lane = set_aside(without_window())
    if session:
        lane.wait(DAY)
    else:
        lane = next_life(lane, tmp_path).then(ev.TimePassed())
    assert len(lane.sent_now(ASK)) == 1
    lane.do(ev.StopAsked())
    assert len(lane.sent_now(m.LogoutRequest)) == session
    assert lane.phase is (Phase.LOGGING_OUT if session else Phase.STOPPED)
    lane.do(lane.status("NotFound"))
    assert not lane.sent_now(ASK)


def test_rule_11_a_crash_while_a_payment_waits_for_it(tmp_path: Path) -> None:
    lane = next_life(checking(), tmp_path)
    changed = [e.payment for e in lane.entries if isinstance(e, fx.PaymentChanged)][-1]
    assert (changed.id, changed.state) == ("b", "aborted")
    assert changed.error is not None
    assert changed.error.condition == "Restarted"
    lane.do(ev.TimePassed())
    assert lane.phase is Phase.REVIEWING
