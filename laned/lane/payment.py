"""A payment as the till sees it and as the journal keeps it: one object for both.

The fields and their meaning are the contract's ("Payment", "States"). What the lane needs beside
them while a payment is unfinished (`Order`, `Attempt`) is kept apart.
"""

import re
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Literal

from msgspec import Struct

from laned.config.schema import decimals
from laned.nexo.messages import CardData, Category, Receipt, ReversalReason


class PaymentState(StrEnum):
    """Where a payment stands."""

    PENDING = "pending"
    PROCESSING = "processing"
    UNKNOWN = "unknown"
    APPROVED = "approved"
    DECLINED = "declined"
    ABORTED = "aborted"
    FAILED = "failed"
    REVERSED = "reversed"


FINAL = frozenset(
    {
        PaymentState.APPROVED,
        PaymentState.DECLINED,
        PaymentState.ABORTED,
        PaymentState.FAILED,
        PaymentState.REVERSED,
    }
)

BRAND_NUMBER: Final = re.compile(r"^\d+,(?=.)")
"""The terminal writes a brand's number before its name: ``01,Mastercard Debit``."""

PaymentKind = Literal["payment", "refund"]
Confirm = Literal["none", "button"]
Signature = Literal["approved", "declined"]


class Order(Struct, frozen=True, kw_only=True):
    """What a till asked for, defaults filled in. `id` is the till's own, unique for ever.

    `fingerprint` is of what the till itself wrote, before the defaults were filled in: a till that
    repeats itself is understood even when the configuration's defaults have changed meanwhile.
    """

    id: str
    type: PaymentKind
    amount: Decimal
    currency: str
    cash_back: Decimal | None = None
    confirm: Confirm = "none"
    reference: str | None = None
    token: bool = False
    fingerprint: str = ""


class ReversalOrder(Struct, frozen=True):
    """What a till asked for: the approved payment is to be reversed."""

    reason: ReversalReason


class Attempt(Struct, frozen=True, kw_only=True):
    """One try at the terminal, as it was sent: money rule 2 compares answers with it.

    `category` is Payment or Reversal; a reversal has no TransactionID of ours on the wire. `serial`
    is the terminal that it was sent to, `refused` the condition with which the terminal's response
    itself turned it away (Busy, NotAllowed, LoggedOut), `session_lost` whether the terminal lost
    its login session since.
    """

    category: Category
    service_id: str
    transaction_id: str
    sale_id: str
    poi_id: str
    address: str
    serial: str
    refused: str | None = None
    session_lost: bool = False


class AttemptIDs(Struct, frozen=True):
    """An attempt as the till sees it."""

    service_id: str
    transaction_id: str


class Problem(Struct, frozen=True):
    """Why something did not end well: nexo's ErrorCondition or one of laned's own, and a text."""

    condition: str
    message: str = ""


class Card(Struct, frozen=True, kw_only=True):
    """The card as the terminal described it; the PAN is always masked, the brand is its name."""

    brand: str
    masked_pan: str
    entry_mode: str
    token: str | None = None


class POITransaction(Struct, frozen=True):
    """The terminal's own identity of the transaction; `timestamp` verbatim."""

    id: str
    timestamp: str


class ReceiptText(Struct, frozen=True):
    """A receipt: printable lines, and the terminal's document they came from."""

    lines: tuple[str, ...]
    data: dict[str, Any] | None = None


class Receipts(Struct, frozen=True):
    """The customer's and the merchant's receipt, as far as the terminal sent them."""

    customer: ReceiptText | None = None
    merchant: ReceiptText | None = None


class Reversal(Struct, frozen=True, kw_only=True):
    """A reversal of an approved payment."""

    state: Literal["processing", "done", "refused", "unknown"]
    reason: ReversalReason
    error: Problem | None = None
    receipts: Receipts = Receipts()


class Resolved(Struct, frozen=True):
    """A person's verdict on an unknown payment."""

    by: int
    note: str
    at: datetime


class Payment(Struct, frozen=True, kw_only=True):
    """A payment or refund, as every answer, event and journal row shows it."""

    id: str
    type: PaymentKind
    amount: Decimal
    currency: str
    cash_back: Decimal | None = None
    state: PaymentState
    abort_requested: bool = False
    created_at: datetime
    updated_at: datetime
    attempts: tuple[AttemptIDs, ...] = ()
    error: Problem | None = None
    instrument: str | None = None
    card: Card | None = None
    authorized_amount: Decimal | None = None
    tip_amount: Decimal | None = None
    approval_code: str | None = None
    poi_transaction: POITransaction | None = None
    receipts: Receipts = Receipts()
    signature: Signature | None = None
    reversal: Reversal | None = None
    resolved: Resolved | None = None
    set_aside_at: datetime | None = None

    @property
    def unknown(self) -> bool:
        """Whether the terminal may have done it, or reversed it, and does not say."""
        if self.reversal is not None:
            return self.reversal.state == "unknown"
        return self.state is PaymentState.UNKNOWN

    @property
    def approved(self) -> bool:
        """Whether it was approved as far as the till was told, and stands."""
        return self.state is PaymentState.APPROVED

    @property
    def unsigned(self) -> bool:
        """Whether the terminal has charged it, and nobody has said yet that the signature is good.

        Only in light integration (money rule 9).
        """
        told = self.poi_transaction is not None or self.receipts.merchant is not None
        return self.state is PaymentState.PROCESSING and told and self.reversal is None

    @property
    def reversing_unsigned(self) -> bool:
        """Whether it is being reversed because its signature was declined, not by a till's wish."""
        reversing = self.reversal is not None and self.reversal.state in ("processing", "unknown")
        return reversing and not self.approved

    @property
    def final(self) -> bool:
        """Whether the payment's outcome is known and nothing of it runs any more."""
        return self.state in FINAL and (
            self.reversal is None or self.reversal.state in ("done", "refused")
        )

    @property
    def settled(self) -> bool:
        """Whether nothing is waited for any more: it is final, or set aside (money rule 14)."""
        return self.final or self.set_aside_at is not None


def card_from(data: CardData | None) -> Card | None:
    """The till's view of the terminal's CardData."""
    if data is None:
        return None
    return Card(
        brand=BRAND_NUMBER.sub("", data.brand),
        masked_pan=data.masked_pan,
        entry_mode=data.entry_mode,
        token=data.token,
    )


def receipts_from(receipts: tuple[Receipt, ...]) -> Receipts:
    """The till's view of the terminal's receipts; the first of each kind counts."""
    found: dict[str, ReceiptText] = {}
    for receipt in receipts:
        found.setdefault(receipt.qualifier, ReceiptText(receipt.lines, receipt.data))
    return Receipts(
        customer=found.get("CustomerReceipt"),
        merchant=found.get("CashierReceipt"),
    )


def as_written(amount: Decimal | None, currency: str) -> Decimal | None:
    """Give an amount of the terminal's its currency's decimals: 38 is 38.00.

    One with more decimals than that stays what it is.
    """
    if amount is None:
        return None
    written = amount.quantize(Decimal(1).scaleb(-decimals(currency)))
    return written if written == amount else amount
