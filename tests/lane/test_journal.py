"""The journal: all of it or nothing, and what the next life finds."""

import resource
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lanes
import pytest
from journals import changed, contents, opened, rows

from laned.journal.store import SCHEMA_VERSION, Journal, JournalError
from laned.lane import effects as fx
from laned.lane.payment import PaymentState, Problem
from laned.lane.start import JournalSnapshot


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    opened = Journal(path, random=999)
    yield opened
    opened.close()


# -- The file -------------------------------------------------------------------------------------


def test_the_schema(journal: Journal, path: Path) -> None:
    tables = rows(path, "SELECT name, strict FROM pragma_table_list WHERE schema = 'main'")
    ours = {name: strict for name, strict in tables if not name.startswith("sqlite_")}
    assert ours == dict.fromkeys(
        ("meta", "payments", "attempts", "changes", "foreign_transactions"), 1
    )
    assert rows(path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]


def test_every_commit_is_on_disk_when_write_returns(journal: Journal, path: Path) -> None:
    assert rows(path, "PRAGMA journal_mode") == [("wal",)]
    db = journal._db
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL: each commit is synced
    assert db.execute("PRAGMA foreign_keys").fetchone() == (1,)
    journal.write([opened()])
    assert rows(path, "SELECT id FROM payments") == [("a",)]


def test_the_folder_is_made(tmp_path: Path) -> None:
    Journal(tmp_path / "one" / "two" / "j.sqlite3", 1).close()
    assert (tmp_path / "one" / "two" / "j.sqlite3").exists()


def test_a_second_daemon_is_refused_and_the_first_not_disturbed(
    journal: Journal, path: Path
) -> None:
    with pytest.raises(JournalError, match="another laned") as refused:
        Journal(path, 1)
    assert str(path) in str(refused.value)
    journal.write([opened()])
    assert journal.find("a") is not None


def test_a_closed_journal_can_be_opened_again(journal: Journal, path: Path) -> None:
    journal.write([opened()])
    journal.close()
    again = Journal(path, 1)
    assert again.find("a") is not None
    again.close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "journal.sqlite3"
    with pytest.raises(JournalError, match="cannot open") as refused:
        Journal(path, 1)
    assert str(path) in str(refused.value)


def test_a_path_that_is_a_folder_is_named(path: Path) -> None:
    path.mkdir()
    for _ in range(2):  # the lock is let go
        with pytest.raises(JournalError, match="cannot open") as refused:
            Journal(path, 1)
        assert str(path) in str(refused.value)


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    Journal(path, 1).close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    db.close()
    before = contents(path)
    for _ in range(2):
        with pytest.raises(JournalError) as refused:
            Journal(path, 1)
        message = str(refused.value)
        assert str(path) in message
        assert f"schema version {SCHEMA_VERSION + 1}" in message
    assert contents(path) == before


@pytest.mark.parametrize("where", ["the header", "a page"])
def test_damage_is_found_at_start(path: Path, where: str) -> None:
    journal = Journal(path, 1)
    for n in range(200):
        journal.write([opened(f"p{n}"), changed(f"p{n}")])
    journal.close()
    content = bytearray(path.read_bytes())
    at = 0 if where == "the header" else len(content) // 2
    content[at : at + 2000] = b"\xa5" * 2000
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(JournalError) as refused:
            Journal(path, 1)
        assert str(path) in str(refused.value)
        assert "another laned" not in str(refused.value)


# -- All or nothing -------------------------------------------------------------------------------


class Failing:
    """A connection whose `fail_at`th statement fails, as on a full or broken disk."""

    def __init__(self, db: sqlite3.Connection, fail_at: int) -> None:
        self._db = db
        self._left = fail_at
        self.failed_at = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    def execute(self, sql: str, *values: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            self.failed_at = sql.split()[0]
            raise sqlite3.OperationalError("disk I/O error")
        return self._db.execute(sql, *values)


STEP: list[fx.Entry] = [
    fx.ServiceIDsReserved(1100),
    changed(),
    fx.AttemptOpened("a", lanes.paying().state.attempt),  # type: ignore[arg-type]
    fx.TerminalSeen("192.0.2.15:11000", "serial-1", "auto"),
]


def test_a_write_that_fails_anywhere_leaves_nothing(journal: Journal, path: Path) -> None:
    journal.write([opened()])
    before, real = contents(path), journal._db
    failed_at = []
    for fail_at in range(1, 100):
        failing = Failing(real, fail_at)
        journal._db = failing  # type: ignore[assignment]
        try:
            journal.write(STEP)
        except JournalError as error:
            failed_at.append(failing.failed_at)
            assert str(path) in str(error)  # noqa: PT017
            assert "disk I/O error" in str(error)  # noqa: PT017
            assert contents(path) == before
            assert not real.in_transaction, f"the transaction is open after {failing.failed_at}"
        else:
            break
    assert failed_at[0] == "BEGIN"
    assert failed_at[-1] == "COMMIT"
    assert len(failed_at) >= 7
    assert contents(path) != before, "the last one was not disturbed"


def test_a_full_disk_leaves_nothing_and_the_journal_goes_on(journal: Journal, path: Path) -> None:
    journal.write([opened()])
    before = contents(path)
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalError, match="full"):
        journal.write([opened(f"p{n}") for n in range(500)])
    assert contents(path) == before
    journal._db.execute("PRAGMA max_page_count = 100000")
    journal.write([opened("b")])
    assert journal.find("b") is not None


def test_a_disk_that_is_full_at_the_commit(journal: Journal, path: Path) -> None:
    journal.write([opened()])
    before = contents(path)
    written = path.with_name(path.name + "-wal").stat().st_size
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (written + 100, hard))
    try:
        with pytest.raises(JournalError, match="cannot write"):
            journal.write([opened("b")])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert contents(path) == before
    journal.write([opened("c")])
    assert journal.find("c") is not None


def test_what_must_never_be_is_no_condition_of_the_disk(journal: Journal, path: Path) -> None:
    journal.write([opened()])
    before = contents(path)
    with pytest.raises(sqlite3.IntegrityError):
        journal.write([opened("b"), opened("a")])
    with pytest.raises(AssertionError):
        journal.write([opened("b"), changed("z")])
    with pytest.raises(sqlite3.IntegrityError):
        journal.write([opened("b"), *STEP[2:3], *STEP[2:3]])
    assert contents(path) == before


# -- The next life --------------------------------------------------------------------------------


def test_a_new_journal_starts_its_service_ids_at_random(journal: Journal, path: Path) -> None:
    assert journal.past() == JournalSnapshot(next_service_id=1000, surveyed=False)
    journal.write([fx.ServiceIDsReserved(1100)])
    journal.close()
    again = Journal(path, random=5)
    assert again.past() == JournalSnapshot(next_service_id=1100, surveyed=False)
    again.close()


def test_lives_are_counted(journal: Journal, path: Path) -> None:
    assert journal.life == 1
    journal.close()
    for life in (2, 3):
        again = Journal(path, 5)
        assert again.life == life
        again.close()


@pytest.mark.parametrize(
    "make",
    [make for makers in lanes.MAKERS.values() for make in makers if make is not lanes.broken],
    ids=lambda make: make.__name__,
)
def test_what_a_crash_leaves_behind(journal: Journal, path: Path, make: lanes.Make) -> None:
    lane = make()
    if lane.past.surveyed:
        journal.write([fx.Surveyed()])
    journal.write(lane.entries)
    journal.close()
    again = Journal(path, 5)
    past = again.past()
    again.close()
    assert past == lanes.past_of(lane)
    assert past.payment == lane.state.payment
    assert past.attempt == lane.state.attempt


def test_a_finished_payment_is_not_left_behind(journal: Journal) -> None:
    lane = lanes.paying()
    lane.do(lane.answered())
    journal.write([fx.Surveyed(), *lane.entries])
    assert journal.past() == lanes.past_of(lane)
    assert journal.past().payment is None
    stored = journal.find("a")
    assert stored is not None
    assert stored.payment == lane.payment


def test_the_newest_attempt_is_the_one_that_counts(journal: Journal) -> None:
    lane = lanes.retrying().wait(2.0)
    journal.write(lane.entries)
    past = journal.past()
    assert past.attempt == lane.state.attempt
    assert past.attempt is not None
    assert past.attempt.refused is None


def test_every_change_is_kept_in_order(journal: Journal, path: Path) -> None:
    error = Problem("Refusal", "no")
    ended = changed(state=PaymentState.DECLINED, abort_requested=True, error=error)
    journal.write([opened()])
    journal.write([changed(signature="declined")])
    journal.write([ended])
    found = rows(path, "SELECT state, abort_requested, signature, error FROM changes ORDER BY seq")
    assert found == [
        ("pending", 0, None, None),
        ("processing", 0, "declined", None),
        ("declined", 1, None, "Refusal: no"),
    ]
