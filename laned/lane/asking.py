"""TransactionStatus: asking the terminal what became of the newest attempt (money rule 3)."""

import msgspec

from laned.lane.payment import Attempt, PaymentState, Problem
from laned.lane.state import Phase
from laned.lane.turn import Turn
from laned.nexo.messages import Category, MessageReference, TransactionStatusRequest

SLOW_INTERVAL = 30.0  # seconds between questions whose answer will hardly change


def ask(turn: Turn) -> None:
    """Ask after the newest attempt, by its ServiceID, at the terminal that it was sent to.

    Or, where that has not helped, what the terminal's last transaction was (money rule 4).
    """
    attempt = turn.attempt
    if turn.state.phase is Phase.PAYING and not attempt.session_lost:
        turn.pursue(callbacks_trusted=False)  # asked for want of any: they may not get through
    last = turn.pursuit.ask_for_last
    request = TransactionStatusRequest(reference=None if last else reference_to(attempt))
    timeout = turn.state.config.terminal.status_timeout
    asking = turn.send(Category.TRANSACTION_STATUS, request, timeout=timeout, attempt=attempt)
    turn.change(asking=asking, ask_at=None)


def ask_later(turn: Turn, seconds: float | None = None) -> None:
    """Ask (again) in `seconds`, by default after terminal.retry_interval."""
    if turn.state.phase is Phase.RELOGIN:
        return  # asked as soon as the Login that is out is over
    wait = turn.state.config.terminal.retry_interval if seconds is None else seconds
    turn.change(asking=None, ask_at=turn.now.monotonic + wait)


def reference_to(attempt: Attempt) -> MessageReference:
    """Name the attempt's request as a TransactionStatus or Abort names it."""
    return MessageReference(
        category=attempt.category,
        service_id=attempt.service_id,
        sale_id=attempt.sale_id,
        poi_id=attempt.poi_id,
    )


def doubt(turn: Turn) -> None:
    """Go on with questions: the attempt's own answer will not come any more."""
    if turn.state.phase is Phase.RELOGIN:
        return  # asked as soon as the Login that is out is over
    turn.enter(Phase.DOUBT)
    if turn.state.asking is None:
        ask(turn)


def tell_unknown(turn: Turn, error: Problem | None = None) -> None:
    """Say that the outcome is not known, and why if there is more to say than silence."""
    turn.pursue(terminal_working=False)
    reversal = turn.payment.reversal
    if reversal is not None:
        told = msgspec.structs.replace(reversal, state="unknown", error=error or reversal.error)
        if told != reversal:
            stands = turn.payment.approved  # else it was never approved: money rule 9
            state = PaymentState.APPROVED if stands else PaymentState.UNKNOWN
            turn.change_payment(reversal=told, state=state)
        return
    error = error or turn.payment.error
    if not turn.state.unknown or error != turn.payment.error:
        turn.change_payment(state=PaymentState.UNKNOWN, error=error)


def tell_processing(turn: Turn) -> None:
    """Say that the outcome is being worked on, if it was said to be unknown."""
    if not turn.state.unknown:
        return
    reversal = turn.payment.reversal
    if reversal is not None:
        stands = turn.payment.approved
        turn.change_payment(
            reversal=msgspec.structs.replace(reversal, state="processing"),
            state=PaymentState.APPROVED if stands else PaymentState.PROCESSING,
        )
    else:
        turn.change_payment(state=PaymentState.PROCESSING)


def note_reached(turn: Turn) -> None:
    """Record, once, that the terminal has the attempt, or had it.

    That it does not know it proves nothing any more. On disk before anything relies on it.
    """
    if not turn.attempt.reached and not turn.pursuit.between_attempts:
        turn.change_attempt(reached=True)


def note_working(turn: Turn) -> None:
    """The terminal says that it is still at it."""
    note_reached(turn)
    turn.pursue(terminal_working=True, not_found_at=None, ask_for_last=False)
    tell_processing(turn)


def note_post(turn: Turn) -> None:
    """The terminal posts something after the attempt's last byte left: it may well be about it.

    Also where it is not: then a "not found" is not believed that could have been (money rule 4).
    What a terminal shows after a Login is about that.
    """
    turn.postpone_inquiry()
    pursuit, phase = turn.state.pursuit, turn.state.phase
    if pursuit is None or pursuit.attempt is None or not pursuit.sent:
        return
    if phase is Phase.PAYING or (phase is Phase.DOUBT and not pursuit.attempt.session_lost):
        note_reached(turn)
