"""The lane's own display: the newest screen on a luma device, and the same picture for the till.

A display never touches the lane: frames are drawn and sent in a worker thread, may be skipped, and
whatever goes wrong with the panel is reported, not raised.
"""

import importlib
import io
import logging
import math
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import trio

from laned.config import DisplayConfig
from laned.lane.screen import Screen
from laned.offload import Offload

if TYPE_CHECKING:
    # At run time Pillow and luma are imported in the worker thread, where nobody waits for them.
    from PIL.Image import Image

TICK_SECONDS = 1.5
"""How long each part of a screen is shown that does not show whole."""
FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 30.0
FAREWELL_SECONDS = 2.0
MAX_SCALE = 8

log = logging.getLogger(__name__)


class PanelError(Exception):
    """The panel could not be opened or written to."""


class Panel:
    """One luma device, opened by the first frame. Its methods block: for a worker thread."""

    def __init__(self, config: DisplayConfig) -> None:
        self._config = config
        self._device: Any = None

    @property
    def is_open(self) -> bool:
        """Whether the last thing that happened was a frame that arrived."""
        return self._device is not None

    def show(self, frame: "Image") -> None:
        """Send the whole frame. Raises PanelError, after which the next call opens it anew."""
        # Whatever a driver raises says that the panel does not show the frame, and luma hands on
        # bare OSErrors with any errno beside its own: none of them is the lane's business.
        try:
            if self._device is None:
                self._device = _open(self._config)
            self._device.display(frame.convert(self._device.mode))
        except Exception as error:
            self.close()
            raise PanelError(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Let go of the bus; the panel keeps showing what it shows."""
        device, self._device = self._device, None
        if device is not None:
            with suppress(Exception):
                device._serial_interface.cleanup()


def _open(config: DisplayConfig) -> Any:
    """Return the luma device. Raises whatever luma and the drivers below it raise."""
    core: Any = importlib.import_module("luma.core.device")
    # luma would register every device it makes for being switched off at exit: that blanks the
    # farewell, and keeps each device of each attempt alive for as long as the daemon runs.
    core.atexit = _NoExitHooks
    shape = {"width": config.width, "height": config.height, "rotate": config.rotate}
    if config.driver == "virtual":
        return core.dummy(**shape, mode="1")
    oled = importlib.import_module("luma.oled.device")
    if config.driver not in oled.__all__:
        raise LookupError(f"luma.oled has no {config.driver!r}, only {', '.join(oled.__all__)}")
    bus = _bus(config)
    try:
        device = getattr(oled, config.driver)(bus, **shape)
        if config.contrast is not None:
            device.contrast(config.contrast)
    except BaseException:
        with suppress(Exception):
            bus.cleanup()
        raise
    return device


def _bus(config: DisplayConfig) -> Any:
    serial = importlib.import_module("luma.core.interface.serial")
    if config.interface == "i2c":
        return serial.i2c(port=config.port, address=config.address)
    given = {
        "device": config.device,
        "bus_speed_hz": config.bus_speed_hz,
        "gpio_DC": config.gpio_dc,
        "gpio_RST": config.gpio_rst,
    }
    return serial.spi(
        port=config.port, **{name: value for name, value in given.items() if value is not None}
    )


class _NoExitHooks:
    """Stands where luma.core.device expects the module atexit."""

    @staticmethod
    def register(hook: Callable[[], None]) -> Callable[[], None]:
        return hook


class Display:
    """Keeps the panel showing the newest screen.

    `frame` is the newest picture that the panel took (None before the first, and with driver
    "none"), `frames` how many it took, `errors` how often it took none; `on_frame`, if set, is
    called with each one.
    """

    def __init__(
        self,
        config: DisplayConfig,
        offload: Offload,
        *,
        on_frame: Callable[["Image"], None] | None = None,
    ) -> None:
        upright = config.rotate % 2 == 0
        self.size = (config.width, config.height) if upright else (config.height, config.width)
        self.frame: Image | None = None
        self.frames = 0
        self.errors = 0
        self.on_frame = on_frame
        self._driver = config.driver
        self._panel = Panel(config)
        self._offload = offload
        self._wanted: Screen | None = None
        self._changed = trio.Event()
        self._reported = ""

    async def run(
        self,
        screens: AsyncIterator[Screen],
        report: Callable[[str], None],
        *,
        farewell: Screen,
    ) -> None:
        """Show the newest of `screens` until cancelled, then `farewell`, which stays.

        `report` is told "ok", "failing" or "off" (driver "none") at every change. Trouble with the
        panel is never raised; it is opened again after 1 s, doubling up to 30 s.
        """
        if self._driver == "none":
            report("off")
            return
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._follow, screens)
                await self._keep_shown(report)
        finally:
            if self._panel.is_open:
                with (
                    trio.move_on_after(FAREWELL_SECONDS, shield=True),
                    suppress(PanelError),
                ):
                    await self._show(farewell, 0)
            self._panel.close()

    def png(self, scale: int = 1) -> bytes:
        """Return `frame` as a PNG, each pixel `scale` (1..8) pixels wide and high.

        Raises ValueError for another scale and LookupError while there is no frame.
        """
        if not 1 <= scale <= MAX_SCALE:
            raise ValueError(f"scale {scale} is not in 1..{MAX_SCALE}")
        if self.frame is None:
            raise LookupError("the display shows nothing")
        width, height = self.frame.size
        buffer = io.BytesIO()
        # Nearest neighbour is what Pillow does to 1-bit pictures, whatever it is asked for.
        self.frame.resize((width * scale, height * scale)).save(buffer, "PNG")
        return buffer.getvalue()

    async def _follow(self, screens: AsyncIterator[Screen]) -> None:
        async for screen in screens:
            if screen != self._wanted:
                self._wanted = screen
                changed, self._changed = self._changed, trio.Event()
                changed.set()

    async def _keep_shown(self, report: Callable[[str], None]) -> None:
        tick = 0
        shown: Screen | None = None
        retry = FIRST_RETRY_SECONDS
        while True:
            screen, changed = self._wanted, self._changed
            if screen is None:
                await changed.wait()
                continue
            tick = tick if screen == shown else 0
            try:
                goes_on = await self._show(screen, tick)
            except PanelError as error:
                self.errors += 1
                if retry == FIRST_RETRY_SECONDS:
                    log.warning("display: %s: %s; trying again", self._driver, error)
                self._tell(report, "failing")
                await trio.sleep(retry)
                retry = min(2 * retry, LAST_RETRY_SECONDS)
                continue
            if retry != FIRST_RETRY_SECONDS:
                log.info("display: %s works again", self._driver)
            self._tell(report, "ok")
            shown, retry = screen, FIRST_RETRY_SECONDS
            with trio.move_on_after(TICK_SECONDS if goes_on else math.inf):
                await changed.wait()
            tick += 1

    async def _show(self, screen: Screen, tick: int) -> bool:
        """Draw and send in the worker; return whether a next tick would look different."""
        frame, goes_on = await self._offload(lambda: self._update(screen, tick))
        if frame is not None:
            self.frame = frame
            self.frames += 1
            if self.on_frame is not None:
                self.on_frame(frame)
        return goes_on

    def _update(self, screen: Screen, tick: int) -> tuple["Image | None", bool]:
        """Return the frame if it had to be sent, and whether the screen scrolls."""
        from laned.drawing import draw, scrolls

        frame = draw(screen, self.size, tick)
        unchanged = self._panel.is_open and self.frame is not None and frame == self.frame
        if not unchanged:
            self._panel.show(frame)
        return None if unchanged else frame, scrolls(screen, self.size)

    def _tell(self, report: Callable[[str], None], state: str) -> None:
        if state != self._reported:
            self._reported = state
            report(state)
