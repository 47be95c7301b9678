"""What an answer of the terminal is worth, direct or repeated. Pure; money rules 2, 6, 7, 9, 10.

`judge` is the one place where an answer to a PaymentRequest or ReversalRequest is read. Whoever
asks does what the judgement says: `laned.lane.attempts` and `laned.lane.doubt` for what the lane is
at work on, and `laned.lane.doubt` for what a person has resolved.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from laned.lane.payment import (
    Attempt,
    Payment,
    PaymentState,
    POITransaction,
    Problem,
    as_written,
    card_from,
    receipts_from,
)
from laned.nexo.messages import (
    NO_SESSION,
    AmountsResp,
    Category,
    ErrorCondition,
    Header,
    PaymentResponse,
    Response,
    Result,
    ReversalResponse,
)

AttemptResponse = PaymentResponse | ReversalResponse

FOREIGN_ANSWER = "ForeignAnswer"
FOREIGN_TRANSACTION = "ForeignTransaction"
UNKNOWN_RESULT = "UnknownResult"
AMOUNT_MISMATCH = "AmountMismatch"
REVERSAL_REFUSED = "ReversalRefused"
LATE_ANSWER = "LateAnswer"
WRONG_ANSWERS = frozenset({FOREIGN_ANSWER, FOREIGN_TRANSACTION, UNKNOWN_RESULT, AMOUNT_MISMATCH})
SHOUTED = WRONG_ANSWERS | {LATE_ANSWER, REVERSAL_REFUSED}
"""What a person must hear of: the books may need one."""

REFUSED = NO_SESSION | {ErrorCondition.BUSY}
STATES: Mapping[str | None, PaymentState] = {
    ErrorCondition.ABORTED: PaymentState.ABORTED,
    ErrorCondition.CANCEL: PaymentState.ABORTED,
    ErrorCondition.REFUSAL: PaymentState.DECLINED,
    ErrorCondition.INVALID_CARD: PaymentState.DECLINED,
    ErrorCondition.WRONG_PIN: PaymentState.DECLINED,
    ErrorCondition.PAYMENT_RESTRICTION: PaymentState.DECLINED,
    ErrorCondition.UNREACHABLE_HOST: PaymentState.DECLINED,
    ErrorCondition.MESSAGE_FORMAT: PaymentState.FAILED,
    ErrorCondition.UNAVAILABLE_SERVICE: PaymentState.FAILED,
    ErrorCondition.UNAVAILABLE_DEVICE: PaymentState.FAILED,
    ErrorCondition.DEVICE_OUT: PaymentState.FAILED,
}
"""Money rule 7."""


class Foreign(Struct, frozen=True):
    """It is the answer to something else: nothing is decided."""

    problem: Problem


class Mismatch(Struct, frozen=True):
    """It is the attempt's, and not an answer to what was asked: money may have moved.

    `fields` is what it tells all the same, so that a person can find it in the books (rule 6).
    """

    problem: Problem
    fields: dict[str, Any]


class StillRunning(Struct, frozen=True):
    """The terminal is at it."""


class Refused(Struct, frozen=True):
    """The terminal turned the attempt away: nothing was charged by it."""

    condition: str
    message: str


class NeedsSignature(Struct, frozen=True):
    """Charged, in light integration; a person says whether the signature is good."""

    fields: dict[str, Any]


class Final(Struct, frozen=True):
    """The payment's fields as the answer decides them."""

    fields: dict[str, Any]


Judgement = Foreign | Mismatch | StillRunning | Refused | NeedsSignature | Final


def judge(
    payment: Payment,
    attempt: Attempt,
    header: Header,
    response: AttemptResponse,
    *,
    poi_owner: str | None,
    unasked: bool,
) -> Judgement:
    """Judge an answer to an attempt for a payment or its reversal.

    `poi_owner`: the payment of the journal that has its POITransactionID. `unasked`: the terminal
    cannot have asked this life for a signature.
    """
    if not is_ours(attempt, header, response):
        return Foreign(Problem(FOREIGN_ANSWER, "an answer to something else came"))
    wrong = mismatch(payment, response, poi_owner)
    if wrong is not None:
        fields = told(payment, response) if isinstance(response, PaymentResponse) else {}
        return Mismatch(wrong, fields)
    said = response.response
    if said.result == Result.FAILURE and said.error_condition == ErrorCondition.IN_PROGRESS:
        return StillRunning()
    if said.result == Result.FAILURE and said.error_condition in REFUSED:
        return Refused(said.error_condition or "", said.additional_response)
    error = problem(said)
    if isinstance(response, ReversalResponse):
        return Final(reversal_ended(payment, error, response))
    fields = {**told(payment, response), "error": error}
    if unasked and error is None and wants_signature(payment, response):
        return NeedsSignature({**fields, "state": PaymentState.PROCESSING})
    return Final(fields)


# -- Whose it is ----------------------------------------------------------------------------------


def is_ours(attempt: Attempt, header: Header, response: AttemptResponse) -> bool:
    """Whether an answer belongs to the attempt: ServiceID, SaleID, POIID and TransactionID.

    The TransactionID may be left out (money rule 2).
    """
    same = (header.service_id, header.sale_id, header.poi_id) == (
        attempt.service_id,
        attempt.sale_id,
        attempt.poi_id,
    )
    reversal = isinstance(response, ReversalResponse)
    if header.category != attempt.category or reversal != (attempt.category is Category.REVERSAL):
        return False
    if isinstance(response, ReversalResponse):
        return same  # it echoes no TransactionID
    echoed = response.sale_transaction
    return same and (echoed is None or echoed.transaction_id == attempt.transaction_id)


def mismatch(payment: Payment, response: AttemptResponse, poi_owner: str | None) -> Problem | None:
    """Say why an answer cannot be this payment's; None: it can (money rules 2 and 6)."""
    result = response.response.result
    if result == Result.FAILURE:
        return None  # it may carry anything
    if poi_owner not in (None, payment.id):
        return Problem(FOREIGN_TRANSACTION, f"its POITransactionID is payment {poi_owner}'s")
    if result != Result.SUCCESS:
        return Problem(UNKNOWN_RESULT, f"the terminal says {result!r}")
    if isinstance(response, PaymentResponse) and not amount_matches(
        payment.amount, payment.currency, response.amounts
    ):
        amounts = response.amounts
        assert amounts is not None
        found = f"{amounts.authorized_amount} {amounts.currency or payment.currency}"
        found += f", of it {amounts.tip_amount or Decimal(0)} tip"
        wanted = f"{payment.amount} {payment.currency}"
        return Problem(AMOUNT_MISMATCH, f"asked for {wanted}, the terminal says {found}")
    return None


def amount_matches(amount: Decimal, currency: str, amounts: AmountsResp | None) -> bool:
    """Whether a Success charged what was asked (money rule 6).

    AuthorizedAmount less TipAmount is the amount, and the currency is the same. What the terminal
    leaves out, the currency or all amounts, is the request's.
    """
    if amounts is None:
        return True
    charged = amounts.authorized_amount - (amounts.tip_amount or Decimal(0))
    return charged == amount and amounts.currency in (None, currency)


# -- What it says ---------------------------------------------------------------------------------


def problem(response: Response) -> Problem | None:
    """A Failure in the till's words."""
    if response.result != Result.FAILURE:
        return None
    return Problem(response.error_condition or "", response.additional_response)


def told(payment: Payment, response: PaymentResponse) -> dict[str, Any]:
    """A payment's fields as a PaymentResponse gives them."""
    state, amounts, poi = PaymentState.APPROVED, response.amounts, response.poi_transaction
    currency = payment.currency
    if response.response.result == Result.FAILURE:
        state, amounts = state_for(response.response.error_condition, payment), None
    return {
        "state": state,
        "instrument": response.instrument.lower() if response.instrument else None,
        "card": card_from(response.card),
        "authorized_amount": as_written(amounts.authorized_amount, currency) if amounts else None,
        "tip_amount": as_written(amounts.tip_amount, currency) if amounts else None,
        "approval_code": response.approval_code if state is PaymentState.APPROVED else None,
        "poi_transaction": POITransaction(poi.transaction_id, poi.timestamp) if poi else None,
        "receipts": receipts_from(response.receipts),
    }


def state_for(condition: str | None, payment: Payment) -> PaymentState:
    """The final state of a payment that the terminal answered with Failure (money rule 7)."""
    if payment.signature == "declined":
        return PaymentState.DECLINED  # whatever the terminal calls it: money rule 9
    other = PaymentState.ABORTED if payment.abort_requested else PaymentState.DECLINED
    return STATES.get(condition, other)


def not_done(payment: Payment, response: AttemptResponse) -> dict[str, Any]:
    """A payment's fields when the terminal has turned away what was asked last."""
    if isinstance(response, ReversalResponse):
        return reversal_ended(payment, problem(response.response), response)
    error = problem(response.response)
    return {**told(payment, response), "state": PaymentState.FAILED, "error": error}


def asks_for_signature(payment: Payment, response: AttemptResponse) -> bool:
    """Whether a receipt has a block for a signature that nobody has approved."""
    receipts = response.receipts if isinstance(response, PaymentResponse) else ()
    return payment.signature != "approved" and any(one.signature_block for one in receipts)


def wants_signature(payment: Payment, response: PaymentResponse) -> bool:
    """Whether an approval waits for a signature (money rule 9).

    A merchant's receipt that cannot be read says nothing: then a person is asked as well.
    """
    if payment.signature == "approved":
        return False
    merchant = [receipt for receipt in response.receipts if receipt.qualifier == "CashierReceipt"]
    return any(receipt.signature_block or receipt.data is None for receipt in merchant)


def reversal_ended(
    payment: Payment, error: Problem | None, response: ReversalResponse | None = None
) -> dict[str, Any]:
    """A payment's fields when its reversal is done or, because of `error`, was refused (rule 10).

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
    fields: dict[str, Any] = {"state": PaymentState.APPROVED, "reversal": ended}
    if unsigned:
        message = f"the signature was declined, and the reversal refused: {error.condition}"
        fields["error"] = Problem(REVERSAL_REFUSED, f"{message} {error.message}".rstrip())
    return fields
