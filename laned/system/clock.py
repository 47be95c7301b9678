"""The wall clock: which time zone it is in, and whether it can be believed.

A Pi without a clock of its own wakes up in the past.
"""

import ctypes
import logging
import os
import re
import struct
from collections.abc import Callable
from datetime import UTC, tzinfo
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import trio

LOCALTIME: Final = Path("/etc/localtime")
TIMESYNCD: Final = Path("/run/systemd/timesync/synchronized")
GRACE: Final = 300.0  # seconds after a start in which nobody expects the clock to be right
LOOK_AGAIN: Final = 60.0  # seconds
TELL_AGAIN: Final = 24 * 3600.0  # seconds
_TIME_ERROR: Final = 5  # adjtimex(2): the clock is not synchronised
_TIMEX_BYTES: Final = 256  # more than struct timex has on any Linux
_WITHOUT_RULES: Final = re.compile(
    r"(<[^>]+>|[A-Za-z]{3,})[-+0-9:]+(<[^>]+>|[A-Za-z]{3,})[-+0-9:]*"
)
_USUAL_RULES: Final = ",M3.2.0,M11.1.0"  # glibc's for summer, where a TZ has none of its own

log = logging.getLogger("laned.clock")


# -- Time zone


@cache
def local_zone() -> tzinfo:
    """Return the machine's time zone with its rules for summer and winter; UTC if it has none."""
    name = os.environ.get("TZ")
    found = zone(name)
    if found is None and name is not None:
        log.warning("there is no time zone TZ=%s: times are taken to be UTC", name)
    return found or UTC


def zone(name: str | None) -> tzinfo | None:
    """Return the zone that a TZ variable means (tzset(3)); without one /etc/localtime's.

    None where there is no such zone.
    """
    if name is None:
        return _from_file(LOCALTIME)
    name = name.removeprefix(":")
    if not name:
        return UTC
    if name.startswith("/"):
        return _from_file(Path(name))
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):  # no such zone, or no name of one
        return _from_rules(name)


def _from_file(path: Path) -> tzinfo | None:
    try:
        with path.open("rb") as file:
            return ZoneInfo.from_file(file, key=path.name)
    except (OSError, ValueError):  # no such file, or not a zone's
        return None


def _from_rules(text: str) -> tzinfo | None:
    """Read a zone written out, as ``CET-1CEST,M3.5.0,M10.5.0/3``.

    ZoneInfo reads such text only at the end of a zone's file (RFC 8536, 3.3), so it gets a file
    that has nothing else.
    """
    if _WITHOUT_RULES.fullmatch(text):
        text += _USUAL_RULES
    # A version, then six counts: one kind of local time, whose name has one letter and its NUL.
    block = struct.pack(">4s c 15x 6L", b"TZif", b"2", 0, 0, 0, 0, 1, 2) + struct.pack(
        ">l ? B 2s", 0, False, 0, b"-\0"
    )
    try:
        return ZoneInfo.from_file(BytesIO(block + block + f"\n{text}\n".encode("ascii")), key=text)
    except ValueError:
        return None


# -- Whether it is right


def clock_fault() -> str:
    """Say why the clock cannot be believed; "" when the system says that it is right."""
    if TIMESYNCD.exists():
        return ""
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)  # modes 0: only read
    state: int = _libc().adjtimex(timex)
    if state < 0:
        return f"its state cannot be read: {os.strerror(ctypes.get_errno())}"
    return "no time server keeps it" if state >= _TIME_ERROR else ""


def clock_synchronised() -> bool:
    """Whether the system says that its clock is right; False when it does not say."""
    return not clock_fault()


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


class Clock:
    """Remembers that the wall clock was right once: from then on this machine keeps it so."""

    def __init__(self) -> None:
        self._right = False

    @property
    def synchronised(self) -> bool:
        """Whether the wall clock can be believed."""
        self._right = self._right or clock_synchronised()
        return self._right


async def tell_of_clock(window: Callable[[], str], fault: Callable[[], str] = clock_fault) -> None:
    """Log that the maintenance window is ignored, and why, until the clock can be believed."""
    began, tell_at = trio.current_time(), trio.current_time() + GRACE
    while why := fault():
        if trio.current_time() >= tell_at:
            tell_at += TELL_AGAIN
            log.warning(
                "the clock is not synchronised, %s: %s; old details of payments are kept",
                why,
                f"maintenance.window {window()} is ignored, and after 24 h the terminal is let go"
                " for an hour as soon as nobody pays"
                if window()
                else "times may be wrong",
            )
        await trio.sleep(LOOK_AGAIN)
    if trio.current_time() >= began + GRACE:
        log.info("the clock is synchronised now")
