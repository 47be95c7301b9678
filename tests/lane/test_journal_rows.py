"""A database in good order whose rows are not what laned wrote."""

import sqlite3
from pathlib import Path

import pytest
from lanes import Lane, paying

from laned.config.file import parse
from laned.daemon import open_journal
from laned.journal.store import BrokenJournal, Journal, JournalError


def recorded(path: Path, lane: Lane) -> None:
    """Write all that the lane had recorded."""
    journal = Journal(path, 1)
    journal.write(lane.entries)
    journal.close()


def test_an_unfinished_payment_that_cannot_be_read_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    recorded(path, paying())
    with sqlite3.connect(path) as db:
        db.execute("UPDATE payments SET document = ?", (b'{"id": 7}',))
    db.close()
    journal = Journal(path, 1)
    with pytest.raises(JournalError, match="damaged") as caught:
        journal.past()
    journal.close()
    assert caught.value.condition == "corrupt"
    config = parse(
        f'[terminal]\naddress = "127.0.0.1:1"\npoi_id = "A"\n[journal]\npath = "{path}"\n', "t", {}
    )
    stand_in = open_journal(config)
    assert isinstance(stand_in, BrokenJournal)
    assert stand_in.past().journal == "corrupt"
