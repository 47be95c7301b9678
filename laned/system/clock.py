"""The wall clock: which time zone it is in, and whether it can be believed.

A Pi without a clock of its own wakes up in the past.
"""

import ctypes
import os
from datetime import UTC, tzinfo
from functools import cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

LOCALTIME: Final = Path("/etc/localtime")
TIMESYNCD: Final = Path("/run/systemd/timesync/synchronized")
_TIME_ERROR: Final = 5  # adjtimex(2): the clock is not synchronised
_TIMEX_BYTES: Final = 256  # more than struct timex has on any Linux


@cache
def local_zone() -> tzinfo:
    """The machine's time zone with its rules for summer and winter; UTC if it has none."""
    name = os.environ.get("TZ", "").removeprefix(":")
    try:
        if name:
            return ZoneInfo(name)
        with LOCALTIME.open("rb") as file:
            return ZoneInfo.from_file(file, key="localtime")
    except (OSError, ValueError, LookupError):  # no such zone, no such file, or not a zone's
        return UTC


def clock_synchronised() -> bool:
    """Whether the system says that its clock is right; False when it does not say."""
    if TIMESYNCD.exists():
        return True
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)  # modes 0: only read
    state: int = _libc().adjtimex(timex)
    return 0 <= state < _TIME_ERROR


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


class Clock:
    """Remembers that the wall clock was right once: from then on this machine keeps it so."""

    def __init__(self) -> None:
        self._right = False

    @property
    def synchronised(self) -> bool:
        """Whether the wall clock can be believed."""
        self._right = self._right or clock_synchronised()
        return self._right
