"""The pins behind buttons and LEDs: a Raspberry Pi's through lgpio, or gpiozero's mock ones.

gpiozero's own search for a pin library is not used: it falls back silently to ones that poll.
"""

import atexit
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

INSTALL: Final = "install the library lgpio: pip install 'laned[gpio]'"

log = logging.getLogger(__name__)


def mock_pins() -> Any:
    """Return a new factory of pins that are not there."""
    from gpiozero.pins.mock import MockFactory, MockPin

    return MockFactory(pin_class=MockPin)


def real_pins() -> Any:
    """Return the factory of the board's pins. Blocks; raises whatever the layers below raise."""
    # At import lgpio moves the process to LG_WD, or stays, and makes a pipe there, without which
    # the import fails: a daemon's own working directory is often read-only.
    if "LG_WD" not in os.environ:
        os.environ["LG_WD"] = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0] or _own()
    here = Path.cwd()
    try:
        from gpiozero.pins.lgpio import LGPIOFactory, LGPIOPin
    finally:
        os.chdir(here)

    class Pin(LGPIOPin):  # type: ignore[misc]
        """One whose edges cannot end lgpio's only thread, and with it every button."""

        def _call_when_changed(self, *edge: Any) -> None:
            try:
                super()._call_when_changed(*edge)
            except Exception:
                log.exception("an edge of a button is lost")

    factory = LGPIOFactory()
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
        return INSTALL
    if "busy" in text or "already in use" in text:
        return "another program or a kernel driver has this GPIO: gpioinfo names it"
    if "pull" in text:
        return "this GPIO has a fixed pull resistor: use another one"
    return "a Raspberry Pi's /dev/gpiochip* is needed, and a user in the group gpio"
