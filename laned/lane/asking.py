"""TransactionStatus: asking the terminal what became of the newest attempt (money rule 3)."""

import msgspec

from laned.lane import addresses
from laned.lane.payment import Attempt, PaymentState, Problem
from laned.lane.state import Phase
from laned.lane.turn import QUIET, Turn
from laned.nexo.messages import Category, MessageReference, TransactionStatusRequest

SLOW_INTERVAL = 30.0  # seconds between questions whose answer will hardly change
MOVED_AFTER = 120.0  # seconds without an answer, until the terminal is looked for elsewhere
WORKING_FOR = (
    600.0  # seconds for which it is believed that the terminal is at work, if nothing else
)


def ask(turn: Turn) -> None:
    """Ask after the newest attempt, by its ServiceID, at the terminal that it was sent to.

    Where nobody has answered there for a while, also where else the terminal may be (rule 14).
    """
    attempt, pursuit = turn.attempt, turn.pursuit
    address, gone = attempt.address, pursuit.gone_since
    if gone is not None and turn.now.monotonic - gone >= MOVED_AFTER:
        address = addresses.following(turn, pursuit.asked_at or address, first=address)
    turn.pursue(asked_at=address)
    request = TransactionStatusRequest(reference=reference_to(attempt))
    timeout = turn.state.config.terminal.status_timeout
    category = Category.TRANSACTION_STATUS
    asking = turn.send(category, request, timeout=timeout, attempt=attempt, address=address)
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


def note_working(turn: Turn) -> None:
    """The terminal says that it is still at it."""
    turn.pursue(terminal_working=True, undecided_since=None, login_at=None)
    tell_processing(turn)


def note_post(turn: Turn) -> None:
    """The terminal posts something after the attempt's last byte left: it may well be about it.

    What a terminal shows after a Login is about that.
    """
    turn.postpone_inquiry()
    pursuit, phase = turn.state.pursuit, turn.state.phase
    if pursuit is None or not pursuit.sent or pursuit.ended:
        return
    if phase in (Phase.PAYING, Phase.DOUBT):
        turn.pursue(posted_at=turn.now.monotonic)


def at_work(turn: Turn) -> bool:
    """Whether the terminal shows that it is at work on the attempt (money rule 14)."""
    pursuit, now = turn.pursuit, turn.now.monotonic
    connected = pursuit.response_expected and now < pursuit.answer_by
    posted = pursuit.posted_at is not None and now - pursuit.posted_at < QUIET
    return (
        connected or pursuit.prompt is not None or (posted and not doubted_for(turn, WORKING_FOR))
    )


def doubted_for(turn: Turn, seconds: float) -> bool:
    """Whether the terminal has been asked for so long, and has decided nothing.

    Signs of work count for WORKING_FOR of an attempt in all, whatever it says in between: an idle
    terminal posts as well, and one that always says Busy would keep the lane shut.
    """
    since = turn.pursuit.doubted_since
    return since is not None and turn.now.monotonic - since >= seconds
