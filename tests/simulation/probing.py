"""The liveness probe of `laned.terminal.probe`, without its connections while nothing changes.

A year has a million and a half of them. This one wakes only when something has changed, and then
answers at the time at which the next connection would have been made.
"""

from collections.abc import Awaitable, Callable

import trio

from laned.terminal.probe import PROBE_EVERY


class LazyProbe:
    """A `laned.terminal.probe.Probe`. `changed` returns after anything happened to the terminal.

    `reaches` says whether a connection to an address could be made now; one that cannot takes
    `takes` seconds.
    """

    def __init__(
        self,
        reaches: Callable[[str], bool],
        changed: Callable[[], Awaitable[None]],
        takes: Callable[[], float],
    ) -> None:
        self._reaches = reaches
        self._changed = changed
        self._takes = takes
        self._failed = False

    async def __call__(self, address: str) -> bool:
        """Wait until the terminal is gone; after that, say at once whether it is back."""
        await trio.lowlevel.checkpoint()
        began = trio.current_time()
        while self._reaches(address) and not self._failed:
            await self._changed()
            if not self._reaches(address):  # still so when the next connection is due?
                await trio.sleep(-(trio.current_time() - began) % PROBE_EVERY)
        reached = self._reaches(address)
        if not reached:
            await trio.sleep(self._takes())
        self._failed = not reached
        return reached
