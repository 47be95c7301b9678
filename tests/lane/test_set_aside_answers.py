"""What the terminal, and people, say of what is set aside (money rule 14, afterwards)."""

from pathlib import Path
from typing import Any

import lanes
import pytest
from lanes import Lane
from setaside import (
    ABORT,
    ASK,
    LOGIN,
    end_made,
    foreign,
    last_question,
    next_life,
    pay,
    set_aside,
    set_next_aside,
)

from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.payment import Payment, PaymentState
from laned.lane.state import Phase, Reason
from laned.nexo import messages as m

DAY = 24 * 3600.0
MISMATCH = m.AmountsResp(authorized_amount=lanes.order("x", "1").amount, currency="SEK")


def checking(config: lanes.Config | None = None, make: lanes.Make = lanes.doubt) -> Lane:
    """CHECKING: payment "b" waits while the terminal is asked after "a"."""
    lane = set_aside(config, make).then(ev.PaymentAsked(lanes.order("b")))
    assert lane.phase is Phase.CHECKING
    return lane


def told(lane: Lane, payment_id: str = "a") -> Payment:
    """How that payment was told last."""
    changes = [entry.payment for entry in lane.entries if isinstance(entry, fx.PaymentChanged)]
    return [payment for payment in changes if payment.id == payment_id][-1]


def condition(payment: Payment) -> str | None:
    return payment.error.condition if payment.error else None


def resolve(lane: Lane, state: str = "failed") -> ev.ResolveAsked:
    """A person's verdict, with what the journal knows."""
    return lanes.replace(lanes.resolution(state), payment=told(lane))


def in_doubt_again(lane: Lane) -> None:
    """The lane is at work on "a" again, and sends nothing that could disturb the terminal."""
    assert (lane.phase, lane.pursuit.payment.id) == (Phase.DOUBT, "a")
    assert (lane.payment.state, lane.payment.set_aside_at) == (PaymentState.PROCESSING, None)
    assert lane.state.set_aside == ()
    for wish in (
        ev.PaymentAsked(lanes.order("c")),
        ev.LoginAsked(),
        ev.LogoutAsked(maintenance=True),
    ):
        lane.do(wish)
        assert lane.last.refusal is not None
        assert lane.last.refusal.code == "lane_busy"


# -- Its own answer decides -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (None, "approved"),
        ("Refusal", "declined"),
        ("Cancel", "aborted"),
        ("DeviceOut", "failed"),
        ("Busy", "failed"),
        ("NotAllowed", "failed"),
    ],
)
def test_rule_14_the_terminals_own_answer_decides(said: str | None, state: str) -> None:
    lane = checking()
    lane.do(lane.repeated(said))
    decided = lane.state.settled
    assert decided == told(lane)
    assert (decided.state, condition(decided)) == (state, said)
    assert decided.set_aside_at is not None, "it was set aside once"
    assert lane.state.set_aside == ()
    assert fx.AskedAfter("a", None) in lane.entries
    assert (lane.phase, lane.payment.id) == (Phase.PAYING, "b")


@pytest.mark.parametrize("said", ["foreign", "transaction", "NotFound"])
def test_rule_14_what_is_not_its_own_answer_decides_nothing(said: str) -> None:
    lane = checking()
    match said:
        case "foreign":
            lane.do(foreign(lane))
        case "transaction":
            lane.do(lane.repeated(sale_transaction=m.TransactionID("z", "t")))
        case _:
            lane.do(lane.status(said))
    assert told(lane).state is PaymentState.UNKNOWN
    assert [one.payment.id for one in lane.state.set_aside] == ["a"]


def test_rule_14_a_wrong_amount_decides_nothing_and_is_asked_after_no_more() -> None:
    lane = checking()
    lane.do(lane.repeated(amounts=MISMATCH))
    payment = told(lane)
    assert (payment.state, condition(payment)) == (PaymentState.UNKNOWN, "AmountMismatch")
    assert payment.authorized_amount == MISMATCH.authorized_amount
    assert (lane.state.set_aside, lane.state.doubts) == ((), 1)
    assert (lane.phase, lane.payment.id) == (Phase.PAYING, "b")


def test_rule_14_also_on_its_own_connection() -> None:
    lane = last_question(lanes.quiet())
    lane.do(lane.status("NotFound"))
    service_id, answer = lane.service_id(), lane.answered()
    assert lane.state.waits_for(service_id)
    lane.do(ev.PaymentAsked(lanes.order("b")))
    lane.do(answer)
    assert told(lane).state is PaymentState.APPROVED
    assert not lane.state.waits_for(service_id)


def test_rule_14_also_while_another_payment_runs() -> None:
    lane = checking()
    late = lane.repeated()
    lane.do(lane.status("NotFound"))
    lane.do(lane.left(), lane.lost())
    lane.do(lanes.replace(late, service_id=lane.asking()))
    assert told(lane).state is PaymentState.APPROVED
    assert (lane.phase, lane.payment.id) == (Phase.DOUBT, "b")


def test_rule_14_also_in_the_next_life_and_after_other_payments(tmp_path: Path) -> None:
    lane = set_aside()
    late = lane.repeated()
    for number in range(5):
        pay(lane, f"b{number}").do(lane.answered())
    lane = next_life(lane, tmp_path).then(ev.TimePassed())
    assert lane.phase is Phase.REVIEWING
    lane.do(lanes.replace(late, service_id=lane.asking()))
    assert told(lane).state is PaymentState.APPROVED
    assert next_life(lane, tmp_path).state.set_aside == ()


@pytest.mark.parametrize(
    ("said", "state", "reversal"), [(None, "reversed", "done"), ("Refusal", "approved", "refused")]
)
def test_rule_14_a_reversal_is_decided_later(said: str | None, state: str, reversal: str) -> None:
    lane = checking(make=lanes.reversal_doubt)
    lane.do(lane.repeated(said))
    payment = told(lane)
    assert payment.reversal is not None
    assert (payment.state, payment.reversal.state) == (state, reversal)
    assert lane.state.set_aside == ()


def test_rule_10_no_second_reversal_while_the_first_may_have_been_made() -> None:
    lane = set_aside(make=lanes.reversal_doubt)
    lane.do(lanes.reversal_of(lane.payment))
    assert lane.last.refusal is not None
    assert lane.last.refusal.code == "not_reversible"


# -- What a person has said -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "said", "state"),
    [("failed", None, "approved"), ("approved", "Refusal", "declined")],
)
@pytest.mark.parametrize("set_aside_first", [True, False])
def test_rule_14_what_a_person_resolved_is_asked_after_and_contradicted(
    tmp_path: Path, verdict: str, said: str | None, state: str, set_aside_first: bool
) -> None:
    lane = set_aside() if set_aside_first else lanes.unknown()
    lane.do(resolve(lane, verdict))
    assert (lane.last.refusal, told(lane).state) == (None, verdict)
    lane = next_life(lane, tmp_path).then(ev.TimePassed())
    assert lane.phase is Phase.REVIEWING
    lane.do(lane.repeated(said))
    payment = told(lane)
    assert (payment.state, condition(payment)) == (state, "LateAnswer")
    assert payment.resolved is not None
    assert lane.state.set_aside == ()


def test_rule_14_a_person_who_was_right_is_not_contradicted() -> None:
    lane = set_aside()
    lane.do(resolve(lane, "approved"))
    before = told(lane)
    lane.do(ev.PaymentAsked(lanes.order("b")))
    lane.do(lane.repeated())
    assert told(lane) == before
    assert fx.AskedAfter("a", None) in lane.entries


def offline_for_doubts() -> Lane:
    lane = set_next_aside(set_aside())
    assert lane.state.reason is Reason.DOUBTS
    return lane


def ready() -> Lane:
    return set_aside()


def paying_another() -> Lane:
    return pay(set_aside())


def being_asked() -> Lane:
    return checking()


def logged_out() -> Lane:
    return set_aside().then(ev.LogoutAsked(maintenance=False)).then(lanes.logout())


@pytest.mark.parametrize(
    "make", [ready, paying_another, being_asked, offline_for_doubts, logged_out]
)
@pytest.mark.parametrize("state", ["approved", "failed"])
def test_rule_14_resolve_closes_it_at_any_time(make: Any, state: str) -> None:
    lane = make()
    phase, pursued = lane.phase, lane.state.payment
    lane.do(resolve(lane, state))
    payment = told(lane)
    assert (lane.last.refusal, payment.state) == (None, state)
    assert payment.resolved is not None
    assert (payment.resolved.by, payment.resolved.note) == (1000, "asked the bank")
    assert (lane.phase, lane.state.payment) == (phase, pursued), "nothing else changes"
    kept = [one.payment for one in lane.state.set_aside if one.payment.id == "a"]
    assert kept == [payment], "the terminal may still tell"
    lane.do(resolve(lane, state))
    assert lane.last.refusal is not None
    assert lane.last.refusal.code == "not_unknown"


@pytest.mark.parametrize(
    ("verdict", "state", "reversal"),
    [("approved", "approved", "refused"), ("failed", "reversed", "done")],
)
def test_rule_10_resolve_closes_a_reversal(verdict: str, state: str, reversal: str) -> None:
    lane = set_aside(make=lanes.reversal_doubt)
    lane.do(resolve(lane, verdict))
    payment = told(lane)
    assert payment.reversal is not None
    assert (payment.state, payment.reversal.state) == (state, reversal)


def test_rule_6_a_wrong_amount_is_resolved_and_not_asked_after() -> None:
    lane = lanes.paying()
    lane.do(lane.answered(amounts=MISMATCH))
    lane.do(resolve(lane, "approved"))
    assert (lane.last.refusal, told(lane).state) == (None, PaymentState.APPROVED)
    lane.do(ev.PaymentAsked(lanes.order("b")))
    assert lane.phase is Phase.PAYING


# -- Busy about it --------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", [True, False])
def test_rule_14_busy_about_it_no_payment(inside: bool) -> None:
    lane = checking()
    before = len(lane.sends)
    lane.do(lane.repeated("InProgress") if inside else lane.status("Busy"))
    ended = told(lane, "b")
    assert (ended.state, condition(ended)) == (PaymentState.FAILED, "Busy")
    assert ended.error is not None
    assert "payment a" in ended.error.message
    in_doubt_again(lane)
    assert len(lane.sends) == before
    lane.wait(2.0)
    lane.do(lane.repeated())
    assert (lane.payment.id, lane.ended(), lane.phase) == ("a", ("approved", None), Phase.READY)


def test_rule_14_busy_about_it_no_login(tmp_path: Path) -> None:
    lane = next_life(set_aside(), tmp_path).then(ev.TimePassed())
    logins = len(lane.sent(LOGIN))
    lane.do(lane.status("Busy"))
    in_doubt_again(lane)
    for _ in range(100):
        lane.wait(2.0)
        lane.do(lane.status("Busy"))
    assert len(lane.sent(LOGIN)) == logins
    lane.wait(2.0)
    lane.do(lane.repeated("Refusal"))
    assert lane.ended() == ("declined", "Refusal")


@pytest.mark.parametrize("crash", [False, True])
def test_rule_14_busy_about_it_and_set_aside_again_by_the_same_steps(
    tmp_path: Path, crash: bool
) -> None:
    lane = checking()
    lane.do(lane.status("Busy"))
    if crash:
        lane = next_life(lane, tmp_path)
        assert (lane.phase, lane.payment.id) == (Phase.DOUBT, "a")
    lane.wait(2.0)
    end_made(lane).wait(60.0)
    lane.do(lanes.login())
    lane.do(lane.status("NotFound"))
    assert (lane.state.payment, lane.payment.id) == (None, "a")
    assert lane.payment.set_aside_at is not None
    assert [one.payment.id for one in lane.state.set_aside] == ["a"]


def test_rule_14_busy_about_it_no_logout_for_a_maintenance_that_begins() -> None:
    lane = checking()
    lane.do(ev.TerminalNotified(event="BeginMaintenance"))
    lane.do(lane.status("Busy"))
    in_doubt_again(lane)
    assert not lane.sent(m.LogoutRequest)


def test_rule_14_what_was_pursued_again_and_decided_is_asked_after_no_more(tmp_path: Path) -> None:
    lane = checking()
    lane.do(lane.status("Busy"))
    lane.wait(2.0)
    lane.do(lane.repeated())
    assert (lane.state.set_aside, lane.ended()) == ((), ("approved", None))
    assert next_life(lane, tmp_path).state.set_aside == ()


def test_rule_14_busy_about_what_a_person_has_resolved(tmp_path: Path) -> None:
    lane = set_aside()
    lane.do(resolve(lane))
    lane.do(ev.PaymentAsked(lanes.order("b")))
    lane.do(lane.status("Busy"))
    ended = told(lane, "b")
    assert (ended.state, condition(ended)) == (PaymentState.FAILED, "Busy")
    assert (lane.phase, told(lane).state) == (Phase.READY, PaymentState.FAILED)
    lane = next_life(lane, tmp_path).then(ev.TimePassed())
    lane.do(lane.status("Busy"))
    assert (lane.phase, lane.state.session) == (Phase.OFFLINE, "busy")
    logins, asked = len(lane.sent(LOGIN)), len(lane.sent(ASK))
    lane.wait(30.0)
    assert (len(lane.sent(LOGIN)), len(lane.sent(ASK))) == (logins, asked + 1)
    lane.do(lane.repeated())
    assert condition(told(lane)) == "LateAnswer"
    assert len(lane.sent(LOGIN)) == logins + 1
    assert not lane.sent(ABORT)
