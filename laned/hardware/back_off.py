"""How long to wait until hardware that fails is tried again."""

from typing import Final

import trio

FIRST_RETRY_SECONDS: Final = 1.0
LAST_RETRY_SECONDS: Final = 30.0


class BackOff:
    """Waits before each try, every time twice as long up to a limit, until one has succeeded."""

    def __init__(self) -> None:
        self._next = FIRST_RETRY_SECONDS

    @property
    def failing(self) -> bool:
        """Whether there was a wait since the last success."""
        return self._next != FIRST_RETRY_SECONDS

    async def wait(self) -> None:
        """Wait after a try that failed."""
        await trio.sleep(self._next)
        self._next = min(2 * self._next, LAST_RETRY_SECONDS)

    def succeeded(self) -> None:
        """Begin with the shortest wait again."""
        self._next = FIRST_RETRY_SECONDS
