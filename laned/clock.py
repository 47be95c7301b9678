"""Whether the wall clock can be believed. A Pi without a clock of its own wakes up in the past."""

import ctypes
from pathlib import Path
from typing import Final

TIMESYNCD: Final = Path("/run/systemd/timesync/synchronized")
_TIME_ERROR: Final = 5  # adjtimex(2): the clock is not synchronised
_TIMEX_BYTES: Final = 256  # more than struct timex has on any Linux


def clock_synchronised() -> bool:
    """Whether the system says that its clock is right; False when it does not say."""
    if TIMESYNCD.exists():
        return True
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)  # modes 0: only read
    state: int = ctypes.CDLL(None).adjtimex(timex)
    return 0 <= state < _TIME_ERROR
