"""Money rules 11 and 13: journals that are lost, full, read only or corrupt."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import lanes
import pytest
from disks import fill, make_read_only, needs_mount, small_disk
from journals import changed, contents, opened, rows

from laned.config.schema import Config, JournalConfig
from laned.daemon import open_journal
from laned.journal.store import (
    BALLAST,
    BrokenJournal,
    Journal,
    JournalBusy,
    JournalError,
    set_aside,
)
from laned.lane import effects as fx
from laned.lane.payment import PaymentState
from laned.lane.start import JournalSnapshot
from laned.nexo import messages as m


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    opened = Journal(path, random=999)
    yield opened
    opened.close()


def config(path: Path, on_corrupt: Literal["stop", "aside"] = "stop") -> Config:
    journal = JournalConfig(path=str(path), on_corrupt=on_corrupt)
    return lanes.replace(lanes.configuration(), journal=journal)


def past(path: Path) -> JournalSnapshot:
    journal = Journal(path, 1)
    try:
        return journal.past()
    finally:
        journal.close()


def with_payments(path: Path) -> None:
    journal = Journal(path, 1)
    for n in range(0, 200, 50):
        names = [f"p{k}" for k in range(n, n + 50)]
        journal.write([opened(name) for name in names])
        journal.write([changed(name, state=PaymentState.FAILED) for name in names])
    journal.close()


def damage(path: Path) -> bytes:
    content = bytearray(path.read_bytes())
    at = len(content) // 2
    content[at : at + 2000] = b"\xa5" * 2000
    path.write_bytes(content)
    return bytes(content)


# -- Lost -----------------------------------------------------------------------------------------


def test_rule_11_the_very_first_journal_is_not_in_place_of_another(path: Path) -> None:
    assert past(path) == JournalSnapshot(next_service_id=2, surveyed=False, journal="ok")
    assert past(path).journal == "ok"


@pytest.mark.parametrize("how", ["gone", "empty"])
def test_rule_11_a_lost_journal_is_known_by_its_lock(path: Path, how: str) -> None:
    journal = Journal(path, 1)
    journal.write([fx.Surveyed(), opened()])
    journal.close()
    path.unlink()
    if how == "empty":
        path.touch()
    for _ in range(2):
        assert past(path) == JournalSnapshot(next_service_id=2, surveyed=False, journal="new")
    journal = Journal(path, 1)
    assert journal.find("a") is None
    journal.write([fx.Acknowledged(), fx.Surveyed()])
    journal.close()
    assert past(path) == JournalSnapshot(next_service_id=2, surveyed=True, journal="ok")


def test_rule_11_what_the_terminal_did_before_is_kept_once(journal: Journal, path: Path) -> None:
    lane = lanes.survey()
    response = m.PaymentResponse(
        response=m.Response(result="Success"), poi_transaction=m.TransactionID("poi-older", "t")
    )
    header = m.response_header(lane.sends[-1].message.header)
    header = lanes.replace(header, category=m.Category.PAYMENT, service_id="77")
    lane.do(lane.repeated(header=header, body=response))
    (seen,) = [entry for entry in lane.entries if isinstance(entry, fx.ForeignSeen)]
    journal.write([seen])
    journal.write([lanes.replace(seen, seen_at=lanes.BEGIN)])
    journal.write([lanes.replace(seen, poi_transaction="poi-8")])
    found = rows(path, "SELECT serial, service_id, poi_transaction FROM foreign_transactions")
    assert found == [("", "77", "poi-older"), ("", "77", "poi-8")]


# -- Corrupt --------------------------------------------------------------------------------------


def test_rule_13_a_corrupt_journal_is_left_as_it_is(path: Path) -> None:
    with_payments(path)
    content = damage(path)
    for _ in range(2):
        journal = open_journal(config(path))
        assert isinstance(journal, BrokenJournal)
        assert journal.past().journal == "corrupt"
        journal.close()
        assert path.read_bytes() == content


@pytest.mark.parametrize("content", [b"no database at all", b"SQLite format 3\0" + b"\xff" * 4096])
def test_rule_13_what_is_no_journal_is_corrupt(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(JournalError) as refused:
        Journal(path, 1)
    assert refused.value.condition == "corrupt"
    assert str(path) in str(refused.value)


def test_rule_13_aside_keeps_the_corrupt_one_and_begins_a_new_one(path: Path) -> None:
    with_payments(path)
    for number in (1, 2):
        content = damage(path)
        journal = open_journal(config(path, "aside"))
        assert isinstance(journal, Journal)
        assert journal.past().journal == "new"
        assert journal.find("p0") is None
        journal.close()
        kept = path.with_name(f"{path.name}.aside-{number}")
        assert kept.read_bytes() == content
        with_payments(path)


def test_rule_13_aside_moves_all_that_belongs_to_it(path: Path) -> None:
    parts = {suffix: path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")}
    for suffix, part in parts.items():
        part.write_text(suffix)
    lock = path.with_name(path.name + ".lock")
    lock.touch()
    aside = set_aside(path)
    for suffix, part in parts.items():
        assert not part.exists()
        assert aside.with_name(aside.name + suffix).read_text() == suffix
    assert lock.exists()


@pytest.mark.parametrize("on_corrupt", ["stop", "aside"])
def test_rule_13_aside_is_for_corrupt_ones_only(
    path: Path, on_corrupt: Literal["stop", "aside"]
) -> None:
    Journal(path, 1).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    journal = open_journal(config(path, on_corrupt))
    assert isinstance(journal, BrokenJournal)
    assert not list(path.parent.glob("*.aside*"))


def test_another_daemon_is_no_broken_journal(journal: Journal, path: Path) -> None:
    with pytest.raises(JournalBusy):
        open_journal(config(path, "aside"))


def test_rule_13_a_broken_journal_gives_and_takes_nothing() -> None:
    error = JournalError("j.sqlite3: damaged", "corrupt")
    broken = BrokenJournal(error)
    assert broken.past() == JournalSnapshot(next_service_id=1, journal="corrupt")
    works: list[Callable[[], object]] = [
        lambda: broken.find("a"),
        lambda: broken.payments(None, 1, None),
        lambda: broken.write([opened()]),
        lambda: broken.make_room(),
        lambda: broken.prune(1),
    ]
    for work in works:
        with pytest.raises(JournalError) as refused:
            work()
        assert refused.value is error
    broken.release_ballast()
    broken.close()


# -- Full -----------------------------------------------------------------------------------------


def test_rule_13_room_is_kept_beside_the_journal(journal: Journal, path: Path) -> None:
    ballast = path.with_name(path.name + ".ballast")
    journal.make_room()
    assert ballast.stat().st_size == BALLAST
    assert ballast.stat().st_blocks * 512 >= BALLAST, "it takes its room"
    journal.release_ballast()
    journal.release_ballast()
    assert not ballast.exists()
    ballast.write_bytes(b"a crash in the middle")
    journal.make_room()
    assert ballast.stat().st_size == BALLAST


def test_rule_13_full(journal: Journal) -> None:
    journal.write([opened()])
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalError) as refused:
        journal.write([opened(f"p{n}") for n in range(500)])
    assert refused.value.condition == "full"


def test_rule_13_read_only(journal: Journal, path: Path) -> None:
    before = contents(path)
    journal._db.execute("PRAGMA query_only = 1")
    with pytest.raises(JournalError) as refused:
        journal.write([opened()])
    assert refused.value.condition == "read_only"
    assert contents(path) == before


def test_rule_13_where_no_ballast_can_be_written(journal: Journal, path: Path) -> None:
    path.with_name(path.name + ".ballast").symlink_to("/dev/full")
    with pytest.raises(JournalError, match="ballast") as refused:
        journal.make_room()
    assert refused.value.condition == "full"


@needs_mount
def test_rule_13_the_ballast_is_what_an_outcome_needs(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        journal = Journal(disk / "j.sqlite3", 1)
        journal.make_room()
        journal.write([opened()])
        fill(disk)
        journal.make_room()  # there is room: kept
        with pytest.raises(JournalError) as refused:
            journal.write([opened(f"p{n}") for n in range(10_000)])
        assert refused.value.condition == "full"
        journal.release_ballast()
        journal.write([changed()])
        found = journal.find("a")
        assert found is not None
        assert found.payment.state is PaymentState.PROCESSING
        fill(disk)
        with pytest.raises(JournalError) as refused:
            journal.make_room()
        assert refused.value.condition == "full"
        assert not (disk / "j.sqlite3.ballast").exists()
        (disk / "full").unlink()
        journal.make_room()
        journal.close()


@needs_mount
def test_rule_13_a_full_disk_at_start(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        path = disk / "j.sqlite3"
        with_payments(path)
        full = fill(disk)
        broken = open_journal(config(path, "aside"))
        assert isinstance(broken, BrokenJournal)
        assert broken.past().journal == "full"
        full.unlink()
        journal = open_journal(config(path))
        assert journal.find("p199") is not None
        journal.close()


@needs_mount
@pytest.mark.parametrize("before", [True, False])
def test_rule_13_a_read_only_disk_at_start(tmp_path: Path, before: bool) -> None:
    with small_disk(tmp_path / "disk") as disk:
        path = disk / "j.sqlite3"
        if before:
            with_payments(path)
        make_read_only(disk)
        broken = open_journal(config(path, "aside"))
        assert isinstance(broken, BrokenJournal)
        assert broken.past().journal == "read_only"
