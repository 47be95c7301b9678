"""The journal's health is found out before a customer does, both ways: by disks, full and not."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
from disks import fill, make_read_only, needs_mount, small_disk
from trio.testing import MockClock

from laned.journal.health import LOOK_EVERY, watch
from laned.journal.store import Journal, JournalError
from laned.offload import in_line


class Lane:
    """What a lane knows of its journal, and what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    @property
    def health(self) -> str:
        return self.told[-1] if self.told else "ok"


@contextmanager
def opened(folder: Path) -> Iterator[Journal]:
    journal = Journal(folder / "journal.sqlite3", 1)
    try:
        yield journal
    finally:
        journal.close()


@needs_mount
async def test_a_full_disk_is_told_while_nobody_pays(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    lane = Lane()
    with small_disk(tmp_path / "disk") as disk, opened(disk) as journal:
        journal.make_room()
        async with trio.open_nursery() as nursery:
            look = partial(watch, journal, in_line, lambda: lane.health, lane.told.append)
            nursery.start_soon(look)
            await trio.sleep(2.5 * LOOK_EVERY)
            assert lane.told == []
            taken = fill(disk)
            await trio.sleep(LOOK_EVERY)
            assert lane.told == ["full"]
            await trio.sleep(2 * LOOK_EVERY)
            taken.unlink()
            await trio.sleep(LOOK_EVERY)
            assert lane.told == ["full", "ok"]
            nursery.cancel_scope.cancel()


@needs_mount
async def test_a_full_disk_is_told_at_the_start(tmp_path: Path, autojump_clock: MockClock) -> None:
    """What is left takes what was begun, and not the ballast of another payment."""
    lane = Lane()
    with small_disk(tmp_path / "disk") as disk, opened(disk) as journal:
        (disk / "most").write_bytes(bytes(7 * 1024 * 1024))
        with trio.move_on_after(1):
            await watch(journal, in_line, lambda: lane.health, lane.told.append)
        assert lane.told == ["full"]


@needs_mount
def test_a_disk_that_is_read_only(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        with opened(disk) as journal:
            journal.probe()
            journal.make_room()
        make_read_only(disk)
        with pytest.raises(JournalError, match="read only") as raised:
            journal.probe()
        assert raised.value.condition == "read_only"


def test_a_look_writes_nothing(tmp_path: Path) -> None:
    """Not to the card; and it takes no room that an outcome may need."""
    with opened(tmp_path) as journal:
        journal.make_room()
        before = {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
        journal.probe()
        assert {file: file.stat().st_mtime_ns for file in tmp_path.iterdir()} == before
        journal.release_ballast()
        journal.probe(by_writing=True)
        assert not (tmp_path / "journal.sqlite3.ballast").exists()
        rows = journal._db.execute("SELECT COUNT(*) FROM meta WHERE key = 'probe'").fetchone()
        assert rows == (0,)
