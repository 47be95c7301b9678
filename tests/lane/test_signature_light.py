"""Money rule 9 in light integration: charged, and not approved before somebody says so."""

from typing import Any

import lanes
import pytest
from lanes import Lane, configuration, light

from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.state import Phase, SessionState
from laned.nexo import messages as m
from laned.views import lane as views
from laned.views.till_events import PrintEvent, till_events


def config(signature: str = "button") -> lanes.Config:
    return light(configuration(signature=signature))


def signed(lane: Lane, *, confirmed: bool) -> Lane:
    """The button says so."""
    lane.now += 1.0
    return lane.then(ev.ButtonPressed("confirm" if confirmed else "abort"))


def reversing(signature: str = "button") -> Lane:
    """The signature was declined, and the reversal has left."""
    lane = signed(lanes.signing(config(signature)), confirmed=False)
    return lane.then(lane.left())


def test_the_login_of_light_integration_can_print_receipts_and_nothing_else() -> None:
    lane = lanes.logging_in(config())
    body = lane.sent(m.LoginRequest)[0].message.body
    assert isinstance(body, m.LoginRequest)
    assert body.capabilities == ("PrinterReceipt",)


def test_what_is_asked_looks_as_in_default_integration() -> None:
    lane = lanes.signing(config())
    assert lane.phase is Phase.SIGNING
    assert lane.state.session is SessionState.BUSY
    assert lane.payment.state == "processing"
    assert lane.payment.poi_transaction is not None, "what was charged is on disk"
    assert fx.PaymentChanged(lane.payment) in lane.entries
    prompt = lane.state.prompt
    assert prompt is not None
    told = views.prompt(lane.state, prompt)
    assert (told.kind, told.text) == ("signature", "Underskrift OK?")
    assert views.display(lane.state).lines == ("Underskrift OK?",)


def test_the_merchants_receipt_is_told_to_be_printed() -> None:
    lane = lanes.paying(config())
    before, event = lane.state, lane.answered(receipts=(lanes.receipt(),))
    lane.do(event)
    printed = [told.data for told in till_events(before, event, lane.state) if told.name == "print"]
    assert printed == [
        PrintEvent(document="merchant", lines=("Signature:",), data={"Merchant": {}}, payment="a")
    ]


def test_approved() -> None:
    lane = signed(lanes.signing(config()), confirmed=True)
    assert lane.ended() == ("approved", None)
    assert (lane.payment.signature, lane.phase) == ("approved", Phase.READY)
    assert lane.sent(m.ReversalRequest) == []


def test_declined_is_taken_back_at_the_terminal() -> None:
    lane = signed(lanes.signing(config()), confirmed=False)
    assert (lane.payment.state, lane.payment.signature) == ("processing", "declined")
    body = lane.sent_now(m.ReversalRequest)[0].message.body
    assert isinstance(body, m.ReversalRequest)
    assert body.poi_transaction.transaction_id == "poi-1"
    lane.do(lane.left(), lane.answered())
    assert lane.ended() == ("declined", None)
    assert lane.payment.reversal is not None
    assert lane.payment.reversal.state == "done"


def test_nobody_says_anything() -> None:
    lane = lanes.signing(config("till")).wait(60.0)
    assert (lane.phase, lane.payment.signature) == (Phase.PAYING, "declined")
    assert lane.state.closed is not None
    assert lane.state.closed.by == "timeout"
    assert len(lane.sent(m.ReversalRequest)) == 1


def test_where_nobody_may_approve_it_is_taken_back_at_once() -> None:
    lane = lanes.paying(config("decline"))
    lane.do(lane.answered(receipts=(lanes.receipt(),)))
    assert (lane.payment.signature, len(lane.sent_now(m.ReversalRequest))) == ("declined", 1)


def test_a_till_that_wanted_an_abort_does_not_want_it_signed() -> None:
    lane = lanes.paying(config())
    lane.do(ev.AbortAsked("a"), lane.answered(receipts=(lanes.receipt(),)))
    assert lane.payment.abort_requested
    assert len(lane.sent_now(m.ReversalRequest)) == 1


def test_an_abort_while_it_is_asked_declines() -> None:
    lane = lanes.signing(config()).then(ev.AbortAsked("a"))
    assert lane.payment.signature == "declined"
    assert (len(lane.sent(m.AbortRequest)), len(lane.sent(m.ReversalRequest))) == (0, 1)


@pytest.mark.parametrize(
    ("receipts", "asked"),
    [
        ((), False),
        ((lanes.receipt(signature=False),), False),
        ((lanes.receipt(),), True),
        ((m.Receipt(qualifier="CashierReceipt", lines=("???",)),), True),  # cannot be read
        ((m.Receipt(qualifier="CustomerReceipt", lines=("???",)),), False),
    ],
)
def test_which_receipts_want_a_signature(receipts: tuple[m.Receipt, ...], asked: bool) -> None:
    lane = lanes.paying(config())
    lane.do(lane.answered(receipts=receipts))
    assert (lane.phase is Phase.SIGNING) is asked


def test_only_in_light_integration() -> None:
    lane = lanes.paying(configuration(signature="button"))
    lane.do(lane.answered(receipts=(lanes.receipt(),)))
    assert lane.ended() == ("approved", None)


def test_a_refused_payment_is_signed_by_nobody() -> None:
    lane = lanes.paying(config())
    lane.do(lane.answered("Refusal", receipts=(lanes.receipt(),)))
    assert lane.ended()[0] == "declined"


def test_a_recovered_approval_is_asked_about_as_well() -> None:
    lane = lanes.doubt(config())
    lane.do(lane.repeated(receipts=(lanes.receipt(),)))
    assert lane.phase is Phase.SIGNING
    assert signed(lane, confirmed=True).ended() == ("approved", None)


# -- Crashes --------------------------------------------------------------------------------------


def test_a_crash_while_it_is_asked_asks_again() -> None:
    lane = lanes.restarted(lanes.signing(config()))
    assert lane.phase is Phase.SIGNING
    assert lane.state.prompt is not None
    assert lane.sends[len(lanes.signing(config()).sends) :] == [], "and asks the terminal nothing"
    lane.do(ev.ButtonPressed("confirm"))
    assert lane.ended() == ("approved", None)


def test_a_crash_then_no_answer_is_still_not_approved() -> None:
    lane = lanes.restarted(lanes.signing(config())).wait(60.0)
    assert lane.payment.signature == "declined"
    assert len(lane.sent(m.ReversalRequest)) == 1


def test_a_crash_and_another_configuration_in_which_nobody_may_approve() -> None:
    lane = lanes.restarted(lanes.signing(config()), config("decline"))
    assert lane.payment.signature == "declined"
    assert len(lane.sent(m.ReversalRequest)) == 1


def test_the_orderly_stop_leaves_the_question_for_the_next_life() -> None:
    lane = lanes.signing(config()).then(ev.StopAsked())
    assert (lane.phase, lane.sent(m.LogoutRequest)) == (Phase.STOPPED, [])
    assert lanes.restarted(lane).phase is Phase.SIGNING


def test_a_crash_in_the_reversal_asks_what_became_of_it() -> None:
    lane = lanes.restarted(reversing())
    assert (lane.phase, lane.payment.state) == (Phase.DOUBT, "processing")
    lane.do(ev.TimePassed(), lane.repeated())
    assert lane.ended() == ("declined", None)


def test_without_a_session_the_reversal_gets_one() -> None:
    lane = lanes.restarted(lanes.signing(config()))
    lane.do(ev.ButtonPressed("abort"))
    lane.do(lane.left(), lane.answered("NotAllowed"))
    lane.do(lane.status("NotAllowed"))
    assert lane.phase is Phase.RELOGIN
    lane.do(lanes.login())
    lane.do(lane.left(), lane.answered())
    assert lane.ended() == ("declined", None)
    assert len(lane.sent(m.ReversalRequest)) == 2


def test_another_terminal_than_the_one_that_charged_is_asked_for_nothing() -> None:
    lane = lanes.restarted(lanes.signing(config()))
    lane.do(ev.ButtonPressed("abort"))
    lane.do(lane.left(), lane.answered("NotAllowed"))
    lane.do(lane.status("NotAllowed"))
    lane.do(lanes.login("serial-2"))
    assert (lane.phase, len(lane.sent(m.ReversalRequest))) == (Phase.RETRYING, 1)


def test_a_login_that_is_out_is_waited_for_before_the_reversal() -> None:
    lane = lanes.signing_with_a_login_out(config())
    signed(lane, confirmed=False)
    assert (lane.phase, lane.sent(m.ReversalRequest)) == (Phase.SIGNING_RELOGIN, [])
    crashed = lanes.restarted(lane)
    assert len(crashed.sent(m.ReversalRequest)) == 1, "it was declined: nobody is asked again"
    lane.do(lanes.login())
    assert (lane.phase, len(lane.sent(m.ReversalRequest))) == (Phase.PAYING, 1)


@pytest.mark.parametrize("answer", [lanes.login(), ev.LoginFailed("no answer")])
def test_an_approval_while_that_login_is_out(answer: ev.Event) -> None:
    lane = signed(lanes.signing_with_a_login_out(config()), confirmed=True)
    assert (lane.ended(), lane.phase) == (("approved", None), Phase.LOGGING_IN)
    lane.do(answer)
    assert lane.phase in (Phase.READY, Phase.OFFLINE)


# -- The reversal does not go through -------------------------------------------------------------


def refused(lane: Lane) -> tuple[Any, ...]:
    error = lane.payment.error
    assert error is not None
    return lane.payment.state, lane.payment.signature, error.condition


def test_a_reversal_that_is_refused_leaves_it_approved_and_says_so() -> None:
    lane = reversing()
    lane.do(lane.answered("Refusal"))
    assert refused(lane) == ("approved", "declined", "ReversalRefused")
    assert lane.payment.reversal is not None
    assert lane.payment.reversal.state == "refused"


def test_a_busy_terminal_is_asked_again() -> None:
    lane = reversing()
    lane.do(lane.answered("Busy"))
    lane.wait(2.0)
    lane.do(lane.left(), lane.answered())
    assert lane.ended() == ("declined", None)


def test_one_that_cannot_be_reached_is_tried_again_and_again() -> None:
    lane = reversing()
    lane.do(lane.not_sent())
    assert lane.phase is Phase.RETRYING
    lane.wait(2.0)
    lane.do(lane.left(), lane.answered())
    assert lane.ended() == ("declined", None)
    late = reversing()
    while not late.payment.unknown:  # for half a minute, then less often
        late.do(late.not_sent())
        late.wait(2.0)
    late.do(lanes.resolution("approved"))
    assert refused(late) == ("approved", "declined", "ReversalRefused")


def test_one_whose_answer_is_lost_is_not_guessed() -> None:
    lane = reversing()
    lane.do(lane.lost())
    lane.do(lane.silent())
    assert lane.payment.state == "unknown"
    refusal = lane.do(ev.PaymentAsked(lanes.order("n"))).refusal
    assert refusal is not None
    assert refusal.code == "outcome_unknown"
    lane.wait(2.0)
    lane.do(lane.status("Busy"))
    assert lane.payment.state == "processing"
    lane.wait(2.0)
    lane.do(lane.repeated())
    assert lane.ended() == ("declined", None)


@pytest.mark.parametrize(("verdict", "state"), [("approved", "approved"), ("failed", "declined")])
def test_a_person_may_say_what_became_of_it(verdict: str, state: str) -> None:
    lane = reversing()
    lane.do(lane.lost())
    lane.do(lane.silent(), lanes.resolution(verdict))
    assert lane.payment.state == state
    assert lane.payment.resolved is not None


def test_a_transaction_without_a_name_cannot_be_taken_back() -> None:
    lane = lanes.paying(config("decline"))
    lane.do(lane.answered(receipts=(lanes.receipt(),), poi_transaction=None))
    assert refused(lane) == ("approved", "declined", "ReversalRefused")
    assert lane.sent(m.ReversalRequest) == []


def test_what_stays_approved_can_still_be_reversed_by_hand() -> None:
    lane = reversing()
    lane.do(lane.answered("Refusal"))
    lane.do(lanes.reversal_of(lane.state.settled))
    lane.do(lane.left(), lane.answered())
    assert lane.payment.state == "reversed"


# -- Taken back where it was paid, and never approved because nobody reversed it -------------------


def test_it_is_taken_back_where_it_was_paid_whatever_the_file_says_now() -> None:
    changed = lanes.replace(
        config().terminal, address="192.0.2.77:11000", poi_id="new", sale_id="new"
    )
    lane = lanes.signing(config())
    life = lanes.restarted(lane, lanes.replace(config(), terminal=changed))
    signed(life, confirmed=False)
    paid_at = lane.request()
    for _ in range(2):
        reversal = life.request()
        body = reversal.message.body
        assert isinstance(body, m.ReversalRequest)
        assert reversal.address == paid_at.address
        header, paid = reversal.message.header, paid_at.message.header
        assert (body.sale_id, body.poi_id) == (paid.sale_id, paid.poi_id)
        assert (header.sale_id, header.poi_id) == (paid.sale_id, paid.poi_id)
        life.do(life.left(), life.answered("Busy"))
        life.wait(2.0)
