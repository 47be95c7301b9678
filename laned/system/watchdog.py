"""What systemd is told while the lane runs: how it is, in one line, and that it is not stuck.

The watchdog is fed only after a round trip through the lane's own task and the journal's thread.
Source: sd_notify(3), sd_watchdog_enabled(3).
"""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Final

import trio

from laned.inbox import LaneStopped
from laned.publishing import Watch
from laned.system.systemd import notify
from laned.views.status_line import summary

AGAIN: Final = 1.0  # seconds until a word that systemd could not take is said again


def patience(environ: MutableMapping[str, str]) -> float | None:
    """Seconds after which systemd takes this process for stuck; None: it does not watch."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    watched = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    if not (watched and microseconds.isascii() and microseconds.isdecimal()):
        return None
    return int(microseconds) / 1_000_000 or None


Pulse = Callable[[], Awaitable[None]]
"""Returns when the lane's task and the journal's thread have got on: LaneStopped."""


async def report(lane: Watch, pulse: Pulse, environ: MutableMapping[str, str]) -> None:
    """Tell systemd of the lane until it has stopped. Returns at once where nobody listens."""
    if not environ.get("NOTIFY_SOCKET"):
        return
    async with trio.open_nursery() as nursery:
        within = patience(environ)
        if within is not None:
            nursery.start_soon(_feed, lane, pulse, within / 2, environ)
        async for line in lane.changes(summary):
            notify(f"STATUS={line}", environ)
        nursery.cancel_scope.cancel()


async def _feed(
    lane: Watch, pulse: Pulse, interval: float, environ: MutableMapping[str, str]
) -> None:
    """Feed the watchdog. The status goes along, should systemd have missed it before."""
    with suppress(LaneStopped):
        while True:
            await pulse()
            told = notify(f"WATCHDOG=1\nSTATUS={summary(lane.state)}", environ)
            await trio.sleep(interval if told else min(AGAIN, interval))
