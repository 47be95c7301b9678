"""The terminal's books beside the journal: what was charged, and what the tills were told."""

from collections.abc import Iterable

from laned.lane.payment import Payment
from laned.simulator import State, Terminal


def compare(
    terminal: Terminal, payments: Iterable[Payment], *, unknown: set[str], lost: set[str]
) -> None:
    """Every payment is final and charged as it says, and nothing else is.

    `unknown` are the payments that rightly are not final, `lost` those of a journal that is gone.
    """
    # With texts of their own: pytest explains only the assertions in test modules.
    charged = {entry.sale_transaction_id: entry for entry in terminal.ledger.charged()}
    assert len(charged) == len(terminal.ledger.charged())
    for payment in payments:
        assert payment.final or payment.id in unknown, f"{payment.id} is {payment.state}"
        found = [
            charged.pop(ids.transaction_id)
            for ids in payment.attempts
            if ids.transaction_id in charged
        ]
        if payment.id in unknown or payment.resolved is not None:
            continue  # what a person says is that person's
        if payment.state != "approved":
            assert found == [], f"{payment.id} is {payment.state}, and was charged"
            continue
        (entry,) = found
        assert payment.poi_transaction is not None
        assert entry.poi_transaction_id == payment.poi_transaction.id
        assert entry.timestamp == payment.poi_transaction.timestamp
        assert (entry.amount, entry.currency) == (payment.amount, payment.currency)
        assert entry.type == ("Refund" if payment.type == "refund" else "Normal")
        assert entry.amount + entry.tip == payment.authorized_amount
    for transaction in list(charged):
        if transaction.rpartition(".")[0] in lost:
            del charged[transaction]
    assert not charged, f"charged, and not approved in the journal: {list(charged)}"
    assert all(entry.state is not State.RUNNING for entry in terminal.ledger)
