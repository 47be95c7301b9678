"""Money rules 4, 10, 11 and 13 with a real journal under the runner."""

from pathlib import Path

import lanes
import pytest
import trio
from bench import Bench, Call, approval, bench, pursuit, ready
from trio.testing import MockClock, wait_all_tasks_blocked

from laned.journal.store import Journal, JournalError
from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.exchanges import Answered, Lost
from laned.lane.payment import Payment, PaymentState
from laned.lane.state import LaneState, Phase
from laned.nexo import messages as m
from laned.runner import WRITE_FOR

ASKED = ev.PaymentAsked(lanes.order())
REVERSAL = ev.ReversalAsked(payment_id="a", reason=m.ReversalReason.MALFUNCTION)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


def stored(made: Bench, payment_id: str = "a") -> Payment:
    found = made.journal.find(payment_id)
    assert found is not None
    return found.payment


def told(made: Bench, since: int, name: str) -> list[object]:
    events = [item.event for item in made.watch._since(since)]
    return [event.data for event in events if event.name == name]


async def paid(made: Bench, payment_id: str = "a", poi: str = "poi-1") -> Call:
    """A payment that the terminal approves."""
    call = await made.pay(payment_id)
    call.answer(approval(call, poi))
    await made.until(Phase.READY)
    return call


def repeats(call: Call, poi: str = "poi-1") -> m.TransactionStatusResponse:
    """The terminal repeats its answer to this request."""
    repeated = m.RepeatedMessage(
        header=m.response_header(call.message.header), body=approval(call, poi)
    )
    return m.TransactionStatusResponse(response=m.Response(result="Success"), repeated=repeated)


def failure(condition: str) -> m.TransactionStatusResponse:
    return m.TransactionStatusResponse(
        response=m.Response(result="Failure", error_condition=condition)
    )


# -- Rule 13: an outcome that cannot be recorded --------------------------------------------------


async def test_rule_13_tried_for_ten_seconds_and_nobody_is_told(
    path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    looked: list[LaneState] = []
    with pytest.RaisesGroup(JournalError, flatten_subgroups=True):
        async with trio.open_nursery() as nursery, ready(path) as made:
            made.journal.make_room()
            call = await made.pay()
            nursery.start_soon(made.watch.until, lambda state: looked.append(state))
            await wait_all_tasks_blocked()
            position, began = made.watch.position(None), trio.current_time()
            made.journal.broken = "write"
            looked.clear()
            made.log.clear()
            call.answer(approval(call))
            with trio.CancelScope(shield=True):
                await made.watch.stopped.wait()
                ended = trio.current_time()
            assert (looked, made.watch.position(None)) == ([], position)
    assert WRITE_FOR <= ended - began < WRITE_FOR + 1
    assert made.log == ["cannot write PaymentChanged"] * 21
    assert not path.with_name(path.name + ".ballast").exists()
    assert "cannot be recorded yet" in caplog.text
    async with bench(path) as made:
        assert made.runner.state.phase is Phase.DOUBT, "the next start asks"


@pytest.mark.parametrize("seconds", [0.1, 9.0])
async def test_rule_13_all_goes_on_when_it_can_be_recorded_again(
    path: Path, autojump_clock: MockClock, seconds: float
) -> None:
    async with ready(path) as made:
        call = await made.pay()
        position = made.watch.position(None)
        made.journal.broken = "write"
        call.answer(approval(call))
        await trio.sleep(seconds)
        assert made.watch.position(None) == position
        made.journal.broken = ""
        await made.until(Phase.READY)
        assert stored(made).state is PaymentState.APPROVED
        assert told(made, position, "payment") == [stored(made)]
        await paid(made, "b", "poi-2")


async def test_rule_13_the_ballast_makes_the_room(
    path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ballast = path.with_name(path.name + ".ballast")
    async with ready(path) as made:
        call = await made.pay()
        began, write = trio.current_time(), made.journal.write

        def full(entries: list[fx.Entry]) -> None:
            if ballast.exists():
                raise JournalError("database or disk is full", "full")
            write(entries)

        monkeypatch.setattr(made.journal, "write", full)
        assert ballast.exists()
        call.answer(approval(call))
        await made.until(Phase.READY)
        assert trio.current_time() - began < 1
        assert stored(made).state is PaymentState.APPROVED


# -- Rule 13: no room for a payment ---------------------------------------------------------------


def imitate_a_full_disk(path: Path) -> None:
    """The ballast cannot be written, once."""
    ballast = path.with_name(path.name + ".ballast")
    ballast.unlink(missing_ok=True)
    ballast.symlink_to("/dev/full")


def lose(path: Path) -> None:
    """A journal was there, and is gone."""
    Journal(path, 1).close()
    path.unlink()


async def test_rule_13_no_room_no_payment_and_it_is_told(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        await paid(made)
        position = made.watch.position(None)
        made.log.clear()
        for event in (ev.PaymentAsked(lanes.order("b")), REVERSAL):
            imitate_a_full_disk(path)
            handled = await made.runner.handle(event)
            assert handled.refusal is not None
            assert handled.refusal.code == "journal_unavailable"
            assert "ballast" in handled.refusal.detail
        await trio.sleep(60)
        assert (made.runner.state.journal, made.runner.state.phase) == ("full", Phase.READY)
        assert made.journal.find("b") is None
        assert stored(made).reversal is None
        assert made.log == []
        assert (await made.runner.handle(ev.PaymentAsked(lanes.order("b")))).refusal is None
        assert made.runner.state.journal == "ok"
        conditions = [getattr(data, "journal", "") for data in told(made, position, "journal")]
        assert conditions == ["full", "ok"]


async def test_rule_13_a_refusal_for_another_reason_says_nothing_of_the_journal(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        await made.pay()
        imitate_a_full_disk(path)
        handled = await made.runner.handle(ev.PaymentAsked(lanes.order("b")))
        assert handled.refusal is not None
        assert (handled.refusal.code, made.runner.state.journal) == ("lane_busy", "ok")


# -- Rule 10 --------------------------------------------------------------------------------------


async def test_rule_10_reversed_with_what_the_journal_knows(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        await paid(made)
        assert (await made.runner.handle(REVERSAL)).refusal is None
        call = await made.terminal.call("Reversal")
        body = call.message.body
        assert isinstance(body, m.ReversalRequest)
        assert body.poi_transaction.transaction_id == "poi-1"
        sent = [pursuit(made).sent]
        await call.sent()
        await wait_all_tasks_blocked()
        assert [*sent, pursuit(made).sent] == [False, True]
        call.answer(m.ReversalResponse(response=m.Response(result="Success")))
        await made.until(Phase.READY)
        assert stored(made).state is PaymentState.REVERSED


@pytest.mark.parametrize(
    ("payment_id", "code"), [("a", "not_reversible"), ("nobody's", "not_found")]
)
async def test_rule_10_only_the_newest_of_the_journal(
    path: Path, autojump_clock: MockClock, payment_id: str, code: str
) -> None:
    async with ready(path) as made:
        await paid(made, "a", "poi-1")
        await paid(made, "b", "poi-2")
        handled = await made.runner.handle(lanes.replace(REVERSAL, payment_id=payment_id))
        assert handled.refusal is not None
        assert handled.refusal.code == code
        assert "sent Reversal" not in made.log


async def test_rule_10_lost_and_found_in_the_next_life(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        await paid(made)
        await made.runner.handle(REVERSAL)
        reversal = await made.terminal.call("Reversal")
    async with bench(path) as made:
        call = await made.terminal.call("TransactionStatus")
        body = call.message.body
        assert isinstance(body, m.TransactionStatusRequest)
        assert body.reference is not None
        assert body.reference.service_id == reversal.message.header.service_id
        repeated = m.RepeatedMessage(
            header=m.response_header(reversal.message.header),
            body=m.ReversalResponse(response=m.Response(result="Success")),
        )
        ok = m.Response(result="Success")
        call.answer(m.TransactionStatusResponse(response=ok, repeated=repeated))
        await made.until(Phase.READY)
        assert stored(made).state is PaymentState.REVERSED


# -- Rule 4: whose the terminal's last transaction is ---------------------------------------------


# -- Rule 11 --------------------------------------------------------------------------------------


async def test_rule_11_a_new_journal_asks_before_it_logs_in(
    path: Path, autojump_clock: MockClock
) -> None:
    async with bench(path, surveyed=False) as made:
        call = await made.terminal.call("TransactionStatus")
        call.answer(failure("Busy"))
        again = await made.terminal.call("TransactionStatus", 1)
        assert 1.5 <= again.at - call.at <= 2
        assert "sent Login" not in made.log
        again.answer(failure("NotFound"))
        await made.until(Phase.READY)
        assert made.log[-3:] == ["written Surveyed", "sent Login", "written TerminalSeen"]
    async with ready(path, surveyed=False) as made:
        assert [call.kind for call in made.terminal.calls] == ["Login"]


async def test_rule_11_a_lost_journal_is_acknowledged_once(
    path: Path, autojump_clock: MockClock
) -> None:
    lose(path)
    async with ready(path) as made:
        handled = await made.runner.handle(ASKED)
        assert handled.refusal is not None
        assert handled.refusal.code == "journal_unavailable"
        assert (made.runner.state.journal, made.log) == ("new", [])
        await made.runner.handle(ev.JournalAcknowledged())
        assert made.log == ["written Acknowledged"]
    async with ready(path) as made:
        assert made.runner.state.journal == "ok"
        await paid(made)


# -- A person's verdict ---------------------------------------------------------------------------


@pytest.mark.parametrize("between", [False, True])
async def test_resolve_the_late_answer_is_recorded_and_told(
    path: Path, autojump_clock: MockClock, between: bool
) -> None:
    async with ready(path) as made:
        call = await made.pay()
        status = await made.terminal.call("TransactionStatus")
        assert status.at - call.at == 30
        status.end(Lost("silent"))
        await made.watch.until(lambda state: state.unknown or None)
        handled = await made.runner.handle(lanes.resolution())
        assert handled.refusal is None
        assert stored(made).state is PaymentState.FAILED
        if between:
            await made.pay("b")
        position = made.watch.position(None)
        call.end(Answered(m.Message(m.response_header(call.message.header), approval(call))))
        await wait_all_tasks_blocked()
        await trio.sleep(1)
        found = stored(made)
        assert (found.state, found.resolved is not None) == (PaymentState.APPROVED, True)
        assert told(made, position, "payment") == [found]
