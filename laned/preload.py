"""Imports, before the lane says that it is ready, what else would be at its first use.

An upgrade takes the old files away while the old lane still runs, until it is idle: what it would
import then is not there, or another version's.
"""

import codecs
import importlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from laned.config.schema import Config
from laned.hardware import gpio

CODECS: Final = ("utf-8", "utf-8-sig", "utf-16", "ascii", "latin-1", "iso8859-15", "cp1252", "idna")
"""Of addresses, and of what terminals may write."""
ALWAYS: Final = ("prometheus_client", "prometheus_client.core")
PICTURES: Final = ("PIL.PngImagePlugin", "laned.hardware.drawing")
PANEL: Final = ("laned.hardware.partial_update", "luma.oled.device", "luma.core.interface.serial")


def preload(config: Config) -> None:
    """Import it all. Blocks. What is not installed is named by whoever tries to use it."""
    for codec in CODECS:
        codecs.lookup(codec)
    for name in _modules(config):
        with suppress(ImportError):
            importlib.import_module(name)
    with suppress(ImportError, OSError, RuntimeError):
        if config.display.driver != "none":
            from PIL import Image

            from laned.hardware import font

            Image.preinit()
            font.load()
    if config.buttons.driver == "gpio" or config.display.interface == "spi":
        with suppress(Exception):
            gpio.load()


def _modules(config: Config) -> Iterator[str]:
    yield from ALWAYS
    if config.display.driver != "none":
        yield from (*PICTURES, "luma.core.device")
    if config.display.driver not in ("none", "virtual"):
        yield from (*PANEL, "spidev" if config.display.interface == "spi" else "smbus2")
    if config.buttons.driver != "none":
        yield "gpiozero"
    if config.buttons.driver == "virtual":
        yield "gpiozero.pins.mock"
