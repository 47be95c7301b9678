"""`laned demo`: the whole lane on any machine, without hardware."""

import logging
import os
import signal
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import trio
from httpx import HTTPError

from laned import exits
from laned.daemon import StartError
from laned.demo.scenario import play_scenario
from laned.demo.till import Refused
from laned.exits import INTERRUPTED
from laned.journal.store import JournalError

DEFAULT: Final = "happy"
MAX_WARNINGS: Final = 100


class Warnings(logging.Handler):
    """Keeps what laned warns of, for whoever has room to show it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: deque[str] = deque(maxlen=MAX_WARNINGS)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one; from any thread."""
        self.lines.append(self.format(record))


def demo(scenario: str | None, speed: float) -> int:
    """Run `laned demo`; the exit status.

    Without a scenario it is interactive in a terminal window, and plays `happy` elsewhere.
    """
    warnings = Warnings()
    logging.basicConfig(level=logging.WARNING, handlers=[warnings], force=True)
    if scenario is None and _in_window():
        from laned.demo.interactive import interact

        work = partial(interact, speed, warnings.lines)
    else:
        work = partial(play_scenario, scenario or DEFAULT, speed)
    status = INTERRUPTED

    def run() -> None:
        nonlocal status
        status = trio.run(_until_interrupted, work)

    failed = exits.of(run, StartError, JournalError, Refused, HTTPError, OSError)
    for line in warnings.lines:
        print(f"laned: {line}", file=sys.stderr)
    return failed or status


async def _until_interrupted(work: Callable[[], Awaitable[int]]) -> int:
    """Do `work`; INTERRUPTED if SIGINT, SIGTERM or SIGHUP came first, and all is tidied up."""
    status = INTERRUPTED

    async def interrupted(*, task_status: trio.TaskStatus[None]) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
            task_status.started()
            async for _ in signals:
                nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        await nursery.start(interrupted)
        status = await work()
        nursery.cancel_scope.cancel()
    return status


def _in_window() -> bool:
    window = sys.stdin.isatty() and sys.stdout.isatty()
    return window and os.environ.get("TERM", "dumb") != "dumb"
