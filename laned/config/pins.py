"""Which GPIOs a configuration uses, and what cannot be wired together."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from laned.config.display import DisplayConfig
from laned.config.schema import ButtonConfig, Config

# What luma takes where the file leaves them out.
LUMA_GPIO_DC: Final = 24
LUMA_GPIO_RST: Final = 25
LUMA_SPI_DEVICE: Final = 0
# The GPIOs of a Raspberry Pi's buses, and those with a pull-up that cannot be switched off; source:
# the pinout table of "BCM2835 ARM Peripherals" (6.2) and the board's schematics.
I2C_PINS: Final[Mapping[int, tuple[int, ...]]] = MappingProxyType({0: (0, 1), 1: (2, 3)})
SPI_PINS: Final[Mapping[int, tuple[int, ...]]] = MappingProxyType({0: (9, 10, 11), 1: (19, 20, 21)})
SPI_SELECT_PINS: Final[Mapping[int, tuple[int, ...]]] = MappingProxyType(
    {0: (8, 7), 1: (18, 17, 16)}
)
PULLED_UP_PINS: Final = (2, 3)


def contradictions(config: Config) -> Iterator[str]:
    """Findings about pins that are right by themselves, and wrong beside another key."""
    for name, button in config.buttons.named.items():
        yield from _contradictions_of(f"buttons.{name}", button)
    owners: dict[int, str] = {}
    for key, pin in _pins(config):
        if pin in owners:
            yield f"{key}: GPIO {pin} is already used by {owners[pin]}; each may be used once"
        owners.setdefault(pin, key)


def _contradictions_of(key: str, button: ButtonConfig) -> Iterator[str]:
    if button.pull == "none" and button.active is None:
        yield (
            f'{key}.pull: "none" needs {key}.active = "low" or "high",'
            " the level of the pin while the button is pressed"
        )
    if button.pull != "up" and button.pin in PULLED_UP_PINS:
        yield (
            f'{key}.pull: "{button.pull}" cannot be had on GPIO {button.pin},'
            ' which the board pulls up; use "up", or another pin'
        )
    if button.led is None and button.led_active is not None:
        yield f"{key}.led_active: allowed only with {key}.led"


def _pins(config: Config) -> Iterator[tuple[str, int]]:
    """Every GPIO in use, after the key that gives it."""
    if config.buttons.driver == "gpio" and config.display.driver not in ("virtual", "none"):
        yield from _display_pins(config.display)
    for name, button in config.buttons.named.items():
        yield f"buttons.{name}.pin", button.pin
        if button.led is not None:
            yield f"buttons.{name}.led", button.led


def _display_pins(display: DisplayConfig) -> Iterator[tuple[str, int]]:
    bus = f"{display.interface.upper()} {display.port}"
    if display.interface == "i2c":
        for pin in I2C_PINS.get(display.port, ()):
            yield f"display.port, {bus}", pin
        return
    yield "display.gpio_DC", LUMA_GPIO_DC if display.gpio_dc is None else display.gpio_dc
    yield "display.gpio_RST", LUMA_GPIO_RST if display.gpio_rst is None else display.gpio_rst
    device = LUMA_SPI_DEVICE if display.device is None else display.device
    for pin in SPI_PINS.get(display.port, ()):
        yield f"display.port, {bus}", pin
    for pin in SPI_SELECT_PINS.get(display.port, ())[device : device + 1]:
        yield f"display.device, {bus}", pin
