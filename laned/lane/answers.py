"""What is done about the terminal's answer to an attempt (money rules 2 and 3).

What an answer is worth says `laned.lane.judging`.
"""

from laned.lane import aside, asking, attempts, ending, judging, session, signature
from laned.lane.events import AttemptAnswered, AttemptLost, AttemptNotSent
from laned.lane.judging import AttemptResponse, Judgement
from laned.lane.payment import Problem
from laned.lane.state import Phase, Reason
from laned.lane.turn import Turn
from laned.nexo.messages import NO_SESSION, Header

BUSY_FOR = 30.0  # seconds for which a refused attempt is followed by another
SESSIONS_MISSING = 2  # logins for the sake of one payment


def attempt_answered(turn: Turn, event: AttemptAnswered) -> None:
    """Take the answer to the request itself."""
    if event.service_id != turn.attempt.service_id:
        aside.answered(turn, event)
        return
    if turn.pursuit.between_attempts:
        return  # a second answer to what was refused already
    turn.pursue(response_expected=False)
    match take(turn, event.header, event.response, event.poi_owner):
        case judging.Foreign(problem):
            asking.tell_unknown(turn, problem)
            asking.doubt(turn)
        case judging.StillRunning():
            asking.note_working(turn)
            asking.doubt(turn)
        case _:
            pass


def take(turn: Turn, header: Header, response: AttemptResponse, poi_owner: str | None) -> Judgement:
    """Do what an answer, direct or repeated, is worth; one that decides nothing is the caller's."""
    # After a restart it may have been asked for in light integration, whatever mode is set now.
    asked_here = turn.pursuit.order is not None and turn.state.config.lane.mode != "light"
    judgement = judging.judge(
        turn.payment, turn.attempt, header, response, poi_owner=poi_owner, unasked=not asked_here
    )
    match judgement:
        case judging.Final(fields):
            aside.count_doubts(turn, 0)
            ending.finish(turn, **fields)
        case judging.NeedsSignature(fields):
            aside.count_doubts(turn, 0)
            signature.ask(turn, fields)
        case judging.Refused(condition, message):
            refused(turn, condition, message)
        case judging.Mismatch(problem, fields):
            aside.set_aside(turn, problem, asked=False, **fields)
        case _:
            pass
    return judgement


def refused(turn: Turn, condition: str, message: str) -> None:
    """Try again for a while: the terminal turned the attempt away, and nothing was charged."""
    now = turn.now.monotonic
    turn.change_attempt(refused=condition)
    give_up_at = turn.pursuit.give_up_at or now + BUSY_FOR
    no_session = condition in NO_SESSION
    missing = turn.pursuit.sessions_missing + no_session
    turn.change(asking=None, ask_at=None)
    turn.pursue(give_up_at=give_up_at, abort_at=None)
    if turn.pursuit.aborting:
        ending.cancel(turn)
    elif turn.pursuit.order is None or now >= give_up_at or missing > SESSIONS_MISSING:
        if no_session:
            turn.change(logged_in=False)
        attempts.give_up(turn, Problem(condition, message))
    else:
        asking.tell_processing(turn)
        turn.pursue(sessions_missing=missing)
        if turn.state.phase is Phase.RELOGIN:
            return  # the Login that is out decides about the next attempt
        turn.enter(Phase.RETRYING)
        if no_session or not session.same_terminal(turn):
            asking.ask(turn)  # only its answer allows a Login: money rule 5
        else:
            turn.pursue(retry_at=now + turn.state.config.terminal.retry_interval)


def attempt_not_sent(turn: Turn, event: AttemptNotSent) -> None:
    """End it: the connection could not be made, so certainly nothing happened (money rule 3).

    The reversal of a payment that nobody has signed for is tried again: no till would ask for it.
    """
    if event.service_id != turn.attempt.service_id:
        return
    turn.change(logged_in=False)
    turn.pursue(response_expected=False)
    if turn.payment.reversing_unsigned:
        refused(turn, attempts.NOT_SENT, event.reason)
        return
    attempts.give_up(turn, Problem(attempts.NOT_SENT, event.reason))
    if turn.state.phase is Phase.OFFLINE:
        session.go_offline(turn, Reason.UNREACHABLE)


def attempt_lost(turn: Turn, event: AttemptLost) -> None:
    """Ask: the answer will not come, and the terminal may have done it."""
    if event.service_id == turn.attempt.service_id:
        turn.pursue(response_expected=False)
        asking.doubt(turn)
    else:
        aside.lost(turn, event)
