"""What the answers to our questions mean for an attempt in doubt (money rules 3 to 5)."""

from laned.lane import attempts, outcome, session, status
from laned.lane.attempts import NO_SESSION
from laned.lane.buttons import between_attempts
from laned.lane.events import LoginAnswered, LoginFailed, StatusAnswered, StatusFailed
from laned.lane.payment import PaymentState, Problem
from laned.lane.state import Phase
from laned.lane.turn import Turn
from laned.nexo.messages import ErrorCondition, PaymentResponse

NOT_FOUND_APART = 2.0  # seconds between two NotFound before the second is believed


def status_answered(turn: Turn, event: StatusAnswered) -> None:
    """The terminal answered a question about the attempt."""
    if event.service_id != turn.state.asking and not _about_attempt(turn, event):
        return  # an older question, while a later one is out
    turn.change(asking=None)
    response = event.response.response
    condition = response.error_condition
    if between_attempts(turn.state):
        _after_refusal(turn, condition)
    elif event.response.repeated is not None:
        repeated = event.response.repeated
        if isinstance(repeated.body, PaymentResponse):
            attempts.take(turn, repeated.header, repeated.body, event.poi_owner, direct=False)
        else:
            _inconclusive(turn, "the terminal repeated something else than a payment")
    elif condition in (ErrorCondition.BUSY, ErrorCondition.IN_PROGRESS):
        status.runs(turn)
        status.ask_later(turn)
        if turn.payment.abort_requested and turn.state.aborts_left and not turn.state.abort_at:
            attempts.send_abort(turn)
    elif condition in NO_SESSION:
        session.log_in_again(turn)
    elif condition == ErrorCondition.NOT_FOUND:
        _not_found(turn)
    else:
        _inconclusive(turn, f"{condition or response.result} {response.additional_response}")


def _about_attempt(turn: Turn, event: StatusAnswered) -> bool:
    """Whether the answer to an older question is the attempt's own: the first such one wins."""
    repeated = event.response.repeated
    return (
        repeated is not None
        and isinstance(repeated.body, PaymentResponse)
        and not between_attempts(turn.state)
        and attempts.is_ours(turn.attempt, repeated.header, repeated.body, direct=False)
    )


def _after_refusal(turn: Turn, condition: str | None) -> None:
    """The attempt was refused for want of a session; a Login only if the terminal repeats it."""
    if condition in NO_SESSION:
        session.log_in_again(turn)
    else:
        interval = turn.state.config.terminal.retry_interval
        turn.change(retry_at=turn.now.monotonic + interval)


def _not_found(turn: Turn) -> None:
    """Believe NotFound the second time, and only within the session that the attempt was sent in.

    While the attempt's own connection is open, its request may not have been read yet.
    """
    now = turn.now.monotonic
    since = turn.state.not_found_at
    if turn.state.phase is Phase.PAYING:
        status.ask_later(turn, status.SLOW_INTERVAL)
    elif turn.attempt.session_lost or turn.payment.error is not None:
        _inconclusive(turn, "the terminal knew of it, or lost its session since")
    elif since is None:
        turn.change(not_found_at=now)
        status.ask_later(turn, max(turn.state.config.terminal.retry_interval, NOT_FOUND_APART))
    elif now - since < NOT_FOUND_APART:
        status.ask_later(turn, since + NOT_FOUND_APART - now)
    else:
        error = Problem(ErrorCondition.NOT_FOUND, "the terminal never had it")
        outcome.finish(turn, PaymentState.FAILED, error)


def _inconclusive(turn: Turn, message: str) -> None:
    """The terminal speaks, but does not say what became of the attempt."""
    status.not_known(turn, turn.payment.error or Problem("Unknown", message))
    status.ask_later(turn, status.SLOW_INTERVAL)


def status_failed(turn: Turn, event: StatusFailed) -> None:
    """The terminal does not answer a question about the attempt."""
    if event.service_id != turn.state.asking:
        return
    if between_attempts(turn.state):
        _try_later(turn, "the terminal does not answer")
    else:
        status.not_known(turn)
        status.ask_later(turn)


def _try_later(turn: Turn, message: str) -> None:
    """No attempt is out: go on asking for a session until the time for it is over."""
    turn.change(phase=Phase.RETRYING)
    give_up_at = turn.state.give_up_at
    if give_up_at is None or turn.now.monotonic >= give_up_at:
        turn.change(logged_in=False)
        outcome.finish(turn, PaymentState.FAILED, Problem(turn.attempt.refused or "", message))
    else:
        status.ask_later(turn)


def logged_in_again(turn: Turn, event: LoginAnswered) -> None:
    """The session is back (or not) in the middle of a payment."""
    reason = session.admitted(turn, event)
    turn.change(reason=reason)
    if between_attempts(turn.state):
        if reason:
            _try_later(turn, f"no session: {reason}")
        else:
            attempts.attempt(turn)
    else:
        turn.change(phase=Phase.DOUBT)
        if reason:
            status.not_known(turn)
        status.ask_later(turn)


def login_failed(turn: Turn, event: LoginFailed) -> None:
    """The terminal did not answer the Login that the payment needs."""
    if between_attempts(turn.state):
        _try_later(turn, event.reason)
    else:
        turn.change(phase=Phase.DOUBT)
        status.not_known(turn)
        status.ask_later(turn)
