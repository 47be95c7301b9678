"""Money rule 10: a reversal whose answer is lost, and restarts in the middle of one."""

import lanes
import pytest
from lanes import Lane, replace
from reversals import ASK, RECEIPT, REVERSE, UNDER_WAY, ended, reversal

from laned.lane import events as ev
from laned.lane.state import Phase
from laned.nexo import messages as m

# -- A lost answer --------------------------------------------------------------------------------


def test_rule_10_a_lost_answer_is_asked_after_by_its_own_service_id() -> None:
    lane = lanes.reversal_doubt()
    body = lane.sent(ASK)[-1].message.body
    assert isinstance(body, ASK)
    assert body.reference is not None
    assert (body.reference.service_id, body.reference.category) == (
        lane.service_id(),
        m.Category.REVERSAL,
    )
    lane.do(lane.silent())
    assert (lane.payment.state, reversal(lane).state) == ("approved", "unknown")
    lane.wait(2.0)
    lane.do(lane.status("Busy"))
    assert reversal(lane).state == "processing"
    lane.wait(2.0)
    lane.do(lane.repeated(receipts=(RECEIPT,)))
    assert ended(lane) == ("reversed", "done", None)
    assert reversal(lane).receipts.customer is not None


def test_rule_10_a_repeated_refusal_of_another_proves_nothing() -> None:
    lane = lanes.reversal_unknown().wait(2.0)
    for changes in ({"service_id": "77"}, {"poi_id": "x"}, {"category": m.Category.PAYMENT}):
        lane.do(lane.repeated("Refusal", header=lane.header(**changes)))
        assert reversal(lane).state == "unknown"
        lane.wait(60.0)
    assert len(lane.sent(REVERSE)) == 1
    lane.do(lane.repeated())
    assert ended(lane) == ("reversed", "done", None)


def test_rule_10_the_answer_to_an_attempt_that_was_refused_is_nothing() -> None:
    lane = lanes.reversing()
    first = lane.answered()
    lane.do(lane.answered("Busy"))
    lane.wait(2.0)
    before = lane.state
    lane.do(first)
    assert lane.state is before


def test_rule_2_a_payments_answer_is_none_of_its_reversal() -> None:
    lane = lanes.reversing()
    body = m.PaymentResponse(response=m.Response(result="Success"))
    lane.do(replace(lane.answered(), response=body))
    assert (lane.phase, reversal(lane).state) == (Phase.DOUBT, "unknown")
    paying = lanes.doubt()
    paying.do(paying.repeated(body=m.ReversalResponse(response=m.Response(result="Success"))))
    assert paying.payment.state == "unknown"


def not_found(lane: Lane, *waits: float) -> Lane:
    for seconds in waits:
        lane.wait(seconds)
        lane.do(lane.status("NotFound"))
    return lane


def test_rule_4_not_found_is_not_believed_after_a_reboot() -> None:
    lane = lanes.reversal_doubt().then(ev.TerminalNotified(event="Initialised"))
    not_found(lane, 2.0, 30.0, 30.0)
    assert reversal(lane).state == "unknown"


# -- Restarts and stops ---------------------------------------------------------------------------


@pytest.mark.parametrize("make", UNDER_WAY)
def test_rule_12_a_stop_leaves_it_to_the_terminal(make: lanes.Make) -> None:
    lane = make()
    sends = len(lane.sends)
    between = lane.phase is Phase.RETRYING
    lane.do(ev.StopAsked())
    sent = [send.message.body for send in lane.sends[sends:]]
    assert sent == ([m.LogoutRequest(maintenance_allowed=False)] if between else [])
    assert lane.phase is (Phase.LOGGING_OUT if between else Phase.STOPPED)


@pytest.mark.parametrize("make", [make for make in UNDER_WAY if "between" not in make.__name__])
def test_rule_11_a_crash_in_the_middle_is_recovered(make: lanes.Make) -> None:
    lane = make()
    life = lanes.restarted(lane)
    if lane.state.attempt is not None and lane.state.attempt.refused is not None:
        assert ended(life) == ("approved", "refused", lane.state.attempt.refused)
        return
    assert (life.phase, life.state.reversing) == (Phase.DOUBT, True)
    life.wait(0.0)
    body = life.sends[-1].message.body
    assert isinstance(body, ASK)
    assert body.reference is not None
    assert body.reference.category is m.Category.REVERSAL
    assert len(life.sent(m.LoginRequest)) == len(lane.sent(m.LoginRequest)), "money rule 5"
    life.do(life.repeated())
    assert ended(life) == ("reversed", "done", None)


@pytest.mark.parametrize("condition", ["Busy", "NotAllowed", "Refusal"])
def test_rule_10_refused_as_the_next_life_learns(condition: str) -> None:
    life = lanes.restarted(lanes.reversing()).wait(0.0)
    life.do(life.repeated(condition))
    assert ended(life) == ("approved", "refused", condition)
