"""Attempts: asking the terminal for a payment, and what it answers to that (money rules 2, 3, 8).

An attempt is recorded before it is sent. The next one is only ever made after the terminal itself
refused this one (Busy, NotAllowed, LoggedOut) and that is on disk.
"""

from decimal import Decimal

from laned.lane import prompts, session, status
from laned.lane.buttons import between_attempts
from laned.lane.effects import AttemptOpened, PaymentOpened
from laned.lane.events import (
    PaymentAnswered,
    PaymentAsked,
    PaymentLost,
    PaymentNotSent,
    PaymentSent,
)
from laned.lane.outcome import conclude, finish, mismatch
from laned.lane.payment import Attempt, AttemptIDs, Payment, PaymentState, Problem
from laned.lane.state import Phase
from laned.lane.turn import Turn
from laned.nexo.messages import (
    AbortRequest,
    Category,
    ErrorCondition,
    Header,
    MessageReference,
    PaymentRequest,
    PaymentResponse,
    PaymentType,
    Result,
    TransactionID,
)

BUSY_FOR = 30.0  # seconds for which a refused payment is tried again
SESSIONS_MISSING = 2  # logins for the sake of one payment
ABORT_INTERVAL = 5.0  # seconds between two AbortRequests
ABORTS = 6  # AbortRequests for one payment at the most
# How long a PaymentRequest's connection is kept. Whoever holds it knows the outcome first, so it is
# far longer than any payment; that asking starts much earlier is money rule 3.
ANSWER_LIMIT = 3600.0

FOREIGN_ANSWER = "ForeignAnswer"
NO_SESSION = frozenset({ErrorCondition.NOT_ALLOWED, ErrorCondition.LOGGED_OUT})
REFUSED = NO_SESSION | {ErrorCondition.BUSY}


def begin(turn: Turn, event: PaymentAsked) -> None:
    """Take a payment: record it, and either ask for confirmation or ask the terminal."""
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


def attempt(turn: Turn) -> None:
    """Make an attempt: record it, send the PaymentRequest."""
    order = turn.state.order
    assert order is not None
    assert turn.state.attempt is None or turn.state.attempt.refused is not None
    terminal = turn.state.terminal
    new = Attempt(
        service_id=turn.new_service_id(),
        transaction_id=f"{order.id}.{turn.now.token}",
        sale_id=turn.state.config.terminal.sale_id,
        poi_id=turn.state.config.terminal.poi_id,
        address=terminal.address,
        serial=terminal.serial_number,
    )
    ids = AttemptIDs(new.service_id, new.transaction_id)
    turn.change_payment(state=PaymentState.PROCESSING, attempts=(*turn.payment.attempts, ids))
    turn.record(AttemptOpened(order.id, new))
    request = PaymentRequest(
        transaction=TransactionID(new.transaction_id, turn.now.wall.isoformat()),
        requested_amount=order.amount,
        currency=order.currency,
        payment_type=PaymentType.REFUND if order.type == "refund" else PaymentType.NORMAL,
        cash_back_amount=order.cash_back or Decimal(0) if order.type == "payment" else None,
        reference=order.reference,
        token=order.token,
    )
    turn.change(
        phase=Phase.PAYING,
        attempt=new,
        sent=False,
        running=True,
        asking=None,
        not_found_at=None,
        abort_at=None,
        retry_at=None,
        answer_by=turn.now.monotonic + turn.state.config.terminal.response_timeout,
    )
    turn.send(
        Category.PAYMENT, request, timeout=ANSWER_LIMIT, service_id=new.service_id, attempt=new
    )
    turn.heard()


def payment_sent(turn: Turn, event: PaymentSent) -> None:
    """The request has left: from now on an AbortRequest can name it."""
    if event.service_id == turn.attempt.service_id:
        turn.change(sent=True)
        if turn.payment.abort_requested:
            send_abort(turn)


# -- Answers ------------------------------------------------------------------------------------


def payment_answered(turn: Turn, event: PaymentAnswered) -> None:
    """The terminal answered the PaymentRequest itself."""
    if event.service_id != turn.attempt.service_id:
        return  # of an attempt that the terminal has refused since
    take(turn, event.header, event.response, event.poi_owner, direct=True)


def take(
    turn: Turn,
    header: Header,
    response: PaymentResponse,
    poi_owner: str | None,
    *,
    direct: bool,
) -> None:
    """Believe an answer, direct or repeated, if it is this attempt's (money rule 2)."""
    condition = response.response.error_condition
    failed = response.response.result == Result.FAILURE
    if not is_ours(turn.attempt, header, response, direct=direct):
        wrong: Problem | None = Problem(FOREIGN_ANSWER, "an answer to something else came")
    else:
        wrong = mismatch(turn, response, poi_owner)
    if wrong is not None:
        status.not_known(turn, wrong)
    elif failed and condition == ErrorCondition.IN_PROGRESS:
        status.runs(turn)
    elif failed and condition in REFUSED:
        refused(turn, str(condition), response.response.additional_response)
        return
    else:
        conclude(turn, response)
        return
    if direct:
        status.in_doubt(turn)
    else:
        status.ask_later(turn, status.SLOW_INTERVAL if wrong else None)


def is_ours(attempt: Attempt, header: Header, response: PaymentResponse, *, direct: bool) -> bool:
    """Whether an answer belongs to the attempt: ServiceID, SaleID, POIID and TransactionID.

    A Failure that came on the attempt's own connection may leave out the TransactionID: there is
    nothing that could be charged by believing it.
    """
    same = (header.service_id, header.sale_id, header.poi_id) == (
        attempt.service_id,
        attempt.sale_id,
        attempt.poi_id,
    )
    echoed = response.sale_transaction
    if echoed is None:
        return same and direct and not response.response.success
    return same and echoed.transaction_id == attempt.transaction_id


def refused(turn: Turn, condition: str, message: str) -> None:
    """The terminal turned the attempt away: nothing was charged; try again for a while."""
    now = turn.now.monotonic
    turn.change_attempt(refused=condition)
    give_up_at = turn.state.give_up_at or now + BUSY_FOR
    turn.change(give_up_at=give_up_at, asking=None, ask_at=None, abort_at=None)
    no_session = condition in NO_SESSION
    missing = turn.state.sessions_missing + no_session
    if turn.payment.abort_requested:
        cancel(turn)
    elif turn.state.order is None or now >= give_up_at or missing > SESSIONS_MISSING:
        if no_session:
            turn.change(logged_in=False)
        finish(turn, PaymentState.FAILED, Problem(condition, message))
    else:
        if turn.state.unknown:
            turn.change_payment(state=PaymentState.PROCESSING)
        turn.change(sessions_missing=missing)
        if turn.state.phase is Phase.RELOGIN:
            return  # the Login that is out decides about the next attempt
        turn.change(phase=Phase.RETRYING)
        if no_session:
            status.ask(turn)  # only its answer allows a Login: money rule 5
        else:
            turn.change(retry_at=now + turn.state.config.terminal.retry_interval)


def payment_not_sent(turn: Turn, event: PaymentNotSent) -> None:
    """The connection could not be made: certainly nothing happened (money rule 3)."""
    if event.service_id == turn.attempt.service_id:
        turn.change(logged_in=False)
        finish(turn, PaymentState.FAILED, Problem("NotSent", event.reason))
        if turn.state.phase is Phase.OFFLINE:
            session.go_offline(turn, "unreachable")


def payment_lost(turn: Turn, event: PaymentLost) -> None:
    """The answer will not come, and the terminal may have done it: ask."""
    if event.service_id == turn.attempt.service_id:
        status.in_doubt(turn)


# -- Abort --------------------------------------------------------------------------------------


def cancel(turn: Turn) -> None:
    """End a payment that is not at the terminal."""
    refused = between_attempts(turn.state)
    message = "between two attempts" if refused else "before the terminal was asked"
    finish(turn, PaymentState.ABORTED, Problem("Aborted", message))


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
    request = AbortRequest(
        reference=MessageReference(
            category=Category.PAYMENT,
            service_id=attempt.service_id,
            sale_id=attempt.sale_id,
            poi_id=attempt.poi_id,
        ),
        reason="MerchantAbort",
    )
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
