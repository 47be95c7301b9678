"""What is set aside, on disk (money rules 13 and 14)."""

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import lanes
import pytest
from journals import contents, opened, rows
from lanes import Lane
from setaside import ASK, LOGIN, asked_about, last_question, set_aside, set_next_aside

from laned.journal.schema import MIGRATIONS, SCHEMA_VERSION
from laned.journal.store import Journal
from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.payment import PaymentState
from laned.lane.start import JournalSnapshot
from laned.lane.state import Phase
from laned.nexo import messages as m

WEEK = timedelta(days=7)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


class Disk:
    """A journal that a lane's entries go to, life after life."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = 0

    def keep(self, lane: Lane) -> JournalSnapshot:
        """Write what the lane has recorded since; what the next life is told."""
        journal = Journal(self.path, random=lanes.FIRST_SERVICE_ID - 1)
        journal.write([fx.Surveyed(), *lane.entries[self.written :]])
        self.written = len(lane.entries)
        past = journal.past()
        journal.close()
        return past

    def next_life(self, lane: Lane) -> Lane:
        """The next life after a crash."""
        past = self.keep(lane)
        life = Lane(lane.config, past, at=lane.now)
        life._tokens = lane._tokens
        life.sends[:0] = lane.sends
        self.written = 0  # of its own entries
        return life

    def prune(self, keep_days: int = 1) -> int:
        """Prune, long after everything that is in it."""
        late = lanes.BEGIN + timedelta(days=1000)
        journal = Journal(self.path, random=1)
        journal.write([opened("late", created_at=late, updated_at=late)])
        pruned = journal.prune(keep_days)
        journal.close()
        return pruned

    def asked_until(self) -> dict[str, str | None]:
        """Until when the terminal is asked after which payment."""
        return dict(rows(self.path, "SELECT id, ask_until FROM payments WHERE id != 'late'"))


@pytest.fixture
def disk(path: Path) -> Disk:
    return Disk(path)


def pursued_again() -> Lane:
    """DOUBT about payment "a", which was set aside: the terminal says that it runs."""
    lane = set_aside().then(ev.PaymentAsked(lanes.order("b")))
    return lane.then(lane.status("Busy"))


# -- Set aside ------------------------------------------------------------------------------------


def test_rule_14_what_is_set_aside_is_kept_and_not_unfinished(disk: Disk) -> None:
    lane = set_aside()
    past = disk.keep(lane)
    assert (past.payment, past.attempt, past.doubts) == (None, None, 1)
    (one,) = past.set_aside
    (was,) = lane.state.set_aside
    assert (one.payment, one.attempt, one.until) == (was.payment, was.attempt, was.until)
    assert one.payment.set_aside_at is not None
    assert one.until == one.payment.set_aside_at + WEEK
    assert disk.asked_until() == {"a": one.until.isoformat()}
    journal = Journal(disk.path, 1)
    assert journal.payments(PaymentState.UNKNOWN, 10, None) == [lane.payment]
    journal.close()


def test_rule_14_several_the_newest_last(disk: Disk) -> None:
    lane = set_next_aside(set_aside().wait(5.0))
    past = disk.keep(lane)
    assert [one.payment.id for one in past.set_aside] == ["a", "b"]
    assert (past.payment, past.doubts) == (None, 2)


def test_rule_14_a_reversal_that_is_set_aside(disk: Disk) -> None:
    past = disk.keep(set_aside(make=lanes.reversal_doubt))
    (one,) = past.set_aside
    assert one.attempt.category is m.Category.REVERSAL
    assert one.payment.reversal is not None
    told = (past.payment, one.payment.state, one.payment.reversal.state)
    assert told == (None, "approved", "unknown")


def test_rule_14_asked_after_in_the_next_life_and_decided(disk: Disk) -> None:
    lane = disk.next_life(set_aside()).then(ev.TimePassed())
    assert asked_about(lane, lane.sent_now(ASK)) == [lane.service_id()]
    lane.do(lane.repeated())
    past = disk.keep(lane)
    assert (past.set_aside, past.payment, past.doubts) == ((), None, 0)
    assert disk.asked_until() == {"a": None}
    journal = Journal(disk.path, 1)
    stored = journal.find("a")
    journal.close()
    assert stored is not None
    assert stored.payment.state is PaymentState.APPROVED
    changes = [state for (state,) in rows(disk.path, "SELECT state FROM changes ORDER BY seq")]
    assert changes == ["pending", "processing", "unknown", "approved"]


@pytest.mark.parametrize("said", ["Refusal", "Busy"])
def test_rule_14_asked_after_no_more_when_it_is_decided(disk: Disk, said: str) -> None:
    lane = disk.next_life(set_aside()).then(ev.TimePassed())
    lane.do(lane.repeated(said))
    assert disk.keep(lane).set_aside == ()
    assert disk.asked_until() == {"a": None}


def test_rule_14_what_is_pursued_again_is_unfinished(disk: Disk) -> None:
    lane = pursued_again()
    past = disk.keep(lane)
    assert past.payment == lane.payment
    assert past.attempt is not None
    assert past.attempt.service_id == lane.service_id()
    assert past.set_aside == ()
    assert disk.asked_until() == {"a": None, "b": None}
    life = disk.next_life(lane)
    assert (life.phase, life.payment.id) == (Phase.DOUBT, "a")
    last_question(life.wait(0.0)).do(life.status("NotFound"))
    past = disk.keep(life)
    assert [one.payment.id for one in past.set_aside] == ["a"]


def test_rule_14_a_reversal_that_is_asked_for_again(disk: Disk) -> None:
    lane = set_aside(make=lanes.reversal_doubt)
    lane.do(lanes.replace(lanes.resolution("approved"), payment=lane.payment))
    lane.do(lanes.reversal_of(lane.payment))
    assert lane.last.refusal is None
    lane.do(lane.left(), lane.answered())
    past = disk.keep(lane)
    assert (past.set_aside, disk.asked_until()) == ((), {"a": None})


def test_rule_14_where_a_terminal_has_moved_to(disk: Disk) -> None:
    lane = lanes.doubt()
    lane.do(ev.AddressAnnounced("192.0.2.99:11000", admitted=True))
    for _ in range(70):
        lane.do(lane.silent())
        lane.wait(2.0)
        if lane.sent(ASK)[-1].address != lane.request().address:
            break
    last_question(lane)
    past = disk.keep(lane)
    assert past.attempt is not None
    assert past.attempt.address == "192.0.2.99:11000"


def test_rule_10_nothing_is_given_back_beside_what_is_younger_and_set_aside(disk: Disk) -> None:
    lane = lanes.approved()
    lane.do(ev.PaymentAsked(lanes.order("b")))
    lane.do(lane.left(), lane.answered(amounts=None, poi_owner="z"))
    assert (lane.payment.id, lane.payment.state) == ("b", "unknown")
    disk.keep(lane)
    journal = Journal(disk.path, 1)
    assert journal.superseding("a") == "b"
    journal.close()


# -- Pruning --------------------------------------------------------------------------------------


def test_rule_13_what_is_set_aside_is_never_pruned(disk: Disk) -> None:
    past = disk.keep(set_aside())
    assert disk.prune() == 0
    journal = Journal(disk.path, 1)
    assert journal.past().set_aside == past.set_aside
    journal.close()


def test_rule_13_nor_what_a_person_resolved_and_the_terminal_did_not(disk: Disk) -> None:
    lane = set_aside()
    lane.do(lanes.replace(lanes.resolution("failed"), payment=lane.payment))
    disk.keep(lane)
    assert disk.prune() == 0


@pytest.mark.parametrize("resolved", [True, False])
def test_rule_13_until_the_terminal_has_decided_it(disk: Disk, resolved: bool) -> None:
    lane = set_aside()
    if resolved:
        lane.do(lanes.replace(lanes.resolution("failed"), payment=lane.payment))
    lane = disk.next_life(lane).then(ev.TimePassed())
    lane.do(lane.repeated())
    disk.keep(lane)
    assert disk.prune() == 1


# -- A journal of an earlier laned ----------------------------------------------------------------


def version_2(path: Path, lane: Lane) -> None:
    """A journal as version 2 left it, in the midst of what the lane does."""
    journal = Journal(path, lanes.FIRST_SERVICE_ID - 1)
    known = (fx.AskedAfter, fx.DoubtsCounted)  # not then
    journal.write([fx.Surveyed(), *(e for e in lane.entries if not isinstance(e, known))])
    journal.close()
    with sqlite3.connect(path) as db:
        for index in ("payments_asked_after", "changes_by_payment", "attempts_by_payment"):
            db.execute(f"DROP INDEX {index}")
        db.execute("ALTER TABLE payments DROP COLUMN set_aside")
        db.execute("ALTER TABLE payments DROP COLUMN ask_until")
        db.execute("ALTER TABLE attempts ADD COLUMN reached INTEGER NOT NULL DEFAULT 1")
        db.execute(
            "UPDATE payments SET document ="
            " CAST(json_remove(CAST(document AS TEXT), '$.set_aside_at') AS BLOB)"
        )
        db.execute("PRAGMA user_version = 2")
    db.close()


def columns(path: Path) -> list[tuple[str, str]]:
    sql = (
        "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c ORDER BY 1, c.cid"
    )
    return [(table, column) for table, column in rows(path, sql)]


def indices(path: Path) -> list[str]:
    sql = "SELECT name FROM sqlite_schema WHERE type = 'index' ORDER BY 1"
    return [name for (name,) in rows(path, sql)]


def test_version_2_as_it_is_made_here_is_what_it_was(tmp_path: Path) -> None:
    made, was = tmp_path / "made.sqlite3", tmp_path / "was.sqlite3"
    version_2(made, lanes.unknown())
    with sqlite3.connect(was) as db:
        for migration in MIGRATIONS[:2]:
            db.executescript(migration)
    db.close()
    assert columns(made) == columns(was)
    assert indices(made) == indices(was)


def carried_on(path: Path, before: Lane) -> Lane:
    """The next life, with the present version, of what version 2 has left."""
    version_2(path, before)
    was = contents(path)
    journal = Journal(path, 1)
    past = journal.past()
    journal.close()
    assert rows(path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    now = contents(path)
    assert [row[:13] for row in now["payments"]] == was["payments"]
    assert now["attempts"] == [row[:-1] for row in was["attempts"]]
    assert now["changes"] == was["changes"]
    lane = Lane(before.config, past, at=before.now)
    lane._tokens = before._tokens
    lane.sends[:0] = before.sends
    return lane


@pytest.mark.parametrize("make", [lanes.unknown, lanes.reversal_unknown])
@pytest.mark.parametrize("decided", [True, False])
def test_version_2_with_something_in_doubt_is_carried_on(
    path: Path, make: Callable[[], Lane], decided: bool
) -> None:
    before = make()
    lane = carried_on(path, before).wait(0.0)
    assert (lane.phase, lane.payment, lane.state.set_aside) == (Phase.DOUBT, before.payment, ())
    if decided:
        lane.do(lane.repeated())
        assert lane.payment.final
    else:
        last_question(lane).do(lane.status("NotFound"))
        assert lane.payment.set_aside_at is not None
    journal = Journal(path, 1)
    journal.write(lane.entries)
    past = journal.past()
    journal.close()
    assert (past.payment, len(past.set_aside)) == (None, 0 if decided else 1)


def test_version_2_with_a_resolved_payment_is_asked_after(path: Path) -> None:
    before = lanes.resolved()
    lane = carried_on(path, before).then(ev.TimePassed())
    (one,) = lane.state.set_aside
    assert (one.payment, lane.phase) == (before.payment, Phase.REVIEWING)
    assert one.payment.resolved is not None
    assert one.until == one.payment.resolved.at + WEEK
    assert asked_about(lane, lane.sent_now(ASK)) == [lane.service_id()]
    lane.do(lane.repeated())
    assert lane.ended() == ("approved", "LateAnswer")
    assert len(lane.sent_now(LOGIN)) == 1


def test_version_2_with_nothing_in_doubt(path: Path) -> None:
    lane = carried_on(path, lanes.approved()).then(ev.TimePassed())
    assert (lane.phase, lane.state.set_aside) == (Phase.LOGGING_IN, ())
    assert rows(path, "SELECT set_aside, ask_until FROM payments") == [(0, None)]
