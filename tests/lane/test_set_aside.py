"""How a doubt ends when the terminal does not decide it (money rule 14, its first half)."""

from typing import Any

import lanes
import pytest
from lanes import Lane, configuration, replace
from setaside import (
    ABORT,
    ASK,
    DECIDE_NOTHING,
    LOGIN,
    Answer,
    asked_about,
    closed,
    end_made,
    keeps_open,
    last_question,
    says,
    until_abort,
)

from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.payment import PaymentState
from laned.lane.state import Phase, Reason
from laned.nexo import messages as m


def is_set_aside(lane: Lane, condition: str) -> None:
    """The lane goes on, and the till knows that nothing is decided."""
    payment = lane.payment
    assert lane.state.payment is None
    assert payment.state is PaymentState.UNKNOWN
    assert payment.set_aside_at == payment.updated_at
    assert payment.set_aside_at is not None
    assert payment.error is not None
    assert payment.error.condition == condition
    assert fx.Record(fx.PaymentChanged(payment)) in lane.last.effects


def takes_the_next(lane: Lane) -> None:
    """The next payment is taken, and asked of the terminal."""
    assert (lane.phase, lane.state.session) == (Phase.READY, "ready")
    lane.do(ev.PaymentAsked(lanes.order("b")))
    assert lane.last.refusal is None
    if lane.phase is Phase.CHECKING:
        lane.do(lane.status("NotFound"))
    assert len(lane.sent_now(m.PaymentRequest)) == 1


# -- a) No session --------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", DECIDE_NOTHING)
def test_rule_14_after_a_reboot_one_login_and_one_question(answer: Answer) -> None:
    lane = lanes.doubt()
    began, logins = lane.now, len(lane.sent(LOGIN))
    lane.do(lane.status("NotAllowed"))
    assert len(lane.sent_now(LOGIN)) == 1
    lane.do(lanes.login())
    assert asked_about(lane, lane.sent_now(ASK)) == [lane.service_id()]
    lane.do(answer(lane))
    assert lane.payment.set_aside_at is not None
    assert (lane.now, len(lane.sent(LOGIN)), lane.sent(ABORT)) == (began, logins + 1, [])
    takes_the_next(lane)


def test_rule_14_what_is_set_aside_is_told_and_recorded() -> None:
    lane = last_question(lanes.doubt())
    lane.do(lane.status("NotFound"))
    is_set_aside(lane, "NotFound")
    (one,) = lane.state.set_aside
    assert (one.payment, one.attempt.service_id) == (lane.payment, lane.service_id())
    assert fx.AskedAfter("a", one.until) in lane.entries


def test_rule_14_no_second_login_for_a_session_that_is_lost_again() -> None:
    lane = last_question(lanes.doubt())
    logins = len(lane.sent(LOGIN))
    lane.do(lane.status("LoggedOut"))
    is_set_aside(lane, "LoggedOut")
    lane.do(ev.TimePassed())
    if lane.phase is Phase.REVIEWING:
        lane.do(lane.status("LoggedOut"))
    assert (lane.phase, len(lane.sent(LOGIN))) == (Phase.LOGGING_IN, logins + 1)


@pytest.mark.parametrize("inside", [False, True])
def test_rule_14_busy_to_the_one_question_is_asked_again_for_2_minutes(inside: bool) -> None:
    lane = last_question(lanes.doubt())
    began = lane.now
    while lane.now - began < 120.0:
        lane.do(lane.repeated("InProgress") if inside else lane.status("Busy"))
        assert lane.payment.state is PaymentState.PROCESSING
        lane.wait(2.0)
    lane.do(lane.repeated("InProgress") if inside else lane.status("Busy"))
    is_set_aside(lane, "Busy")
    assert lane.now - began == 120.0
    takes_the_next(lane)


@pytest.mark.parametrize("port", ["silent", "closed"])
def test_rule_14_no_answer_to_the_one_question(port: ev.Port) -> None:
    lane = last_question(lanes.doubt())
    began = lane.now
    while lane.state.payment is not None and lane.now - began < 3600.0:
        lane.do(ev.StatusFailed(lane.asking(), "nothing", port))
        lane.wait(2.0)
    if port == "silent":
        assert 120.0 <= lane.now - began <= 124.0
        assert lane.payment.set_aside_at is not None
    else:
        assert (lane.phase, lane.payment.set_aside_at) == (Phase.DOUBT, None)


# -- b) In the same session -----------------------------------------------------------------------


@pytest.mark.parametrize("second", DECIDE_NOTHING)
@pytest.mark.parametrize("first", DECIDE_NOTHING[:1])
def test_rule_14_two_answers_that_decide_nothing(first: Answer, second: Answer) -> None:
    lane = lanes.doubt()
    began, logins = lane.now, len(lane.sent(LOGIN))
    lane.do(first(lane))
    assert lane.payment.state is PaymentState.UNKNOWN
    lane.wait(9.9)
    assert (lane.state.asking, lane.sent(ABORT)) == (None, [])
    lane.wait(0.1)
    lane.do(second(lane))
    (abort,) = lane.sent_now(ABORT)
    body = abort.message.body
    assert isinstance(body, ABORT)
    assert (body.reference.service_id, body.reference.category) == (lane.service_id(), "Payment")
    lane.wait(30.0)
    lane.do(second(lane))
    lane.wait(29.9)
    assert (lane.phase, len(lane.sent(LOGIN))) == (Phase.DOUBT, logins)
    lane.wait(0.1)
    assert len(lane.sent_now(LOGIN)) == 1
    lane.do(lanes.login())
    assert asked_about(lane, lane.sent_now(ASK)) == [lane.service_id()]
    lane.do(second(lane))
    assert lane.payment.set_aside_at is not None
    assert lane.now - began == pytest.approx(70.0)
    assert len(lane.sent(ABORT)) == 1
    takes_the_next(lane)


@pytest.mark.parametrize("answer", DECIDE_NOTHING)
def test_rule_14_any_answer_counts_twice(answer: Answer) -> None:
    assert until_abort(lanes.doubt(), answer) == 10.0


def test_rule_14_two_answers_less_than_10_s_apart_are_one() -> None:
    lane = lanes.doubt()
    began = lane.now
    lane.do(lane.status("NotFound"))
    for _ in range(9):
        lane.wait(1.0)
        lane.do(ev.TerminalNotified(event="Initialised"))  # asks at once: money rule 5
        lane.wait(0.0)
        lane.do(lane.status("NotFound"))
        assert not lane.sent(ABORT)
    until_abort(lane, says("NotFound"))
    assert lane.now - began == pytest.approx(10.0)


def test_rule_14_an_abort_that_was_never_sent_is_sent_then() -> None:
    lane = lanes.unknown()
    lane.do(ev.AbortAsked("a"))
    assert not lane.sent(ABORT), "the terminal is silent"
    lane.wait(2.0)
    until_abort(lane, says("NotFound"))
    assert len(lane.sent(ABORT)) == 1


def test_rule_14_mute_with_an_open_port_for_10_minutes() -> None:
    lane = lanes.doubt()
    logins = len(lane.sent(LOGIN))
    assert until_abort(lane, Lane.silent) == pytest.approx(600.0, abs=2.0)
    aborted = lane.now
    while lane.phase is Phase.DOUBT:
        if lane.state.asking:
            lane.do(lane.silent())
        lane.wait(1.0)
    assert lane.now - aborted == pytest.approx(60.0, abs=1.0)
    assert len(lane.sent(LOGIN)) == logins + 1
    lane.do(lanes.login())
    lane.do(lane.status("NotFound"))
    is_set_aside(lane, "NotFound")


def test_rule_14_a_login_that_is_not_answered_makes_no_end_of_it() -> None:
    lane = end_made(lanes.doubt()).wait(60.0)
    assert lane.phase is Phase.RELOGIN
    lane.do(ev.LoginFailed("no answer"))
    lane.wait(2.0)
    assert (lane.phase, lane.payment.set_aside_at) == (Phase.DOUBT, None)
    lane.do(lane.repeated())
    assert lane.ended() == ("approved", None)


def test_rule_14_a_closed_port_decides_nothing_ever() -> None:
    lane = lanes.doubt()
    for _ in range(200):
        lane.do(closed(lane))
        lane.wait(600.0)
    assert (lane.phase, lane.payment.set_aside_at) == (Phase.DOUBT, None)
    assert not lane.sent(ABORT)
    assert len(lane.sent(LOGIN)) == 1


def test_rule_14_a_port_that_was_closed_in_between_begins_the_10_minutes_anew() -> None:
    lane = lanes.doubt()
    keeps_open(lane, Lane.silent, 500.0)
    lane.wait(2.0)
    lane.do(closed(lane))
    keeps_open(lane, Lane.silent, 500.0)
    assert until_abort(lane, Lane.silent) > 50.0


# -- Another terminal, a wrong amount, a reversal -------------------------------------------------


def test_rule_14_another_terminal_in_session() -> None:
    lane = lanes.relogin().then(lanes.login("serial-2"))
    is_set_aside(lane, "OtherTerminal")
    asked = len(lane.sent(ASK))
    takes_the_next(lane)
    assert len(lane.sent(ASK)) == asked, "another terminal knows nothing of it"


def test_rule_14_another_terminal_than_the_configured_one() -> None:
    config = configuration()
    config = replace(config, terminal=replace(config.terminal, serial=lanes.SERIAL))
    lane = lanes.relogin(config).then(lanes.login("serial-2"))
    is_set_aside(lane, "OtherTerminal")
    assert (lane.phase, lane.state.reason) == (Phase.OFFLINE, Reason.OTHER_TERMINAL)


@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize("condition", ["AmountMismatch", "ForeignTransaction"])
def test_rule_6_a_wrong_answer_is_set_aside_with_all_it_told(
    repeated: bool, condition: str
) -> None:
    lane = lanes.doubt() if repeated else lanes.paying()
    amount = "99.00" if condition == "AmountMismatch" else "100.00"
    told: dict[str, Any] = {
        "amounts": m.AmountsResp(authorized_amount=lanes.order("x", amount).amount, currency="SEK"),
        "card": m.CardData(brand="VISA", masked_pan="4***1", entry_mode="ICC", token="tok"),
        "receipts": (lanes.receipt(signature=False),),
    }
    owner = "z" if condition == "ForeignTransaction" else None
    answer = lane.repeated if repeated else lane.answered
    lane.do(answer(poi_owner=owner, **told))
    is_set_aside(lane, condition)
    payment = lane.payment
    assert payment.authorized_amount == lanes.order("x", amount).amount
    assert payment.poi_transaction is not None
    assert (payment.poi_transaction.id, payment.approval_code) == ("poi-1", "A1")
    assert payment.card is not None
    assert payment.receipts.merchant is not None
    asked = len(lane.sent(ASK))
    takes_the_next(lane)
    lane.do(lane.answered())
    lane.wait(30 * 24 * 3600.0)
    assert len(lane.sent(ASK)) == asked, "never asked after again"
    assert not [entry for entry in lane.entries if isinstance(entry, fx.AskedAfter)]


@pytest.mark.parametrize("end", [last_question, end_made])
def test_rule_14_a_reversal_in_doubt(end: lanes.Make) -> None:
    lane = end(lanes.reversal_doubt())
    if end is end_made:
        (abort,) = lane.sent(ABORT)
        assert isinstance(abort.message.body, ABORT)
        assert abort.message.body.reference.category == "Reversal"
        lane.wait(60.0).do(lanes.login())
    lane.do(lane.status("NotFound"))
    reversal = lane.payment.reversal
    assert lane.payment.set_aside_at is not None
    assert reversal is not None
    assert reversal.error is not None
    told = (lane.payment.state, reversal.state, reversal.error.condition)
    assert told == ("approved", "unknown", "NotFound")
    assert lane.state.set_aside[0].attempt.category is m.Category.REVERSAL
    takes_the_next(lane)


def test_rule_14_the_reversal_of_a_payment_that_nobody_has_signed_for() -> None:
    lane = lanes.signing()
    assert lane.state.prompt is not None
    lane.do(ev.PromptAnswered(lane.state.prompt.id, confirmed=False))
    lane.do(lane.left(), lane.lost())
    last_question(lane).do(lane.status("NotFound"))
    reversal = lane.payment.reversal
    assert reversal is not None
    assert (lane.payment.state, reversal.state) == ("unknown", "unknown")
    assert lane.payment.set_aside_at is not None
    takes_the_next(lane)
