"""Where blocking work happens: in a worker thread, or in line under virtual time."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import trio

T = TypeVar("T")


class Offload(Protocol):
    """Runs a blocking function and waits for its result; calls never overlap."""

    async def __call__(self, work: Callable[[], T], /) -> T:
        """Run `work`; its exception is raised here."""
        ...


class WorkerThread:
    """An Offload of its own: one call at a time, in a thread, never abandoned when cancelled."""

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(1)

    async def __call__(self, work: Callable[[], T], /) -> T:
        """Run `work` in a worker thread; its exception is raised here."""
        return await trio.to_thread.run_sync(work, limiter=self._limiter)


async def in_line(work: Callable[[], T], /) -> T:
    """Run `work` here. For runs under virtual time, whose clock does not wait for threads."""
    await trio.lowlevel.checkpoint()
    return work()
