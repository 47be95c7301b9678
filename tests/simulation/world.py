"""One seed: a terminal, a network, and the lives of a lane one after the other, in virtual time.

Everything is laned's own but the sockets, the hardware and the clock. What goes wrong, and when,
comes from the seed; the same seed brings the same run, event for event.
"""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

import httpx
import trio
from books import Books
from clocks import BEGIN, Clocks
from covered import Covered
from exchanges import Exchange, Fault
from faults import ADDRESS, CONNECT_TIMEOUT, Door, Network, PostFault
from lives import (
    Crash,
    Life,
    Trouble,
    WatchedJournal,
    WatchedPublisher,
    WatchedRunner,
    Witness,
    open_journal,
)
from msgspec import Struct
from probing import LazyProbe
from recorder import Recorder
from terminals import ChoosingTerminal

from laned.config.file import parse
from laned.config.schema import Config
from laned.inbox import Handled, LaneStopped
from laned.journal.store import JournalError
from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.maintenance import IDLE_BEFORE
from laned.lane.start import start
from laned.lane.state import LaneState, Phase
from laned.lane.turn import Step
from laned.offload import in_line
from laned.publishing import NumberedEvent, Publisher
from laned.simulator import Scenario, Settings, Terminal
from laned.terminal.callback import Callback
from laned.terminal.client import TerminalClient
from laned.terminal.probe import watch

T = TypeVar("T")

POI_ID = "LANE-7"
CIRCLES = 10_000  # events in one moment: far more than ever happen
HOME = f"{ADDRESS}:11000"
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


class Plan(Struct, frozen=True, kw_only=True):
    """What a seed has in store; times in virtual seconds, the rest chances from 0 to 1."""

    mode: str = "default"
    address: str = HOME
    window: str = ""
    idle_before: float = IDLE_BEFORE
    begin: datetime = BEGIN
    signature: str = "decline"
    retry_interval: float = 2.0
    response_timeout: float = 300.0
    on_corrupt: str = "stop"
    settings: Settings = Settings()
    scenarios: tuple[Scenario, ...]
    faults: float = 0.0  # of an exchange
    focus: tuple[str, ...] = ()  # categories of which every other exchange goes wrong
    post_faults: float = 0.0  # of a message that the terminal posts
    crashes: float = 0.0  # of a life: to have its crash planned
    latency: float = 0.0  # of the network, at the most
    late: float = 0.0  # of a payment's answer: to come when it may have been asked for already
    lies: float = 0.0  # of a payment: the terminal names another amount for it
    ignores_reference: bool = False


def configured(folder: Path, plan: Plan) -> Config:
    """A lane's configuration, read from TOML as the daemon's is."""
    return _parsed(f"""
        [lane]
        mode = "{plan.mode}"
        [terminal]
        address = "{plan.address}"
        poi_id = "{POI_ID}"
        retry_interval = {plan.retry_interval}
        response_timeout = {plan.response_timeout}
        [payment]
        signature = "{plan.signature}"
        [maintenance]
        window = "{plan.window}"
        [display]
        driver = "none"
        [buttons]
        driver = "none"
        [journal]
        path = "{folder / "journal.sqlite3"}"
        """)


@cache
def _parsed(text: str) -> Config:
    return parse(text, "lane.toml", {})


class World(Witness):
    """Terminals that stay, and the lives of a lane beside them."""

    def __init__(
        self, seed: int, folder: Path, plan: Plan, nursery: trio.Nursery, *, traced: bool
    ) -> None:
        self.seed = seed
        self.traced = traced
        self.plan = plan
        self.nursery = nursery
        self.covered = Covered()
        self.trace: list[str] = []
        self.recorder: Recorder | None = None
        self.folder = folder
        self.path = folder / "journal.sqlite3"
        self.config = configured(folder, plan)
        self.clocks = Clocks(plan.begin)
        self.books = Books(self)
        self.terminals: list[ChoosingTerminal] = []
        self.terminal: ChoosingTerminal
        self.door: Door
        self.posts: httpx.AsyncClient
        self.trouble = Trouble()
        self.boots = 0  # of any terminal
        self.looks: list[Callable[[], None]] = []  # called after anything has changed
        self._unplugged = False
        self._changed = trio.Event()
        self.ignores_reference = plan.ignores_reference
        self.calm = False  # nothing goes wrong any more
        self.over = False
        self.open: set[Exchange] = set()
        self.lies: set[str] = set()
        self.life: Life | None = None
        self.lives = 0
        self.crash_at: Callable[[Life, str], bool] = lambda life, name: False
        self.between_lives: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint
        self._lively = trio.Event()
        self._moment, self._at_once = 0.0, 0
        self._faults = self.random("faults")
        self._tokens = self.random("tokens")
        self._older: dict[str, bytes] = {}

    def random(self, stream: str) -> random.Random:
        """A stream of chances of its own: one more in another does not change what is drawn."""
        return random.Random(f"{self.seed} {stream}")

    def say(self, line: str) -> None:
        """A line for whoever looks into this seed."""
        if self.traced:
            self.trace.append(f"{trio.current_time():9.3f} {line}")

    # -- Terminals

    async def new_terminal(self) -> ChoosingTerminal:
        """One more terminal, the one that is connected from now on."""
        number = len(self.terminals) + 1
        settings = self.plan.settings
        values = {name: getattr(settings, name) for name in settings.__struct_fields__}
        values |= {"serial": f"serial-{number}", "address": HOME, "poi_id": POI_ID}
        terminal = ChoosingTerminal(
            settings=Settings(**values),
            callback="http://lane:11000",
            callback_client=self.posts,
            rng=self.random(f"terminal {number}"),
            now=self.clocks.right,
            on_event=lambda line: self._heard(number, line),
        )
        # no two terminals have the same numbers, as their acquirer's do not
        terminal._last_number += number * 1_000_000_000
        customers = self.random(f"customers {number}")
        terminal.serve(lambda: customers.choice(self.plan.scenarios))
        await self.nursery.start(terminal.run)
        self.terminals.append(terminal)
        self.terminal = terminal
        self.changed()
        return terminal

    def _heard(self, number: int, line: str) -> None:
        """Something happens to a terminal."""
        self.say(f"  T{number} {line}")
        if line == "power off":
            self.boots += 1
            self.books.sessions_lost.append((self.terminals[number - 1], trio.current_time()))
        self.changed()

    @property
    def connected(self) -> Terminal:
        """The terminal at the other end of the cable."""
        return self.terminal

    def cut(self) -> None:
        """Reset the connections to the terminal that are open now."""
        for exchange in self.open:
            exchange.reset()

    def reboot(self, terminal: ChoosingTerminal, *, forget: bool) -> None:
        """The terminal loses power, its session and what it does, and comes back."""
        self.nursery.start_soon(partial(terminal.reboot, forget=forget))
        if self._faults.random() < 0.5:  # else nobody tells the lane that it is gone
            self.cut()

    # -- What has changed, and whether the terminal is to be reached

    @property
    def unplugged(self) -> bool:
        """Whether nobody reaches anybody."""
        return self._unplugged

    @unplugged.setter
    def unplugged(self, unplugged: bool) -> None:
        self._unplugged = unplugged
        self.changed()

    def changed(self) -> None:
        """Something has: whoever looks for it may look."""
        for look in self.looks:
            look()
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    def reaches(self, address: str) -> bool:
        """Whether a connection to this address ("host:port") can be made."""
        return not self._unplugged and self.terminal.reachable and address == self.terminal.address

    # -- What the network asks

    def choose(self, category: str) -> Fault:
        fault = Fault.NONE
        chance = 0.5 if category in self.plan.focus else self.plan.faults
        if not self.calm and self._faults.random() < chance:
            fault = self._faults.choice(list(Fault))
        elif category == "Payment" and not self.calm and self._faults.random() < self.plan.late:
            fault = Fault.SLOW_ANSWER
        if fault is not Fault.NONE:
            self.covered.fault(category, fault)
        self.say(f"send {category} {fault}")
        return fault

    def choose_post(self, category: str) -> PostFault:
        fault = PostFault.NONE
        chance = 0.5 if category in self.plan.focus else self.plan.post_faults
        if not self.calm and self._faults.random() < chance:
            fault = self._faults.choice(list(PostFault))
            if fault is not PostFault.NONE:
                self.covered.fault(f"posted {category}", fault)
        return fault

    def leaves(self, exchange: Exchange) -> None:
        self.books.leaves(exchange)
        pays = exchange.category == "Payment"
        if pays and not self.calm and self._faults.random() < self.plan.lies:
            self.lies.add(exchange.service_id)
            self.say(f"the amount of {exchange.service_id} will be wrong")

    def latency(self) -> float:
        return self._faults.uniform(0, self.plan.latency) if self.plan.latency else 0.0

    def reached(self, exchange: Exchange, terminal: Terminal) -> None:
        self.books.reached(exchange, terminal)

    def delivered(self, exchange: Exchange) -> None:
        self.books.delivered(exchange)

    def turned_away(self) -> None:
        """The lane takes the terminal for a stranger."""
        if self.life is not None:
            state, ours = self.life.runner.state, self.terminal.address
            asked_there = state.attempt is None or state.attempt.address == ours
            if asked_there and state.terminal.address == ours and state.login_to in ("", ours):
                self.books.fault("a post of the terminal was refused")

    def too_late(self) -> None:
        """The lane says that it is stopping."""
        if self.life is not None and not self.life.watch.stopped.is_set():
            self.books.fault("a post of the terminal was refused although the lane runs")

    # -- What a life tells

    def point(self, life: Life, name: str) -> bool:
        if self.calm:
            return False
        crash = self.crash_at(life, name)
        if crash:
            self.note_end(life, name)
        return crash

    def note_end(self, life: Life, name: str) -> None:
        """A life ends here without having stopped in good order."""
        phase = life.runner.state.phase
        self.covered.end(name, phase)
        self.say(f"CRASH {name} in {phase}")
        self._ended()

    def handles(self, event: ev.Event, state: LaneState) -> None:
        now = trio.current_time()
        self._moment, self._at_once = now, self._at_once + 1 if now == self._moment else 0
        if self._at_once > CIRCLES:
            raise AssertionError(f"{CIRCLES} events, and no time passes")
        self.covered.cell(type(event).__name__, state.phase)
        pressed = isinstance(event, ev.ButtonPressed) and event.name == "confirm"
        answered = isinstance(event, ev.PromptAnswered) and event.confirmed
        if (pressed or answered) and state.payment is not None:
            self.books.said_yes.add(state.payment.id)
        if self.traced and not isinstance(event, ev.DisplayShown):
            self.say(f"{state.phase}: {event!r:.150}")

    def stepped(self, step: Step) -> None:
        if self.recorder is not None:
            self.recorder.add(step)

    def written(self, entries: list[fx.Entry]) -> None:
        self.books.written(entries)

    def told(self, life: Life, told: list[NumberedEvent]) -> None:
        for item in told:
            if item.event.name == "payment":
                if self.traced:
                    self.say(f"told {item.event.data!r:.400}")
                self.books.told(item.event.data)

    def answered(self, life: Life, event: ev.Event, handled: Handled) -> None:
        if handled.refusal is not None:
            self.say(f"refused {type(event).__name__}: {handled.refusal.code}")
        if handled.payment is not None:
            self.books.told(handled.payment)

    # -- Lives

    def moment(self) -> ev.Moment:
        """What the lane is given from outside beside an event."""
        token = "".join(self._tokens.choices(LETTERS, k=8))
        return self.clocks.moment(token)

    async def supervise(self) -> None:
        """What systemd does: start again, until the world is over."""
        while not self.over:
            self.lives += 1
            self.say(f"LIFE {self.lives}")
            await self._live(Life(self.lives, self))
            await self.between_lives()

    async def _live(self, life: Life) -> None:
        journal = open_journal(
            self.path, self.random(f"journal {self.lives}").randrange(10**9), self.plan.on_corrupt
        )
        watched = WatchedJournal(journal, life, self.trouble)
        self.books.life_begins()
        transport = Network(self, self.random(f"network {self.lives}"), life.point, self._older)
        client = TerminalClient(3.0, transport)
        idle_before = self.plan.idle_before
        first = start(self.config, journal.past(), self.moment(), idle_before=idle_before)
        life.watch = lane = WatchedPublisher(first.state, journal.life, life)
        life.runner = runner = WatchedRunner(
            first,
            publisher=lane,
            journal=watched,  # type: ignore[arg-type]
            offload=in_line,
            terminal=client,
            moment=self.moment,
        )
        runner.life = life
        try:
            with life.scope:
                async with trio.open_nursery() as nursery:
                    await nursery.start(runner.run)
                    async with trio.open_nursery() as apps:
                        if self.config.lane.mode == "default":
                            self.door.app, self.door.apps = Callback(lane, runner).app, apps
                        apps.start_soon(watch, lane, runner, self._probe())
                        self.life = life
                        self._lively.set()
                        self.changed()
                        await lane.stopped.wait()
                        self.door.app = self.door.apps = None
                        apps.cancel_scope.cancel()
        except BaseException as error:
            _only(error, life, self)
        finally:
            life.dead = True
            self._ended()
            self.door.app = self.door.apps = None
            journal.close()
            await client.aclose()

    def kill(self) -> None:
        """End the life that runs, as a power cut does."""
        life = self.life
        if life is not None:
            self.note_end(life, "at any time")
            life.die("at any time")
            life.scope.cancel()

    def _ended(self) -> None:
        """Nobody finds a life any more that is over, though its tasks may not know as yet."""
        if self.life is not None:
            self.life = None
            self._lively = trio.Event()
            self.changed()

    def _probe(self) -> LazyProbe:
        draw = self.random(f"probe {self.lives}")
        takes = partial(draw.choice, (0.0, 0.0, CONNECT_TIMEOUT))
        return LazyProbe(self.reaches, lambda: self._changed.wait(), takes)

    async def lane(self) -> Publisher:
        """The lane of a life that runs."""
        while self.life is None:
            await self._lively.wait()
        return self.life.watch

    async def bring(self, event: ev.Event) -> Handled | None:
        """Have an event handled; None: the lane was gone before it said what became of it."""
        if self.life is None:
            return None
        try:
            return await self.life.runner.handle(event)
        except LaneStopped:
            return None

    async def until(self, view: Callable[[LaneState], T | None]) -> T:
        """Wait until `view` gives something of whichever life runs."""
        while True:
            lane = await self.lane()
            found: list[T] = []

            async def look(lane: Publisher = lane, found: list[T] = found) -> None:
                found.append(await lane.until(view))
                nursery.cancel_scope.cancel()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(look)
                await lane.stopped.wait()
                nursery.cancel_scope.cancel()
            if found:
                return found[0]

    async def idle(self) -> None:
        """Wait until a lane runs with nothing unfinished."""
        await self.until(lambda state: True if state.phase is Phase.READY else None)


def _only(error: BaseException, life: Life, world: World) -> None:
    """Let a crash that was wanted, and a disk that stayed full, end a life; nothing else."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            _only(part, life, world)
    elif isinstance(error, JournalError):
        world.note_end(life, "a disk that stayed full")
    elif not isinstance(error, Crash) or not life.dead:
        raise error


@asynccontextmanager
async def made(
    seed: int, folder: Path, plan: Plan, *, traced: bool = False
) -> AsyncIterator[World]:
    """A world with one terminal, and no life as yet."""
    door = Door()
    async with (
        httpx.AsyncClient(transport=door, timeout=None) as posts,
        trio.open_nursery() as nursery,
    ):
        world = World(seed, folder, plan, nursery, traced=traced)
        world.door, world.posts = door, posts
        door.opened(world, world.random("door"))
        await world.new_terminal()
        yield world
        world.over = True
        nursery.cancel_scope.cancel()
