"""Buttons running on gpiozero's mock pins, with everything that they told."""

from collections.abc import Callable
from typing import Any

import trio
import trio.testing

from laned.config.schema import ButtonsConfig
from laned.hardware.buttons import Buttons

VIRTUAL = ButtonsConfig(driver="virtual")
CONFIRM, ABORT = 17, 27
PRESS = [("confirm", "pressed"), ("confirm", "released")]


class Rig:
    """Buttons running, with everything that they told."""

    def __init__(
        self,
        nursery: trio.Nursery,
        config: ButtonsConfig = VIRTUAL,
        pins: Callable[[], Any] | None = None,
    ) -> None:
        self.told: list[tuple[str, str]] = []
        self.times: list[float] = []
        self.since: list[float] = []
        self.reports: list[str] = []
        self.reported = trio.Event()
        self.buttons = Buttons(config, pins)
        self.scope = trio.CancelScope()
        self.ended = trio.Event()
        self._send, self._lit = trio.open_memory_channel[frozenset[str]](10)
        nursery.start_soon(self._run)

    async def _run(self) -> None:
        with self.scope:
            await self.buttons.run(self._tell, self._report, self._lit)
        self.ended.set()

    def _tell(self, name: str, action: str, since: float) -> None:
        self.told.append((name, action))
        self.times.append(trio.current_time())
        self.since.append(since)

    def _report(self, state: str) -> None:
        self.reports.append(state)
        self.reported.set()

    async def light(self, *names: str) -> None:
        self._send.send_nowait(frozenset(names))
        await trio.testing.wait_all_tasks_blocked()

    def pin(self, number: int) -> Any:
        return self.buttons._factory.pin(number)

    async def stop(self) -> None:
        self.scope.cancel()
        await self.ended.wait()
