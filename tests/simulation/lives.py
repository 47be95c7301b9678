"""One life of laned: runner, terminal client and callback app on a journal that outlives them.

A life can crash before and after each of its effects. Nothing that it holds in memory survives,
and nothing of it touches disk or network afterwards.
"""

import math
from pathlib import Path
from typing import Any

import trio
from msgspec import Struct

from laned.inbox import Handled
from laned.journal.store import AnyJournal, BrokenJournal, Journal, JournalError, Stored, set_aside
from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.state import LaneState
from laned.lane.turn import Step
from laned.publishing import NumberedEvent, Publisher
from laned.runner import Runner


class Crash(Exception):  # noqa: N818 - as sudden as a power cut
    """The process is gone."""


class Witness:
    """Who looks on; a `Life` tells what it does."""

    def point(self, life: "Life", name: str) -> bool:
        """A place where the life may crash: whether it does."""
        return False

    def handles(self, event: ev.Event, state: LaneState) -> None:
        """The lane is about to handle an event."""

    def stepped(self, step: Step) -> None:
        """The lane has taken a step, and carries it out."""

    def written(self, entries: list[fx.Entry]) -> None:
        """This is on disk."""

    def told(self, life: "Life", told: list[NumberedEvent]) -> None:
        """Tills hear this now."""

    def answered(self, life: "Life", event: ev.Event, handled: Handled) -> None:
        """Whoever brought the event is answered now."""


class Trouble(Struct):
    """The disk's state: what a write is answered with, if not done; a read, too, if corrupt."""

    condition: str = ""
    last: float = -math.inf  # when it made trouble


class Life:
    """Names and counts the places where it may crash; dead for ever once it has."""

    def __init__(self, number: int, witness: Witness) -> None:
        self.number = number
        self.witness = witness
        self.dead = False
        self.points = 0
        self.died_at = ""
        self.watch: WatchedPublisher
        self.runner: WatchedRunner
        self.scope = trio.CancelScope()

    def point(self, name: str) -> None:
        """Crash here if the seed wants it."""
        if self.dead:
            raise Crash(name)
        self.points += 1
        if self.witness.point(self, name):
            self.die(name)
            raise Crash(name)

    def die(self, name: str) -> None:
        """From now on nothing of this life has an effect."""
        self.dead = True
        self.died_at = name


class WatchedJournal:
    """A journal with a place to crash before and after each write, on a disk that may fail."""

    def __init__(self, journal: AnyJournal, life: Life, trouble: Trouble) -> None:
        self._journal = journal
        self._life = life
        self._trouble = trouble

    def write(self, entries: list[fx.Entry]) -> None:
        self._life.point("before a write")
        self._fail()
        self._journal.write(entries)
        self._life.witness.written(entries)
        self._life.point("after a write")

    def find(self, payment_id: str) -> Stored | None:
        if self._trouble.condition == "corrupt":
            self._fail()
        return self._journal.find(payment_id)

    def make_room(self) -> None:
        self._fail()
        self._journal.make_room()

    def _fail(self) -> None:
        if self._trouble.condition:
            self._trouble.last = trio.current_time()
            raise JournalError(f"the disk is {self._trouble.condition}", self._trouble.condition)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)


class WatchedPublisher(Publisher):
    """A publisher with a place to crash around each publication."""

    def __init__(self, state: LaneState, number: int, life: Life) -> None:
        super().__init__(state, number)
        self._life = life

    def publish(self, state: LaneState, event: ev.Event | None, recording: float | None) -> None:
        before = self._last_id
        self._life.point("before it is published")
        super().publish(state, event, recording)
        self._life.witness.told(self._life, self._since(before))
        self._life.point("after it is published")


class WatchedRunner(Runner):
    """A runner with a place to crash before each answer."""

    life: Life

    async def _handle(self, event: ev.Event, nursery: trio.Nursery) -> Handled:
        self.life.witness.handles(event, self.state)
        handled = await super()._handle(event, nursery)
        self.life.point("before an answer")
        self.life.witness.answered(self.life, event, handled)
        return handled

    async def _carry_out(self, step: Step, event: ev.Event | None, nursery: trio.Nursery) -> None:
        self.life.witness.stepped(step)
        await super()._carry_out(step, event, nursery)

    async def _take_note(self, event: ev.Event, nursery: trio.Nursery) -> None:
        self.life.witness.handles(event, self.state)
        await super()._take_note(event, nursery)


def open_journal(path: Path, first_service_id: int, on_corrupt: str) -> AnyJournal:
    """As the daemon does it, with a first ServiceID that the seed chooses."""
    try:
        return Journal(path, first_service_id)
    except JournalError as error:
        if error.condition != "corrupt" or on_corrupt != "aside":
            return BrokenJournal(error)
    set_aside(path)
    return Journal(path, first_service_id)


def lose(path: Path) -> None:
    """The journal's files are gone; its lock file tells that there was one."""
    for suffix in ("", "-wal", "-shm", ".ballast"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def damage(path: Path) -> None:
    """The journal's file is no database any more."""
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.write_bytes(b"not a database, and long enough to be taken for one" * 100)
