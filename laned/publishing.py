"""Publishing: the runner's publisher tells of each step of the lane, and others watch.

A `Watch` is all that an adapter gets. `changes` yields the newest state and may skip some; `until`
is looked at for every state; `listen` gives the till events of every step, from a history that is
kept for tills that come back.
"""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

import trio
from msgspec import Struct

from laned.lane import events as ev
from laned.lane.state import LaneState
from laned.views.till_events import TillEvent, till_events

T = TypeVar("T")

HISTORY: Final = 1000  # till events kept for tills that come back
EVENTS_PER_LIFE: Final = 1_000_000_000  # ids of one run; the next run's are all higher


class NumberedEvent(Struct, frozen=True):
    """A till event with its id, which grows from life to life."""

    id: int
    event: TillEvent


class Published(Struct, frozen=True):
    """One step of the lane: it is on disk, and the till can hear of it.

    `event` is None for the first step of a life, `recording` the seconds that the journal took, if
    there was something to record.
    """

    before: LaneState
    event: ev.Event | None
    after: LaneState
    till_events: tuple[TillEvent, ...]
    recording: float | None


Observer = Callable[[Published], None]
"""Looks at every step, and keeps nobody waiting: the log, the metrics."""


class Watch(Protocol):
    """The lane as others see it. Who has one can tell nobody anything."""

    @property
    def state(self) -> LaneState:
        """The newest published state."""
        ...

    async def until(self, view: Callable[[LaneState], T | None]) -> T:
        """Wait until `view` gives something; it is looked at for every published state."""
        ...

    def changes(self, view: Callable[[LaneState], T]) -> AsyncIterator[T]:
        """Yield what `view` gives now and whenever that changes; may skip steps in between."""
        ...

    def position(self, after: int | None) -> int:
        """Where `listen` can go on for someone whose last till event was `after`."""
        ...

    def listen(self, after: int) -> AsyncGenerator[NumberedEvent, None]:
        """Yield the till events after the position `after`, then live, until the lane stops."""
        ...


class _Waiter(Generic[T]):
    def __init__(self, view: Callable[[LaneState], T | None]) -> None:
        self.view = view
        self.done = trio.Event()
        self.found: T | None = None


class Publisher:
    """Holds the newest state, and tells everybody who watches it. `life` numbers this run.

    Whoever owns the lane publishes; everybody else gets this as a `Watch`.
    """

    def __init__(self, state: LaneState, life: int, observers: Sequence[Observer] = ()) -> None:
        self.state = state
        self.stopped = trio.Event()
        self._observers = observers
        self._waiters: set[_Waiter[Any]] = set()
        self._published = trio.Event()
        self._last_id = life * EVENTS_PER_LIFE
        self._first_id = self._last_id + 1
        self._history: deque[NumberedEvent] = deque(maxlen=HISTORY)

    def publish(self, state: LaneState, event: ev.Event | None, recording: float | None) -> None:
        """Tell of the step to `state`, which is on disk."""
        before, self.state = self.state, state
        told = tuple(till_events(before, event, state))
        for item in told:
            self._last_id += 1
            self._history.append(NumberedEvent(self._last_id, item))
        for waiter in list(self._waiters):
            waiter.found = waiter.view(self.state)
            if waiter.found is not None:
                self._waiters.discard(waiter)
                waiter.done.set()
        published, self._published = self._published, trio.Event()
        published.set()
        for observe in self._observers:
            observe(Published(before, event, self.state, told, recording))

    async def until(self, view: Callable[[LaneState], T | None]) -> T:
        """Wait until `view` gives something; it is looked at for every published state."""
        found = view(self.state)
        if found is not None:
            return found
        waiter = _Waiter(view)
        self._waiters.add(waiter)
        try:
            await waiter.done.wait()
        finally:
            self._waiters.discard(waiter)
        assert waiter.found is not None
        return waiter.found

    async def changes(self, view: Callable[[LaneState], T]) -> AsyncIterator[T]:
        """Yield what `view` gives now and whenever that changes; may skip steps in between."""
        seen: list[T] = []
        while True:
            published = self._published
            value = view(self.state)
            if [value] != seen:
                seen = [value]
                yield value
            if not self.stopped.is_set():
                await published.wait()
            elif view(self.state) == value:
                return

    def position(self, after: int | None) -> int:
        """Where `listen` can go on for someone whose last till event was `after`.

        An id that is not of this run, or older than the history, goes on with what comes next.
        """
        oldest = self._history[0].id if self._history else self._last_id + 1
        known = after is not None and max(self._first_id, oldest) - 1 <= after <= self._last_id
        return after if after is not None and known else self._last_id

    async def listen(self, after: int) -> AsyncGenerator[NumberedEvent, None]:
        """Yield the till events after the position `after`, then live, until the lane stops.

        It also ends for a listener who has fallen behind the history.
        """
        while True:
            published = self._published
            for told in self._since(after):
                if told.id != after + 1:
                    return  # fell out of the history: the till starts over with the whole lane
                after = told.id
                yield told
            if self.stopped.is_set() and after == self._last_id:
                return
            if after == self._last_id:
                await published.wait()

    def _since(self, after: int) -> list[NumberedEvent]:
        missing = min(self._last_id - after, len(self._history))
        return [self._history[-n] for n in range(missing, 0, -1)]

    def end(self) -> None:
        """Nothing more is published."""
        self.stopped.set()
        self._published.set()
