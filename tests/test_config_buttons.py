"""[buttons]: pins that meet, wiring that cannot be, and the till's own buttons."""

from typing import Any

import pytest
from test_config import findings, read, text

from laned.config.schema import ButtonConfig, TillButtonConfig


def test_pins_of_an_spi_display_are_taken() -> None:
    spi = ['display.interface = "spi"', "buttons.confirm.led = 24", "buttons.abort.led = 5"]
    assert findings(text(*spi, "display.gpio_RST = 5")) == [
        "laned.toml: buttons.confirm.led: GPIO 24 is already used by display.gpio_DC; "
        "each may be used once",
        "laned.toml: buttons.abort.led: GPIO 5 is already used by display.gpio_RST; "
        "each may be used once",
    ]
    assert read(*spi, 'display.driver = "none"').buttons.confirm.led == 24
    assert read(*spi, "display.gpio_DC = 6").buttons.confirm.led == 24


def test_pins_of_the_displays_bus_are_taken() -> None:
    once = "each may be used once"
    assert findings(text("buttons.confirm.pin = 2", "buttons.abort.led = 3")) == [
        f"laned.toml: buttons.confirm.pin: GPIO 2 is already used by display.port, I2C 1; {once}",
        f"laned.toml: buttons.abort.led: GPIO 3 is already used by display.port, I2C 1; {once}",
    ]
    spi = ['display.interface = "spi"', "display.port = 0"]
    for pin, by in ((9, "port"), (10, "port"), (11, "port"), (8, "device")):
        assert findings(text(*spi, f"buttons.abort.led = {pin}")) == [
            f"laned.toml: buttons.abort.led: GPIO {pin} is already used by display.{by}, SPI 0;"
            f" {once}"
        ]
    assert read(*spi, "buttons.abort.led = 7").buttons.abort.led == 7
    assert findings(text(*spi, "display.device = 1", "buttons.abort.led = 7"))
    assert read("display.port = 0", "buttons.abort.pin = 3").buttons.abort.pin == 3
    assert findings(text("display.port = 0", "buttons.abort.pin = 1"))


@pytest.mark.parametrize(
    "line",
    ['display.driver = "none"', 'display.driver = "virtual"', 'buttons.driver = "virtual"'],
)
def test_pins_that_are_not_both_real_do_not_meet(line: str) -> None:
    assert read(line, "buttons.confirm.pin = 2").buttons.confirm.pin == 2


@pytest.mark.parametrize("pull", ["down", "none"])
def test_gpio_2_and_3_are_pulled_up_by_the_board(pull: str) -> None:
    lines = ['display.driver = "none"', f'buttons.confirm = {{pin = 3, pull = "{pull}", '
             'active = "high"}']  # fmt: skip
    assert findings(text(*lines)) == [
        f'laned.toml: buttons.confirm.pull: "{pull}" cannot be had on GPIO 3, which the board pulls'
        ' up; use "up", or another pin'
    ]


def test_a_floating_pin_needs_its_level() -> None:
    assert findings(text('buttons.abort.pull = "none"')) == [
        'laned.toml: buttons.abort.pull: "none" needs buttons.abort.active = "low" or "high", the'
        " level of the pin while the button is pressed"
    ]


def test_led_active_needs_an_led() -> None:
    assert findings(text('buttons.abort.led_active = "low"')) == [
        "laned.toml: buttons.abort.led_active: allowed only with buttons.abort.led"
    ]


@pytest.mark.parametrize(
    ("wiring", "high"),
    [
        ({}, False),
        ({"pull": "down"}, True),
        ({"pull": "up", "active": "high"}, True),
        ({"pull": "down", "active": "low"}, False),
        ({"pull": "none", "active": "high"}, True),
    ],
)
def test_level_of_a_pressed_button(wiring: dict[str, Any], high: bool) -> None:
    assert ButtonConfig(pin=5, **wiring).pressed_high is high


# -- The till's own buttons -----------------------------------------------------------------------


def test_buttons_of_the_tills_own() -> None:
    buttons = read(
        'buttons.help = {action = "till", pin = 5}',
        'buttons.till = {action = "till", pin = 6, led = 7, pull = "down"}',
    ).buttons
    assert buttons.till == {
        "help": TillButtonConfig(pin=5, action="till"),
        "till": TillButtonConfig(pin=6, led=7, pull="down", action="till"),
    }
    assert list(buttons.named) == ["confirm", "abort", "help", "till"]


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        (
            "buttons.confrim = {pin = 5}",
            'buttons.confrim: unknown key; did you mean "confirm"?',
        ),
        (
            "buttons.help = {pin = 5}",
            "buttons.help: unknown key; allowed here: driver, confirm, abort, approve;"
            ' for a button of the till\'s own, any name with action = "till"',
        ),
        ("buttons.help = 5", "buttons.help: unknown key; allowed here: "),
        ('buttons.help = {action = "abort", pin = 5}', "buttons.help.action: "),
        ('buttons.help = {action = "till"}', "buttons.help.pin: not given; "),
        ('buttons.help = {action = "till", pin = 5, lde = 6}', "buttons.help.lde: unknown key; "),
        (
            'buttons.Help = {action = "till", pin = 5}',
            'buttons.Help: "Help" is not a button\'s name of 1 to 32 letters a-z, digits, - and _',
        ),
        (
            'buttons.help = {action = "till", pin = 17}',
            "buttons.help.pin: GPIO 17 is already used by buttons.confirm.pin; ",
        ),
        ('buttons.confirm = {action = "till"}', "buttons.confirm.action: unknown key; "),
    ],
)
def test_wrong_buttons_of_the_tills_own(line: str, finding: str) -> None:
    (found,) = findings(text(line))
    assert found.startswith(f"laned.toml: {finding}")


def test_pin_wanted_three_times() -> None:
    once = "each may be used once"
    assert findings(text("buttons.abort.pin = 17", "buttons.approve.pin = 17")) == [
        f"laned.toml: buttons.abort.pin: GPIO 17 is already used by buttons.confirm.pin; {once}",
        f"laned.toml: buttons.approve.pin: GPIO 17 is already used by buttons.confirm.pin; {once}",
    ]
