"""What a journal says of its payments, and whether a till asks for the same again."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from journals import changed, opened, payment
from lanes import order

from laned.journal.store import MAX_PAGE, Journal, Stored, content_hash
from laned.lane.payment import PaymentState, POITransaction


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal(tmp_path / "journal.sqlite3", random=999)
    yield opened
    opened.close()


# -- Looking things up ----------------------------------------------------------------------------


def test_find_gives_the_payment_as_it_stands(journal: Journal) -> None:
    assert journal.find("a") is None
    journal.write([opened()])
    journal.write([changed(authorized_amount=Decimal("100.00"))])
    stored = journal.find("a")
    assert stored is not None
    assert stored.payment == changed(authorized_amount=Decimal("100.00")).payment
    assert stored.fingerprint == order().fingerprint


def test_a_pruned_payment_keeps_what_stays_for_ever(journal: Journal) -> None:
    journal.write([opened(), changed(state=PaymentState.APPROVED, approval_code="A1")])
    journal._db.execute("UPDATE payments SET document = NULL")
    stored = journal.find("a")
    assert stored is not None
    assert stored.payment == changed(state=PaymentState.APPROVED).payment
    assert stored.same(order())


def test_payments_newest_first_and_page_by_page(journal: Journal) -> None:
    for n in range(7):
        journal.write([opened(f"p{n}")])
        if n % 2:
            journal.write([changed(f"p{n}", state=PaymentState.APPROVED)])

    def ids(state: PaymentState | None, limit: int, before: str | None) -> list[str]:
        found = journal.payments(state, limit, before)
        assert found is not None
        return [one.id for one in found]

    assert ids(None, 100, None) == ["p6", "p5", "p4", "p3", "p2", "p1", "p0"]
    assert ids(None, 3, None) == ["p6", "p5", "p4"]
    assert ids(None, 3, "p4") == ["p3", "p2", "p1"]
    assert ids(None, 3, "p0") == []
    assert ids(PaymentState.APPROVED, 2, None) == ["p5", "p3"]
    assert ids(PaymentState.APPROVED, 2, "p3") == ["p1"]
    assert ids(PaymentState.FAILED, 9, None) == []
    assert journal.payments(None, 3, "nobody") is None


def test_a_page_has_a_limit(journal: Journal) -> None:
    journal.write([opened(f"p{n}") for n in range(MAX_PAGE + 1)])
    found = journal.payments(None, 10**9, None)
    assert found is not None
    assert len(found) == MAX_PAGE


def test_whose_a_poi_transaction_is(journal: Journal) -> None:
    journal.write([opened(), opened("b")])
    assert journal.owner_of("poi-1") is None
    poi = POITransaction("poi-1", "2025-06-07T10:09:10+02:00")
    journal.write([changed("b", state=PaymentState.APPROVED, poi_transaction=poi)])
    assert journal.owner_of("poi-1") == "b"


# -- The same again -------------------------------------------------------------------------------


def stored(**asked: Any) -> Stored:
    one = order(**asked)
    return Stored(payment(), one.fingerprint, content_hash(one))


@pytest.mark.parametrize(
    ("asked", "again", "same"),
    [
        ({}, {}, True),
        ({}, {"fingerprint": "said otherwise, meant the same"}, True),
        ({"fingerprint": "f"}, {"fingerprint": "f", "currency": "NOK"}, True),
        ({"fingerprint": "f"}, {"fingerprint": "f", "confirm": "button"}, True),
        ({"fingerprint": "f"}, {"fingerprint": "g", "currency": "NOK"}, False),
        ({"fingerprint": "f"}, {"fingerprint": "g", "confirm": "button"}, False),
        ({}, {"amount": "100.01"}, False),
        ({}, {"type": "refund"}, False),
        ({}, {"cash_back": Decimal(5)}, False),
        ({}, {"reference": "PO 7"}, False),
        ({}, {"token": True}, False),
    ],
    ids=str,
)
def test_the_same_again_also_when_the_defaults_have_changed(
    asked: dict[str, Any], again: dict[str, Any], same: bool
) -> None:
    assert stored(**asked).same(order(**again)) is same
