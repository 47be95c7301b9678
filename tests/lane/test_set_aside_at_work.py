"""What keeps a doubt open, and what ends it at each step (money rule 14, at work)."""

import itertools

import lanes
import pytest
from lanes import Lane, configuration
from setaside import (
    ABORT,
    DECIDE_NOTHING,
    LOGIN,
    Answer,
    end_made,
    keeps_open,
    says,
    unreadable,
    until_abort,
)

from laned.lane import events as ev
from laned.lane.payment import PaymentState
from laned.lane.state import Phase
from laned.nexo import messages as m

# -- At work --------------------------------------------------------------------------------------


def test_rule_14_nothing_but_busy_for_10_minutes() -> None:
    lane = lanes.doubt()
    keeps_open(lane, says("Busy"), 599.0)
    assert lane.payment.state is PaymentState.PROCESSING
    until_abort(lane, says("Busy"), 20.0)
    aborted = lane.now
    while lane.phase is Phase.DOUBT:
        if lane.state.asking:
            lane.do(lane.status("Busy"))
        lane.wait(1.0)
    assert lane.now - aborted == pytest.approx(60.0, abs=1.0)
    lane.do(lanes.login())
    lane.do(lane.status("NotFound"))
    assert lane.payment.set_aside_at is not None


@pytest.mark.parametrize("answer", DECIDE_NOTHING)
def test_rule_14_its_own_connection_keeps_it_open_until_response_timeout(answer: Answer) -> None:
    lane = lanes.quiet()
    keeps_open(lane, answer, 269.0)
    assert (lane.phase, lane.payment.state) == (Phase.PAYING, PaymentState.PROCESSING)
    assert until_abort(lane, answer, 45.0) >= 1.0


def test_rule_14_a_prompt_keeps_it_open() -> None:
    config = configuration(signature="till", signature_timeout=400.0)
    lane = lanes.doubt(config)
    lane.do(lanes.asks())
    keeps_open(lane, says("NotFound"), 399.0)
    assert lane.state.prompt is not None
    until_abort(lane, says("NotFound"), 60.0)


@pytest.mark.parametrize(
    "post",
    [
        lanes.shows(),
        ev.TerminalNotified(event="CardInserted"),
        ev.Printed(m.Receipt(qualifier="CashierReceipt", lines=())),
    ],
)
def test_rule_14_a_callback_within_30_seconds_keeps_it_open(post: ev.Event) -> None:
    lane = lanes.doubt()
    keeps_open(lane, says("NotFound"), 400.0, post)
    assert until_abort(lane, says("NotFound"), 70.0) >= 5.0


def test_rule_14_that_it_was_started_again_is_no_sign_of_work() -> None:
    lane = lanes.doubt()
    lane.do(lanes.shows(), ev.TerminalNotified(event="Initialised"))
    assert until_abort(lane, says("NotFound")) == 10.0


def test_rule_14_busy_in_between_begins_anew() -> None:
    lane = lanes.doubt()
    answers = itertools.cycle([says("NotFound"), says("Busy")])
    keeps_open(lane, lambda lane: next(answers)(lane), 590.0)


@pytest.mark.parametrize("sign", ["Busy", "InProgress", "shows", "asks"])
def test_rule_14_no_login_where_work_is_shown_after_the_abort_request(sign: str) -> None:
    lane = end_made(lanes.doubt(configuration(signature="till", signature_timeout=100.0)))
    lane.wait(40.0)
    match sign:
        case "Busy":
            lane.do(lane.status("Busy"))
        case "InProgress":
            lane.do(lane.repeated("InProgress"))
        case "shows":
            lane.do(lanes.shows(), unreadable(lane))
        case _:
            lane.do(lanes.asks(), unreadable(lane))
    logins = len(lane.sent(LOGIN))
    lane.wait(29.0)
    assert (lane.phase, len(lane.sent(LOGIN))) == (Phase.DOUBT, logins)
    for _ in range(300):
        if lane.phase is Phase.DOUBT:
            lane.do(lane.status("NotFound")) if lane.state.asking else lane.wait(1.0)
    assert lane.phase is Phase.RELOGIN, "in the end it is"
    assert len(lane.sent(ABORT)) == 1, "one AbortRequest"


# -- An answer that decides -----------------------------------------------------------------------


def first_question() -> Lane:
    return lanes.doubt()


def between_two() -> Lane:
    lane = lanes.doubt()
    return lane.then(lane.status("NotFound"))


def aborted() -> Lane:
    return end_made(lanes.doubt()).wait(30.0)


def login_out() -> Lane:
    return aborted().wait(30.0)


def one_more_question() -> Lane:
    return login_out().then(lanes.login())


def busy_after_the_login() -> Lane:
    lane = one_more_question()
    return lane.then(lane.status("Busy")).wait(2.0)


STEPS = [
    first_question,
    between_two,
    aborted,
    login_out,
    one_more_question,
    busy_after_the_login,
]


@pytest.mark.parametrize("make", STEPS)
@pytest.mark.parametrize("condition", [None, "Refusal", "Cancel"])
def test_rule_14_an_answer_that_decides_wins_at_each_step(
    make: lanes.Make, condition: str | None
) -> None:
    lane = make()
    lane.do(lane.repeated(condition))
    states = {None: "approved", "Refusal": "declined", "Cancel": "aborted"}
    assert lane.ended() == (states[condition], condition)
    assert (lane.payment.set_aside_at, lane.state.set_aside, lane.state.doubts) == (None, (), 0)
    assert lane.phase in (Phase.READY, Phase.LOGGING_IN)
