"""The display: its bus, and the test pattern on it."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Final

from laned.check import bus
from laned.check.box import Box
from laned.check.daemon import Daemon
from laned.check.finding import Finding, broken, ok, warning
from laned.check.pattern import pattern
from laned.config.display import DisplayConfig
from laned.config.pins import LUMA_SPI_DEVICE
from laned.config.schema import Config
from laned.hardware import gpio
from laned.hardware.panel import Panel, PanelError

SUBJECT: Final = "display"
BOOT_FILE: Final = "/boot/firmware/config.txt"
ENABLED_BY: Final = {"i2c": "dtparam=i2c_arm=on", "spi": "dtparam=spi=on"}

Scan = Callable[[int], list[int]]


def check(
    config: Config, box: Box, daemon: Daemon, panel: Panel, scan: Scan = bus.answering
) -> Iterator[Finding]:
    """Show the test pattern on `panel`, which stays open; a display that a daemon has is left."""
    display = config.display
    if display.driver == "none":
        yield ok(SUBJECT, 'is off: display.driver = "none"')
    elif display.driver == "virtual":
        yield warning(
            SUBJECT, 'display.driver = "virtual": no panel shows it', "name the panel's controller"
        )
    elif daemon.holds:
        yield from _held(display, box, daemon, scan)
    elif (found := device(display, box)) is not None:
        yield found
    else:
        yield show(config, panel, scan)


def _held(display: DisplayConfig, box: Box, daemon: Daemon, scan: Scan) -> Iterator[Finding]:
    match daemon.health("display"):
        case "ok":
            yield ok(SUBJECT, f"the daemon shows its screen on the {display.driver}")
        case "failing":
            found = device(display, box)
            text = f"the daemon cannot show anything on the {display.driver}"
            yield found or broken(SUBJECT, text, _cure(display, scan))
        case _:
            yield ok(SUBJECT, "is left to the daemon")


def device(display: DisplayConfig, box: Box) -> Finding | None:
    """What is wrong with the file in /dev that the display is reached by; None: nothing."""
    kind = display.interface
    if kind == "i2c":
        path, pattern_ = f"/dev/i2c-{display.port}", "i2c-*"
    else:
        number = LUMA_SPI_DEVICE if display.device is None else display.device
        path, pattern_ = f"/dev/spidev{display.port}.{number}", "spidev*"
    if not box.path(path).exists():
        others = box.devices(pattern_)
        if others:
            keys = "display.port" if kind == "i2c" else "display.port and display.device"
            return broken(SUBJECT, f"{path} is not there", f"set {keys}: {', '.join(others)} is")
        load = ", then: sudo modprobe i2c-dev" if kind == "i2c" else ""
        return broken(
            SUBJECT,
            f"{path} is not there: the bus is not enabled",
            f"add {ENABLED_BY[kind]} to {BOOT_FILE} and restart the machine{load}",
        )
    if not box.may_use(box.path(path)):
        return broken(SUBJECT, f"{path} may not be used by {box.user}", box.joining(kind))
    return None


def show(config: Config, panel: Panel, scan: Scan) -> Finding:
    """Open the panel and show the test pattern."""
    display = config.display
    try:
        panel.show(pattern(display.size))
    except PanelError as error:
        return broken(SUBJECT, f"{display.driver} cannot be opened: {error}", _cure(display, scan))
    return ok(
        SUBJECT,
        f"{display.driver} shows the test pattern: a frame at all four edges,"
        " a full square in the upper left corner, and readable words",
    )


def _cure(display: DisplayConfig, scan: Scan) -> str:
    if display.interface == "spi":
        library = "" if find_spec("spidev") else f"{gpio.install('spidev', 'spi')}; "
        return f"{library}check the wires of SCLK, MOSI, CE, DC and RST"
    try:
        found = scan(display.port)
    except OSError as error:
        return f"bus {display.port} cannot be searched: {error.strerror or error}"
    answering = ", ".join(f"0x{address:02X}" for address in found)
    if display.address in found:
        return (
            f"0x{display.address:02X} answers on bus {display.port}: is display.driver that of the"
            " panel's controller, and are its wires short and its supply steady?"
        )
    if found:
        return f"on bus {display.port} only {answering} answers: set display.address to it"
    return (
        f"nothing answers on bus {display.port}: check the panel's supply (3.3 V), ground,"
        " SDA and SCL"
    )
