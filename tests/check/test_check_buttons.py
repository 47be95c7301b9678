"""The buttons, on gpiozero's mock pins in place of the board's: levels, presses, LEDs."""

from typing import Any

import pytest
import trio
from boxes import NONE_RUNS, NOT_KNOWN, Machine, config, expect, hardware
from gpiozero.pins.mock import MockFactory, MockPin

from laned.check import buttons
from laned.check.daemon import Daemon
from laned.check.finding import Finding, Level

OK, WARNING, BROKEN = Level
CONFIRM, ABORT, CONFIRM_LED, ABORT_LED = 17, 27, 22, 23


class Bench:
    """A check of the buttons, and the fingers of whoever is asked."""

    def __init__(self, machine: Machine, *lines: str) -> None:
        self.found: list[Finding] = []
        self.said: list[str] = []
        self.factory = MockFactory(pin_class=MockPin)
        self.config = config(*lines)
        self.machine = machine
        self.presses: dict[str, int] = {}
        self.lit: list[tuple[bool, bool]] = []

    def pins(self) -> Any:
        return self.factory

    async def run(self, *, ask: bool, daemon: Daemon = NONE_RUNS) -> None:
        async with trio.open_nursery() as self._nursery:
            await buttons.check(
                self.config,
                self.machine.box,
                daemon,
                self.found.append,
                ask=ask,
                pins=self.pins,
                say=self._say,
            )
            self._nursery.cancel_scope.cancel()

    def _say(self, text: str) -> None:
        self.said.append(text)
        for name, pin in self.presses.items():
            if f"Press {name} " in text:
                self._nursery.start_soon(self._press, pin)

    async def _press(self, number: int) -> None:
        await trio.sleep(1)
        leds = [self.factory.pin(led).state for led in (CONFIRM_LED, ABORT_LED)]
        self.lit.append((bool(leds[0]), bool(leds[1])))
        self.factory.pin(number).drive_low()
        await trio.sleep(0.1)
        self.factory.pin(number).drive_high()


@pytest.fixture
def bench(machine: Machine) -> Bench:
    machine.device("gpiochip0")
    return Bench(machine)


# -- In a terminal window -------------------------------------------------------------------------


async def test_each_button_is_asked_for(bench: Bench, autojump_clock: object) -> None:
    bench.presses = {"confirm": CONFIRM, "abort": ABORT}
    await bench.run(ask=True)
    first, second = bench.found
    expect(first, OK, "confirm: was pressed", "GPIO 17", "LED on GPIO 22")
    expect(second, OK, "abort: was pressed", "GPIO 27", "LED on GPIO 23")
    assert bench.lit == [(True, False), (False, True)]
    assert [("15 s" in text, "GPIO" in text) for text in bench.said] == [(True, True)] * 2
    assert bench.factory.pins == {}


async def test_a_button_that_nobody_presses(bench: Bench, autojump_clock: object) -> None:
    bench.presses = {"abort": ABORT}
    began = trio.current_time()
    await bench.run(ask=True)
    first, second = bench.found
    expect(first, BROKEN, "confirm: no press within 15 s on GPIO 17", "the pin is low")
    expect(second, OK, "abort")
    assert 15 < trio.current_time() - began < 17


async def test_exchanged_buttons(bench: Bench, autojump_clock: object) -> None:
    bench.presses = {"confirm": ABORT, "abort": CONFIRM}
    await bench.run(ask=True)
    first, second = bench.found
    expect(first, BROKEN, "confirm: was not pressed, but abort was", "exchange their pins")
    expect(second, BROKEN, "abort: was not pressed, but confirm was")


# -- Elsewhere ------------------------------------------------------------------------------------


async def test_levels_are_reported_and_leds_lit(bench: Bench, autojump_clock: object) -> None:
    await bench.run(ask=False)
    confirm, abort, leds = bench.found
    expect(confirm, OK, "confirm: GPIO 17 is high, released")
    expect(abort, OK, "abort: GPIO 27 is high, released")
    expect(leds, OK, "confirm (GPIO 22), abort (GPIO 23)", "2 s")
    assert bench.said == []


async def test_a_button_that_is_held(bench: Bench, autojump_clock: object) -> None:
    class Held(MockPin):  # type: ignore[misc]
        def _set_pull(self, value: str) -> None:
            super()._set_pull(value)
            if self.info.name == f"GPIO{CONFIRM}":
                self.drive_low()

    bench.factory = MockFactory(pin_class=Held)
    bench.presses = {"abort": ABORT}
    await bench.run(ask=True)
    held, abort = bench.found
    expect(held, BROKEN, "confirm: is down from the start", "pull and active")
    expect(abort, OK, "abort: was pressed")


async def test_an_led_that_fails(bench: Bench, autojump_clock: object) -> None:
    class Dead(MockPin):  # type: ignore[misc]
        def _set_state(self, value: float) -> None:
            if value and self.info.name == f"GPIO{CONFIRM_LED}":
                raise OSError("GPIO busy")
            super()._set_state(value)

    bench.factory = MockFactory(pin_class=Dead)
    await bench.run(ask=False)
    expect(bench.found[-2], BROKEN, "confirm: OSError: GPIO busy", "gpioinfo")
    expect(bench.found[-1], OK, "abort (GPIO 23): were lit")
    assert "GPIO 22" not in bench.found[-1].text


async def test_pins_that_cannot_be_had(bench: Bench, autojump_clock: object) -> None:
    def pins() -> Any:
        raise ImportError("No module named 'lgpio'")

    bench.pins = pins  # type: ignore[method-assign]
    await bench.run(ask=True)
    (found,) = bench.found
    expect(found, BROKEN, "pins: ImportError", "pip install 'laned[gpio]'")


async def test_no_gpio_or_not_for_us(machine: Machine) -> None:
    bench = Bench(machine)
    await bench.run(ask=True)
    expect(bench.found.pop(), BROKEN, "no /dev/gpiochip*", "Raspberry Pi")
    machine.device("gpiochip0", usable=False)
    await bench.run(ask=True)
    expect(bench.found.pop(), BROKEN, "may not be used by pi", "usermod -aG gpio pi")
    machine.device("gpiochip4")  # the board's own on some: not all chips are for users
    assert buttons.chips(machine.box) is None


async def test_buttons_that_are_not_real(machine: Machine) -> None:
    bench = Bench(machine, 'buttons.driver = "none"')
    await bench.run(ask=True)
    expect(bench.found[0], OK, "off")
    bench = Bench(machine, 'buttons.driver = "virtual"')
    await bench.run(ask=True)
    expect(bench.found[0], WARNING, "virtual")


async def test_the_daemons_buttons_are_left_alone(bench: Bench) -> None:
    def pins() -> Any:
        raise AssertionError("the daemon has them")

    bench.pins = pins  # type: ignore[method-assign]
    for daemon, level, words in (
        (hardware(), OK, "finds them ok"),
        (hardware(buttons="failing"), BROKEN, "journalctl"),
        (Daemon(True), OK, "left to the daemon"),
        (NOT_KNOWN, OK, "left to the daemon"),
    ):
        await bench.run(ask=True, daemon=daemon)
        expect(bench.found.pop(), level, words)
