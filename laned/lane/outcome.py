"""What an answer of the terminal means for the payment: money rules 6 and 7."""

from decimal import Decimal

from laned.lane import prompts, session
from laned.lane.payment import (
    PaymentState,
    POITransaction,
    Problem,
    card_from,
    receipts_from,
    settles,
)
from laned.lane.state import Phase
from laned.lane.turn import Turn
from laned.nexo.messages import ErrorCondition, PaymentResponse, Result

ABORTED = frozenset({ErrorCondition.ABORTED, ErrorCondition.CANCEL})
DECLINED = frozenset(
    {
        ErrorCondition.REFUSAL,
        ErrorCondition.INVALID_CARD,
        ErrorCondition.WRONG_PIN,
        ErrorCondition.PAYMENT_RESTRICTION,
        ErrorCondition.UNREACHABLE_HOST,
    }
)
FAILED = frozenset(
    {
        ErrorCondition.MESSAGE_FORMAT,
        ErrorCondition.UNAVAILABLE_SERVICE,
        ErrorCondition.UNAVAILABLE_DEVICE,
        ErrorCondition.DEVICE_OUT,
    }
)


def state_for(condition: str | None, *, abort_requested: bool) -> PaymentState:
    """The final state of a payment that the terminal answered with Failure (money rule 7)."""
    if condition in ABORTED:
        return PaymentState.ABORTED
    if condition in DECLINED:
        return PaymentState.DECLINED
    if condition in FAILED:
        return PaymentState.FAILED
    return PaymentState.ABORTED if abort_requested else PaymentState.DECLINED


def mismatch(turn: Turn, response: PaymentResponse, poi_owner: str | None) -> Problem | None:
    """Why an answer cannot be this payment's, or None (money rules 2 and 6)."""
    payment, result = turn.payment, response.response.result
    if poi_owner not in (None, payment.id):
        return Problem("ForeignTransaction", f"its POITransactionID is payment {poi_owner}'s")
    if result == Result.FAILURE:
        return None
    if result != Result.SUCCESS:
        return Problem("UnknownResult", f"the terminal says {result!r}")
    if not settles(payment.amount, payment.currency, response.amounts):
        amounts = response.amounts
        found = "no amount"
        if amounts is not None:
            found = f"{amounts.authorized_amount} {amounts.currency or payment.currency}"
            found += f", of it {amounts.tip_amount or Decimal(0)} tip"
        wanted = f"{payment.amount} {payment.currency}"
        return Problem("AmountMismatch", f"asked for {wanted}, the terminal says {found}")
    return None


def conclude(turn: Turn, response: PaymentResponse) -> None:
    """End the payment as the terminal's own final answer says."""
    if response.response.result == Result.FAILURE:
        condition = response.response.error_condition
        state = state_for(condition, abort_requested=turn.payment.abort_requested)
        error = Problem(condition or "", response.response.additional_response)
    else:
        state, error = PaymentState.APPROVED, None
    amounts, poi = response.amounts, response.poi_transaction
    finish(
        turn,
        state,
        error,
        card=card_from(response.card),
        authorized_amount=amounts.authorized_amount if amounts else None,
        tip_amount=amounts.tip_amount if amounts else None,
        approval_code=response.approval_code,
        poi_transaction=POITransaction(poi.transaction_id, poi.timestamp) if poi else None,
        receipts=receipts_from(response.receipts),
    )


def finish(turn: Turn, state: PaymentState, error: Problem | None, **found: object) -> None:
    """Make the payment final and the lane free."""
    prompts.close(turn, None, "terminal")
    settled = turn.change_payment(state=state, error=error, **found)
    turn.change(
        payment=None,
        order=None,
        attempt=None,
        settled=settled,
        sent=False,
        running=True,
        asking=None,
        not_found_at=None,
        sessions_missing=0,
        aborts_left=0,
        ask_at=None,
        abort_at=None,
        retry_at=None,
        give_up_at=None,
    )
    if turn.state.stopping:
        session.leave(turn)
    elif turn.state.logged_in:
        turn.change(phase=Phase.READY, reason="")
    elif turn.state.phase is Phase.RELOGIN:
        turn.change(phase=Phase.LOGGING_IN)  # its Login is still out
    else:
        turn.change(phase=Phase.OFFLINE, reason="no_session", login_at=turn.now.monotonic)
