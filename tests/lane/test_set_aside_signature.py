"""A late approval of what nobody has signed for (money rule 14, its last words on approvals)."""

from pathlib import Path

import lanes
import pytest
from lanes import Lane
from setaside import LOGIN, next_life, pay, set_aside

from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.payment import Payment, PaymentState
from laned.lane.state import Phase
from laned.nexo import messages as m

REVERSE = m.ReversalRequest
UNSIGNED = (lanes.receipt(),)


def light() -> lanes.Config:
    """Light integration; a till says whether a signature is good."""
    return lanes.light(lanes.configuration(signature="till"))


def told(lane: Lane, payment_id: str = "a") -> Payment:
    """How that payment was told last."""
    changes = [entry.payment for entry in lane.entries if isinstance(entry, fx.PaymentChanged)]
    return [payment for payment in changes if payment.id == payment_id][-1]


def reviewing(config: lanes.Config | None = None) -> Lane:
    """REVIEWING after a Login: the terminal is asked after "a", which is set aside."""
    lane = set_aside(config or light())
    lane.do(ev.TerminalNotified(event="Initialised"))
    lane.do(lane.status("NotAllowed"), lanes.login())
    lane.wait(0.0)
    assert lane.phase is Phase.REVIEWING
    return lane


def given_back(lane: Lane) -> None:
    """It is being reversed before anything else, and no prompt was opened for it."""
    assert (lane.phase, lane.pursuit.payment.id) == (Phase.PAYING, "a")
    (sent,) = lane.sent_now(REVERSE)
    assert isinstance(sent.message.body, REVERSE)
    assert sent.message.body.poi_transaction.transaction_id == "poi-1"
    assert not lane.sent_now(m.PaymentRequest)
    assert (lane.state.prompt, lane.state.closed) == (None, None)
    payment = told(lane)
    assert (payment.state, payment.signature) == (PaymentState.PROCESSING, "declined")
    assert payment.set_aside_at is None
    assert lane.state.set_aside == ()


def ends_declined(lane: Lane) -> None:
    lane.do(lane.left(), lane.answered())
    payment = told(lane)
    assert payment.reversal is not None
    assert (payment.state, payment.reversal.state) == (PaymentState.DECLINED, "done")


def stays_approved(lane: Lane, condition: str = "ReversalRefused") -> None:
    payment = told(lane)
    assert payment.error is not None
    assert (payment.state, payment.error.condition) == (PaymentState.APPROVED, condition)
    assert not lane.sent(REVERSE)
    assert lane.state.prompt is None
    assert lane.state.set_aside == ()


def test_rule_14_given_back_while_it_is_the_last() -> None:
    lane = reviewing()
    lane.do(lane.repeated(receipts=UNSIGNED))
    given_back(lane)
    ends_declined(lane)
    assert (lane.phase, lane.state.doubts) == (Phase.READY, 0)


def test_rule_14_given_back_before_a_login(tmp_path: Path) -> None:
    lane = next_life(set_aside(light()), tmp_path).then(ev.TimePassed())
    logins = len(lane.sent(LOGIN))
    lane.do(lane.repeated(receipts=UNSIGNED))
    given_back(lane)
    assert len(lane.sent(LOGIN)) == logins
    lane.do(lane.left(), lane.answered("NotAllowed"))
    lane.do(lane.status("NotAllowed"), lanes.login())
    assert len(lane.sent_now(REVERSE)) == 1
    ends_declined(lane)


def test_rule_14_given_back_before_a_payment() -> None:
    lane = set_aside(light()).then(ev.PaymentAsked(lanes.order("b")))
    assert lane.phase is Phase.CHECKING
    lane.do(lane.repeated(receipts=UNSIGNED))
    waited = told(lane, "b")
    assert waited.state is PaymentState.FAILED, "safe to try again"
    assert waited.error is not None
    assert waited.error.condition == "Busy"
    given_back(lane)
    ends_declined(lane)


def test_rule_14_stays_approved_when_it_is_not_the_last_any_more() -> None:
    lane = reviewing()
    lane.do(lanes.replace(lane.repeated(receipts=UNSIGNED), superseded_by="b"))
    stays_approved(lane)
    assert lane.phase is Phase.READY


def test_rule_14_stays_approved_while_another_payment_runs() -> None:
    lane = set_aside(light())
    late = lane.repeated(receipts=UNSIGNED)
    pay(lane).do(lane.lost())
    lane.do(lanes.replace(late, service_id=lane.asking()))
    stays_approved(lane)
    assert (lane.phase, lane.payment.id) == (Phase.DOUBT, "b")


def test_rule_14_stays_approved_at_another_terminal() -> None:
    lane = set_aside(light())
    late = lane.repeated(receipts=UNSIGNED)
    lane.do(ev.TerminalNotified(event="Initialised"))
    lane.do(lane.status("NotAllowed"), lanes.login("serial-2"))
    lane.do(late)
    stays_approved(lane)


def test_rule_14_stays_approved_when_the_terminal_does_not_name_it() -> None:
    lane = set_aside(light()).then(ev.PaymentAsked(lanes.order("b")))
    lane.do(lane.repeated(receipts=UNSIGNED, poi_transaction=None))
    stays_approved(lane)
    assert (lane.phase, lane.payment.id) == (Phase.PAYING, "b")


def test_rule_14_a_person_has_said_what_it_is() -> None:
    lane = reviewing()
    lane.do(lanes.replace(lanes.resolution("failed"), payment=told(lane)))
    lane.do(lane.repeated(receipts=UNSIGNED))
    stays_approved(lane, "LateAnswer")


@pytest.mark.parametrize("config", [lanes.configuration(signature="till"), light()])
def test_rule_14_an_approval_that_nobody_need_sign_opens_no_prompt(config: lanes.Config) -> None:
    lane = reviewing(config)
    lane.do(lane.repeated(receipts=(lanes.receipt(signature=False),)))
    assert (lane.payment.id, lane.ended()) == ("a", ("approved", None))
    assert (lane.state.prompt, lane.state.closed) == (None, None)
    assert not lane.sent(REVERSE)
    assert lane.phase is Phase.READY


def test_rule_14_a_signature_asked_for_afterwards_is_answered_false() -> None:
    lane = set_aside(lanes.configuration(signature="till"))
    lane.do(lanes.asks())
    assert lane.state.prompt is None
    assert lane.state.closed is not None
    assert (lane.state.closed.answer, told(lane).signature) == (False, None)


def test_rule_14_what_was_no_card_stays_approved_and_the_waiting_payment_goes_on() -> None:
    lane = set_aside(light()).then(ev.PaymentAsked(lanes.order("b")))
    assert lane.phase is Phase.CHECKING
    lane.do(lane.repeated(receipts=UNSIGNED, instrument="Mobile"))
    stays_approved(lane)
    assert (lane.phase, lane.payment.id) == (Phase.PAYING, "b")
    assert len(lane.sent_now(m.PaymentRequest)) == 1
