"""Wall clocks under virtual time: the right one, and the box's, which may be wrong or not set."""

from datetime import UTC, datetime, timedelta

import trio

from laned.lane.events import Moment

BEGIN = datetime(2025, 3, 4, 11, 30, tzinfo=UTC)


class Clocks:
    """`begin` is the wall time, in its zone, at which virtual time begins."""

    def __init__(self, begin: datetime = BEGIN) -> None:
        self.ahead = 0.0
        """Seconds by which the box's clock is wrong."""
        self.synchronised = True
        """Whether the box believes its clock."""
        self._zone = begin.tzinfo
        self._begin = begin.astimezone(UTC)

    def right(self) -> datetime:
        """The time, as the terminal and everybody in the shop has it."""
        return self._local(0.0)

    def of_the_box(self) -> datetime:
        """What the box takes for the time."""
        return self._local(self.ahead)

    def moment(self, token: str) -> Moment:
        """What the lane is given beside an event."""
        return Moment(trio.current_time(), self.of_the_box(), token, self.synchronised)

    def _local(self, ahead: float) -> datetime:
        # in UTC: local times do not add up across a change of the clocks
        utc = self._begin + timedelta(seconds=trio.current_time() + ahead)
        return utc.astimezone(self._zone)
