"""What a journal is given in tests, and what another process reads of it."""

import sqlite3
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from lanes import BEGIN, order, replace

from laned.lane import effects as fx
from laned.lane.payment import Payment, PaymentState


def payment(payment_id: str = "a", **changes: Any) -> Payment:
    made = Payment(
        id=payment_id,
        type="payment",
        amount=Decimal("100.00"),
        currency="SEK",
        state=PaymentState.PENDING,
        created_at=BEGIN,
        updated_at=BEGIN,
    )
    return replace(made, **changes)


def opened(payment_id: str = "a", **changes: Any) -> fx.PaymentOpened:
    return fx.PaymentOpened(payment(payment_id, **changes), order(payment_id))


def changed(payment_id: str = "a", **changes: Any) -> fx.PaymentChanged:
    later = {"state": PaymentState.PROCESSING, "updated_at": BEGIN + timedelta(seconds=1)}
    return fx.PaymentChanged(payment(payment_id, **(later | changes)))


def rows(path: Path, sql: str) -> list[Any]:
    """What another process reads."""
    db = sqlite3.connect(path)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def contents(path: Path) -> dict[str, list[Any]]:
    """The whole file's content."""
    tables = [name for (name,) in rows(path, "SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {table: rows(path, f"SELECT * FROM {table}") for table in tables}
