"""The I2C bus: which addresses answer on it."""

import errno
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final

FIRST: Final = 0x08
LAST: Final = 0x77
READ_ONLY: Final = (range(0x30, 0x38), range(0x50, 0x60))
"""Where memory chips are, which a write could harm; i2cdetect spares them as well."""

Bus = Any
"""An open bus, as smbus2.SMBus: `write_quick`, `read_byte`, `close`."""


def open_bus(port: int) -> Bus:
    """Open /dev/i2c-`port`. Raises OSError."""
    from smbus2 import SMBus

    return SMBus(port)


def answering(port: int, opened: Callable[[int], Bus] = open_bus) -> list[int]:
    """Return the addresses that answer on a bus. Raises OSError when it cannot be opened."""
    with closing(opened(port)) as bus:
        return [address for address in range(FIRST, LAST + 1) if _answers(bus, address)]


def _answers(bus: Bus, address: int) -> bool:
    probes = [bus.write_quick, bus.read_byte]
    if any(address in part for part in READ_ONLY):
        del probes[0]
    for probe in probes:
        try:
            probe(address)
        except OSError as error:
            if error.errno == errno.EBUSY:  # a driver of the kernel has it
                return True
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                return False  # only what this adapter cannot do is tried another way
        else:
            return True
    return False
