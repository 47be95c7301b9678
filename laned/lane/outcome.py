"""What an answer of the terminal means for the payment or its reversal: money rules 6, 7, 10."""

from decimal import Decimal

import msgspec

from laned.lane import prompts, session, status
from laned.lane.buttons import between_attempts
from laned.lane.payment import (
    Payment,
    PaymentState,
    POITransaction,
    Problem,
    as_written,
    card_from,
    receipts_from,
    settles,
)
from laned.lane.state import Phase, Verdict
from laned.lane.turn import Turn
from laned.nexo.messages import (
    ErrorCondition,
    PaymentResponse,
    Response,
    Result,
    ReversalResponse,
)

AttemptResponse = PaymentResponse | ReversalResponse

FOREIGN_TRANSACTION = "ForeignTransaction"
UNKNOWN_RESULT = "UnknownResult"
AMOUNT_MISMATCH = "AmountMismatch"
REVERSAL_REFUSED = "ReversalRefused"

VERDICTS = 8  # payments resolved by a person of which an answer is still waited for

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


def mismatch(payment: Payment, response: AttemptResponse, poi_owner: str | None) -> Problem | None:
    """Why an answer cannot be this payment's, or None (money rules 2 and 6)."""
    result = response.response.result
    if poi_owner not in (None, payment.id):
        return Problem(FOREIGN_TRANSACTION, f"its POITransactionID is payment {poi_owner}'s")
    if result == Result.FAILURE:
        return None
    if result != Result.SUCCESS:
        return Problem(UNKNOWN_RESULT, f"the terminal says {result!r}")
    if isinstance(response, PaymentResponse) and not settles(
        payment.amount, payment.currency, response.amounts
    ):
        amounts = response.amounts
        found = "no amount"
        if amounts is not None:
            found = f"{amounts.authorized_amount} {amounts.currency or payment.currency}"
            found += f", of it {amounts.tip_amount or Decimal(0)} tip"
        wanted = f"{payment.amount} {payment.currency}"
        return Problem(AMOUNT_MISMATCH, f"asked for {wanted}, the terminal says {found}")
    return None


def conclude(turn: Turn, response: AttemptResponse) -> None:
    """End what is unfinished as the terminal's own final answer says."""
    error = problem(response.response)
    if isinstance(response, PaymentResponse):
        finish(turn, error=error, **told(turn.payment, response))
    else:
        end_reversal(turn, error, response)


def problem(response: Response) -> Problem | None:
    """A Failure in the till's words."""
    if response.result != Result.FAILURE:
        return None
    return Problem(response.error_condition or "", response.additional_response)


def told(payment: Payment, response: PaymentResponse) -> dict[str, object]:
    """A payment's fields as a PaymentResponse gives them."""
    state = PaymentState.APPROVED
    if response.response.result == Result.FAILURE:
        condition = response.response.error_condition
        state = state_for(condition, abort_requested=payment.abort_requested)
        if payment.signature == "declined":
            state = PaymentState.DECLINED  # whatever the terminal calls it: money rule 9
    amounts, poi = response.amounts, response.poi_transaction
    return {
        "state": state,
        "card": card_from(response.card),
        "authorized_amount": as_written(amounts.authorized_amount, payment.currency)
        if amounts
        else None,
        "tip_amount": as_written(amounts.tip_amount, payment.currency) if amounts else None,
        "approval_code": response.approval_code,
        "poi_transaction": POITransaction(poi.transaction_id, poi.timestamp) if poi else None,
        "receipts": receipts_from(response.receipts),
    }


def end_reversal(
    turn: Turn,
    error: Problem | None,
    response: ReversalResponse | None = None,
    **changes: object,
) -> None:
    """The reversal is done, or was refused and the payment stays approved (money rule 10)."""
    finish(turn, **reversal_told(turn.payment, error, response), **changes)


def reversal_told(
    payment: Payment, error: Problem | None, response: ReversalResponse | None
) -> dict[str, object]:
    """A payment's fields when its reversal is done or, because of `error`, was refused.

    That of a payment which was never approved for want of a signature makes it `declined`.
    """
    reversal = payment.reversal
    assert reversal is not None
    stood = payment.state in (PaymentState.APPROVED, PaymentState.REVERSED)
    unsigned = not stood and payment.signature == "declined"
    ended = msgspec.structs.replace(
        reversal,
        state="done" if error is None else "refused",
        error=error,
        receipts=receipts_from(response.receipts if response is not None else ()),
    )
    if error is None:
        state = PaymentState.DECLINED if unsigned else PaymentState.REVERSED
        return {"state": state, "reversal": ended}
    told: dict[str, object] = {"state": PaymentState.APPROVED, "reversal": ended}
    if unsigned:
        message = f"the signature was declined, and the reversal refused: {error.condition}"
        told["error"] = Problem(REVERSAL_REFUSED, f"{message} {error.message}".rstrip())
    return told


def did_not_happen(turn: Turn, error: Problem) -> None:
    """End what is unfinished: it certainly did not happen, and may be asked for anew.

    A payment whose signature was declined is not approved because the terminal was too busy or
    away: its reversal is tried until the terminal or a person decides (money rule 9).
    """
    if turn.payment.taken_back:
        if not between_attempts(turn.state):
            turn.change_attempt(refused=error.condition)
        _take_back_later(turn, error)
    elif turn.state.reversing:
        end_reversal(turn, error)
    else:
        finish(turn, state=PaymentState.FAILED, error=error)


def _take_back_later(turn: Turn, error: Problem) -> None:
    status.not_known(turn, error)
    turn.change(asking=None, ask_at=None, retry_at=None, give_up_at=None, sessions_missing=0)
    if turn.state.phase is not Phase.RELOGIN:  # else the Login that is out decides
        retry_at = turn.now.monotonic + status.SLOW_INTERVAL
        turn.change(phase=Phase.RETRYING, retry_at=retry_at)


def cancel(turn: Turn) -> None:
    """End a payment that is not at the terminal."""
    refused = between_attempts(turn.state)
    message = "between two attempts" if refused else "before the terminal was asked"
    finish(turn, state=PaymentState.ABORTED, error=Problem("Aborted", message))


def finish(turn: Turn, **changes: object) -> None:
    """Make the payment final with these `changes`, and the lane free."""
    prompts.close(turn, None, "terminal")
    settled = turn.change_payment(**changes)
    if "resolved" in changes:
        post_open = turn.state.post_open and turn.state.sent
        verdict = Verdict(settled, turn.attempt, post_open)
        turn.change(verdicts=(*turn.state.verdicts, verdict)[-VERDICTS:])
    login_out = turn.state.login_out or turn.state.phase is Phase.RELOGIN
    if not login_out:
        turn.change(login_to="")
        if turn.state.attempt is not None and not session.made_for(turn, turn.state.attempt):
            turn.change(logged_in=False)
    turn.change(
        payment=None,
        order=None,
        attempt=None,
        settled=settled,
        sent=False,
        post_open=False,
        login_out=False,
        running=True,
        asking=None,
        ask_for_last=False,
        watched=False,
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
        session.ready(turn)
    elif login_out:
        turn.change(phase=Phase.LOGGING_IN)
    else:
        turn.change(phase=Phase.OFFLINE, reason="no_session", login_at=turn.now.monotonic)
