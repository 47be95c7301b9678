"""A person's verdict on an unknown payment, and the terminal's own answer after it."""

from decimal import Decimal
from typing import Any

import lanes
import pytest
import setaside
from lanes import Lane, replace, resolution

from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.payment import PaymentState, Resolved
from laned.lane.state import Phase
from laned.nexo import messages as m
from laned.views import lane as views

UNKNOWN = [lanes.unknown, lanes.silent_with_open_post, lanes.making_an_end]
RUNNING = [
    lanes.paying,
    lanes.just_asked,
    lanes.quiet,
    lanes.retrying,
    lanes.refused_early,
    lanes.asking_for_session,
    lanes.doubt,
    lanes.relogin,
    lanes.relogin_between,
]
NOTHING_UNKNOWN = [
    make
    for makers in lanes.MAKERS.values()
    for make in makers
    if make not in (*RUNNING, *UNKNOWN, lanes.relogin_with_open_post)
    and not (make().state.reversing and make().state.unknown)
]


def refusal(lane: Lane, event: ev.Event) -> str:
    found = lane.do(event).refusal
    assert found is not None
    assert lane.last.effects == ()
    return found.code


def changes(lane: Lane) -> list[fx.PaymentChanged]:
    effects = [e.entry for e in lane.last.effects if isinstance(e, fx.Record)]
    return [entry for entry in effects if isinstance(entry, fx.PaymentChanged)]


# -- Who may, and what becomes of it --------------------------------------------------------------


@pytest.mark.parametrize("make", UNKNOWN)
@pytest.mark.parametrize("state", ["approved", "failed"])
def test_resolve_is_recorded_and_frees_the_lane(make: lanes.Make, state: str) -> None:
    lane = make()
    error = lane.payment.error
    lane.do(resolution(state))
    assert lane.state.payment is None
    assert lane.payment.state == state
    assert lane.payment.final
    assert lane.payment.resolved == Resolved(1000, "asked the bank", lane.payment.updated_at)
    assert lane.payment.error == error, "what the terminal last said"
    assert changes(lane) == [fx.PaymentChanged(lane.payment)]
    assert lane.phase is Phase.READY
    assert lane.do(ev.PaymentAsked(lanes.order("b"))).refusal is None


def test_resolve_is_what_the_lane_is_offline_for() -> None:
    life = lanes.restarted(lanes.unknown()).wait(0.0)
    life.do(life.silent())
    view = views.session(life.state)
    assert (view.state, view.reason) == ("offline", "outcome_unknown")


def test_resolve_while_a_login_is_out_waits_for_it() -> None:
    lane = lanes.unknown().wait(2.0)
    lane.do(lane.status("NotAllowed"))
    lane.do(resolution())
    phases = [lane.phase, lane.then(lanes.login()).phase]
    assert phases == [Phase.LOGGING_IN, Phase.READY]
    assert len(lane.sent(m.LoginRequest)) == 2


@pytest.mark.parametrize("make", RUNNING)
def test_resolve_not_while_the_terminal_says_that_it_runs(make: lanes.Make) -> None:
    lane = make()
    before = lane.state
    assert refusal(lane, resolution()) == "lane_busy"
    assert lane.state is before


def test_resolve_not_once_it_runs_again() -> None:
    lane = lanes.unknown().wait(2.0)
    lane.do(lane.status("Busy"))
    assert refusal(lane, resolution()) == "lane_busy"


@pytest.mark.parametrize("make", NOTHING_UNKNOWN)
def test_resolve_only_what_is_unknown(make: lanes.Make) -> None:
    assert refusal(make(), resolution()) == "not_unknown"


@pytest.mark.parametrize(
    ("verdict", "state", "reversal"),
    [("approved", "approved", "refused"), ("failed", "reversed", "done")],
)
def test_resolve_an_unknown_reversal(verdict: Any, state: str, reversal: str) -> None:
    """Otherwise one that the terminal has forgotten would keep the lane from working for ever."""
    lane = lanes.reversal_unknown()
    lane.do(resolution(verdict))
    ended = lane.state.settled
    assert ended is not None
    assert ended.reversal is not None
    assert ended.resolved is not None
    assert (ended.state, ended.reversal.state) == (state, reversal)
    assert lane.state.payment is None
    assert changes(lane)[-1].payment == ended


@pytest.mark.parametrize("make", [*UNKNOWN, *RUNNING])
def test_resolve_only_that_one(make: lanes.Make) -> None:
    assert refusal(make(), resolution(payment_id="z")) == "not_unknown"


# -- The terminal's own answer, later -------------------------------------------------------------


def resolved(state: str) -> Lane:
    lane = lanes.silent_with_open_post()
    lane.do(resolution(state))
    return lane


def late(lane: Lane) -> tuple[str, str | None]:
    assert changes(lane) == [fx.PaymentChanged(lane.payment)]
    assert lane.payment.resolved is not None, "the verdict stays on it"
    return lane.ended()


@pytest.mark.parametrize(
    ("said", "condition", "becomes"),
    [
        ("failed", None, "approved"),
        ("approved", "Refusal", "declined"),
        ("approved", "Cancel", "aborted"),
        ("approved", "DeviceOut", "failed"),
        ("approved", "Busy", "failed"),
        ("approved", "NotAllowed", "failed"),
    ],
)
def test_resolve_a_late_answer_that_contradicts_wins(
    said: str, condition: str | None, becomes: str
) -> None:
    lane = resolved(said)
    lane.do(lane.answered(condition))
    assert late(lane) == (becomes, "LateAnswer")
    assert lane.payment.error is not None
    assert f"resolved {said}" in lane.payment.error.message
    assert (condition or "") in lane.payment.error.message
    if condition is None:
        assert lane.payment.authorized_amount == Decimal("100.00")
        assert lane.payment.poi_transaction is not None
    assert lane.phase is Phase.READY


@pytest.mark.parametrize(
    ("said", "condition"),
    [("approved", None), ("failed", "DeviceOut"), ("failed", "Busy"), ("approved", "InProgress")],
)
def test_resolve_a_late_answer_that_agrees_or_says_nothing(said: str, condition: str) -> None:
    lane = resolved(said)
    before = lane.payment
    lane.do(lane.answered(condition))
    told = condition != "InProgress"
    told_all = (fx.Record(fx.AskedAfter("a", None)),)
    assert (lane.payment, lane.last.effects) == (before, told_all if told else ())


def test_resolve_a_late_answer_of_another_amount_is_told() -> None:
    lane = resolved("failed")
    lane.do(lane.answered(amounts=m.AmountsResp(authorized_amount=Decimal("90.00"))))
    assert late(lane) == ("failed", "LateAnswer")
    assert lane.payment.error is not None
    assert "90.00" in lane.payment.error.message


def test_resolve_a_foreign_late_answer_changes_nothing() -> None:
    lane = resolved("failed")
    before = lane.state
    for foreign in (
        lane.answered(header=lane.header(service_id="77")),
        lane.answered(header=lane.header(sale_id="other")),
        lane.answered(header=lane.header(poi_id="other")),
        lane.answered(header=lane.header(category=m.Category.REVERSAL)),
        lane.answered(sale_transaction=m.TransactionID("a.other", "t")),
        replace(lane.answered(), service_id="77"),
        replace(
            lane.answered(),
            response=m.ReversalResponse(response=m.Response(result="Failure")),
        ),
    ):
        lane.do(foreign)
        assert (lane.state, lane.last.effects) == (before, ())
    lane.do(lane.answered(poi_owner="b"))
    assert (lane.payment, lane.last.effects) == (before.settled, ())


def test_resolve_only_the_first_late_answer_counts() -> None:
    lane = resolved("failed")
    again = lane.answered("Refusal")
    lane.do(lane.answered())
    before = lane.state
    lane.do(again)
    assert (lane.state, lane.payment.state) == (before, PaymentState.APPROVED)


@pytest.mark.parametrize("ends", [True, False])
def test_resolve_the_late_answer_is_heard_whatever_happened_since(ends: bool) -> None:
    lane = resolved("failed")
    late_answer = lane.answered()
    lane.do(ev.PaymentAsked(lanes.order("b")))
    lane.do(lane.status("NotFound"))
    if ends:
        lane.do(lane.answered("Refusal"))
    before = lane.state
    lane.do(late_answer)
    assert [change.payment.id for change in changes(lane)] == ["a"]
    assert lane.state.settled == changes(lane)[0].payment
    assert lane.state.settled.state is PaymentState.APPROVED
    assert (lane.phase, lane.state.payment) == (before.phase, before.payment)


def test_resolve_an_answer_that_was_lost_is_not_waited_for() -> None:
    lane = lanes.unknown()
    attempt = lane.service_id()
    lane.do(resolution())
    assert not lane.state.waits_for(attempt)


def test_resolve_one_that_is_lost_after_it_is_not_waited_for_any_more() -> None:
    lane = resolved("failed")
    lane.do(lane.lost())
    assert not lane.state.waits_for(lane.service_id())
    lane.do(lane.repeated())
    assert late(lane) == ("approved", "LateAnswer"), "but it may still be told otherwise"


def test_resolve_also_if_it_is_lost_while_the_next_is_paid() -> None:
    lane = resolved("failed")
    lost, attempt = lane.lost(), lane.service_id()
    lane.do(ev.PaymentAsked(lanes.order("b")))
    lane.do(lane.status("NotFound"))
    lane.do(lost)
    assert not lane.state.waits_for(attempt)
    assert lane.state.waits_for(lane.service_id())


@pytest.mark.parametrize(
    ("said", "condition", "becomes"),
    [("failed", None, "approved"), ("approved", "Refusal", "declined")],
)
def test_resolve_the_answer_to_the_question_that_was_out_wins_too(
    said: str, condition: str | None, becomes: str
) -> None:
    lane = lanes.unknown().wait(2.0)
    answer = lane.repeated(condition)
    assert lane.state.asking
    lane.do(resolution(said), answer)
    assert late(lane) == (becomes, "LateAnswer")


def test_resolve_what_the_terminal_names_as_its_last_transaction_wins_too() -> None:
    lane = lanes.unknown()
    body, header = lane.response(), lane.header()
    lane.do(resolution("failed"), ev.TerminalNotified(event="Initialised"))
    lane.do(lane.repeated(header=header, body=body, repeated_of="a"))
    assert late(lane) == ("approved", "LateAnswer")


def test_resolve_also_while_the_next_payment_is_in_doubt() -> None:
    lane = lanes.unknown()
    body, header = lane.response(), lane.header()
    lane.do(resolution("failed"), ev.PaymentAsked(lanes.order("b")))
    lane.do(lane.status("SomethingNew"))
    lane.do(lane.left(), lane.lost())
    lane.do(lane.repeated(header=header, body=body, repeated_of="a"))
    found = {change.payment.id: change.payment.state for change in changes(lane)}
    assert found == {"a": "approved", "b": "unknown"}


def test_resolve_a_late_approval_that_nobody_has_signed_for_says_so() -> None:
    lane = lanes.silent_with_open_post(lanes.light(lanes.configuration(signature="till")))
    lane.do(resolution("failed"))
    lane.do(lane.answered(receipts=(lanes.receipt(),)))
    assert late(lane) == ("approved", "LateAnswer")
    assert lane.payment.error is not None
    assert "nobody has approved" in lane.payment.error.message


def test_resolve_a_request_that_has_not_left_is_not_waited_for() -> None:
    """Else it could reach the terminal after a person has said that it never did."""
    lane = lanes.just_asked().wait(30.0)
    lane.do(lane.silent())
    attempt = lane.payment.attempts[-1].service_id
    assert lane.state.waits_for(attempt)
    lane.do(resolution("failed"))
    assert not lane.state.waits_for(attempt)


# -- Of a reversal --------------------------------------------------------------------------------


def test_resolve_a_reversal_whose_answer_is_lost_after_it_may_be_asked_for_again() -> None:
    lane = lanes.reversal_quiet()
    lane.do(lane.silent(), resolution("approved"))
    again = lanes.reversal_of(lane.state.settled)
    refused = lane.do(again).refusal
    assert refused is not None, "while its answer may still come"
    lane.do(lane.lost())
    assert lane.do(again).refusal is None


def test_resolve_the_first_reversals_late_answer_does_not_count_once_there_is_another() -> None:
    lane = lanes.reversal_unknown()
    header, body = lane.header(), lane.response()
    lane.do(resolution("approved"), lanes.reversal_of(lane.state.settled))
    lane.do(resolution("approved"))
    again = lanes.reversal_of(lane.state.settled)
    lane.do(again)
    lane.do(lane.left(), lane.answered())
    assert lane.payment.state == "reversed"
    before = lane.payment
    lane.do(ev.TerminalNotified(event="Initialised"))
    lane.do(lane.repeated(header=header, body=body))
    assert lane.payment == before


def resolved_reversal(state: str) -> Lane:
    """The terminal was silent about a reversal; its own answer may still come."""
    lane = lanes.reversal_quiet()
    lane.do(lane.silent(), resolution(state))
    assert lane.state.payment is None
    return lane


@pytest.mark.parametrize(
    ("said", "condition", "becomes", "reversal"),
    [("approved", None, "reversed", "done"), ("failed", "Refusal", "approved", "refused")],
)
def test_resolve_a_late_answer_to_a_reversal_that_contradicts_wins(
    said: str, condition: str | None, becomes: str, reversal: str
) -> None:
    lane = resolved_reversal(said)
    lane.do(lane.answered(condition))
    assert late(lane) == (becomes, "LateAnswer")
    assert lane.payment.reversal is not None
    assert lane.payment.reversal.state == reversal


@pytest.mark.parametrize(("said", "condition"), [("failed", None), ("approved", "Refusal")])
def test_resolve_a_late_answer_to_a_reversal_that_agrees(said: str, condition: str | None) -> None:
    lane = resolved_reversal(said)
    before = lane.payment
    lane.do(lane.answered(condition))
    asked_no_more = (fx.Record(fx.AskedAfter("a", None)),)
    assert (lane.payment, lane.last.effects, lane.state.set_aside) == (before, asked_no_more, ())


def reversed_after_a_verdict(config: lanes.Config | None = None) -> Lane:
    lane = lanes.reversal_unknown(config)
    lane.do(resolution("approved"))
    lane.do(lanes.reversal_of(lane.state.settled))
    lane.do(lane.left(), lane.lost())
    return lane


def test_resolve_a_reversal_that_came_after_the_verdict_is_decided_by_its_answer() -> None:
    """What a person said was of an earlier one: "refused" is news, though the state stays."""
    lane = setaside.set_aside(make=reversed_after_a_verdict)
    (one,) = lane.state.set_aside
    assert one.payment.resolved is not None
    lane.wait(24 * 3600.0)
    lane.do(lane.repeated("Refusal"))
    assert lane.state.set_aside == ()
    assert lane.payment.reversal is not None
    assert (lane.payment.state, lane.payment.reversal.state) == ("approved", "refused")


def test_resolve_no_other_reversal_while_the_answer_to_one_may_still_come() -> None:
    lane = resolved_reversal("approved")
    assert refusal(lane, lanes.reversal_of(lane.state.settled)) == "not_reversible"
    lane.do(lane.answered("Refusal"))
    assert lane.do(lanes.reversal_of(lane.state.settled)).refusal is None


def test_resolve_only_a_verdict_is_overruled() -> None:
    lane = resolved("failed")
    lane.do(lane.answered())
    lane.do(lanes.reversal_of(lane.state.settled))
    lane.do(lane.left())
    lane.wait(30.0)
    answer = lane.answered("Refusal")
    lane.do(lane.repeated())
    before = lane.state
    assert before.settled is not None
    assert before.settled.state is PaymentState.REVERSED
    lane.do(answer)
    assert lane.state is before, "the first conclusive answer wins"
