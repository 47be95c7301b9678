"""A journal that an earlier laned has written."""

import sqlite3
from pathlib import Path

import lanes
from journals import contents, rows

from laned.journal.store import SCHEMA_VERSION, Journal


def version_1(path: Path) -> None:
    """A journal as version 1 left it, with a payment in doubt."""
    journal = Journal(path, 1)
    journal.write(lanes.doubt().entries)
    journal.close()
    with sqlite3.connect(path) as db:
        for index in ("payments_asked_after", "changes_by_payment", "attempts_by_payment"):
            db.execute(f"DROP INDEX {index}")
        db.execute("ALTER TABLE payments DROP COLUMN set_aside")
        db.execute("ALTER TABLE payments DROP COLUMN ask_until")
        db.execute("PRAGMA user_version = 1")
    db.close()


def test_version_1_is_carried_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    version_1(path)
    before = contents(path)
    journal = Journal(path, 1)
    attempt = journal.past().attempt
    journal.close()
    assert attempt is not None
    assert rows(path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    after = contents(path)
    assert [row[:-2] for row in after["payments"]] == before["payments"]
    assert after["attempts"] == before["attempts"]
