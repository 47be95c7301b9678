"""Buttons and their LEDs, through gpiozero: tells of presses, decides nothing.

Edges arrive on a thread of the pin library and are handed over at once. Debouncing is done here, in
trio's time, so that it behaves the same on real pins and on mock ones. What a press means is
decided elsewhere. Nothing polls: a button that nobody touches costs nothing.

A button is *heeded* once it was seen released, and until it is stuck or chatters; only then is its
LED lit. `hardware.buttons` is failing while one is not heeded or its wires are noisy, while an LED
cannot be switched, and while there are no pins.
"""

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, closing
from types import MappingProxyType
from typing import Any, Final

import trio

from laned.config.schema import ButtonsConfig
from laned.hardware.back_off import BackOff
from laned.hardware.button_line import GLITCH_SECONDS, GLITCHES, SETTLE_SECONDS, Fault, Line
from laned.hardware.gpio import cure, mock_pins, name_of, real_pins

STUCK_SECONDS: Final = 60.0
"""No customer presses longer."""

HELD: Final = Fault(
    "is down from the start, ignored until it is released",
    "if nobody holds it, check its pin, pull and active",
)
STUCK: Final = Fault(
    f"down for {STUCK_SECONDS:.0f} s, it may be stuck", "free it, or check its contact"
)
CHATTERS: Final = Fault(
    "chatters, its presses are ignored until it is quiet", "check its contact and wires"
)
NOISY: Final = Fault(
    f"more than {GLITCHES} glitches within {GLITCH_SECONDS:.0f} s, none of them a press",
    "keep the wires short and away from mains",
)

log = logging.getLogger(__name__)

Tell = Callable[[str, str, float], None]
Report = Callable[[str], None]


class Health:
    """Adds up what is wrong, and reports "ok" or "failing" when that changes."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._faults: dict[str, Fault] = {}
        self._reported = ""

    @property
    def faults(self) -> Mapping[str, Fault]:
        """What is wrong now, by part."""
        return MappingProxyType(self._faults)

    def note(self, part: str, fault: Fault | None = None) -> None:
        """Set what is wrong with `part`; None: nothing is."""
        before = self._faults.pop(part, None)
        if fault is not None:
            self._faults[part] = fault
        if fault is not None and fault != before:
            log.warning("buttons: %s: %s", part, fault)
        elif before is not None and fault is None:
            log.info("buttons: %s: works again", part)
        state = "failing" if self._faults else "ok"
        if state != self._reported:
            self._reported = state
            self._report(state)


class Buttons:
    """The buttons that the configuration names; `names` are theirs.

    `pins` makes the factory of the pins; by default that of the configured driver.
    """

    def __init__(self, config: ButtonsConfig, pins: Callable[[], Any] | None = None) -> None:
        self.names = tuple(config.named)
        self.virtual = config.driver == "virtual"
        self._config = config
        self._pins = pins or (mock_pins if self.virtual else real_pins)
        self._lines: dict[str, Line] = {}
        self._factory: Any = None
        self._opened = trio.Event()
        self._health = Health(lambda state: None)

    @property
    def faults(self) -> Mapping[str, Fault]:
        """What is wrong now, by part; the parts are the buttons, their LEDs, wires, the pins."""
        return self._health.faults

    async def run(self, tell: Tell, report: Report, lit: AsyncIterator[frozenset[str]]) -> None:
        """Tell of presses until cancelled, and light the LEDs of the newest set in `lit`.

        Calls `tell(name, "pressed", since)` and, after each of those, `tell(name, "released",
        since)`; `since` is when the line went down or up, in trio's seconds. `report`
        is told "ok", "failing" or "off" (driver "none") at every change. Trouble with the hardware
        is never raised; pins that cannot be opened are tried again after 1 s, doubling up to 30 s.
        """
        if self._config.driver == "none":
            report("off")
            return
        self._health = health = Health(report)
        devices = ExitStack()
        try:
            await self._open(devices, health)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._light, lit)
                for line in self._lines.values():
                    nursery.start_soon(_watch, line, tell)
                    nursery.start_soon(_mind_noise, line, health)
        finally:
            _close(devices)

    async def press(self, name: str, seconds: float) -> None:
        """Hold a virtual button down for so long, from when `run` has opened the pins.

        Raises KeyError for an unknown name, and RuntimeError unless the driver is "virtual".
        """
        config = self._config.named[name]
        if not self.virtual:
            raise RuntimeError("only virtual buttons can be pressed")
        await self._opened.wait()
        line, pin = self._lines[name], self._factory.pin(config.pin)
        await line.ready.wait()
        line.drive(pin, down=True)
        try:
            await trio.sleep(seconds)
        finally:
            line.drive(pin, down=False)

    def led(self, name: str) -> bool | None:
        """Whether the button's LED is lit; None if it has none. Raises KeyError."""
        if self._config.named[name].led is None:
            return None
        line = self._lines.get(name)
        return line is not None and bool(line.lit)

    async def _open(self, devices: ExitStack, health: Health) -> None:
        """Open all pins, however long it takes; `devices` closes them."""
        back_off = BackOff()
        while True:
            # Without the library, the rights or the chip, each layer below raises errors of its
            # own; whichever it was, the lane runs without buttons until it works.
            try:
                with ExitStack() as attempt:
                    slow = self._pins is real_pins
                    factory = await trio.to_thread.run_sync(self._pins) if slow else self._pins()
                    attempt.enter_context(closing(factory))
                    named = self._config.named.items()
                    lines = {name: Line(name, one, health.note) for name, one in named}
                    for line in lines.values():
                        line.open(factory, attempt, virtual=self.virtual)
                    devices.enter_context(attempt.pop_all())
            except Exception as error:
                health.note("pins", Fault(f"{type(error).__name__}: {error}", cure(error)))
                await back_off.wait()
                continue
            log.info("buttons: %s by the pins of %s", ", ".join(lines), name_of(factory))
            self._factory, self._lines = factory, lines
            devices.callback(self._forget)
            health.note("pins")
            self._opened.set()
            return

    def _forget(self) -> None:
        self._factory, self._lines, self._opened = None, {}, trio.Event()

    async def _light(self, lit: AsyncIterator[frozenset[str]]) -> None:
        async for names in lit:
            for line in self._lines.values():
                line.light(line.name in names)


def _close(devices: ExitStack) -> None:
    """Let go of all pins: each is closed, whatever another says."""
    try:
        devices.close()
    except Exception as error:  # lgpio: "GPIO busy", now and then, while its thread reads the line
        log.warning("buttons: not closed in order: %s: %s", type(error).__name__, error)


async def _watch(line: Line, tell: Tell) -> None:
    """Tell of the presses of one line, except while it chatters."""
    while True:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_presses, line, tell)
            await line.chattering.wait()
            nursery.cancel_scope.cancel()
        if line.pressed:
            line.pressed = False
            tell(line.name, "released", line.since)
        line.heed(unless=CHATTERS)
        await line.quiet()


async def _presses(line: Line, tell: Tell) -> None:
    lock_out = max(0.0, line.config.bounce_time - SETTLE_SECONDS)
    # What is down from the start was not pressed: it has to be seen released first.
    if await line.settle():
        line.heed(unless=HELD)
        await line.release()
    line.heed()
    line.ready.set()
    while True:
        await line.press()
        line.pressed = True
        tell(line.name, "pressed", line.since)
        await trio.sleep(lock_out)
        await _released(line)
        line.pressed = False
        tell(line.name, "released", line.since)
        await trio.sleep(lock_out)


async def _released(line: Line) -> None:
    with trio.move_on_after(STUCK_SECONDS):
        await line.release()
        return
    line.heed(unless=STUCK)
    await line.release()
    line.heed()


async def _mind_noise(line: Line, health: Health) -> None:
    part = f"wires of {line.name}"
    while True:
        await line.noisy.wait()
        health.note(part, NOISY)
        await line.clean()
        health.note(part)
