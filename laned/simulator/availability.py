"""What of its time a terminal granted a session, and had one: counted outside of laned."""

from collections import deque
from enum import StrEnum

import trio

MAX_CHANGES = 100_000
"""Changes that are kept; the sums are of all."""


class Condition(StrEnum):
    """What a terminal is in at a time; the first that fits."""

    OFF = "off"
    """Not powered, or starting."""
    UNREACHABLE = "unreachable"
    MAINTENANCE = "maintenance"
    OPEN = "open"
    """There is a session."""
    RESTING = "resting"
    """Logged out with MaintenanceAllowed, as it asks for at least one hour every day."""
    CLOSED = "closed"
    """There is no session, although it would grant one."""


class Availability:
    """How long a terminal was in which condition, in seconds of `trio.current_time`."""

    def __init__(self) -> None:
        self.changes: deque[tuple[float, Condition]] = deque(maxlen=MAX_CHANGES)
        """Since when it was in what, oldest first."""
        self._seconds = dict.fromkeys(Condition, 0.0)

    def note(self, condition: Condition) -> None:
        """It is in this condition now."""
        now = trio.current_time()
        if self.changes:
            since, before = self.changes[-1]
            if before is condition:
                return
            self._seconds[before] += now - since
        self.changes.append((now, condition))

    def seconds(self, condition: Condition) -> float:
        """Seconds in this condition until now."""
        if not self.changes or self.changes[-1][1] is not condition:
            return self._seconds[condition]
        return self._seconds[condition] + trio.current_time() - self.changes[-1][0]

    @property
    def up(self) -> float:
        """Seconds in which there was a session and it could be used."""
        return self.seconds(Condition.OPEN)

    @property
    def allowed(self) -> float:
        """Seconds in which there was one or could have been; the daily rest is not among them."""
        return self.up + self.seconds(Condition.CLOSED)
