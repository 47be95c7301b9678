"""The panel of the display: one luma device, which is sent no more than what it does not show yet.

Everything here blocks: it is for a worker thread.
"""

import importlib
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from laned.config.display import DisplayConfig
from laned.hardware import gpio
from laned.hardware.burn_in import Light

if TYPE_CHECKING:
    # At run time Pillow and luma are imported in the worker thread, where nobody waits for them.
    from PIL.Image import Image

    from laned.hardware.partial_update import Paged, Pages


class PanelError(Exception):
    """The panel could not be opened or written to."""


class Panel:
    """One luma device, opened by the first frame."""

    def __init__(self, config: DisplayConfig) -> None:
        self._config = config
        self._bus = ExitStack()
        self._device: Any = None
        self._paged: Paged | None = None
        self._frame: Image | None = None
        self._pages: Pages | None = None
        self._light = Light.BRIGHT

    @property
    def is_open(self) -> bool:
        """Whether the last thing that happened was a frame that arrived."""
        return self._device is not None

    def show(self, frame: "Image", light: Light = Light.BRIGHT, *, afresh: bool = False) -> bool:
        """Bring the panel to show `frame` in that light; return whether anything had to be sent.

        In Light.OFF it shows nothing, and the frame is not sent. `afresh`: it is initialised again
        first, and sent everything, as after an error. Raises PanelError; the next call opens it
        anew.
        """
        # Whatever a driver raises says that the panel does not show the frame, and luma hands on
        # bare OSErrors with any errno beside its own: none of them is the lane's business.
        try:
            if afresh:
                self.close()
            if self._device is None:
                self._open()
            return self._bring(frame, light)
        except Exception as error:
            self.close()
            raise PanelError(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Let go of the bus; the panel keeps showing what it shows."""
        self._device = self._paged = self._frame = self._pages = None
        with suppress(Exception):
            self._bus.close()

    def _open(self) -> None:
        config = self._config
        # Also when the device cannot be made, `close` gives back what this has opened.
        self._device = _device(config, self._bus)
        self._light = Light.BRIGHT
        if config.contrast is not None:
            self._device.contrast(config.contrast)
        if config.driver != "virtual":
            from laned.hardware.partial_update import paged

            self._paged = paged(self._device)

    def _bring(self, frame: "Image", light: Light) -> bool:
        was = self._frame, self._light
        if light is not Light.OFF and frame != self._frame:
            self._send(frame)
        if light is not self._light:
            self._set(light)
        return was != (self._frame, self._light)

    def _send(self, frame: "Image") -> None:
        if self._paged is None:
            self._device.display(frame.convert(self._device.mode))
        else:
            pages = self._paged.packed(frame)
            self._paged.update(self._pages, pages)
            self._pages = pages
        self._frame = frame

    def _set(self, light: Light) -> None:
        config = self._config
        if light is Light.OFF:
            self._device.hide()
        else:
            bright = config.model.contrast if config.contrast is None else config.contrast
            dim = min(config.dim_contrast, bright)
            self._device.contrast(dim if light is Light.DIM else bright)
            if self._light is Light.OFF:
                self._device.show()
        self._light = light


def _device(config: DisplayConfig, opened: ExitStack) -> Any:
    """Return the luma device. Raises whatever luma and the drivers below it raise."""
    core: Any = importlib.import_module("luma.core.device")
    # luma would register every device it makes for being switched off at exit: that blanks the
    # farewell, and keeps each device of each attempt alive for as long as the daemon runs.
    core.atexit = _NoExitHooks
    # Black and white is all that is drawn; greyscale panels are faster with it.
    shape = {"width": config.width, "height": config.height, "rotate": config.rotate, "mode": "1"}
    if config.driver == "virtual":
        return core.dummy(**shape)
    oled = importlib.import_module("luma.oled.device")
    if config.driver not in oled.__all__:
        raise LookupError(f"luma.oled has no {config.driver!r}, only {', '.join(oled.__all__)}")
    bus = _i2c(config) if config.interface == "i2c" else _spi(config, opened)
    opened.callback(bus.cleanup)
    return getattr(oled, config.driver)(bus, **shape, **config.model_parameters)


def _i2c(config: DisplayConfig) -> Any:
    serial = importlib.import_module("luma.core.interface.serial")
    return serial.i2c(port=config.port, address=config.address)


def _spi(config: DisplayConfig, opened: ExitStack) -> Any:
    serial = importlib.import_module("luma.core.interface.serial")
    lines = Lines(gpio.real_pins(), opened)
    return serial.spi(gpio=lines, port=config.port, **config.spi_parameters)


class Lines:
    """The lines beside an SPI bus (data/command, reset), as luma wants to be given them.

    luma's own way to them is the library RPi.GPIO; these are the pins that the buttons have.
    """

    LOW, HIGH, OUT = False, True, "out"

    def __init__(self, pins: Any, opened: ExitStack) -> None:
        self._pins = pins
        self._opened = opened
        self._lines: dict[int, Any] = {}
        opened.callback(pins.close)

    def setup(self, pin: int, mode: str) -> None:
        """Claim a line as an output."""
        from gpiozero import DigitalOutputDevice

        assert mode == self.OUT
        self._lines[pin] = line = DigitalOutputDevice(pin, pin_factory=self._pins)
        self._opened.callback(line.close)

    def output(self, pin: int, level: bool) -> None:
        """Set the level of a line."""
        self._lines[pin].value = level


class _NoExitHooks:
    """Stands where luma.core.device expects the module atexit."""

    @staticmethod
    def register(hook: Callable[[], None]) -> Callable[[], None]:
        return hook
