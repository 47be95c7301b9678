"""What the answers to our questions mean for an attempt in doubt (money rules 3, 4, 5, 14).

Only an answer of the terminal about the attempt itself decides. One that decides nothing, twice in
a row, makes an end of it: an AbortRequest, a minute later a Login, one more question, and what is
undecided then is set aside (`laned.lane.aside`).
"""

from laned.lane import answers, aside, asking, attempts, judging, session
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

UNDECIDED_APART = 10.0  # seconds between the two answers that decide nothing
NOT_AT_ONCE = 0.1  # seconds: what is left of them can be less than a clock can tell
LOGIN_AFTER = 60.0  # seconds after the AbortRequest
BUSY_AFTER_LOGIN = 120.0  # seconds for which Busy to the one more question is asked again
OTHER_TERMINAL = "OtherTerminal"
UNDECIDED = "Undecided"


def status_answered(turn: Turn, event: StatusAnswered) -> None:
    """Take the terminal's answer to a question about the attempt."""
    repeated = event.response.repeated
    aside.repeated(turn, event)
    if event.service_id != turn.state.asking and not _about_attempt(turn, repeated):
        return  # an older question, while a later one is out
    turn.change(asking=None)
    turn.pursue(silent_since=None, gone_since=None)
    response = event.response.response
    condition = response.error_condition
    if turn.pursuit.between_attempts:
        _after_refusal(turn, condition)
    elif repeated is not None:
        _repeated(turn, event, repeated)
    elif condition in (ErrorCondition.BUSY, ErrorCondition.IN_PROGRESS):
        _busy(turn)
    elif condition in NO_SESSION and not turn.pursuit.ended:
        session.log_in_again(turn)
    else:
        turn.change(logged_in=turn.state.logged_in and condition not in NO_SESSION)
        said = f"the terminal says {condition or response.result} {response.additional_response}"
        _undecided(turn, Problem(condition or UNDECIDED, said.rstrip()))


def _about_attempt(turn: Turn, repeated: RepeatedMessage | None) -> bool:
    """Whether a repeated message is the attempt's own answer: the first such one wins."""
    return (
        repeated is not None
        and isinstance(repeated.body, PaymentResponse | ReversalResponse)
        and not turn.pursuit.between_attempts
        and judging.is_ours(turn.attempt, repeated.header, repeated.body)
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
    """Take what the terminal repeats: the attempt's response, or somebody else's."""
    body, header = repeated.body, repeated.header
    if not isinstance(body, PaymentResponse | ReversalResponse):
        _undecided(turn, Problem(judging.FOREIGN_ANSWER, "something else than a payment came"))
        return
    match answers.take(turn, header, body, event.poi_owner):
        case judging.Foreign(problem):
            _undecided(turn, problem)
        case judging.StillRunning():
            _busy(turn)
        case _:
            pass


def _busy(turn: Turn) -> None:
    """The terminal is at work on it: wait, but not for ever."""
    _doubt(turn)
    if asking.doubted_for(turn, BUSY_AFTER_LOGIN if turn.pursuit.ended else asking.WORKING_FOR):
        _undecided(turn, Problem(ErrorCondition.BUSY, "the terminal says nothing but that it runs"))
        return
    asking.note_working(turn)
    asking.ask_later(turn)
    attempts.abort_if_wanted(turn)


def _doubt(turn: Turn) -> None:
    if turn.pursuit.doubted_since is None:
        turn.pursue(doubted_since=turn.now.monotonic)


# -- Undecided ------------------------------------------------------------------------------------


def _undecided(turn: Turn, problem: Problem) -> None:
    """The terminal has answered, and nothing is decided: the second time, make an end of it."""
    _doubt(turn)
    pursuit, now = turn.pursuit, turn.now.monotonic
    if pursuit.ended:
        aside.set_aside(turn, problem)
        return
    if asking.at_work(turn):
        asking.ask_later(turn, _until_answer_by(turn))
        return
    asking.tell_unknown(turn, problem)
    if pursuit.login_at is not None:
        asking.ask_later(turn, asking.SLOW_INTERVAL)
    elif pursuit.undecided_since is None:
        turn.pursue(undecided_since=now)
        asking.ask_later(turn, _apart(turn))
    elif now - pursuit.undecided_since < UNDECIDED_APART:
        left = pursuit.undecided_since + UNDECIDED_APART - now
        asking.ask_later(turn, max(left, NOT_AT_ONCE))
    else:
        _make_an_end(turn)


def _apart(turn: Turn) -> float:
    return max(turn.state.config.terminal.retry_interval, UNDECIDED_APART)


def _until_answer_by(turn: Turn) -> float:
    """Seconds until the attempt's own connection alone keeps it open no more, or the usual."""
    left = turn.pursuit.answer_by - turn.now.monotonic
    return max(left, NOT_AT_ONCE) if 0 < left < asking.SLOW_INTERVAL else asking.SLOW_INTERVAL


def _make_an_end(turn: Turn) -> None:
    """Have the terminal abort whatever it does, and a minute later log in to it."""
    wished = turn.pursuit.aborting and turn.pursuit.aborts_left < attempts.ABORTS
    if not turn.pursuit.end_made and not wished:  # else one was sent already
        attempts.send_abort(turn)
        turn.pursue(abort_at=None)
    turn.pursue(end_made=True, login_at=turn.now.monotonic + LOGIN_AFTER)
    asking.ask_later(turn, asking.SLOW_INTERVAL)


def status_failed(turn: Turn, event: StatusFailed) -> None:
    """Note that nothing came that could be understood as an answer about the attempt."""
    if event.service_id != turn.state.asking:
        return
    turn.change(asking=None)
    if turn.pursuit.between_attempts:
        _try_later(turn, "the terminal does not answer")
    elif event.port == "answered":
        turn.pursue(silent_since=None, gone_since=None)
        _undecided(
            turn, Problem(UNDECIDED, f"the terminal's answer decides nothing: {event.reason}")
        )
    else:
        _silent(turn, port_open=event.port == "silent")


def _silent(turn: Turn, *, port_open: bool) -> None:
    """No answer: where only that keeps the terminal from telling, it is not waited for for ever."""
    pursuit, now = turn.pursuit, turn.now.monotonic
    gone_since = now if pursuit.gone_since is None else pursuit.gone_since
    since = (now if pursuit.silent_since is None else pursuit.silent_since) if port_open else None
    turn.pursue(gone_since=gone_since, silent_since=since)
    asking.tell_unknown(turn)
    longest = BUSY_AFTER_LOGIN if pursuit.ended else asking.WORKING_FOR
    if since is None or now - since < longest or asking.at_work(turn):
        asking.ask_later(turn)
    elif pursuit.ended:
        aside.set_aside(turn, Problem(UNDECIDED, "the terminal does not answer"))
    elif pursuit.login_at is None:
        _make_an_end(turn)
    else:
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


# -- The Login in the middle of it ----------------------------------------------------------------


def logged_in_again(turn: Turn, event: LoginAnswered) -> None:
    """Go on with the session that is back, or is not, in the middle of a payment."""
    attempt, address = turn.attempt, turn.state.login_to
    reason, condition = session.admit(turn, event)
    turn.enter(Phase.RETRYING if turn.pursuit.between_attempts else Phase.DOUBT, reason, condition)
    serial = event.response.serial_number
    here = not attempt.serial or serial == attempt.serial
    moved = address not in ("", attempt.address)
    if turn.pursuit.between_attempts:
        if reason:
            _try_later(turn, f"no session: {turn.state.why}")
        elif here:
            attempts.attempt(turn)
        else:
            attempts.give_up(turn, Problem(OTHER_TERMINAL, f"terminal {serial} is here now"))
    elif not here and not moved and reason in (Reason.NONE, Reason.OTHER_TERMINAL):
        aside.set_aside(turn, Problem(OTHER_TERMINAL, f"terminal {serial} is here now"))
        if reason and turn.state.phase is Phase.OFFLINE and turn.state.reason is not Reason.DOUBTS:
            session.go_offline(turn, reason)
    elif reason or not here:
        asking.tell_unknown(turn)
        asking.ask_later(turn)
    else:
        if moved:
            turn.change_attempt(address=address)
        turn.pursue(ended=True, doubted_since=None, silent_since=None, undecided_since=None)
        asking.ask(turn)


def login_failed(turn: Turn, event: LoginFailed) -> None:
    """Go on asking: the terminal did not answer the Login that the payment needs."""
    if turn.pursuit.between_attempts:
        _try_later(turn, event.reason)
    else:
        turn.enter(Phase.DOUBT)
        asking.tell_unknown(turn)
        asking.ask_later(turn)
