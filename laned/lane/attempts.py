"""Attempts: asking the terminal for a payment or its reversal, and to abort (money rules 2, 8).

An attempt is recorded before it is sent. The next one is only ever made after the terminal itself
refused this one (Busy, NotAllowed, LoggedOut) and that is on disk.
"""

from decimal import Decimal

from laned.lane import asking, ending, prompts, session
from laned.lane.effects import AttemptOpened
from laned.lane.events import AttemptSent, TimePassed
from laned.lane.payment import (
    Attempt,
    AttemptIDs,
    Order,
    PaymentState,
    Problem,
    ReversalOrder,
)
from laned.lane.state import Phase, Shown
from laned.lane.turn import Turn
from laned.nexo.messages import (
    AbortRequest,
    Body,
    Category,
    PaymentRequest,
    PaymentType,
    ReversalRequest,
    TransactionID,
)

# How long a PaymentRequest's connection is kept. Whoever holds it knows the outcome first, so it is
# far longer than any payment; that asking starts much earlier is money rule 3.
ANSWER_LIMIT = 3600.0
ABORT_INTERVAL = 5.0  # seconds between two AbortRequests
NOT_SENT = "NotSent"
TRIES = 20  # of a reversal at a terminal that is there, 30 s apart: money rule 10's ten minutes
ABORTS = 6  # AbortRequests for one payment at the most

# -- Before the first -----------------------------------------------------------------------------


def confirmation_due(turn: Turn, _: TimePassed) -> None:
    """End a pending payment that nobody confirms."""
    if prompts.expired(turn):
        prompts.close(turn, answer=False, by="timeout")
        error = Problem("ConfirmTimeout", "nobody confirmed the payment")
        ending.finish(turn, state=PaymentState.ABORTED, error=error)


# -- An attempt -----------------------------------------------------------------------------------


def attempt(turn: Turn, charged: Attempt | None = None) -> None:
    """Make an attempt: record it, send its request.

    The reversal of what was `charged` goes to the terminal that did it, under the same SaleID and
    POIID, and each try of it goes where the first went, whatever the configuration says now.
    """
    order, before = turn.pursuit.order, turn.pursuit.attempt
    assert order is not None
    assert before is None or before.refused is not None
    terminal = turn.state.terminal
    reversing = isinstance(order, ReversalOrder)
    place = charged or (before if reversing else None)
    config = turn.state.config.terminal
    new = Attempt(
        category=Category.REVERSAL if reversing else Category.PAYMENT,
        service_id=turn.new_service_id(),
        transaction_id=f"{turn.payment.id}.{turn.now.token}",
        sale_id=place.sale_id if place else config.sale_id,
        poi_id=place.poi_id if place else config.poi_id,
        address=place.address if place else terminal.address,
        serial=place.serial if place else terminal.serial_number or turn.state.remembered,
    )
    ids = AttemptIDs(new.service_id, new.transaction_id)
    if isinstance(order, ReversalOrder):
        asking.tell_processing(turn)
        request: Body = _reversal_request(turn, order, new)
    else:
        turn.change_payment(state=PaymentState.PROCESSING, attempts=(*turn.payment.attempts, ids))
        request = _payment_request(turn, order, new)
    turn.record(AttemptOpened(turn.payment.id, new))
    turn.enter(Phase.PAYING)
    turn.change(asking=None, shown=Shown(()))  # what it showed before is about something else
    turn.pursue(
        attempt=new,
        sent=False,
        response_expected=True,
        terminal_working=True,
        posted_at=None,
        doubted_since=None,
        undecided_since=None,
        silent_since=None,
        gone_since=None,
        login_at=None,
        end_made=False,
        ended=False,
        abort_at=None,
        retry_at=None,
        answer_by=turn.now.monotonic + config.response_timeout,
    )
    turn.send(new.category, request, timeout=ANSWER_LIMIT, service_id=new.service_id, attempt=new)
    turn.postpone_inquiry()


def _payment_request(turn: Turn, order: Order, attempt: Attempt) -> PaymentRequest:
    return PaymentRequest(
        transaction=TransactionID(attempt.transaction_id, turn.now.wall.isoformat()),
        requested_amount=order.amount,
        currency=order.currency,
        payment_type=PaymentType.REFUND if order.type == "refund" else PaymentType.NORMAL,
        cash_back_amount=order.cash_back or Decimal(0) if order.type == "payment" else None,
        reference=order.reference,
        token=order.token,
    )


def _reversal_request(turn: Turn, order: ReversalOrder, attempt: Attempt) -> ReversalRequest:
    poi = turn.payment.poi_transaction
    assert poi is not None
    return ReversalRequest(
        poi_transaction=TransactionID(poi.id, poi.timestamp),
        reason=order.reason,
        sale_id=attempt.sale_id,
        poi_id=attempt.poi_id,
    )


def attempt_sent(turn: Turn, event: AttemptSent) -> None:
    """Note that the request has left: from now on an AbortRequest can name it."""
    if event.service_id == turn.attempt.service_id:
        turn.pursue(sent=True)
        if turn.pursuit.aborting:
            send_abort(turn)


def give_up(turn: Turn, error: Problem) -> None:
    """End what certainly did not happen, so that it may be asked for anew.

    A payment whose signature was declined is not approved because the terminal was too busy or
    away for a moment: its reversal is tried for a while (money rules 9 and 10).
    """
    tries = turn.pursuit.tries + (error.condition != NOT_SENT)  # only those that reached it
    if not turn.payment.reversing_unsigned or tries >= TRIES:
        ending.fail(turn, error)
        return
    turn.pursue(tries=tries)
    asking.tell_unknown(turn, error)
    turn.change(asking=None, ask_at=None)
    turn.pursue(retry_at=None, give_up_at=None, sessions_missing=0)
    if turn.state.phase is not Phase.RELOGIN:  # else the Login that is out decides
        turn.enter(Phase.RETRYING)
        turn.pursue(retry_at=turn.now.monotonic + asking.SLOW_INTERVAL)


# -- Abort: a wish, of which only the payment's own answer tells what became ----------------------


def request_abort(turn: Turn) -> None:
    """Note the wish to abort, and tell the terminal once it has the request (money rule 8)."""
    if turn.payment.abort_requested:
        return
    turn.change_payment(abort_requested=True)
    turn.pursue(aborts_left=ABORTS)
    if turn.pursuit.between_attempts:
        ending.cancel(turn)
    elif turn.pursuit.sent and turn.pursuit.terminal_working:
        send_abort(turn)


def abort_if_wanted(turn: Turn) -> None:
    """Send the AbortRequests again that stopped while the terminal was silent."""
    pursuit = turn.pursuit
    if pursuit.aborting and pursuit.aborts_left and not pursuit.abort_at:
        send_abort(turn)


def send_abort(turn: Turn) -> None:
    """Send an AbortRequest that names the attempt; again until the payment answers."""
    attempt = turn.attempt
    request = AbortRequest(reference=asking.reference_to(attempt), reason="MerchantAbort")
    timeout = turn.state.config.terminal.status_timeout
    turn.send(Category.ABORT, request, timeout=timeout, attempt=attempt)
    left = max(turn.pursuit.aborts_left - 1, 0)
    again = turn.now.monotonic + ABORT_INTERVAL if left > 0 else None
    turn.pursue(aborts_left=left, abort_at=again)


# -- What falls due -------------------------------------------------------------------------------


def due(turn: Turn, _: TimePassed) -> None:
    """A prompt runs out, an abort is sent again, the terminal is asked, the next attempt made."""
    now = turn.now.monotonic
    if prompts.expired(turn):
        prompts.close(turn, answer=False, by="timeout")
    if _due(turn.pursuit.abort_at, now):
        if turn.state.prompt is None:
            send_abort(turn)
        else:  # an open InputRequest must be answered, not aborted: look again when it is
            turn.pursue(abort_at=now + ABORT_INTERVAL)
    if _due(turn.state.ask_at, now):
        asking.ask(turn)
    if _due(turn.pursuit.retry_at, now):
        attempt(turn)
    elif _due(turn.pursuit.login_at, now):
        if asking.at_work(turn):
            turn.pursue(login_at=None)  # it would end that work; the next answers begin anew
        else:
            session.log_in_again(turn)


def _due(at: float | None, now: float) -> bool:
    return at is not None and now >= at
