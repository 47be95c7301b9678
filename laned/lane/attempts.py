"""Attempts: asking the terminal for a payment or its reversal (money rule 2).

An attempt is recorded before it is sent. The next one is only ever made after the terminal itself
refused this one (Busy, NotAllowed, LoggedOut) and that is on disk.
"""

from decimal import Decimal

from laned.lane import prompts, status
from laned.lane.effects import AttemptOpened, PaymentOpened
from laned.lane.events import PaymentAsked, ReversalAsked
from laned.lane.payment import (
    Attempt,
    AttemptIDs,
    Order,
    Payment,
    PaymentState,
    Reversal,
    ReversalOrder,
)
from laned.lane.state import Phase, Shown, Verdict
from laned.lane.turn import Turn
from laned.nexo.messages import (
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


def begin(turn: Turn, event: PaymentAsked) -> None:
    """Take a payment: record it, and either ask for confirmation or ask the terminal."""
    if turn.state.journal == "new":
        turn.refuse("journal_unavailable", "the journal is new: acknowledge it first")
        return
    order = event.order
    payment = Payment(
        id=order.id,
        type=order.type,
        amount=order.amount,
        currency=order.currency,
        cash_back=order.cash_back,
        state=PaymentState.PENDING,
        created_at=turn.utc,
        updated_at=turn.utc,
    )
    turn.record(PaymentOpened(payment, order))
    turn.change(payment=payment, order=order)
    if order.confirm == "button":
        turn.change(phase=Phase.PENDING)
        text = f"{order.amount} {order.currency}"
        timeout = turn.state.config.payment.confirm_timeout
        turn.change(prompt=prompts.prompt(turn, "payment", text, timeout))
    else:
        attempt(turn)


def begin_reversal(turn: Turn, event: ReversalAsked) -> None:
    """Take back an approved payment, the terminal's last (money rule 10)."""
    payment = event.payment
    if payment is None or payment.state is not PaymentState.APPROVED:
        state = payment.state if payment is not None else "not known"
        turn.refuse("not_reversible", f"payment {event.payment_id} is {state}")
        return
    if payment.poi_transaction is None or event.superseded_by is not None:
        newer = event.superseded_by or "one that the journal does not know"
        turn.refuse("not_reversible", f"the terminal's last payment is {newer}")
        return
    here = turn.state.terminal.serial_number
    if event.charged_by and here and event.charged_by != here:
        turn.refuse("not_reversible", f"it was paid at terminal {event.charged_by}, not at {here}")
        return
    its_own: list[Verdict] = []
    others: list[Verdict] = []
    for verdict in turn.state.verdicts:
        (its_own if verdict.payment.id == payment.id else others).append(verdict)
    if any(verdict.post_open for verdict in its_own):
        turn.refuse("not_reversible", "the answer to its last reversal may still come")
        return
    turn.change(verdicts=tuple(others))
    reversal = Reversal(state="processing", reason=event.reason)
    turn.change(payment=payment, order=ReversalOrder(event.reason))
    turn.change_payment(reversal=reversal)
    attempt(turn)


def attempt(turn: Turn, charged: Attempt | None = None) -> None:
    """Make an attempt: record it, send its request.

    The reversal of what was `charged` goes to the terminal that did it, under the same SaleID and
    POIID, and each try of it goes where the first went, whatever the configuration says now.
    """
    order, before = turn.state.order, turn.state.attempt
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
        status.processing(turn)
        request: Body = _reversal_request(turn, order, new)
    else:
        turn.change_payment(state=PaymentState.PROCESSING, attempts=(*turn.payment.attempts, ids))
        request = _payment_request(turn, order, new)
    turn.record(AttemptOpened(turn.payment.id, new))
    turn.change(
        phase=Phase.PAYING,
        attempt=new,
        sent=False,
        post_open=True,
        running=True,
        asking=None,
        ask_for_last=False,
        watched=turn.state.config.lane.mode != "light",  # which posts nothing
        shown=Shown(()),  # what it showed before is about something else
        not_found_at=None,
        abort_at=None,
        retry_at=None,
        answer_by=turn.now.monotonic + turn.state.config.terminal.response_timeout,
    )
    turn.send(new.category, request, timeout=ANSWER_LIMIT, service_id=new.service_id, attempt=new)
    turn.heard()


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
