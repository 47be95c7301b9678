"""The runner: recorded, published, sent, answered; and everybody who watches."""

import logging
from itertools import pairwise
from pathlib import Path

import lanes
import pytest
import trio
from bench import Bench, approval, bench, pursuit, ready
from trio.testing import MockClock, wait_all_tasks_blocked

from laned.inbox import INBOX, LaneStopped
from laned.journal.store import JournalError
from laned.lane import events as ev
from laned.lane.exchanges import Lost, NotSent
from laned.lane.payment import PaymentState
from laned.lane.session import JITTER
from laned.lane.state import LaneState, Phase
from laned.nexo import messages as m

ASKED = ev.PaymentAsked(lanes.order())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


def noting(made: Bench) -> object:
    """A watcher that notes every state that is published."""

    async def watch() -> None:
        def look(state: LaneState) -> None:
            made.log.append(f"published {state.phase}")

        await made.watch.until(look)

    return watch


# -- Money rule 1 ---------------------------------------------------------------------------------


async def test_recorded_then_published_then_sent_and_answered(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made, trio.open_nursery() as nursery:
        nursery.start_soon(noting(made))  # type: ignore[arg-type]
        await wait_all_tasks_blocked()
        made.log.clear()
        await made.runner.handle(ASKED)
        made.log.append("answered")
        await wait_all_tasks_blocked()
        assert made.log[:2] == [
            "written PaymentOpened PaymentChanged AttemptOpened",
            "published paying",
        ]
        assert sorted(made.log[2:]) == ["answered", "sent Payment"]
        nursery.cancel_scope.cancel()


async def test_nobody_is_told_and_nothing_sent_before_it_is_on_disk(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made, trio.open_nursery() as nursery:
        call = await made.pay()
        made.gate = trio.Event()
        call.answer(approval(call))
        nursery.start_soon(noting(made))  # type: ignore[arg-type]
        position = made.watch.position(None)
        await wait_all_tasks_blocked()
        made.log.clear()
        assert made.runner.state.payment is not None
        assert made.runner.state.payment.state is PaymentState.PROCESSING
        assert made.watch.position(None) == position
        made.gate.set()
        await made.until(Phase.READY)
        assert made.log == ["written PaymentChanged", "published ready"]
        stored = made.journal.find("a")
        assert stored is not None
        assert stored.payment == made.runner.state.settled
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("broken", ["write", "find"])
async def test_a_payment_that_cannot_be_recorded_is_refused_and_nothing_sent(
    path: Path, autojump_clock: MockClock, broken: str
) -> None:
    async with ready(path) as made:
        before, position = made.runner.state, made.watch.position(None)
        made.journal.broken = broken
        handled = await made.runner.handle(ASKED)
        assert handled.refusal is not None
        assert handled.refusal.code == "journal_unavailable"
        assert str(path) in handled.refusal.detail
        await trio.sleep(60)
        assert made.runner.state == lanes.replace(before, journal="read_only")
        assert made.watch.position(None) == position + 1  # that the journal is read-only
        assert not [line for line in made.log if line.startswith(("sent", "written"))]
        made.journal.broken = ""
        assert (await made.runner.handle(ASKED)).refusal is None
        assert made.runner.state.phase is Phase.PAYING


async def test_an_outcome_that_cannot_be_recorded_ends_the_run_and_nobody_is_told(
    path: Path, autojump_clock: MockClock
) -> None:
    published: list[str] = []

    def look(state: LaneState) -> None:
        published.append(state.phase)

    with pytest.RaisesGroup(JournalError, flatten_subgroups=True):
        async with trio.open_nursery() as nursery, ready(path) as made:
            call = await made.pay()
            nursery.start_soon(made.watch.until, look)
            await wait_all_tasks_blocked()
            made.journal.broken = "write"
            before, position = made.runner.state, made.watch.position(None)
            published.clear()
            call.answer(approval(call))
            with trio.CancelScope(shield=True):
                await made.watch.stopped.wait()
                with pytest.raises(LaneStopped):
                    await made.runner.handle(ev.TimePassed())
            published.append("ended")
    assert made.runner.state is before
    assert made.watch.position(None) == position
    assert published == ["ended"]


async def test_whoever_waits_when_the_run_ends_is_told_that_it_has(
    path: Path, autojump_clock: MockClock
) -> None:
    with pytest.RaisesGroup(JournalError, flatten_subgroups=True):
        async with ready(path) as made:
            await made.pay()
            made.journal.broken = "write"
            with trio.CancelScope(shield=True), pytest.raises(LaneStopped):
                await made.runner.handle(ev.AbortAsked("a"))
    assert made.log[-2:] == ["cannot write PaymentChanged", "hung up Payment"]


async def test_the_first_step_is_on_disk_before_the_lane_begins(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        await made.runner.handle(ev.PaymentAsked(lanes.order(confirm="button")))
    async with bench(path) as made:
        assert made.log[0] == "written PaymentChanged"
        stored = made.journal.find("a")
        assert stored is not None
        assert stored.payment.state is PaymentState.ABORTED


# -- What comes from the terminal -----------------------------------------------------------------


async def test_the_lane_hears_when_the_request_has_left(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        await made.runner.handle(ASKED)
        call = await made.terminal.call("Payment")
        assert not pursuit(made).sent
        await call.sent()
        await wait_all_tasks_blocked()
        assert pursuit(made).sent


async def test_a_reversal_is_asked_for_where_it_was_paid_or_not_at_all(
    path: Path, autojump_clock: MockClock
) -> None:
    """The terminal was swapped since; the lane itself has only the one that it has now."""
    async with ready(path) as made:
        call = await made.pay()
        call.answer(approval(call))
        await made.until(Phase.READY)
        made.journal._db.execute("UPDATE attempts SET serial = 'another'")
        asked = ev.ReversalAsked(payment_id="a", reason=m.ReversalReason.MALFUNCTION)
        refusal = (await made.runner.handle(asked)).refusal
        assert refusal is not None
        assert (refusal.code, "another" in refusal.detail) == ("not_reversible", True)


@pytest.mark.parametrize("left", [True, False])
async def test_what_a_person_has_resolved_does_not_leave_any_more(
    path: Path, autojump_clock: MockClock, left: bool
) -> None:
    """Else the terminal could charge, after all, what a person has said never reached it."""
    async with ready(path) as made:
        await made.runner.handle(ASKED)
        call = await made.terminal.call("Payment")
        if left:
            await call.sent()
        (await made.terminal.call("TransactionStatus")).end(Lost("silent"))
        await made.watch.until(lambda state: True if state.unknown else None)
        await made.runner.handle(lanes.resolution())
        await wait_all_tasks_blocked()
        assert ("hung up Payment" in made.log) is not left


@pytest.mark.parametrize(
    ("exchange", "phase"), [(NotSent("no route"), Phase.OFFLINE), (Lost("broken"), Phase.DOUBT)]
)
async def test_how_an_exchange_ended_comes_back(
    path: Path, autojump_clock: MockClock, exchange: NotSent | Lost, phase: Phase
) -> None:
    async with ready(path) as made:
        (await made.pay()).end(exchange)
        await made.until(phase)


async def test_a_poi_transaction_of_another_payment_is_looked_up(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        call = await made.pay("a")
        call.answer(approval(call))
        await made.until(Phase.READY)
        call = await made.pay("b")
        call.answer(approval(call))
        state = await made.until(Phase.READY)
        assert state.settled is not None
        assert (state.settled.id, state.settled.state) == ("b", "unknown")
        assert state.settled.error is not None
        assert state.settled.error.condition == "ForeignTransaction"


async def test_the_lane_wakes_when_something_is_due(path: Path, autojump_clock: MockClock) -> None:
    async with bench(path) as made:
        made.terminal.reachable = False
        await trio.sleep(100)
        logins = [call.at for call in made.terminal.calls if call.kind == "Login"]
        gaps = [later - earlier for earlier, later in pairwise(logins)]
        for gap, longest in zip(gaps, [2, 4, 8, 16, 30, 30], strict=False):
            assert (1 - JITTER) * longest <= gap <= longest
        assert len(gaps) >= 6
        made.terminal.reachable = True
        await made.until(Phase.READY)


async def test_what_is_due_for_ever_by_a_mistake_keeps_nobody_from_being_heard(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        made.watch.state = lanes.replace(made.runner.state, login_at=-1.0)  # READY waits for none
        with trio.fail_after(1.0):
            handled = await made.runner.handle(ASKED)
        assert handled.refusal is None


# -- Who asks -------------------------------------------------------------------------------------


async def test_the_same_payment_asked_for_by_many_at_once_is_one(
    path: Path, autojump_clock: MockClock
) -> None:
    repeated: list[str] = []
    async with ready(path) as made:

        async def ask() -> None:
            handled = await made.runner.handle(ASKED)
            assert handled.refusal is None
            repeated.append(handled.payment.id if handled.payment and handled.repeated else "new")

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ask)
        assert sorted(repeated) == ["a", "a", "a", "a", "new"]
        await trio.sleep(1)
        assert sum("PaymentOpened" in line for line in made.log) == 1
        assert made.log.count("sent Payment") == 1


async def test_the_same_id_with_other_content_is_a_conflict(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        call = await made.pay()
        call.answer(approval(call))
        await made.until(Phase.READY)
        handled = await made.runner.handle(ev.PaymentAsked(lanes.order(amount="1.00")))
        assert handled.refusal is not None
        assert handled.refusal.code == "payment_conflict"
        again = await made.runner.handle(ASKED)
        assert (again.repeated, again.payment) == (True, made.runner.state.settled)
        assert made.log.count("sent Payment") == 1


async def test_another_payment_meanwhile_is_refused_and_names_the_one(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        await made.pay()
        handled = await made.runner.handle(ev.PaymentAsked(lanes.order("b")))
        assert handled.refusal is not None
        assert (handled.refusal.code, handled.refusal.active) == ("lane_busy", "a")
        assert made.journal.find("b") is None


# -- The end --------------------------------------------------------------------------------------


async def test_an_orderly_stop_logs_out_and_ends_the_run(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        await made.runner.handle(ev.StopAsked())
        await made.watch.stopped.wait()
        assert made.log == ["sent Logout"]
        assert made.runner.state.phase is Phase.STOPPED
        with pytest.raises(LaneStopped):
            await made.runner.handle(ASKED)
        made.runner.submit_nowait(ev.ButtonPressed("abort"))  # nobody is there: no harm


async def test_a_stop_leaves_a_payment_to_the_terminal_at_once(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        await made.pay()
        began = trio.current_time()
        await made.runner.handle(ev.StopAsked())
        await made.watch.stopped.wait()
        assert trio.current_time() == began
    async with bench(path) as made:
        assert made.runner.state.phase is Phase.DOUBT
        assert (await made.terminal.call("TransactionStatus")).message.header.sale_id == "kassa-2"
        assert "sent Login" not in made.log


async def test_events_that_still_wait_when_the_lane_stops_are_answered(
    path: Path, autojump_clock: MockClock
) -> None:
    ends: list[str] = []
    async with ready(path) as made:
        await made.pay()
        made.gate = trio.Event()

        async def ask(event: ev.Event) -> None:
            try:
                await made.runner.handle(event)
                ends.append("handled")
            except LaneStopped:
                ends.append("stopped")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, ev.AbortAsked("a"))  # the lane waits for the disk here
            await wait_all_tasks_blocked()
            nursery.start_soon(ask, ev.StopAsked())
            await wait_all_tasks_blocked()
            nursery.start_soon(ask, ev.PaymentAsked(lanes.order("b")))
            nursery.start_soon(ask, ev.ConfirmAsked("a"))
            await wait_all_tasks_blocked()
            made.gate.set()
    assert sorted(ends) == ["handled", "handled", "stopped", "stopped"]


async def test_an_inbox_that_is_full_drops_what_nobody_waits_for(
    path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with ready(path) as made:
        await made.pay()
        made.gate = trio.Event()
        made.runner.submit_nowait(ev.AbortAsked("a"))  # the lane waits for the disk here
        await wait_all_tasks_blocked()
        with caplog.at_level(logging.WARNING):
            for _ in range(INBOX + 3):
                made.runner.submit_nowait(ev.ButtonReleased("abort"))
        assert [record.getMessage() for record in caplog.records] == [
            f"ButtonReleased dropped: {INBOX} events are waiting"
        ] * 3
        position = made.watch.position(None)
        made.gate.set()
        await trio.sleep(1)
        assert made.watch.position(None) >= position + INBOX
