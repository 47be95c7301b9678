"""The terminal's face: its display, its clock and the pace of the people before it."""

import random
from collections.abc import Callable
from datetime import datetime

from laned.simulator import compose
from laned.simulator.listener import Listener, Origin
from laned.simulator.settings import Settings
from laned.simulator.texts import text

JITTER = 0.1


class Panel:
    """Shows texts, on the terminal and to the listener, and makes people take their time."""

    def __init__(
        self,
        listener: Listener,
        settings: Settings,
        rng: random.Random,
        now: Callable[[], datetime],
        say: Callable[[str], None],
    ) -> None:
        self.listener = listener
        self.settings = settings
        self.rng = rng
        self.now = now
        self.say = say
        self.operator_language = ""
        self.display: tuple[str, ...] = ()

    async def show(self, origin: Origin, key: str, stars: int = 0) -> None:
        """Show a text; in default integration also post it and wait for the answer."""
        code, shown = self.text(key, stars)
        self.display = (shown,)
        self.say(f"display: {shown}")
        await self.listener.display(origin, compose.screen_text(code, shown))

    def text(self, key: str, stars: int = 0) -> tuple[int | None, str]:
        """A text in the language of the display, with its id."""
        return text(key, self.settings.language or self.operator_language, stars)

    async def notify(
        self,
        origin: Origin,
        name: str,
        *,
        details: str = "",
        rejected: bytes = b"",
        maintenance: bool = False,
    ) -> bool:
        """Post an event; whether the till took it."""
        self.say(f"event: {name}")
        event = compose.event(
            name, self.now(), details=details, rejected=rejected, maintenance=maintenance
        )
        return await self.listener.notify(origin, event)

    def taken(self, seconds: float) -> float:
        """How long something takes that takes a person or a host about so many seconds."""
        return self.scaled(seconds) * self.rng.uniform(1 - JITTER, 1 + JITTER)

    def scaled(self, seconds: float) -> float:
        """Seconds of the terminal's own at its speed."""
        return seconds / self.settings.speed
