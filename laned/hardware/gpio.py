"""The pins behind buttons and LEDs: a Raspberry Pi's through lgpio, or gpiozero's mock ones.

gpiozero's own search for a pin library is not used: it falls back silently to ones that poll.
"""

import atexit
import importlib
import logging
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any, Final

PACKAGE: Final = Path("/opt/laned/lib/python3")
"""Where Debian's package has laned; it runs with Debian's Python, which pip does not reach."""

log = logging.getLogger(__name__)
_moving = threading.Lock()  # the process has one working directory, and several threads come here


def install(library: str, extra: str) -> str:
    """Say how the library is installed where this laned is: from Debian's archive, or by pip."""
    if PACKAGE in Path(__file__).parents:
        return f"sudo apt install python3-{library}"
    return f"install the library {library}: pip install 'laned[{extra}]'"


def mock_pins() -> Any:
    """Return a new factory of pins that are not there."""
    from gpiozero.pins.mock import MockFactory, MockPin

    return MockFactory(pin_class=MockPin)


def load() -> Any:
    """Import what reaches the board's pins. Blocks; raises whatever the layers below raise."""
    with _moving:
        return _load()


def _load() -> Any:
    # At import lgpio moves the process to LG_WD, or stays, and makes a pipe there, without which
    # the import fails: a daemon's own working directory is often read-only.
    if "LG_WD" not in os.environ:
        os.environ["LG_WD"] = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0] or _own()
    here = Path.cwd()
    try:
        return importlib.import_module("gpiozero.pins.lgpio")
    finally:
        os.chdir(here)


def real_pins() -> Any:
    """Return the factory of the board's pins. Blocks; raises whatever the layers below raise."""
    below = load()
    pin_class: Any = below.LGPIOPin

    class Pin(pin_class):  # type: ignore[misc]
        """One whose edges cannot end lgpio's only thread, and with it every button."""

        def _call_when_changed(self, *edge: Any) -> None:
            try:
                super()._call_when_changed(*edge)
            except Exception:
                log.exception("an edge of a button is lost")

    factory = below.LGPIOFactory()
    factory.pin_class = Pin
    return factory


def _own() -> str:
    folder = tempfile.mkdtemp(prefix="laned-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def name_of(factory: Any) -> str:
    """What the log calls a factory: its class, and its chip if it has one."""
    chip = getattr(factory, "chip", None)
    return type(factory).__name__ + ("" if chip is None else f", /dev/gpiochip{chip}")


def cure(error: Exception) -> str:
    """What helps when pins could not be had; `error` is whichever layer's it was."""
    text = str(error).lower()
    if isinstance(error, ImportError | AttributeError):
        return install("lgpio", "gpio")
    if "busy" in text or "already in use" in text:
        return "another program or a kernel driver has this GPIO: gpioinfo names it"
    if "pull" in text:
        return "this GPIO has a fixed pull resistor: use another one"
    return "a Raspberry Pi's /dev/gpiochip* is needed, and a user in the group gpio"
