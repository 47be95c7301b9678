"""Buttons and their LEDs, through gpiozero: tells of presses, decides nothing.

Edges arrive on a thread of the pin library and are handed over at once. Debouncing is done here, in
trio's time, so that it behaves the same on real pins and on mock ones. What a press means is
decided elsewhere.
"""

import logging
import math
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any, Final

import trio

from laned.config import ButtonConfig, ButtonsConfig

SETTLE_SECONDS: Final = 0.005
"""A line counts as down, or up, when it is so for this long without an edge."""
STUCK_SECONDS: Final = 60.0
CHATTER_EDGES: Final = 100
"""Within a second: far above what a bouncing contact makes under an impatient finger."""
QUIET_SECONDS: Final = 2.0
"""Without any edge, before a line that chattered is believed again."""
RETRY_SECONDS: Final = 30.0

log = logging.getLogger(__name__)

Tell = Callable[[str, str, float], None]
Report = Callable[[str], None]


class Health:
    """Adds up what is wrong, and reports "ok" or "failing" when that changes."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._faults: dict[str, str] = {}
        self._reported = ""

    def note(self, part: str, fault: str = "") -> None:
        """Set what is wrong with `part`; empty: nothing is."""
        before = self._faults.pop(part, "")
        if fault:
            self._faults[part] = fault
        if fault and fault != before:
            log.warning("buttons: %s: %s", part, fault)
        elif before and not fault:
            log.info("buttons: %s: works again", part)
        state = "failing" if self._faults else "ok"
        if state != self._reported:
            self._reported = state
            self._report(state)


class Line:
    """One button: its line's level and edges as last heard, and its LED.

    `since` is when the newest burst of edges began, in trio's time; `ready` is set once the line
    was seen released; `pressed` holds from a counted press to its release.
    """

    def __init__(self, name: str, config: ButtonConfig) -> None:
        self.name = name
        self.config = config
        self.down = False
        self.pressed = False
        self.edges = 0
        self.since = 0.0
        self.led: Any = None
        self.ready = trio.Event()
        self.chattering = trio.Event()
        self._changed = trio.Event()
        self._last_edge = -math.inf
        self._second = -1.0
        self._edges_before = 0

    def open(self, factory: Any, devices: ExitStack) -> None:
        """Claim the pins from `factory`; `devices` closes them. Raises what gpiozero raises."""
        from gpiozero import LED, DigitalInputDevice

        token = trio.lowlevel.current_trio_token()

        def hand_over(down: bool) -> Callable[[], None]:
            def edge() -> None:
                # On the pin library's only thread, which would not survive an exception.
                with suppress(trio.RunFinishedError):
                    token.run_sync_soon(self.heard, down)

            return edge

        device = devices.enter_context(
            closing(DigitalInputDevice(self.config.pin, pull_up=True, pin_factory=factory))
        )
        device.when_activated = hand_over(True)
        device.when_deactivated = hand_over(False)
        # After the callbacks are set, so that no edge falls between.
        self.down = bool(device.is_active)
        if self.config.led is not None:
            self.led = devices.enter_context(closing(LED(self.config.led, pin_factory=factory)))

    def heard(self, down: bool) -> None:
        """Take note of an edge. Edges are counted, not kept: a storm of them takes no memory."""
        self.down = down
        self.edges += 1
        now = trio.current_time()
        if now - self._last_edge >= SETTLE_SECONDS:
            self.since = now  # later ones of the same burst are bounces
        self._last_edge = now
        if now >= self._second + 1:
            self._second, self._edges_before = now, self.edges - 1
        if self.edges - self._edges_before > CHATTER_EDGES:
            self.chattering.set()
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    async def settled(self, *, down: bool) -> None:
        """Wait until the line is down (or up) and has had no edge for a moment."""
        while True:
            changed = self._changed
            if self.down != down:
                await changed.wait()
                continue
            with trio.move_on_after(SETTLE_SECONDS) as moment:
                await changed.wait()
            if moment.cancelled_caught:
                return

    async def quiet(self) -> None:
        """Wait until there was no edge for a while, which ends the chattering."""
        edges = -1
        while edges != self.edges:
            edges = self.edges
            await trio.sleep(QUIET_SECONDS)
        self.chattering = trio.Event()


class Buttons:
    """The buttons that the configuration names; `names` are theirs."""

    def __init__(self, config: ButtonsConfig) -> None:
        self.names = tuple(config.named)
        self.virtual = config.driver == "virtual"
        self._config = config
        self._lines: dict[str, Line] = {}
        self._factory: Any = None
        self._opened = trio.Event()

    async def run(self, tell: Tell, report: Report, lit: AsyncIterator[frozenset[str]]) -> None:
        """Tell of presses until cancelled, and light the LEDs of the newest set in `lit`.

        Calls `tell(name, "pressed", since)` and, after each of those, `tell(name, "released",
        since)`; `since` is when the line went down or up, in trio's seconds. `report`
        is told "ok", "failing" or "off" (driver "none") at every change. Trouble with the hardware
        is never raised; pins that cannot be opened are tried again every 30 s.
        """
        if self._config.driver == "none":
            report("off")
            return
        health = Health(report)
        with ExitStack() as devices:
            await self._open(devices, health)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._light, lit, health)
                for line in self._lines.values():
                    nursery.start_soon(_watch, line, tell, health)

    async def press(self, name: str, seconds: float) -> None:
        """Hold a virtual button down for so long, from when `run` has opened the pins.

        Raises KeyError for an unknown name, and RuntimeError unless the driver is "virtual".
        """
        config = self._config.named[name]
        if not self.virtual:
            raise RuntimeError("only virtual buttons can be pressed")
        await self._opened.wait()
        await self._lines[name].ready.wait()
        pin = self._factory.pin(config.pin)
        pin.drive_low()
        try:
            await trio.sleep(seconds)
        finally:
            pin.drive_high()

    def led(self, name: str) -> bool | None:
        """Whether the button's LED is lit; None if it has none. Raises KeyError."""
        if self._config.named[name].led is None:
            return None
        line = self._lines.get(name)
        return line is not None and bool(line.led.value)

    async def _open(self, devices: ExitStack, health: Health) -> None:
        """Open all pins, however long it takes; `devices` closes them."""
        while True:
            # Without the library, the rights or the chip, each layer below raises errors of its
            # own; whichever it was, the lane runs without buttons until it works.
            try:
                with ExitStack() as attempt:
                    factory = (
                        _mock_factory()
                        if self.virtual
                        else await trio.to_thread.run_sync(_lgpio_factory)
                    )
                    attempt.enter_context(closing(factory))
                    lines = {name: Line(name, one) for name, one in self._config.named.items()}
                    for line in lines.values():
                        line.open(factory, attempt)
                    devices.enter_context(attempt.pop_all())
            except Exception as error:
                health.note("pins", f"{type(error).__name__}: {error}; {_cure(error)}")
                await trio.sleep(RETRY_SECONDS)
                continue
            log.info("buttons: %s by the pins of %s", ", ".join(lines), type(factory).__name__)
            self._factory, self._lines = factory, lines
            devices.callback(self._forget)
            health.note("pins")
            self._opened.set()
            return

    def _forget(self) -> None:
        self._factory, self._lines, self._opened = None, {}, trio.Event()

    async def _light(self, lit: AsyncIterator[frozenset[str]], health: Health) -> None:
        async for names in lit:
            for line in self._lines.values():
                if line.led is not None:
                    try:
                        line.led.value = line.name in names
                    except Exception as error:
                        health.note(f"LED of {line.name}", f"{type(error).__name__}: {error}")
                    else:
                        health.note(f"LED of {line.name}")


async def _watch(line: Line, tell: Tell, health: Health) -> None:
    """Tell of the presses of one line, except while it chatters."""
    while True:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_presses, line, tell, health)
            await line.chattering.wait()
            nursery.cancel_scope.cancel()
        if line.pressed:
            line.pressed = False
            tell(line.name, "released", line.since)
        health.note(line.name, "chatters, its presses are ignored; check the contact and its wires")
        await line.quiet()
        health.note(line.name)


async def _presses(line: Line, tell: Tell, health: Health) -> None:
    lock_out = max(0.0, line.config.bounce_time - SETTLE_SECONDS)
    # What is down from the start was not pressed: it has to be seen released first.
    await _released(line, health)
    line.ready.set()
    while True:
        await line.settled(down=True)
        line.pressed = True
        tell(line.name, "pressed", line.since)
        await trio.sleep(lock_out)
        await _released(line, health)
        line.pressed = False
        tell(line.name, "released", line.since)
        await trio.sleep(lock_out)


async def _released(line: Line, health: Health) -> None:
    with trio.move_on_after(STUCK_SECONDS):
        await line.settled(down=False)
        return
    health.note(line.name, f"down for {STUCK_SECONDS:.0f} s, it may be stuck")
    await line.settled(down=False)
    health.note(line.name)


def _mock_factory() -> Any:
    from gpiozero.pins.mock import MockFactory, MockPin

    return MockFactory(pin_class=MockPin)


def _lgpio_factory() -> Any:
    """Return the factory of real pins. Blocks; raises whatever the layers below raise."""
    # At import lgpio moves the process to LG_WD, or stays, and makes a pipe there, without which
    # the import fails: a daemon's own working directory is often read-only.
    if "LG_WD" not in os.environ:
        runtime = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
        os.environ["LG_WD"] = runtime or tempfile.mkdtemp(prefix="laned-")
    here = Path.cwd()
    try:
        from gpiozero.pins.lgpio import LGPIOFactory
    finally:
        os.chdir(here)
    return LGPIOFactory()


def _cure(error: Exception) -> str:
    if isinstance(error, ImportError | AttributeError):
        return "install the library lgpio: pip install 'laned[gpio]'"
    return "a Raspberry Pi's /dev/gpiochip* is needed, and a user in the group gpio"
