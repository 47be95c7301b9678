"""What the answers to our questions mean for an attempt in doubt (money rules 3 to 5)."""

from laned.lane import answers, asking, attempts, judging, late, session, survey
from laned.lane.events import LoginAnswered, LoginFailed, StatusAnswered, StatusFailed
from laned.lane.payment import Problem
from laned.lane.state import Phase, Reason
from laned.lane.turn import Turn
from laned.nexo.messages import (
    NO_SESSION,
    ErrorCondition,
    PaymentResponse,
    RepeatedMessage,
    ReversalResponse,
)

NOT_FOUND_APART = 2.0  # seconds between two NotFound before the second is believed
NOT_AT_ONCE = 0.1  # seconds: what is left of them can be less than a clock can tell


def status_answered(turn: Turn, event: StatusAnswered) -> None:
    """The terminal answered a question about the attempt."""
    repeated = event.response.repeated
    late.repeated(turn, event)
    if event.service_id != turn.state.asking and not _about_attempt(turn, repeated):
        return  # an older question, while a later one is out
    turn.change(asking=None)
    response = event.response.response
    condition = response.error_condition
    if turn.pursuit.between_attempts:
        _after_refusal(turn, condition)
    elif repeated is not None:
        _repeated(turn, event, repeated)
    elif condition in (ErrorCondition.BUSY, ErrorCondition.IN_PROGRESS):
        asking.note_working(turn)
        asking.ask_later(turn)
        attempts.abort_if_wanted(turn)
    elif condition in NO_SESSION:
        session.log_in_again(turn)
    elif condition == ErrorCondition.NOT_FOUND and not turn.pursuit.ask_for_last:
        _not_found(turn)
    else:
        _inconclusive(turn, f"{condition or response.result} {response.additional_response}")


def _about_attempt(turn: Turn, repeated: RepeatedMessage | None) -> bool:
    """Whether a repeated message is the attempt's own answer: the first such one wins."""
    return (
        repeated is not None
        and isinstance(repeated.body, PaymentResponse | ReversalResponse)
        and not turn.pursuit.between_attempts
        and judging.is_ours(turn.attempt, repeated.header, repeated.body, direct=False)
    )


def _after_refusal(turn: Turn, condition: str | None) -> None:
    """The attempt was refused for want of a session; a Login only if the terminal repeats it."""
    if condition in NO_SESSION:
        session.log_in_again(turn)
    elif not turn.state.logged_in:  # somebody answers, perhaps another terminal
        _try_later(turn, "the terminal's session is not certain")
    else:
        interval = turn.state.config.terminal.retry_interval
        turn.pursue(retry_at=turn.now.monotonic + interval)


def _repeated(turn: Turn, event: StatusAnswered, repeated: RepeatedMessage) -> None:
    """The terminal repeated a response: the attempt's, an older payment's, or a stranger's."""
    body, header = repeated.body, repeated.header
    if not isinstance(body, PaymentResponse | ReversalResponse):
        _inconclusive(turn, "the terminal repeated something else than a payment")
    elif not turn.pursuit.ask_for_last or _about_attempt(turn, repeated):
        answers.take(turn, header, body, event.poi_owner, direct=False)
        if turn.state.unknown:
            _ask_for_last(turn)  # the other question may bring more
    elif event.repeated_of is None:
        turn.record(survey.foreign(turn, header.service_id or "", body))
        _inconclusive(turn, "the terminal's last transaction is not of this journal")
    elif not session.same_terminal(turn):
        _inconclusive(turn, "it is not certain that this is the terminal that was asked")
    elif not _older(turn, event.repeated_of, body):
        _inconclusive(turn, "the terminal's last transaction is an earlier attempt")
    elif _may_have_forgotten(turn):
        _inconclusive(turn, "the terminal may have forgotten it, and only what was before is left")
    else:
        message = f"the terminal's last transaction is payment {event.repeated_of}: it never had it"
        attempts.give_up(turn, Problem(ErrorCondition.NOT_FOUND, message))


def _older(turn: Turn, owner: str, body: PaymentResponse | ReversalResponse) -> bool:
    """Whether the terminal's last transaction, of the payment `owner`, is older than the attempt.

    A reversal is only ever asked for the terminal's last payment: that one is older than it.
    """
    if turn.state.reversing:
        return (
            owner == turn.payment.id and isinstance(body, PaymentResponse) and body.response.success
        )
    return owner != turn.payment.id


def _may_have_forgotten(turn: Turn) -> bool:
    """Whether the terminal may have had the attempt, although it names an older transaction.

    One that has shown nothing of the sort never had it, if it was looked at all the time. One that
    was not may have charged, then lost power before that was stored, and kept what was before.
    """
    attempt = turn.attempt
    return attempt.reached or (attempt.session_lost and not turn.pursuit.callbacks_trusted)


def _not_found(turn: Turn) -> None:
    """Believe NotFound the second time, and only within the session that the attempt was sent in.

    While the attempt's own connection is open, its request may not have been read yet. One that the
    terminal shows no sign of is given up after terminal.response_timeout, and asked after then.
    """
    now = turn.now.monotonic
    since = turn.pursuit.not_found_at
    if turn.state.phase is Phase.PAYING and not turn.attempt.reached:
        left = turn.pursuit.answer_by - now
        if left > 0:
            asking.ask_later(turn, max(min(left, asking.SLOW_INTERVAL), NOT_AT_ONCE))
        else:
            turn.pursue(response_expected=False)  # the terminal does not say Busy: money rule 3
            asking.doubt(turn)
    elif turn.attempt.session_lost or turn.attempt.reached:
        _inconclusive(turn, "the terminal knew of it, or lost its session since")
    elif since is None:
        turn.pursue(not_found_at=now)
        asking.ask_later(turn, max(turn.state.config.terminal.retry_interval, NOT_FOUND_APART))
    elif now - since < NOT_FOUND_APART:
        asking.ask_later(turn, max(since + NOT_FOUND_APART - now, NOT_AT_ONCE))
    else:
        error = Problem(ErrorCondition.NOT_FOUND, "the terminal never had it")
        attempts.give_up(turn, error)


def _inconclusive(turn: Turn, message: str) -> None:
    """The terminal speaks, but does not say what became of the attempt: ask the other question."""
    first = turn.payment.reversal.error if turn.payment.reversal else turn.payment.error
    asking.tell_unknown(turn, first or Problem("Unknown", message))
    asked_for_last = turn.pursuit.ask_for_last
    turn.pursue(ask_for_last=False)
    if not asked_for_last:
        _ask_for_last(turn)
    slow = asked_for_last or turn.pursuit.response_expected  # the answer will hardly change
    asking.ask_later(turn, asking.SLOW_INTERVAL if slow else None)


def _ask_for_last(turn: Turn) -> None:
    """Ask the other question next, unless the attempt may not have been read yet (rule 4)."""
    turn.pursue(ask_for_last=not turn.pursuit.response_expected)


def status_failed(turn: Turn, event: StatusFailed) -> None:
    """The terminal does not answer a question about the attempt."""
    if event.service_id != turn.state.asking:
        return
    if turn.pursuit.between_attempts:
        _try_later(turn, "the terminal does not answer")
    else:
        turn.pursue(callbacks_trusted=False)
        asking.tell_unknown(turn)
        asking.ask_later(turn)


def _try_later(turn: Turn, message: str) -> None:
    """No attempt is out: go on asking for a session until the time for it is over."""
    turn.enter(Phase.RETRYING)
    give_up_at = turn.pursuit.give_up_at
    if give_up_at is None or turn.now.monotonic >= give_up_at:
        turn.change(logged_in=False)
        attempts.give_up(turn, Problem(turn.attempt.refused or "", message))
    else:
        asking.ask_later(turn)


def logged_in_again(turn: Turn, event: LoginAnswered) -> None:
    """The session is back (or not) in the middle of a payment."""
    reason, condition = session.admit(turn, event)
    turn.change(reason=reason, condition=condition)
    if turn.pursuit.between_attempts:
        if reason:
            _try_later(turn, f"no session: {turn.state.why}")
        else:
            attempts.attempt(turn)
    else:
        turn.enter(Phase.DOUBT)
        if reason:
            asking.tell_unknown(turn)
        stranger = reason is Reason.OTHER_TERMINAL  # who is not to be reset every few seconds
        if stranger and not turn.pursuit.sent:
            turn.pursue(response_expected=False)  # what has not left yet must not reach it
        asking.ask_later(turn, session.OTHER_TERMINAL_INTERVAL if stranger else None)


def login_failed(turn: Turn, event: LoginFailed) -> None:
    """The terminal did not answer the Login that the payment needs."""
    if turn.pursuit.between_attempts:
        _try_later(turn, event.reason)
    else:
        turn.enter(Phase.DOUBT)
        asking.tell_unknown(turn)
        asking.ask_later(turn)
