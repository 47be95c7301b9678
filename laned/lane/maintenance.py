"""When the terminal is logged out so that it can maintain itself, and for how long.

The terminal needs an hour a day, logged out with MaintenanceAllowed: the daily window of the
configuration, or whenever it asks for it. Source: protocol, section Session; contract, Session.

The window is a matter of the wall clock, which may jump, may not be set yet and changes with the
season. So it is looked at anew every few minutes, is counted in UTC from the local times of the
day, and how long a Logout lasts is bounded by the monotonic clock.
"""

from datetime import UTC, datetime, time, timedelta

import msgspec

from laned.lane.state import Phase, Reason
from laned.lane.turn import Turn

IDLE_BEFORE = 600.0  # seconds without a payment before the terminal's own wish is granted
AT_LEAST = 3600.0  # seconds that a Logout for maintenance lasts, unless the terminal is done sooner
WITHOUT_CLOCK = 24 * 3600.0  # seconds after which it is done whatever the time may be
CLOCK_LOOK = 600.0  # seconds between two looks at the wall clock


def window(wall: datetime, times: tuple[time, time]) -> tuple[datetime, datetime]:
    """Begin and end, in UTC, of the window that is on at `wall`, or else of the next one.

    `wall` has the local time zone. A local time that the clock skips in spring counts as if it had
    not; a window is never shorter than `AT_LEAST`.
    """
    now = wall.astimezone(UTC)
    for day in range(-1, 3):
        date = wall.date() + timedelta(days=day)
        last = date if times[0] < times[1] else date + timedelta(days=1)
        begin = datetime.combine(date, times[0], wall.tzinfo).astimezone(UTC)
        end = datetime.combine(last, times[1], wall.tzinfo).astimezone(UTC)
        end = max(end, begin + timedelta(seconds=AT_LEAST))
        if now < end:
            return begin, end
    raise AssertionError("a window begins every day")


def wish(turn: Turn, *, urgent: bool = False) -> None:
    """The terminal asks for maintenance: granted once the lane has been idle for a while.

    `urgent`: as soon as nothing is unfinished.
    """
    change(turn, wanted=True, urgent=urgent or turn.state.maintenance.urgent)
    look_again(turn)


def began(turn: Turn) -> None:
    """The terminal is logged out for maintenance from now on."""
    change(turn, began_at=turn.now.monotonic, wanted=False, urgent=False)


def change(turn: Turn, **changes: object) -> None:
    """Replace fields of what is known of the maintenance."""
    turn.change(maintenance=msgspec.structs.replace(turn.state.maintenance, **changes))


def due(turn: Turn) -> bool:
    """Whether an idle lane is to log out for maintenance now."""
    state, now = turn.state, turn.now
    known, times = state.maintenance, state.config.maintenance.times
    # the very sums that `look_again` waits for: differences of floats can be a little less
    idle_enough = now.monotonic >= state.idle_since + known.idle_before
    if known.wanted and (known.urgent or idle_enough):
        return True
    if times is None:
        return False
    last = known.began_at
    if not now.synchronised:
        return now.monotonic - (known.born_at if last is None else last) >= WITHOUT_CLOCK
    since = (now.wall - window(now.wall, times)[0]).total_seconds()
    return since >= 0 and (last is None or now.monotonic - last > since)


def is_over(turn: Turn) -> bool:
    """Whether a lane that is logged out for maintenance may log in again."""
    state, now = turn.state, turn.now
    assert state.maintenance.began_at is not None
    long_enough = now.monotonic >= state.maintenance.began_at + AT_LEAST
    return not _in_window(turn) and (state.maintenance.over or long_enough)


def _in_window(turn: Turn) -> bool:
    times, now = turn.state.config.maintenance.times, turn.now
    return times is not None and now.synchronised and window(now.wall, times)[0] <= now.wall


def look_again(turn: Turn) -> None:
    """Say when maintenance may be due (READY) or over (LOGGED_OUT) at the earliest."""
    state, now = turn.state, turn.now.monotonic
    looks = []
    if state.phase is Phase.LOGGED_OUT and state.reason is Reason.MAINTENANCE:
        assert state.maintenance.began_at is not None
        looks = [state.maintenance.began_at + AT_LEAST, *_next_of_window(turn)]
    elif state.phase is Phase.READY:
        looks = _next_of_window(turn)
        if state.maintenance.wanted:
            looks.append(state.idle_since + state.maintenance.idle_before)
    turn.change(maintenance_at=min((look for look in looks if look > now), default=None))


def _next_of_window(turn: Turn) -> list[float]:
    """The next look at the wall clock: when the window begins or ends, and now and then."""
    times, now = turn.state.config.maintenance.times, turn.now
    if times is None:
        return []
    looks = [now.monotonic + CLOCK_LOOK]
    if now.synchronised:
        begin, end = window(now.wall, times)
        looks += [now.monotonic + (at - now.wall).total_seconds() for at in (begin, end)]
    return looks
