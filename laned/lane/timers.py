"""What falls due while a payment is unfinished."""

from laned.lane import abort, attempts, outcome, prompts, status
from laned.lane.events import TimePassed
from laned.lane.payment import PaymentState, Problem
from laned.lane.turn import Turn


def confirmation_due(turn: Turn, _: TimePassed) -> None:
    """A pending payment that nobody confirms ends."""
    if prompts.expired(turn):
        prompts.close(turn, answer=False, by="timeout")
        error = Problem("ConfirmTimeout", "nobody confirmed the payment")
        outcome.finish(turn, state=PaymentState.ABORTED, error=error)


def payment_due(turn: Turn, _: TimePassed) -> None:
    """A prompt runs out, an abort is sent again, the terminal is asked, the next attempt made."""
    now = turn.now.monotonic
    if prompts.expired(turn):
        prompts.close(turn, answer=False, by="timeout")
    if _due(turn.state.abort_at, now):
        if turn.state.prompt is None:
            abort.send_abort(turn)
        else:  # an open InputRequest must be answered, not aborted: look again when it is
            turn.change(abort_at=now + abort.ABORT_INTERVAL)
    if _due(turn.state.ask_at, now):
        status.ask(turn)
    if _due(turn.state.retry_at, now):
        attempts.attempt(turn)


def _due(at: float | None, now: float) -> bool:
    return at is not None and now >= at
