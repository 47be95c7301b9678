"""Money rule 10: taking back the terminal's last payment."""

import lanes
import pytest
from lanes import Lane, replace
from reversals import ASK, RECEIPT, REVERSE, UNDER_WAY, ended, reversal

from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.buttons import lit
from laned.lane.payment import POITransaction, Reversal
from laned.lane.state import Phase
from laned.nexo import messages as m


def refusal(lane: Lane, event: ev.Event) -> str:
    found = lane.do(event).refusal
    assert found is not None
    assert lane.last.effects == ()
    return found.code


# -- Done, or refused -----------------------------------------------------------------------------


def test_rule_10_an_approved_payment_is_reversed() -> None:
    lane = lanes.approved()
    payment = lane.payment
    lane.do(lanes.reversal_of(payment))
    (send,) = lane.sent_now(REVERSE)
    assert send.message.body == m.ReversalRequest(
        poi_transaction=m.TransactionID("poi-1", "2025-06-07T10:09:10+02:00"),
        reason=m.ReversalReason.MERCHANT_CANCEL,
        sale_id="kassa-2",
        poi_id="kiosk-7",
    )
    entries = [effect.entry for effect in lane.last.effects if isinstance(effect, fx.Record)]
    recorded = [type(entry) for entry in entries]
    assert recorded == [fx.PaymentChanged, fx.AttemptOpened]
    assert lane.last.effects[-1] == send, "recorded first"
    assert (lane.phase, lane.payment.state, reversal(lane).state) == (
        Phase.PAYING,
        "approved",
        "processing",
    )
    assert not lane.payment.final
    lane.do(lane.answered(receipts=(RECEIPT,)))
    assert (ended(lane), lane.phase) == (("reversed", "done", None), Phase.READY)
    customer = reversal(lane).receipts.customer
    assert customer is not None
    assert customer.lines == RECEIPT.lines
    untouched = replace(
        lane.payment, state="approved", reversal=None, updated_at=payment.updated_at
    )
    assert untouched == payment, "its own receipts, card and ids stay"


def test_rule_10_not_at_another_terminal_than_it_was_paid_at() -> None:
    lane = lanes.approved()
    asked = replace(lanes.reversal_of(lane.state.settled), charged_by="serial-2")
    refused = lane.do(asked).refusal
    assert refused is not None
    assert (refused.code, lane.sent(REVERSE)) == ("not_reversible", [])
    assert "serial-2" in refused.detail


def test_rule_10_its_attempt_is_recorded_as_a_reversal() -> None:
    lane = lanes.reversing()
    (opened,) = [e for e in lane.entries[-3:] if isinstance(e, fx.AttemptOpened)]
    assert (opened.payment_id, opened.attempt.category) == ("a", m.Category.REVERSAL)
    assert opened.attempt.service_id == lane.service_id()
    assert [ids.service_id for ids in lane.payment.attempts] == [
        send.message.header.service_id for send in lane.sent(m.PaymentRequest)
    ]


@pytest.mark.parametrize("condition", ["Refusal", "NotFound", "DeviceOut", "SomethingNew", ""])
def test_rule_10_refused_by_the_terminal_it_stays_approved(condition: str) -> None:
    lane = lanes.reversing()
    lane.do(lane.answered(condition))
    assert ended(lane) == ("approved", "refused", condition)
    assert lane.payment.error is None


def test_rule_10_may_be_asked_for_again_after_it_was_refused() -> None:
    lane = lanes.reversing()
    lane.do(lane.answered("Refusal"))
    lane.do(lanes.reversal_of(lane.state.settled))
    assert reversal(lane) == Reversal(state="processing", reason=m.ReversalReason.MERCHANT_CANCEL)
    lane.do(lane.answered())
    assert ended(lane) == ("reversed", "done", None)


def test_rule_10_not_sent() -> None:
    lane = lanes.just_reversing()
    lane.do(lane.not_sent())
    assert ended(lane) == ("approved", "refused", "NotSent")
    assert (lane.phase, lane.state.reason) == (Phase.OFFLINE, "unreachable")


# -- What can be reversed -------------------------------------------------------------------------


def test_rule_10_only_the_terminals_last() -> None:
    lane = lanes.approved()
    payment = lane.state.settled
    assert refusal(lane, lanes.reversal_of(payment, superseded_by="b")) == "not_reversible"
    assert "b" in (lane.last.refusal.detail if lane.last.refusal else "")
    assert refusal(lane, lanes.reversal_of(None)) == "not_reversible"


@pytest.mark.parametrize("state", ["declined", "aborted", "failed", "reversed", "unknown"])
def test_rule_10_only_an_approved_one(state: str) -> None:
    lane = lanes.approved()
    payment = replace(lane.payment, state=state)
    assert refusal(lane, lanes.reversal_of(payment)) == "not_reversible"


def test_rule_10_only_one_that_the_terminal_has_named() -> None:
    lane = lanes.approved()
    payment = replace(lane.payment, poi_transaction=None)
    assert refusal(lane, lanes.reversal_of(payment)) == "not_reversible"


def test_rule_10_as_the_journal_has_it_not_as_the_lane_remembers() -> None:
    lane = lanes.approved()
    fresh = replace(lane.payment, poi_transaction=POITransaction("poi-9", "t"))
    lane.do(lanes.reversal_of(fresh))
    (send,) = lane.sent_now(REVERSE)
    assert isinstance(send.message.body, m.ReversalRequest)
    assert send.message.body.poi_transaction == m.TransactionID("poi-9", "t")


@pytest.mark.parametrize("make", [lanes.offline, lanes.logged_out, lanes.survey])
def test_rule_10_not_without_a_session(make: lanes.Make) -> None:
    payment = lanes.approved().state.settled
    assert refusal(make(), lanes.reversal_of(payment)) == "terminal_unavailable"


# -- Meanwhile ------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", UNDER_WAY)
def test_rule_10_the_lane_is_busy_until_it_is_decided(make: lanes.Make) -> None:
    lane = make()
    payment = lane.state.payment
    code = "outcome_unknown" if lane.state.unknown else "lane_busy"
    assert refusal(lane, ev.PaymentAsked(lanes.order("b"))) == code
    assert refusal(lane, lanes.reversal_of(payment)) == code
    for wish in (ev.LoginAsked(), ev.LogoutAsked(maintenance=True)):
        assert refusal(lane, wish) == "lane_busy"
    assert lane.state.payment == payment


@pytest.mark.parametrize("make", UNDER_WAY)
def test_rule_10_abort_and_buttons_do_nothing(make: lanes.Make) -> None:
    lane = make()
    assert lit(lane.state) == frozenset()
    before = lane.state
    for name in ("confirm", "abort", "approve"):
        lane.do(ev.ButtonPressed(name))
    assert lane.state is before
    assert refusal(lane, ev.AbortAsked("a")) == "not_abortable"
    assert lane.sent(m.AbortRequest) == []


@pytest.mark.parametrize("make", UNDER_WAY)
def test_rule_9_an_input_request_is_answered_false(make: lanes.Make) -> None:
    lane = make(lanes.configuration(signature="button"))
    lane.do(lanes.asks("k1"))
    assert lane.state.prompt is None
    closed = lane.state.closed
    assert closed is not None
    assert (closed.key, closed.answer) == ("k1", False)
    assert lane.payment.signature is None


def approved_although_abort_was_asked() -> Lane:
    lane = lanes.paying()
    lane.do(ev.AbortAsked("a"))
    lane.do(lane.answered())
    assert lane.payment.abort_requested
    return lane


def test_rule_8_an_abort_of_the_payment_is_none_of_its_reversal() -> None:
    lane = approved_although_abort_was_asked()
    aborts = len(lane.sent(m.AbortRequest))
    lane.do(lanes.reversal_of(lane.state.settled))
    lane.do(lane.left())
    lane.wait(30.0)
    lane.do(lane.status("Busy"))
    lane.do(lane.answered("Busy"))
    assert (lane.phase, reversal(lane).state) == (Phase.RETRYING, "processing")
    life = lanes.restarted(lane)
    assert ended(life) == ("approved", "refused", "Busy")
    lane.wait(2.0)
    lane.do(lane.lost(), lane.status("Busy"))
    lane.wait(2.0)
    lane.do(lane.repeated())
    assert ended(lane) == ("reversed", "done", None)
    assert len(lane.sent(m.AbortRequest)) == aborts


# -- Refused, and asked again ---------------------------------------------------------------------


def test_rule_2_busy_is_tried_again_under_a_new_service_id() -> None:
    lane = lanes.reversal_retrying()
    lane.wait(2.0)
    first, second = (send.message.header.service_id for send in lane.sent(REVERSE))
    assert first != second
    lane.do(lane.answered())
    assert ended(lane) == ("reversed", "done", None)


def test_rule_2_busy_for_30_seconds_is_refused() -> None:
    lane = lanes.reversal_retrying()
    began = lane.now
    while lane.state.payment is not None:
        lane.wait(2.0)
        lane.do(lane.answered("Busy"))
    assert ended(lane) == ("approved", "refused", "Busy")
    assert 28.0 <= lane.now - began <= 32.0


def test_rule_2_no_session_status_login_again() -> None:
    lane = lanes.reversal_asking_for_session()
    before = len(lane.sent(m.LoginRequest))
    assert [send.message.body for send in lane.sent(ASK)][-1:] == [
        ASK(
            reference=m.MessageReference(
                category=m.Category.REVERSAL,
                service_id=lane.service_id(),
                sale_id="kassa-2",
                poi_id="kiosk-7",
            )
        )
    ]
    lane.do(lane.status("NotAllowed"))
    assert len(lane.sent(m.LoginRequest)) == before + 1
    lane.do(lanes.login())
    assert len(lane.sent_now(REVERSE)) == 1
    lane.do(lane.answered())
    assert (ended(lane), lane.phase) == (("reversed", "done", None), Phase.READY)


def test_rule_12_stopped_between_two_attempts_it_is_refused() -> None:
    lane = lanes.reversal_retrying()
    lane.do(ev.StopAsked())
    assert ended(lane) == ("approved", "refused", "Busy")
