"""Money rule 13: what is pruned, and what stays for ever."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import lanes
import pytest
from journals import changed, opened, payment, rows

from laned.journal.store import Journal
from laned.lane import effects as fx
from laned.lane.payment import PaymentState, Problem, Reversal
from laned.nexo.messages import ReversalReason


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    opened = Journal(path, random=999)
    yield opened
    opened.close()


def keep(journal: Journal, payment_id: str, days: float, **changes: object) -> None:
    """A payment made so many days after the beginning, and how it ended."""
    at = lanes.BEGIN + timedelta(days=days)
    made = {"created_at": at, "updated_at": at}
    ended = {"state": PaymentState.DECLINED, "error": Problem("Refusal", "no")}
    journal.write([opened(payment_id, **made)])
    journal.write([changed(payment_id, **(made | ended | changes))])


def pruned(path: Path) -> list[str]:
    return [name for (name,) in rows(path, "SELECT id FROM payments WHERE document IS NULL")]


def test_rule_13_a_journal_without_payments(journal: Journal) -> None:
    assert journal.prune(1) == 0


def test_rule_13_age_counts_from_the_newest_row(journal: Journal, path: Path) -> None:
    for name, days in (("a", 0), ("b", 0.9), ("c", 1.1), ("d", 11)):
        keep(journal, name, days)
    assert journal.prune(10) == 2
    assert pruned(path) == ["a", "b"]
    assert journal.prune(10) == 0, "once"


def test_rule_13_a_clock_that_was_ahead_once_ages_nothing(journal: Journal, path: Path) -> None:
    keep(journal, "a", 0)
    keep(journal, "from the future", 36500)
    keep(journal, "b", 1)
    assert journal.prune(10) == 0
    assert pruned(path) == []


def test_rule_13_what_stays_of_a_pruned_payment(journal: Journal, path: Path) -> None:
    keep(journal, "a", 0, state=PaymentState.REVERSED)
    before = journal.find("a")
    assert before is not None
    keep(journal, "b", 100)
    assert journal.prune(10) == 1
    after = journal.find("a")
    assert after is not None
    assert after.payment == lanes.replace(before.payment, error=None)
    assert (after.fingerprint, after.content_hash) == (before.fingerprint, before.content_hash)
    assert after.same(lanes.order("a"))
    assert after.same(lanes.order("a", fingerprint="written otherwise"))
    assert not after.same(lanes.order("a", "1.00"))
    assert rows(
        path, "SELECT count(*) FROM changes JOIN payments p ON p.seq = payment WHERE p.id = 'a'"
    ) == [(0,)]
    assert rows(path, "SELECT count(*) FROM changes") == [(2,)]
    listed = journal.payments(PaymentState.REVERSED, 10, None)
    assert listed == [after.payment]


def test_rule_2_ids_and_attempts_of_pruned_payments_stay_taken(journal: Journal) -> None:
    lane = lanes.paying()
    lane.do(lane.answered())
    journal.write(lane.entries)
    keep(journal, "b", 1000)
    assert journal.prune(10) == 1
    (sent,) = lane.payment.attempts
    assert journal.payment_of(sent.service_id, sent.transaction_id) == "a"
    assert journal.owner_of("poi-1") == "a"


@pytest.mark.parametrize("state", ["pending", "processing", "unknown"])
def test_rule_13_nothing_that_is_not_final_is_ever_pruned(
    journal: Journal, path: Path, state: str
) -> None:
    keep(journal, "a", 0, state=PaymentState(state))
    keep(journal, "b", 1000)
    assert journal.prune(1) == 0
    assert pruned(path) == []


@pytest.mark.parametrize(("state", "count"), [("processing", 0), ("unknown", 0), ("refused", 1)])
def test_rule_13_nor_what_is_being_reversed(journal: Journal, state: str, count: int) -> None:
    reversal = Reversal(state=state, reason=ReversalReason.MALFUNCTION)  # type: ignore[arg-type]
    keep(journal, "a", 0, state=PaymentState.APPROVED, reversal=reversal)
    keep(journal, "b", 1000)
    assert journal.prune(1) == count


def test_rule_13_a_pruned_payment_is_not_reversed(journal: Journal) -> None:
    lane = lanes.approved()
    journal.write(lane.entries)
    keep(journal, "b", 1000)
    journal.prune(1)
    stored = journal.find("a")
    assert stored is not None
    lane.do(lanes.reversal_of(stored.payment))
    assert lane.last.refusal is not None
    assert lane.last.refusal.code == "not_reversible"


def test_which_terminal_was_paid_at(journal: Journal) -> None:
    assert journal.charged_by("a") == ""
    journal.write(lanes.approved().entries)
    assert journal.charged_by("a") == lanes.SERIAL


def test_what_was_superseded(journal: Journal) -> None:
    keep(journal, "a", 0, state=PaymentState.APPROVED)
    assert journal.superseding("a") is None
    keep(journal, "b", 1, state=PaymentState.DECLINED)
    assert journal.superseding("a") is None
    keep(journal, "c", 2, state=PaymentState.REVERSED)
    keep(journal, "d", 3, state=PaymentState.APPROVED)
    assert journal.superseding("a") == "d"
    assert journal.superseding("d") is None
    journal.write([fx.PaymentChanged(payment("d", state=PaymentState.DECLINED))])
    assert journal.superseding("a") == "c"
