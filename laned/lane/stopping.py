"""The orderly stop with something unfinished, or a request out (money rule 12).

With neither, `laned.lane.session.leave` does it.
"""

from laned.lane import attempts, ending, session
from laned.lane.events import StopAsked
from laned.lane.payment import Problem
from laned.lane.state import Phase, Reason
from laned.lane.turn import Turn


def leave_soon(turn: Turn, _: StopAsked) -> None:
    """Stop as soon as the request that is out is over."""
    turn.change(stopping=True)
    if turn.state.logout_at is not None:
        turn.change(logout_at=turn.now.monotonic)


def leave_to_the_terminal(turn: Turn, _: StopAsked) -> None:
    """Stop in the middle of a payment: no Abort, no Logout; the next start asks."""
    turn.enter(Phase.STOPPED, Reason.STOPPED)
    turn.change(stopping=True, ask_at=None)
    turn.pursue(abort_at=None, login_at=None)


def end_review(turn: Turn, _: StopAsked) -> None:
    """Stop without asking after what is set aside."""
    turn.change(review=None, asking=None)
    session.leave(turn)


def end_pending(turn: Turn, _: StopAsked) -> None:
    """End a payment that waits for its confirmation, or for its first attempt."""
    turn.change(stopping=True)
    ending.cancel(turn)


def end_retrying(turn: Turn, event: StopAsked) -> None:
    """Make no further attempt: the last one was refused, so it did not happen.

    Whose signature was declined is reversed in the next life (money rule 9).
    """
    if turn.payment.reversing_unsigned:
        leave_to_the_terminal(turn, event)
        return
    turn.change(stopping=True)
    attempts.give_up(turn, Problem(turn.attempt.refused or "", "the daemon stopped"))
