"""The books: every transaction the terminal ran and whether money moved.

They stand for the bank's books, so nothing that happens to the terminal makes them forget.
"""

from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace


class State(StrEnum):
    """What became of a transaction. Money has moved in CHARGED only."""

    RUNNING = "running"
    CHARGED = "charged"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    ABORTED = "aborted"
    REVERSED = "reversed"


class Transaction(Struct, frozen=True):
    """One payment or refund, as the terminal has it. Amounts are in the currency's main unit."""

    type: str
    """PaymentType: Normal or Refund."""
    amount: Decimal
    currency: str
    sale_transaction_id: str
    service_id: str
    sale_id: str
    poi_id: str
    poi_transaction_id: str
    timestamp: str
    """TimeStamp of POITransactionID, to be repeated verbatim."""
    state: State = State.RUNNING
    tip: Decimal = Decimal(0)


class Ledger:
    """Transactions in the order in which they began."""

    def __init__(self) -> None:
        self._entries: dict[str, Transaction] = {}

    def __iter__(self) -> Iterator[Transaction]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, transaction: Transaction) -> None:
        """Enter a transaction that begins."""
        assert transaction.poi_transaction_id not in self._entries
        self._entries[transaction.poi_transaction_id] = transaction

    def update(self, transaction: Transaction, state: State) -> Transaction:
        """Enter what became of a transaction; returns it as it now stands."""
        now = replace(self._entries[transaction.poi_transaction_id], state=state)
        self._entries[transaction.poi_transaction_id] = now
        return now

    def find(self, poi_transaction_id: str) -> Transaction | None:
        """The transaction with this POI TransactionID."""
        return self._entries.get(poi_transaction_id)

    def charged(self) -> list[Transaction]:
        """The transactions that moved money and were not reversed."""
        return [entry for entry in self if entry.state is State.CHARGED]

    def balance(self, currency: str = "SEK") -> Decimal:
        """What cardholders paid in this currency, refunds taken off, tips included."""
        return sum(
            (
                -entry.amount if entry.type == "Refund" else entry.amount + entry.tip
                for entry in self.charged()
                if entry.currency == currency
            ),
            Decimal(0),
        )
