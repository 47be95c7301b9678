"""The display: its device file, the bus, the test pattern."""

import errno
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
import smbus2
from boxes import NONE_RUNS, NOT_KNOWN, Machine, config, expect, hardware, only
from PIL import Image

from laned.check import bus, display
from laned.check.daemon import Daemon
from laned.check.finding import Finding, Level
from laned.check.pattern import pattern
from laned.config.schema import Config
from laned.hardware.panel import Panel

OK, WARNING, BROKEN = Level
I2C = "display.port = 250"  # which no machine has


class Bus:
    """Chips on an I2C bus, as `smbus2.SMBus` speaks to them."""

    def __init__(self, *addresses: int, quick: bool = True, busy: tuple[int, ...] = ()) -> None:
        self._addresses = addresses
        self._quick = quick
        self._busy = busy
        self.written: list[int] = []
        self.closed = False

    def write_quick(self, address: int) -> None:
        if not self._quick:
            raise OSError(errno.EOPNOTSUPP, "Operation not supported")
        self.written.append(address)
        self.read_byte(address)

    def read_byte(self, address: int) -> int:
        if address in self._busy:
            raise OSError(errno.EBUSY, "Device or resource busy")
        if address not in self._addresses:
            raise OSError(errno.EREMOTEIO, "Remote I/O error")
        return 0

    def close(self) -> None:
        self.closed = True


def scan(found: Bus) -> Callable[[int], list[int]]:
    return lambda port: bus.answering(port, lambda _: found)


def check(
    at: Config, machine: Machine, daemon: Daemon = NONE_RUNS, chips: Bus | None = None
) -> Finding:
    with closing(Panel(at.display)) as panel:
        return only(display.check(at, machine.box, daemon, panel, scan(chips or Bus())))


# -- The bus --------------------------------------------------------------------------------------


@pytest.mark.parametrize("quick", [True, False])
def test_addresses_that_answer(quick: bool) -> None:
    chips = Bus(0x08, 0x3C, 0x50, 0x77, quick=quick, busy=(0x68,))
    assert scan(chips)(1) == [0x08, 0x3C, 0x50, 0x68, 0x77]
    assert chips.closed


def test_memory_chips_are_not_written_to() -> None:
    chips = Bus(0x50)
    scan(chips)(1)
    assert not [at for at in chips.written if 0x30 <= at < 0x38 or 0x50 <= at < 0x60]
    assert 0x3C in chips.written


# -- The driver -----------------------------------------------------------------------------------


def test_no_bus_at_all(machine: Machine) -> None:
    found = check(config(), machine)
    expect(found, BROKEN, "/dev/i2c-1 is not there", "dtparam=i2c_arm=on", "/boot/firmware")
    spi = config('display.interface = "spi"', "display.port = 0")
    expect(check(spi, machine), BROKEN, "/dev/spidev0.0 is not there", "dtparam=spi=on")


def test_another_bus(machine: Machine) -> None:
    machine.device("i2c-0")
    machine.device("i2c-20")
    expect(check(config(), machine), BROKEN, "set display.port", "/dev/i2c-0, /dev/i2c-20")
    machine.device("spidev0.1")
    spi = config('display.interface = "spi"', "display.port = 0", "display.device = 0")
    expect(check(spi, machine), BROKEN, "display.device", "/dev/spidev0.1")


def test_a_bus_that_may_not_be_used(machine: Machine) -> None:
    machine.device("i2c-1", usable=False)
    found = check(config(), machine)
    expect(found, BROKEN, "may not be used by pi", "sudo usermod -aG i2c pi, then log in again")
    machine.write("/etc/group", "root:x:0:")
    assert "groupadd --system i2c" in check(config(), machine).cure


# -- The panel ------------------------------------------------------------------------------------


def test_the_wrong_address(machine: Machine) -> None:
    machine.device("i2c-250")
    found = check(config(I2C), machine, chips=Bus(0x3D))
    expect(found, BROKEN, "ssd1306 cannot be opened", "0x3D", "set display.address")


def test_nothing_on_the_bus(machine: Machine) -> None:
    machine.device("i2c-250")
    expect(check(config(I2C), machine), BROKEN, "nothing answers on bus 250", "SDA")


def test_an_address_that_answers_and_fails(machine: Machine) -> None:
    machine.device("i2c-250")
    found = check(config(I2C, 'display.driver = "sh1106"'), machine, chips=Bus(0x3C))
    expect(found, BROKEN, "sh1106 cannot be opened", "0x3C answers", "display.driver")


def test_a_bus_that_cannot_be_searched(machine: Machine) -> None:
    machine.device("i2c-250")
    at = config(I2C)
    with closing(Panel(at.display)) as panel:
        found = only(display.check(at, machine.box, NONE_RUNS, panel))
    expect(found, BROKEN, "bus 250 cannot be searched")


def test_an_spi_panel_that_cannot_be_opened(machine: Machine) -> None:
    machine.device("spidev250.0")
    at = config('display.interface = "spi"', "display.port = 250")
    expect(check(at, machine), BROKEN, "cannot be opened", "spidev", "MOSI")


class WorkingBus:
    """A bus with a panel on it that takes everything, as luma uses it."""

    written = 0

    def __init__(self, port: int) -> None:
        assert port == 250

    def i2c_rdwr(self, *messages: Any) -> None:
        WorkingBus.written += sum(len(bytes(message)) for message in messages)

    def write_i2c_block_data(self, address: int, command: int, data: list[int]) -> None:
        WorkingBus.written += len(data)

    def close(self) -> None:
        pass


def test_the_pattern_is_shown(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smbus2, "SMBus", WorkingBus)
    machine.device("i2c-250")
    WorkingBus.written = 0
    expect(check(config(I2C), machine), OK, "ssd1306 shows the test pattern", "upper left")
    assert WorkingBus.written > 128 * 64 / 8


def test_displays_that_are_not_real(machine: Machine) -> None:
    expect(check(config('display.driver = "none"'), machine), OK, "off")
    expect(check(config('display.driver = "virtual"'), machine), WARNING, "virtual")


# -- Beside a daemon ------------------------------------------------------------------------------


def test_the_daemons_display_is_left_alone(machine: Machine) -> None:
    machine.device("i2c-250")
    at = config(I2C)
    expect(check(at, machine, hardware()), OK, "the daemon shows its screen")
    expect(check(at, machine, NOT_KNOWN), OK, "left to the daemon")
    failing = hardware(display="failing")
    found = check(at, machine, failing, Bus(0x3D))
    expect(found, BROKEN, "the daemon cannot show", "0x3D")
    expect(check(config(), machine, failing), BROKEN, "/dev/i2c-1 is not there")


# -- The pattern ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(128, 64), (128, 32), (256, 64), (96, 16), (64, 128)])
def test_pattern(size: tuple[int, int]) -> None:
    """Each edge is full; turned or mirrored it is another picture."""
    frame = pattern(size)
    width, height = size
    assert (frame.size, frame.mode) == (size, "1")
    pixels = frame.load()
    assert pixels is not None
    assert all(pixels[x, y] for x in range(width) for y in (0, height - 1))
    assert all(pixels[x, y] for y in range(height) for x in (0, width - 1))
    turned = [frame.transpose(way) for way in Image.Transpose if frame.transpose(way).size == size]
    assert len(turned) >= 3
    assert all(frame.tobytes() != other.tobytes() for other in turned)
