"""What a terminal proves that knows nothing of a payment, and no Login (money rules 4 and 5)."""

from decimal import Decimal

import lanes
import pytest
from lanes import Lane, replace

from laned.lane import events as ev
from laned.lane.payment import PaymentState
from laned.lane.state import Phase
from laned.nexo import messages as m

ASK = m.TransactionStatusRequest


def not_found_at(lane: Lane, *waits: float) -> Lane:
    """Answer NotFound to the questions that are out after these seconds."""
    for seconds in waits:
        lane.wait(seconds)
        lane.do(lane.status("NotFound"))
    return lane


# -- Rule 4: not found ----------------------------------------------------------------------------


def test_rule_4_never_after_it_was_said_to_run() -> None:
    lane = not_found_at(lanes.doubt(), 0.0)
    lane.wait(2.0)
    lane.do(lane.status("Busy"))
    not_found_at(lane, 2.0, 30.0, 30.0, 30.0)
    assert lane.payment.state is PaymentState.UNKNOWN


def test_rule_4_not_believed_while_the_post_is_open() -> None:
    lane = not_found_at(lanes.quiet(), 0.0, 30.0, 30.0, 30.0)
    assert (lane.phase, lane.payment.state) == (Phase.PAYING, PaymentState.PROCESSING)
    lane.do(lane.answered())
    assert lane.ended() == ("approved", None)


@pytest.mark.parametrize("what", ["Busy", "a display"])
def test_rule_3_it_is_not_while_the_terminal_has_shown_that_it_has_the_payment(what: str) -> None:
    lane = lanes.quiet()
    lane.do(lane.status("Busy") if what == "Busy" else lanes.shows())
    for _ in range(40):
        lane.wait(30.0)
        lane.do(lane.status("NotFound"))
    assert lane.pursuit.response_expected
    assert lane.payment.state is PaymentState.UNKNOWN, "a person may say what became of it"
    lane.do(lane.answered())
    assert lane.ended() == ("approved", None)


@pytest.mark.parametrize("meanwhile", ["a foreign answer", "InProgress"])
def test_rule_4_not_believed_while_the_post_is_open_whatever_came(meanwhile: str) -> None:
    lane = lanes.quiet()
    foreign = lane.repeated(header=lane.header(service_id="77"))
    lane.do(foreign if meanwhile == "a foreign answer" else lane.repeated("InProgress"))
    not_found_at(lane, 30.0, 30.0, 30.0)
    lane.do(lane.answered())
    assert lane.ended() == ("approved", None)


def test_rule_4_not_believed_after_a_lost_session() -> None:
    lane = lanes.relogin()
    lane.do(lanes.login())
    not_found_at(lane, 2.0, 30.0, 30.0, 30.0)
    assert lane.payment.state is PaymentState.UNKNOWN


@pytest.mark.parametrize("event", ["Shutdown", "Initialised"])
@pytest.mark.parametrize("first", [0, 1])
def test_rule_4_not_believed_after_a_reboot(event: str, first: int) -> None:
    lane = not_found_at(lanes.doubt(), *[0.0] * first)
    lane.do(ev.TerminalNotified(event=event))
    not_found_at(lane, 2.0, 30.0, 30.0, 30.0)
    assert lane.payment.state is PaymentState.UNKNOWN


def test_rule_4_not_believed_of_a_payment_that_the_terminal_has_answered() -> None:
    lane = lanes.paying()
    lane.do(lane.answered(amounts=m.AmountsResp(authorized_amount=Decimal(1))))
    assert lane.payment.error is not None
    not_found_at(lane, 0.0, 30.0, 30.0)
    assert lane.payment.state is PaymentState.UNKNOWN
    assert lane.payment.error is not None
    assert lane.payment.error.condition == "AmountMismatch"


@pytest.mark.parametrize("what", ["a reversal", "nothing", "SomethingNew", ""])
def test_rule_4_what_says_nothing_of_the_payment_leaves_it_unknown(what: str) -> None:
    lane = lanes.doubt()
    reversal = m.ReversalResponse(response=m.Response(result="Success"))
    bodies = {"a reversal": reversal, "nothing": m.UnknownBody("Anything")}
    for _ in range(4):
        given = bodies.get(what)
        lane.do(lane.repeated(body=given) if given else lane.status(what))
        assert lane.payment.state is PaymentState.UNKNOWN
        lane.wait(30.0)


# -- Rule 5: no Login or Logout -------------------------------------------------------------------


@pytest.mark.parametrize("condition", ["NotAllowed", "LoggedOut"])
@pytest.mark.parametrize("make", [lanes.doubt, lanes.quiet])
def test_rule_5_a_login_only_after_the_status_said_so(make: lanes.Make, condition: str) -> None:
    lane = make()
    before = len(lane.sent(m.LoginRequest))
    lane.do(lane.status(condition))
    assert len(lane.sent(m.LoginRequest)) == before + 1
    lane.do(lanes.login())
    assert (lane.phase, lane.payment.state) == (Phase.DOUBT, PaymentState.PROCESSING)
    lane.wait(2.0)
    assert len(lane.sent_now(ASK)) == 1
    lane.do(lane.repeated())
    assert (lane.phase, lane.ended()) == (Phase.READY, ("approved", None))


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase in lanes.UNFINISHED])
@pytest.mark.parametrize("wish", [ev.LoginAsked(), ev.LogoutAsked(maintenance=True)])
def test_rule_5_not_by_hand_while_unfinished(phase: Phase, wish: ev.Event) -> None:
    for make in lanes.MAKERS[phase]:
        lane = make()
        refusal = lane.do(wish).refusal
        assert refusal is not None
        active = "b" if phase is Phase.CHECKING else "a"
        assert (refusal.code, refusal.active) == ("lane_busy", active)


def test_rule_5_sessions_that_do_not_last_are_not_renewed_without_a_pause() -> None:
    lane = lanes.doubt()
    before = len(lane.sent(m.LoginRequest))
    for _ in range(20):
        if lane.phase is Phase.DOUBT and lane.state.asking:
            lane.do(lane.status("NotAllowed"))
        elif lane.phase is Phase.RELOGIN:
            lane.do(lanes.login())
    assert len(lane.sent(m.LoginRequest)) - before <= 2


@pytest.mark.parametrize("condition", ["LoggedOut", "Busy"])
def test_rule_5_one_login_at_a_time_and_no_attempt_beside_it(condition: str) -> None:
    lane = lanes.quiet()
    lane.do(lane.status("NotAllowed"))
    before = len(lane.sends)
    lane.do(lane.answered(condition))
    lane.wait(5.0)
    kinds = {type(send.message.body) for send in lane.sends[before:]}
    assert not kinds & {m.LoginRequest, m.PaymentRequest}
    lane.do(lanes.login())
    lane.wait(5.0)
    assert len(lane.sent(m.PaymentRequest)) == 2
    lane.do(lane.answered())
    assert (lane.ended(), lane.phase) == (("approved", None), Phase.READY)


def test_rule_5_one_login_at_a_time_whatever_an_older_question_brings() -> None:
    lane = lanes.quiet().then(ev.TerminalNotified(event="Shutdown")).wait(0.0)
    first, second = (send.message.header.service_id or "" for send in lane.sent(ASK))
    answer = lane.repeated("InProgress")
    lane.do(replace(lane.status("NotAllowed"), service_id=second))
    logins = len(lane.sent(m.LoginRequest))
    lane.do(replace(answer, service_id=first))
    for _ in range(4):
        lane.wait(9.0)
        lane.do(lane.status("NotAllowed"))
    assert len(lane.sent(m.LoginRequest)) == logins
    lane.do(lanes.login())
    assert lane.phase is Phase.DOUBT


def test_session_another_terminal_has_nothing_to_say_about_it() -> None:
    lane = lanes.relogin()
    lane.do(lanes.login("serial-2"))
    assert lane.ended() == ("unknown", "OtherTerminal")
    assert lane.payment.set_aside_at is not None
    assert (lane.phase, lane.state.terminal.serial_number) == (Phase.READY, "serial-2")
    assert lane.wait(3600.0).sent_now(ASK) == [], "that one is not asked after it"
