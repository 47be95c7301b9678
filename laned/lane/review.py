"""Asking after what is set aside: before a Login and after one, before a payment, once a day.

A review is a few questions, one after the other, each by the ServiceID of what is set aside (money
rule 14). What the terminal repeats decides (`laned.lane.aside`). If it is still at work on one,
that becomes again what the lane is at work on.
"""

import msgspec

from laned.lane import addresses, aside, asking, attempts, judging, maintenance, session
from laned.lane.effects import AskedAfter
from laned.lane.events import (
    LoginAnswered,
    LoginAsked,
    LoginFailed,
    StatusAnswered,
    StatusFailed,
    TimePassed,
)
from laned.lane.payment import Payment, PaymentState, Problem, ReversalOrder
from laned.lane.state import LaneState, Phase, Pursuit, Reason, Review, SetAside, Then
from laned.lane.turn import Turn
from laned.nexo.messages import (
    NO_SESSION,
    Category,
    ErrorCondition,
    PaymentResponse,
    ReversalResponse,
    TransactionStatusRequest,
)

BEFORE_A_PAYMENT = 3  # asked after before the first PaymentRequest
UNANSWERED = 3  # questions in a row without an answer: not before a payment any more
WITHIN = 5.0  # seconds before a payment in all
WITHIN_OTHERWISE = 30.0  # seconds of a review in all
BUSY_AGAIN = 30.0  # seconds until a terminal at work on what a person has resolved is asked again

# -- When -----------------------------------------------------------------------------------------


def login_due(turn: Turn, _: TimePassed | None = None) -> None:
    """Try the Login that the lane waited for; what is set aside is asked after first."""
    if turn.state.login_at is not None and turn.now.monotonic >= turn.state.login_at:
        elsewhere = addresses.elsewhere(turn.state) or not turn.state.terminal.address
        if elsewhere or not _begin(turn, Then.LOG_IN):
            session.log_in(turn)


def log_in_by_hand(turn: Turn, _: LoginAsked) -> None:
    """Log in now, because a person wants it; that ends a pause for too many doubts."""
    aside.count_doubts(turn, 0)
    turn.change(login_backoff=0.0)
    log_in(turn)


def log_in(turn: Turn) -> None:
    """Log in now; what is set aside is asked after first."""
    turn.change(login_at=turn.now.monotonic)
    login_due(turn)


def login_over(turn: Turn, event: LoginAnswered | LoginFailed) -> None:
    """Go on after a Login; too many may be in doubt since it was sent."""
    too_many = turn.state.reason is Reason.DOUBTS and not turn.state.stopping
    if isinstance(event, LoginFailed):
        session.login_failed(turn, event)
    else:
        session.logged_in(turn, event)
    if too_many and turn.state.phase in (Phase.READY, Phase.OFFLINE):
        turn.enter(Phase.OFFLINE, Reason.DOUBTS)
        pause = aside.pause_for(turn.state.doubts)
        turn.change(logged_in=False, login_at=turn.now.monotonic + pause)


def due(turn: Turn) -> bool:
    """Begin the review of an idle lane, if it is time for one; whether it has begun."""
    at = turn.state.review_at
    return at is not None and turn.now.monotonic >= at and _begin(turn, Then.BE_READY)


def first_attempt(turn: Turn) -> None:
    """Make the first attempt; what is set aside is asked after first."""
    asked = [one for one in _open(turn.state, turn) if one.unanswered < UNANSWERED or one.working]
    asked.sort(key=lambda one: not one.working)
    left = tuple(one.attempt.service_id for one in asked)[:BEFORE_A_PAYMENT]
    if not left:
        attempts.attempt(turn)
        return
    turn.enter(Phase.CHECKING)
    turn.change(review=Review(left=left, end_at=turn.now.monotonic + WITHIN))
    _ask(turn)


def _begin(turn: Turn, then: Then) -> bool:
    turn.change(review_at=None)
    left = tuple(one.attempt.service_id for one in _open(turn.state, turn))
    if not left:
        return False
    turn.enter(Phase.REVIEWING)
    end_at = turn.now.monotonic + WITHIN_OTHERWISE
    turn.change(login_at=None, review=Review(left=left, end_at=end_at, then=then))
    _ask(turn)
    return True


def _open(state: LaneState, turn: Turn) -> list[SetAside]:
    """What may be asked after at the terminal that is there, the newest first."""
    serial = state.terminal.serial_number or state.remembered
    return [
        one
        for one in reversed(state.set_aside)
        if one.until > turn.utc and one.attempt.serial == serial
    ]


# -- The questions --------------------------------------------------------------------------------


def _review(turn: Turn) -> Review:
    assert turn.state.review is not None
    return turn.state.review


def _ask(turn: Turn) -> None:
    """Ask after the next one; when there is none, or no time, go on with what was to come."""
    review, now = _review(turn), turn.now.monotonic
    one = _next(turn)
    if one is None or (review.end_at is not None and now >= review.end_at):
        _go_on(turn)
        return
    request = TransactionStatusRequest(reference=asking.reference_to(one.attempt))
    timeout = turn.state.config.terminal.status_timeout
    address = turn.state.login_to or turn.state.terminal.address
    sent = turn.send(
        Category.TRANSACTION_STATUS, request, timeout=timeout, attempt=one.attempt, address=address
    )
    turn.change(asking=sent)


def _next(turn: Turn) -> SetAside | None:
    """The one that is asked after, or is next."""
    left = _review(turn).left
    return next((one for one in turn.state.set_aside if one.attempt.service_id in left[:1]), None)


def _skip(turn: Turn) -> None:
    review = _review(turn)
    turn.change(asking=None, review=msgspec.structs.replace(review, left=review.left[1:]))


def answered(turn: Turn, event: StatusAnswered) -> None:
    """Go on: the terminal has said something of what it was asked after."""
    one = _next(turn) if turn.state.review is not None else None
    aside.repeated(turn, event)
    if turn.state.review is None or event.service_id != turn.state.asking:
        return  # it is given back, or this is an older question's answer
    condition = event.response.response.error_condition
    _skip(turn)
    if one is not None and _says_it_runs(one, event):
        _at_work(turn, one)
    elif condition in NO_SESSION and _review(turn).then is Then.LOG_IN:
        idle = tuple(msgspec.structs.replace(each, working=False) for each in turn.state.set_aside)
        turn.change(review=msgspec.structs.replace(_review(turn), left=()), set_aside=idle)
        _ask(turn)  # it will say so of all of them
    else:
        if one is not None and one in turn.state.set_aside:
            aside.replace(turn, one, msgspec.structs.replace(one, unanswered=0, working=False))
        _ask(turn)


def _says_it_runs(one: SetAside, event: StatusAnswered) -> bool:
    """Whether the terminal says so: by itself, or in the response that it repeats (rule 7)."""
    found = event.response.repeated
    if found is None:
        condition = event.response.response.error_condition
        return condition in (ErrorCondition.BUSY, ErrorCondition.IN_PROGRESS)
    body = found.body
    return (
        isinstance(body, PaymentResponse | ReversalResponse)
        and judging.is_ours(one.attempt, found.header, body)
        and body.response.error_condition == ErrorCondition.IN_PROGRESS
    )


def failed(turn: Turn, event: StatusFailed) -> None:
    """Go on: nothing came; a terminal that is not there is not logged in to either."""
    if event.service_id != turn.state.asking:
        return
    _count_unanswered(turn)
    _skip(turn)
    if event.port == "closed" and turn.state.phase is Phase.REVIEWING:
        turn.change(review=None)
        session.go_offline(turn, Reason.UNREACHABLE)
        return
    _ask(turn)


def _count_unanswered(turn: Turn) -> None:
    """Count that nothing came to the question that is out."""
    one = _next(turn)
    if one is not None:
        again = msgspec.structs.replace(one, unanswered=one.unanswered + 1)
        aside.replace(turn, one, again)


def end_due(turn: Turn, _: TimePassed) -> None:
    """Ask no further: the time for it is over."""
    end_at = _review(turn).end_at
    if end_at is not None and turn.now.monotonic >= end_at:
        _count_unanswered(turn)
        _go_on(turn)


def _go_on(turn: Turn) -> None:
    working = next((one for one in turn.state.set_aside if _believed(turn, one)), None)
    if working is not None:  # it has not said yet that it is not any more
        turn.change(asking=None)
        _wait_for(turn, working)
        return
    then = _review(turn).then
    turn.change(review=None, asking=None, review_at=turn.now.monotonic + aside.ASKED_EVERY)
    if turn.state.phase is Phase.CHECKING:
        attempts.attempt(turn)
    elif turn.state.stopping:
        session.leave(turn)
    elif then is Then.LOG_IN:
        session.log_in(turn)
    else:
        session.ready(turn)


# -- The terminal is at work on one ---------------------------------------------------------------


def _at_work(turn: Turn, one: SetAside) -> None:
    """Send nothing that could disturb it: no PaymentRequest, no Login, until it is decided."""
    since = turn.now.monotonic if one.doubted_since is None else one.doubted_since
    if turn.now.monotonic - since >= asking.WORKING_FOR:
        _ask(turn)  # it has said so for long enough
        return
    if one.payment.resolved is None:
        _end_new_payment(turn, one.payment)
        _pursue_again(turn, one, since)
        return
    working = msgspec.structs.replace(one, doubted_since=since, working=True)
    aside.replace(turn, one, working)
    _wait_for(turn, working)


def _believed(turn: Turn, one: SetAside) -> bool:
    """Whether the terminal said last that it is at work on it, and not for too long."""
    since = one.doubted_since
    return one.working and since is not None and turn.now.monotonic - since < asking.WORKING_FOR


def _wait_for(turn: Turn, one: SetAside) -> None:
    """Ask again in a while; until then nothing is sent that could disturb the terminal."""
    if _end_new_payment(turn, one.payment):
        return
    then = _review(turn).then
    turn.change(review=None)
    if then is Then.LOG_IN:
        session.go_offline(turn, Reason.BUSY)
        turn.change(login_at=turn.now.monotonic + BUSY_AGAIN)
    else:
        session.ready(turn)
        turn.change(review_at=turn.now.monotonic + BUSY_AGAIN)


def _end_new_payment(turn: Turn, busy_with: Payment) -> bool:
    """End the payment that waits for its first attempt; whether there is one.

    The lane is idle then, but sends no Logout now, whatever maintenance is due.
    """
    if turn.state.pursuit is None:
        return False
    message = f"the terminal is still at work on payment {busy_with.id}"
    ended = turn.change_payment(
        state=PaymentState.FAILED, error=Problem(ErrorCondition.BUSY, message)
    )
    turn.enter(Phase.READY, Reason.NONE)
    now = turn.now.monotonic
    turn.change(pursuit=None, settled=ended, review=None, idle_since=now)
    turn.change(review_at=now + BUSY_AGAIN)
    maintenance.look_again(turn)
    return True


def _pursue_again(turn: Turn, one: SetAside, doubted_since: float) -> None:
    turn.change(set_aside=tuple(each for each in turn.state.set_aside if each is not one))
    order = None
    if one.payment.reversing_unsigned and one.payment.reversal is not None:
        order = ReversalOrder(one.payment.reversal.reason)  # it is laned's own, and tried again
    pursuit = Pursuit(
        payment=one.payment,
        order=order,
        attempt=one.attempt,
        sent=True,
        response_expected=one.response_expected,
        doubted_since=doubted_since,
        aborts_left=attempts.ABORTS if one.payment.abort_requested else 0,
    )
    turn.enter(Phase.DOUBT, Reason.NONE)
    turn.change(review=None, pursuit=pursuit, login_at=None)
    turn.change_payment(set_aside_at=None)
    turn.record(AskedAfter(one.payment.id, None))
    asking.tell_processing(turn)
    asking.ask_later(turn)
