"""A runner on the bench: a journal that notes writes, a terminal that answers on demand."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import lanes
import trio

from laned.journal.store import Journal, JournalError, Stored
from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.exchanges import Answered, Exchange, Lost
from laned.lane.start import JournalSnapshot, start
from laned.lane.state import LaneState, Phase, Pursuit
from laned.nexo import messages as m
from laned.publishing import Publisher
from laned.runner import Runner

T = TypeVar("T")
PATIENCE = 10_000  # virtual seconds for one test


class NotingJournal(Journal):
    """A journal that notes what is written, and cannot write or read when it is told so."""

    def __init__(self, path: Path, log: list[str]) -> None:
        super().__init__(path, random=999)
        self.log = log
        self.broken = ""

    def write(self, entries: Iterable[fx.Entry]) -> None:
        entries = list(entries)
        names = " ".join(type(entry).__name__ for entry in entries)
        if self.broken == "write":
            self.log.append(f"cannot write {names}")
            raise JournalError(f"{self.path}: cannot write: disk I/O error")
        super().write(entries)
        self.log.append(f"written {names}")

    def find(self, payment_id: str) -> Stored | None:
        if self.broken == "find":
            raise JournalError(f"{self.path}: cannot read: disk I/O error")
        return super().find(payment_id)


class Call:
    """One request that the terminal has, and how it will end."""

    def __init__(
        self, message: m.Message, address: str, sent: Callable[[], Awaitable[None]]
    ) -> None:
        self.message = message
        self.address = address
        self.at = trio.current_time()
        self.sent = sent
        self.done = trio.Event()
        self.exchange: Exchange = Lost("nothing")

    @property
    def kind(self) -> str:
        return str(self.message.header.category)

    def end(self, exchange: Exchange) -> None:
        """End it so."""
        self.exchange = exchange
        self.done.set()

    def answer(self, body: m.Body) -> None:
        """Answer it with this body."""
        self.end(Answered(m.Message(m.response_header(self.message.header), body)))


class FakeTerminal:
    """Notes every request, and answers when the test says so; Logins and Logouts at once."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.calls: list[Call] = []
        self.reachable = True
        self._came = trio.Event()

    async def exchange(
        self, message: m.Message, address: str, within: float, sent: Callable[[], Awaitable[None]]
    ) -> Exchange:
        call = Call(message, address, sent)
        self.log.append(f"sent {call.kind}")
        self.calls.append(call)
        came, self._came = self._came, trio.Event()
        came.set()
        if not self.reachable:
            return Lost("unreachable")
        if isinstance(message.body, m.LoginRequest):
            call.answer(lanes.login().response)
        if isinstance(message.body, m.LogoutRequest):
            call.answer(m.LogoutResponse(response=m.Response(result="Success")))
        try:
            with trio.move_on_after(within):
                await call.done.wait()
        except trio.Cancelled:
            self.log.append(f"hung up {call.kind}")
            raise
        return call.exchange

    async def call(self, kind: str, number: int = 0) -> Call:
        """The request of this kind that came as the `number`th, as soon as it is there."""
        while True:
            calls = [call for call in self.calls if call.kind == kind]
            if len(calls) > number:
                return calls[number]
            await self._came.wait()


class Bench:
    """A runner, and everything around it."""

    def __init__(
        self, path: Path, config: lanes.Config | None = None, *, surveyed: bool = True
    ) -> None:
        self.log: list[str] = []
        self.journal = NotingJournal(path, self.log)
        if surveyed:
            Journal.write(self.journal, [fx.Surveyed()])
        self.terminal = FakeTerminal(self.log)
        self.gate: trio.Event | None = None  # what the journal's work waits for
        self.trips = 0  # to the journal's thread
        self._tokens = 0
        past: JournalSnapshot = self.journal.past()
        first = start(config or lanes.configuration(), past, self.moment())
        self.watch = Publisher(first.state, self.journal.life)
        self.runner = Runner(
            first,
            publisher=self.watch,
            journal=self.journal,
            offload=self.offload,
            terminal=self.terminal,
            moment=self.moment,
        )

    def moment(self) -> ev.Moment:
        self._tokens += 1
        now = trio.current_time()
        wall = lanes.BEGIN + timedelta(seconds=now)
        return ev.Moment(monotonic=now, wall=wall, token=f"tok{self._tokens:05d}")

    async def offload(self, work: Callable[[], T], /) -> T:
        """Do the journal's work in line, once the gate is open."""
        self.trips += 1
        await trio.lowlevel.checkpoint()
        if self.gate is not None:
            await self.gate.wait()
        return work()

    async def until(self, phase: Phase) -> LaneState:
        """Wait until the lane is in this phase."""
        return await self.watch.until(lambda state: state if state.phase is phase else None)

    async def pay(self, payment_id: str = "a") -> Call:
        """Ask for a payment; the request that the terminal has then."""
        before = len([call for call in self.terminal.calls if call.kind == "Payment"])
        handled = await self.runner.handle(ev.PaymentAsked(lanes.order(payment_id)))
        assert handled.refusal is None
        call = await self.terminal.call("Payment", before)
        await call.sent()
        return call


def pursuit(made: Bench) -> Pursuit:
    """What the lane is at work on."""
    assert made.runner.state.pursuit is not None
    return made.runner.state.pursuit


def approval(call: Call, poi: str = "poi-1") -> m.PaymentResponse:
    """A Success for what was asked."""
    body = call.message.body
    assert isinstance(body, m.PaymentRequest)
    return m.PaymentResponse(
        response=m.Response(result="Success"),
        sale_transaction=body.transaction,
        poi_transaction=m.TransactionID(poi, "2025-06-07T10:09:10+02:00"),
        instrument="Card",
        amounts=m.AmountsResp(authorized_amount=body.requested_amount, currency=body.currency),
    )


@asynccontextmanager
async def bench(
    path: Path, config: lanes.Config | None = None, *, surveyed: bool = True
) -> AsyncIterator[Bench]:
    """A runner that runs, until the end of the block."""
    made = Bench(path, config, surveyed=surveyed)
    try:
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                await nursery.start(made.runner.run)
                yield made
                nursery.cancel_scope.cancel()
    finally:
        made.journal.close()


@asynccontextmanager
async def ready(
    path: Path, config: lanes.Config | None = None, *, surveyed: bool = True
) -> AsyncIterator[Bench]:
    """A runner with a session."""
    async with bench(path, config, surveyed=surveyed) as made:
        await made.until(Phase.READY)
        made.log.clear()
        yield made
