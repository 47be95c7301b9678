"""How a pursuit ends: the payment is final, and the lane free for the next one."""

from laned.lane import prompts, session
from laned.lane.judging import reversal_ended
from laned.lane.payment import PaymentState, Problem
from laned.lane.state import LaneState, Phase, Reason
from laned.lane.turn import Turn


def finish(turn: Turn, **changes: object) -> None:
    """Make the payment final with these `changes`, and the lane free."""
    prompts.close(turn, None, "terminal")
    turn.change_payment(**changes)
    go_on(turn)


def go_on(turn: Turn, *, pause: float = 0.0) -> None:
    """Be free for the next one: nothing of what was pursued is waited for any more.

    After a `pause`, in seconds: too much of it was set aside.
    """
    pursuit = turn.pursuit
    login_out = login_is_out(turn.state)
    if not login_out:
        turn.change(login_to="")
        if pursuit.attempt is not None and not session.made_for(turn, pursuit.attempt):
            turn.change(logged_in=False)
    turn.change(pursuit=None, settled=pursuit.payment, asking=None, ask_at=None, review=None)
    if turn.state.stopping:
        session.leave(turn)
    elif login_out:
        turn.enter(Phase.LOGGING_IN, Reason.DOUBTS if pause else None)
    elif pause:
        turn.enter(Phase.OFFLINE, Reason.DOUBTS)
        turn.change(logged_in=False, login_at=turn.now.monotonic + pause)
    elif turn.state.logged_in:
        session.ready(turn)
    else:
        turn.enter(Phase.OFFLINE, Reason.NO_SESSION)
        turn.change(login_at=turn.now.monotonic)


def login_is_out(state: LaneState) -> bool:
    """Whether the Login that a payment in doubt needed is not answered yet."""
    return state.phase in (Phase.RELOGIN, Phase.SIGNING_RELOGIN)


def cancel(turn: Turn) -> None:
    """End a payment that is not at the terminal."""
    refused = turn.pursuit.between_attempts
    message = "between two attempts" if refused else "before the terminal was asked"
    finish(turn, state=PaymentState.ABORTED, error=Problem("Aborted", message))


def fail(turn: Turn, error: Problem) -> None:
    """End what certainly did not happen: the payment is `failed`, or its reversal `refused`."""
    if turn.state.reversing:
        finish(turn, **reversal_ended(turn.payment, error))
    else:
        finish(turn, state=PaymentState.FAILED, error=error)
