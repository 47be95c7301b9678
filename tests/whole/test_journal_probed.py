"""A lane whose journal is looked at while nobody pays."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock
from wholelane import Rig, lane

from laned.config.file import parse
from laned.daemon import _until_usable, open_journal
from laned.journal.health import LOOK_EVERY, watch
from laned.journal.store import BrokenJournal, Journal
from laned.lane import events as ev
from laned.offload import in_line

NEEDED = 'terminal.address = "127.0.0.1:9"\nterminal.poi_id = "A"'


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[Rig]:
    async with lane(folder) as rig, trio.open_nursery() as nursery:
        runner = rig.lane.runner
        assert isinstance(rig.journal, Journal)
        nursery.start_soon(
            watch,
            rig.journal,
            in_line,
            lambda: runner.state.journal,
            lambda health: runner.submit_nowait(ev.JournalReported(health)),
        )
        yield rig
        nursery.cancel_scope.cancel()


async def test_what_cannot_grow_is_full_until_it_can(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """As a quota does it, which the disk's room does not show: learnt by a PUT, and unlearnt."""
    async with watched(tmp_path) as rig, rig.stream() as stream:
        rig.lane.runner.submit_nowait(ev.JournalReported("full"))
        (pages,) = rig.db.execute("PRAGMA page_count").fetchone()
        rig.db.execute(f"PRAGMA max_page_count = {pages}")
        await trio.sleep(4 * LOOK_EVERY)
        assert (await rig.view())["journal"] == "full"
        rig.db.execute("PRAGMA max_page_count = 1000000")
        await stream.until("journal", journal="ok")


async def test_a_new_journal_stays_new(tmp_path: Path, autojump_clock: MockClock) -> None:
    Journal(tmp_path / "journal.sqlite3", 1).close()
    (tmp_path / "journal.sqlite3").unlink()
    async with watched(tmp_path) as rig:
        await trio.sleep(3 * LOOK_EVERY)
        assert (await rig.view())["journal"] == "new"


@pytest.mark.parametrize("again", [True, False])
async def test_a_lane_begins_anew_when_a_journal_of_the_start_can_be_used(
    tmp_path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, again: bool
) -> None:
    in_the_way = tmp_path / "folder"
    in_the_way.touch()
    config = parse(f'{NEEDED}\njournal.path = "{in_the_way}/journal"', "laned.toml", {})
    assert isinstance(open_journal(config), BrokenJournal)
    with trio.move_on_after(10 * LOOK_EVERY) as waiting:
        await _until_usable(config, again=again)
    assert waiting.cancelled_caught
    in_the_way.unlink()
    caplog.clear()
    with trio.move_on_after(10 * LOOK_EVERY) as waiting:
        await _until_usable(config, again=again)
    assert waiting.cancelled_caught is not again
    assert "the journal can be used now" in caplog.text
    journal = open_journal(config)
    assert isinstance(journal, Journal), "and nobody holds it"
    journal.close()
