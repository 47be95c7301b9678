"""Buttons that are held, stuck, chattering, noisy or not there, and edges from another thread."""

import itertools
import logging
import sys
from typing import Any

import pytest
import trio
import trio.testing
from buttonrig import ABORT, CONFIRM, PRESS, Rig
from gpiozero.pins.mock import MockFactory, MockPin

from laned.config.schema import ButtonsConfig
from laned.hardware.back_off import FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS
from laned.hardware.button_line import (
    CHATTER_CHANGES,
    CHATTER_EDGES,
    GLITCH_SECONDS,
    GLITCHES,
    QUIET_SECONDS,
)
from laned.hardware.buttons import HELD, STUCK_SECONDS
from laned.hardware.gpio import cure

GPIO = ButtonsConfig(driver="gpio")


@pytest.fixture
async def rig(nursery: trio.Nursery) -> Rig:
    rig = Rig(nursery)
    await trio.sleep(1)
    assert rig.reports == ["ok"]
    return rig


def held_pins() -> Any:
    """Pins of a board on which every button is held down."""

    class HeldPin(MockPin):  # type: ignore[misc]
        def _set_pull(self, value: str) -> None:
            super()._set_pull(value)
            if value == "up":
                self.drive_low()

    return MockFactory(pin_class=HeldPin)


# -- Held, stuck ----------------------------------------------------------------------------------


async def test_held_at_boot_is_ignored_until_released(
    nursery: trio.Nursery, autojump_clock: object, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig(nursery, GPIO, held_pins)
    await rig.light("confirm", "abort")
    await trio.sleep(10)
    assert rig.told == []
    assert rig.reports == ["ok", "failing"]
    assert sorted(rig.buttons.faults) == ["abort", "confirm"]
    assert caplog.text.count("confirm: is down from the start") == 1
    assert rig.buttons.led("confirm") is False
    rig.pin(CONFIRM).drive_high()
    await trio.sleep(1)
    assert rig.told == []
    assert rig.reports == ["ok", "failing"]  # the other one is still down
    assert rig.buttons.led("confirm") is True
    rig.pin(CONFIRM).drive_low()
    await trio.sleep(0.1)
    rig.pin(CONFIRM).drive_high()
    await trio.sleep(0.1)
    assert rig.told == PRESS
    rig.pin(ABORT).drive_high()
    await trio.sleep(STUCK_SECONDS)
    assert rig.reports == ["ok", "failing", "ok"]
    assert rig.told == PRESS


async def test_stuck(rig: Rig, autojump_clock: object, caplog: pytest.LogCaptureFixture) -> None:
    await rig.light("confirm", "abort")
    pin = rig.pin(CONFIRM)
    pin.drive_low()
    await trio.sleep(STUCK_SECONDS - 1)
    assert rig.reports == ["ok"]
    assert rig.buttons.led("confirm") is True
    await trio.sleep(2)
    assert rig.reports == ["ok", "failing"]
    assert rig.buttons.led("confirm") is False
    assert rig.buttons.led("abort") is True
    assert "confirm: down for 60 s" in caplog.text
    await rig.buttons.press("abort", 0.1)
    await trio.sleep(1)
    assert rig.told == [PRESS[0], ("abort", "pressed"), ("abort", "released")]
    await trio.sleep(3600)
    assert len(caplog.records) == 1
    pin.drive_high()
    await trio.sleep(1)
    assert rig.reports == ["ok", "failing", "ok"]
    assert rig.told[3:] == [PRESS[1]]
    assert rig.buttons.led("confirm") is True
    await rig.buttons.press("confirm", 0.1)
    await trio.sleep(1)
    assert rig.told[4:] == PRESS


# -- Chatter, noise -------------------------------------------------------------------------------


async def test_chatter_is_ignored_until_quiet(
    rig: Rig, autojump_clock: object, caplog: pytest.LogCaptureFixture
) -> None:
    await rig.light("confirm")
    pin = rig.pin(CONFIRM)
    for _ in range(CHATTER_EDGES):
        pin.drive_low()
        await trio.sleep(0.002)
        pin.drive_high()
        await trio.sleep(0.002)
    assert rig.reports == ["ok", "failing"]
    assert rig.told == []
    assert rig.buttons.led("confirm") is False
    await rig.buttons.press("confirm", QUIET_SECONDS / 2)
    await rig.buttons.press("abort", 0.1)
    assert rig.told == [("abort", "pressed")]
    await trio.sleep(2 * QUIET_SECONDS + 1)
    assert rig.reports == ["ok", "failing", "ok"]
    assert rig.buttons.led("confirm") is True
    assert caplog.text.count("chatters") == 1
    await rig.buttons.press("confirm", 0.1)
    await trio.sleep(1)
    assert rig.told[2:] == PRESS


@pytest.mark.parametrize("hertz", [20, 50, 100])
async def test_slow_chatter_is_told_from_a_finger(
    rig: Rig, autojump_clock: object, hertz: int
) -> None:
    """Slow enough to look like presses: mains on the wire, a relay that buzzes."""
    pin = rig.pin(CONFIRM)
    for _ in range(10 * hertz):
        pin.drive_low()
        await trio.sleep(0.5 / hertz)
        pin.drive_high()
        await trio.sleep(0.5 / hertz)
    assert rig.reports == ["ok", "failing"]
    # What came before it was recognised cannot be told from a finger.
    assert len(rig.told) <= CHATTER_CHANGES
    assert max(rig.times, default=0) - 1 < 2


async def test_chatter_that_ends_held_down_is_not_a_press(rig: Rig, autojump_clock: object) -> None:
    pin = rig.pin(CONFIRM)
    for _ in range(CHATTER_EDGES):
        pin.drive_low()
        pin.drive_high()
    pin.drive_low()
    await trio.sleep(10 * QUIET_SECONDS)
    assert rig.told == []
    assert rig.buttons.faults["confirm"] is HELD
    pin.drive_high()
    await trio.sleep(1)
    assert rig.told == []
    assert rig.reports == ["ok", "failing", "ok"]


async def test_a_press_that_ends_in_chatter_is_told_released(
    rig: Rig, autojump_clock: object
) -> None:
    pin = rig.pin(CONFIRM)
    pin.drive_low()
    await trio.sleep(0.1)
    for _ in range(CHATTER_EDGES):
        pin.drive_high()
        pin.drive_low()
    await trio.sleep(1)
    assert rig.told == PRESS
    assert rig.reports == ["ok", "failing"]


async def test_an_impatient_finger_is_no_chatter(rig: Rig, autojump_clock: object) -> None:
    for _ in range(40):
        await rig.buttons.press("confirm", 0.05)
        await trio.sleep(0.04)
    assert rig.told == PRESS * 40
    assert rig.reports == ["ok"]


async def test_glitches_are_reported_when_there_are_many(
    rig: Rig, autojump_clock: object, caplog: pytest.LogCaptureFixture
) -> None:
    pin = rig.pin(CONFIRM)

    async def glitch() -> None:
        pin.drive_low()
        await trio.sleep(0.003)
        pin.drive_high()
        await trio.sleep(1)

    for _ in range(GLITCHES):
        await glitch()
    assert rig.reports == ["ok"]
    await glitch()
    assert rig.reports == ["ok", "failing"]
    await rig.buttons.press("confirm", 0.1)  # which is heeded all the same
    for _ in range(30):
        await glitch()
    assert rig.told == PRESS
    assert len(caplog.records) == 1
    assert f"more than {GLITCHES} glitches" in caplog.text
    await trio.sleep(2 * GLITCH_SECONDS + 1)
    assert rig.reports == ["ok", "failing", "ok"]


async def test_a_glitch_now_and_then_is_not_reported(rig: Rig, autojump_clock: object) -> None:
    pin = rig.pin(CONFIRM)
    for _ in range(3 * GLITCHES):
        pin.drive_low()
        pin.drive_high()
        await trio.sleep(1.1 * GLITCH_SECONDS / GLITCHES)
    assert rig.reports == ["ok"]
    assert rig.told == []


# -- No pins --------------------------------------------------------------------------------------


async def test_without_hardware(
    nursery: trio.Nursery, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Wherever this runs: there is no such board, with or without the library.
    monkeypatch.setitem(sys.modules, "lgpio", None)
    with trio.fail_after(5):
        rig = Rig(nursery, GPIO)
        await rig.reported.wait()
    await rig.stop()
    assert rig.reports == ["failing"]
    assert "pip install 'laned[gpio]'" in caplog.text
    assert "pip install 'laned[gpio]'" in rig.buttons.faults["pins"].cure


async def test_failed_opening_is_tried_again_ever_more_slowly(
    nursery: trio.Nursery, autojump_clock: object, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    tries: list[float] = []
    there = False

    def pins() -> Any:
        tries.append(trio.current_time())
        if not there:
            raise OSError("can not open gpiochip")
        return MockFactory(pin_class=MockPin)

    rig = Rig(nursery, GPIO, pins)
    await trio.sleep(200)
    waits = [after - before for before, after in itertools.pairwise(tries)]
    assert waits[0] == pytest.approx(FIRST_RETRY_SECONDS)
    assert waits[:5] == pytest.approx([1, 2, 4, 8, 16])
    assert waits[5:] == pytest.approx([LAST_RETRY_SECONDS] * len(waits[5:]))
    assert rig.reports == ["failing"]
    assert len(caplog.records) == 1
    assert "/dev/gpiochip" in caplog.text
    assert "group gpio" in caplog.text
    there = True
    await trio.sleep(LAST_RETRY_SECONDS)
    assert rig.reports == ["failing", "ok"]
    assert "by the pins of MockFactory" in caplog.text
    rig.pin(CONFIRM).drive_low()
    await trio.sleep(0.1)
    rig.pin(CONFIRM).drive_high()
    await trio.sleep(1)
    assert rig.told == PRESS


async def test_a_pin_that_is_taken_leaves_none_behind(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    """What was opened before the one that cannot be had is closed again."""
    factories: list[Any] = []

    class Taken(MockPin):  # type: ignore[misc]
        def __init__(self, factory: Any, info: Any) -> None:
            if info.name == f"GPIO{ABORT}":
                raise RuntimeError("GPIO busy")
            super().__init__(factory, info)

    def pins() -> Any:
        factories.append(MockFactory(pin_class=Taken))
        return factories[-1]

    rig = Rig(nursery, GPIO, pins)
    await trio.sleep(10)
    assert "gpioinfo" in rig.buttons.faults["pins"].cure
    assert len(factories) > 1
    assert all(factory.pins == {} for factory in factories)


@pytest.mark.parametrize(
    ("error", "helps"),
    [
        (ImportError("No module named 'lgpio'"), "pip install 'laned[gpio]'"),
        (AttributeError("module 'lgpio' has no attribute 'SET_BIAS_DISABLE'"), "laned[gpio]"),
        (RuntimeError("can not open gpiochip"), "group gpio"),
        (RuntimeError("GPIO busy"), "gpioinfo"),
        (ValueError("GPIO2 has a physical pull-up resistor"), "use another"),
    ],
)
def test_what_helps(error: Exception, helps: str) -> None:
    assert helps in cure(error)
