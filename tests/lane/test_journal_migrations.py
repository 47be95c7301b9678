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
        db.execute("ALTER TABLE attempts DROP COLUMN reached")
        db.execute("PRAGMA user_version = 1")
    db.close()


def test_version_1_did_not_note_whether_the_terminal_has_an_attempt(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    version_1(path)
    before = contents(path)
    journal = Journal(path, 1)
    attempt = journal.past().attempt
    journal.close()
    assert attempt is not None
    assert attempt.reached  # so it may have it
    assert rows(path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    after = contents(path)
    assert after["payments"] == before["payments"]
    assert [row[:-1] for row in after["attempts"]] == before["attempts"]


def test_whether_the_terminal_has_an_attempt_outlives_the_daemon(tmp_path: Path) -> None:
    for shown in (False, True):
        path = tmp_path / f"{shown}.sqlite3"
        lane = lanes.paying()
        if shown:
            lane.do(lanes.shows())
        journal = Journal(path, 1)
        journal.write(lane.entries)
        attempt = journal.past().attempt
        journal.close()
        assert attempt is not None
        assert attempt == lane.state.attempt
        assert attempt.reached is shown
