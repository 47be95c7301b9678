"""One button's line: its edges heard and debounced, and its LED."""

import math
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from typing import Any, Final, NamedTuple

import trio

from laned.config.schema import ButtonConfig
from laned.hardware.gpio import cure

SETTLE_SECONDS: Final = 0.005
"""A line counts as down, or up, when it is so for this long without an edge."""
CHATTER_EDGES: Final = 100
"""Within a second: far above what a bouncing contact makes under an impatient finger."""
CHATTER_CHANGES: Final = 30
"""Within a second, a burst of edges counted once: no finger presses 15 times."""
QUIET_SECONDS: Final = 2.0
"""Without any edge, before a line that chattered is believed again."""
GLITCHES: Final = 20
"""Within `GLITCH_SECONDS`, too short for a press: more is noise on the wires."""
GLITCH_SECONDS: Final = 60.0


class Fault(NamedTuple):
    """What is wrong, and what helps."""

    text: str
    cure: str

    def __str__(self) -> str:
        return f"{self.text}; {self.cure}"


Note = Callable[[str, Fault | None], None]
"""Told of a part and of what is wrong with it; None: nothing is."""


class Rate:
    """Tells when something happens more than `limit` times within `seconds`."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._times: deque[float] = deque(maxlen=limit + 1)
        self._seconds = seconds

    def exceeded(self, now: float, times: int = 1) -> bool:
        """Take note that it happened `times` times by `now`; whether that is too often."""
        most = self._times.maxlen or 0
        self._times.extend([now] * min(times, most))
        return len(self._times) == most and now - self._times[0] <= self._seconds


class Line:
    """One button: its line's level and edges as last heard, and its LED.

    `since` is when the newest burst of edges began, in trio's time; `ready` is set once the line
    was seen released; `pressed` holds from a counted press to its release.
    """

    def __init__(self, name: str, config: ButtonConfig, note: Note) -> None:
        self.name = name
        self.config = config
        self.down = False
        self.pressed = False
        self.edges = 0
        self.glitches = 0
        self.since = 0.0
        self.ready = trio.Event()
        self.chattering = trio.Event()
        self.noisy = trio.Event()
        self._note = note
        self._changed = trio.Event()
        self._last_edge = -math.inf
        self._edge_rate = Rate(CHATTER_EDGES, 1.0)
        self._change_rate = Rate(CHATTER_CHANGES, 1.0)
        self._glitch_rate = Rate(GLITCHES, GLITCH_SECONDS)
        self._led: Any = None
        self._wanted = False
        self._heeded = False
        # Written by the pin library's thread alone: the level first, then the number of edges.
        self._heard_down = False
        self._heard_edges = 0

    # -- Pins

    def open(self, factory: Any, devices: ExitStack, *, virtual: bool = False) -> None:
        """Claim the pins from `factory`; `devices` closes them. Raises what gpiozero raises."""
        from gpiozero import LED, DigitalInputDevice

        config = self.config
        token = trio.lowlevel.current_trio_token()

        def edge(down: bool) -> None:
            # On the pin library's only thread, which would not survive an exception. However many
            # edges there are, at most one call of `_hear` waits.
            self._heard_down = down
            self._heard_edges += 1
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(self._hear, idempotent=True)

        pull_up = {"up": True, "down": False, "none": None}[config.pull]
        device = devices.enter_context(
            closing(
                DigitalInputDevice(
                    config.pin,
                    pull_up=pull_up,
                    active_state=config.pressed_high if pull_up is None else None,
                    pin_factory=factory,
                )
            )
        )
        # gpiozero takes a pulled line for active at the other level than the pull's.
        active = pull_up is None or config.pressed_high is not pull_up
        if virtual:
            self.drive(device.pin, down=False)  # nobody holds a button that is not there
        device.when_activated = lambda: edge(active)
        device.when_deactivated = lambda: edge(not active)
        # After the callbacks are set, so that no edge falls between.
        self.down = bool(device.is_active) is active
        if config.led is not None:
            led = LED(config.led, active_high=config.led_active != "low", pin_factory=factory)
            self._led = devices.enter_context(closing(led))

    def drive(self, pin: Any, *, down: bool) -> None:
        """Bring a mock pin to the level of a button that is down, or up."""
        if down is self.config.pressed_high:
            pin.drive_high()
        else:
            pin.drive_low()

    def _hear(self) -> None:
        """Take note of edges. They are counted, not kept: a storm of them takes no memory."""
        edges = self._heard_edges
        new, self.edges, self.down = edges - self.edges, edges, self._heard_down
        if not new:
            return
        now = trio.current_time()
        begins = now - self._last_edge >= SETTLE_SECONDS
        if begins:
            self.since = now  # later ones of the same burst are bounces
        self._last_edge = now
        often = self._edge_rate.exceeded(now, new)
        if (begins and self._change_rate.exceeded(now)) or often:
            self.chattering.set()
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    # -- The LED

    @property
    def lit(self) -> bool | None:
        """Whether the LED is lit; None if there is none."""
        return None if self._led is None else bool(self._led.value)

    def light(self, wanted: bool) -> None:
        """Light the LED, unless the button is not heeded."""
        self._wanted = wanted
        if self._led is None:
            return
        part = f"LED of {self.name}"
        try:
            self._led.value = wanted and self._heeded
        except Exception as error:
            self._note(part, Fault(f"{type(error).__name__}: {error}", cure(error)))
        else:
            self._note(part, None)

    def heed(self, *, unless: Fault | None = None) -> None:
        """Heed the button from now on, unless that says why it is not heeded."""
        self._heeded = unless is None
        self._note(self.name, unless)
        self.light(self._wanted)

    # -- Waiting

    async def press(self) -> None:
        """Wait until the line is down. What is over sooner is a glitch."""
        while True:
            if not self.down:
                await self._changed.wait()
            if await self.settle():
                return
            self.glitches += 1
            if self._glitch_rate.exceeded(trio.current_time()):
                self.noisy.set()

    async def release(self) -> None:
        """Wait until the line is up."""
        while True:
            if self.down:
                await self._changed.wait()
            if not await self.settle():
                return

    async def settle(self) -> bool:
        """Wait until there was no edge for a moment; whether the line is down then."""
        while True:
            with trio.move_on_after(SETTLE_SECONDS) as moment:
                await self._changed.wait()
            if moment.cancelled_caught:
                return self.down

    async def quiet(self) -> None:
        """Wait until there was no edge for a while, which ends the chattering."""
        await _unchanged(lambda: self.edges, QUIET_SECONDS)
        self.chattering = trio.Event()

    async def clean(self) -> None:
        """Wait until there was no glitch for a while, which ends the noise."""
        await _unchanged(lambda: self.glitches, GLITCH_SECONDS)
        self.noisy = trio.Event()


async def _unchanged(count: Callable[[], int], seconds: float) -> None:
    before = -1
    while before != count():
        before = count()
        await trio.sleep(seconds)
