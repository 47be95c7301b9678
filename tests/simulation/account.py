"""How long the terminal allowed a session, and how long the lane had one: counted outside of laned.

It is read from the simulated terminal (what it is in, and which session it has) and from the
process table, so to say (which life of laned runs). What laned says of itself is not asked.

- Allowed is every second in which the terminal is powered, has a network and is not in maintenance,
  from the moment at which it answers after a restart. While it is logged out with
  MaintenanceAllowed the nightly window is not allowed (by the clock of the box, at least an hour),
  and outside of the window what is left until the maintenance has ended that it had asked for, an
  hour at the most. Everything beyond that counts.
- Up is an allowed second in which the terminal has a session that the life which runs has made.
  A laned that is dead, or that has not logged in again after its own restart, is not up.
"""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta

import trio
from clocks import Clocks
from msgspec import Struct

from laned.simulator import Condition, Terminal

REST = 3600.0
"""Seconds of a Logout for maintenance that are not held against the lane."""
NOT_ALLOWED = (Condition.OFF, Condition.UNREACHABLE, Condition.MAINTENANCE)


class Gap(Struct):
    """A time without a session that the terminal would have allowed."""

    began: datetime
    seconds: float
    why: str


class Account:
    """Adds up; `look` is called whenever anything may have changed, `life` is the one that runs."""

    def __init__(
        self,
        clocks: Clocks,
        window: tuple[time, time] | None,
        terminal: Callable[[], Terminal],
        life: Callable[[], object],
    ) -> None:
        self.allowed = 0.0
        self.up = 0.0
        self.gaps: list[Gap] = []
        self.sessions = 0
        self._clocks = clocks
        self._window = window
        self._terminal = terminal
        self._life = life
        self._since = trio.current_time()
        self._condition: Condition | None = None
        self._is_up = False
        self._session: object = None
        self._maker: object = None
        self._rests_until = 0.0
        self._rests_since: tuple[float, datetime] | None = None  # for the window
        self._last_gap_ended = -1.0

    @property
    def figure(self) -> float:
        """The share of the allowed time in which there was a session; 1.0 is all of it."""
        return self.up / self.allowed if self.allowed else 1.0

    def look(self) -> None:
        """Count the time until now as what it was, and see what it is from now on."""
        self._count()
        terminal, life = self._terminal(), self._life()
        if terminal.session is not self._session:
            self._session, self._maker = terminal.session, life
            self.sessions += terminal.session is not None
        before, self._condition = self._condition, terminal.availability.changes[-1][1]
        self._is_up = self._condition is Condition.OPEN and life is not None and life is self._maker
        if self._condition is before:
            return
        now = trio.current_time()
        if self._condition is Condition.RESTING and before in (Condition.OPEN, Condition.CLOSED):
            self._begins_to_rest(terminal)
        elif self._condition is Condition.RESTING and before is Condition.MAINTENANCE:
            self._rests_until = now  # it has had what it wanted
            clock = self._clocks.of_the_box()
            if self._rests_since is None and self._in_window(clock):
                self._rests_since = (now, clock)
        elif self._condition in (Condition.OPEN, Condition.CLOSED):
            self._rests_since, self._rests_until = None, now

    def _begins_to_rest(self, terminal: Terminal) -> None:
        now, clock = trio.current_time(), self._clocks.of_the_box()
        self._rests_since = (now, clock) if self._in_window(clock) else None
        wanted = terminal.maintenance_required and self._rests_since is None
        self._rests_until = now + REST if wanted else now

    def _in_window(self, clock: datetime) -> bool:
        """By the clock's face, as a person reads it; a second early is not too early."""
        if self._window is None:
            return False
        early = (clock.astimezone(UTC) + timedelta(seconds=1)).astimezone(clock.tzinfo)
        return self._window[0] <= early.time() < self._window[1]

    def _until(self) -> float:
        """Until when resting is not held against the lane."""
        if self._rests_since is None or self._window is None:
            return self._rests_until
        began, clock = self._rests_since
        end = datetime.combine(clock.date(), self._window[1], clock.tzinfo)
        left = end.timestamp() - self._clocks.of_the_box().timestamp()
        return max(self._rests_until, began + REST, trio.current_time() + left)

    def _count(self) -> None:
        since, now = self._since, trio.current_time()
        self._since = now
        if self._condition is None or self._condition in NOT_ALLOWED:
            return
        if self._condition is Condition.RESTING:
            since = min(now, max(since, self._until()))
        self.allowed += now - since
        if self._is_up:
            self.up += now - since
        elif now > since:
            self._gap(since, now)

    def _gap(self, since: float, now: float) -> None:
        why = str(self._condition) if self._life() is not None else f"{self._condition}, no laned"
        if since == self._last_gap_ended:
            self.gaps[-1].seconds += now - since
        else:
            began = self._clocks.right() - timedelta(seconds=now - since)
            self.gaps.append(Gap(began, now - since, why))
        self._last_gap_ended = now

    def largest(self, number: int) -> list[Gap]:
        """The largest gaps, the largest first."""
        return sorted(self.gaps, key=lambda gap: -gap.seconds)[:number]
