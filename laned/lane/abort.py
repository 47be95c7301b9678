"""Abort: a wish, of which only the payment's own answer tells what became (money rule 8)."""

from laned.lane import status
from laned.lane.buttons import between_attempts
from laned.lane.events import AttemptSent
from laned.lane.outcome import cancel
from laned.lane.turn import Turn
from laned.nexo.messages import AbortRequest, Category

ABORT_INTERVAL = 5.0  # seconds between two AbortRequests
ABORTS = 6  # AbortRequests for one payment at the most


def attempt_sent(turn: Turn, event: AttemptSent) -> None:
    """The request has left: from now on an AbortRequest can name it."""
    if event.service_id == turn.attempt.service_id:
        turn.change(sent=True)
        if turn.state.aborting:
            send_abort(turn)


def request_abort(turn: Turn) -> None:
    """Note the wish to abort, and tell the terminal once it has the request (money rule 8)."""
    if not turn.payment.abort_requested:
        turn.change_payment(abort_requested=True)
        turn.change(aborts_left=ABORTS)
        if between_attempts(turn.state):
            cancel(turn)
        elif turn.state.sent and turn.state.running:
            send_abort(turn)


def send_abort(turn: Turn) -> None:
    """Send an AbortRequest that names the attempt; again until the payment answers."""
    attempt = turn.attempt
    request = AbortRequest(reference=status.reference_to(attempt), reason="MerchantAbort")
    turn.send(
        Category.ABORT,
        request,
        timeout=turn.state.config.terminal.status_timeout,
        attempt=attempt,
    )
    left = turn.state.aborts_left - 1
    turn.change(
        aborts_left=left, abort_at=turn.now.monotonic + ABORT_INTERVAL if left > 0 else None
    )
