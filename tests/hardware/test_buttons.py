"""The button adapter on gpiozero's mock pins, in virtual time."""

import logging
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

import gpiozero
import pytest
import trio
import trio.testing
from gpiozero.pins.mock import MockFactory, MockPin

from laned.buttons import (
    CHATTER_EDGES,
    QUIET_SECONDS,
    RETRY_SECONDS,
    STUCK_SECONDS,
    Buttons,
    Line,
)
from laned.config import ButtonConfig, ButtonsConfig

BOUNCE = 0.03
VIRTUAL = ButtonsConfig(driver="virtual")
CONFIRM, ABORT = 17, 27
PRESS = [("confirm", "pressed"), ("confirm", "released")]


class Rig:
    """Buttons running, with everything that they told."""

    def __init__(self, nursery: trio.Nursery, config: ButtonsConfig = VIRTUAL) -> None:
        self.told: list[tuple[str, str]] = []
        self.times: list[float] = []
        self.since: list[float] = []
        self.reports: list[str] = []
        self.reported = trio.Event()
        self.buttons = Buttons(config)
        self.scope = trio.CancelScope()
        self.ended = trio.Event()
        self._send, self._lit = trio.open_memory_channel[frozenset[str]](10)
        nursery.start_soon(self._run)

    async def _run(self) -> None:
        with self.scope:
            await self.buttons.run(self._tell, self._report, self._lit)
        self.ended.set()

    def _tell(self, name: str, action: str, since: float) -> None:
        self.told.append((name, action))
        self.times.append(trio.current_time())
        self.since.append(since)

    def _report(self, state: str) -> None:
        self.reports.append(state)
        self.reported.set()

    async def light(self, *names: str) -> None:
        self._send.send_nowait(frozenset(names))
        await trio.testing.wait_all_tasks_blocked()

    def pin(self, number: int) -> Any:
        return self.buttons._factory.pin(number)

    async def stop(self) -> None:
        self.scope.cancel()
        await self.ended.wait()


@pytest.fixture
async def rig(nursery: trio.Nursery) -> Rig:
    """For tests that ask for `autojump_clock` themselves: a fixture's own is not used."""
    rig = Rig(nursery)
    await trio.sleep(1)
    assert rig.reports == ["ok"]
    return rig


async def test_press_and_release(rig: Rig, autojump_clock: object) -> None:
    started = trio.current_time()
    await rig.buttons.press("confirm", 0.2)
    await trio.sleep(1)
    assert rig.told == PRESS
    assert [at - started for at in rig.times] == pytest.approx([0.005, 0.205])


async def test_both_buttons_at_once(rig: Rig, autojump_clock: object) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.buttons.press, "confirm", 0.2)
        nursery.start_soon(rig.buttons.press, "abort", 0.1)
    await trio.sleep(1)
    assert sorted(rig.told) == sorted([("abort", "pressed"), ("abort", "released"), *PRESS])


async def test_bounces_are_one_press(rig: Rig, autojump_clock: object) -> None:
    pin = rig.pin(CONFIRM)
    for _ in range(2):
        # A contact that bounces for 8 ms at both ends.
        for level in ("low", "high") * 4:
            getattr(pin, f"drive_{level}")()
            await trio.sleep(0.001)
        pin.drive_low()
        await trio.sleep(0.1)
        for level in ("high", "low") * 4:
            getattr(pin, f"drive_{level}")()
            await trio.sleep(0.001)
        pin.drive_high()
        await trio.sleep(0.1)
    assert rig.told == PRESS * 2
    assert rig.reports == ["ok"]


async def test_a_press_began_with_its_first_edge(rig: Rig, autojump_clock: object) -> None:
    pin = rig.pin(CONFIRM)
    pin.drive_low()  # a glitch: not a press, and not the beginning of the next one
    await trio.sleep(0.001)
    pin.drive_high()
    await trio.sleep(1)
    began = trio.current_time()
    for level in ("low", "high", "low"):  # 4 ms of bounces
        getattr(pin, f"drive_{level}")()
        await trio.sleep(0.002)
    await trio.sleep(0.1)
    assert rig.told == PRESS[:1]
    assert rig.since == [pytest.approx(began)]
    assert rig.times[0] - began > 0.008


async def test_opening_within_the_lock_out_is_still_one_press(
    rig: Rig, autojump_clock: object
) -> None:
    pin = rig.pin(CONFIRM)
    pin.drive_low()
    await trio.sleep(0.010)
    pin.drive_high()
    await trio.sleep(0.008)
    pin.drive_low()
    await trio.sleep(0.5)
    pin.drive_high()
    await trio.sleep(0.5)
    assert rig.told == PRESS


async def test_glitches_are_no_press(rig: Rig, autojump_clock: object) -> None:
    pin = rig.pin(CONFIRM)
    for width in (0, 0.001, 0.004):
        pin.drive_low()
        await trio.sleep(width)
        pin.drive_high()
        await trio.sleep(0.1)
    assert rig.told == []


async def test_two_quick_presses_are_two(rig: Rig, autojump_clock: object) -> None:
    for _ in range(2):
        await rig.buttons.press("confirm", 0.06)
        await trio.sleep(0.06)
    assert rig.told == PRESS * 2


async def test_held_at_boot_is_ignored_until_released(
    nursery: trio.Nursery, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    class HeldPin(MockPin):  # type: ignore[misc]
        def _set_pull(self, value: str) -> None:
            super()._set_pull(value)
            if value == "up":
                self.drive_low()

    monkeypatch.setattr("gpiozero.pins.mock.MockPin", HeldPin)
    rig = Rig(nursery)
    await trio.sleep(10)
    assert rig.told == []
    rig.pin(CONFIRM).drive_high()
    await trio.sleep(1)
    assert rig.told == []
    await rig.buttons.press("confirm", 0.1)
    await trio.sleep(1)
    assert rig.told == PRESS
    await trio.sleep(STUCK_SECONDS)
    # The other one is down to this moment.
    assert rig.reports == ["ok", "failing"]


async def test_stuck(rig: Rig, autojump_clock: object, caplog: pytest.LogCaptureFixture) -> None:
    pin = rig.pin(CONFIRM)
    pin.drive_low()
    await trio.sleep(STUCK_SECONDS - 1)
    assert rig.reports == ["ok"]
    await trio.sleep(2)
    assert rig.reports == ["ok", "failing"]
    assert "confirm: down for 60 s" in caplog.text
    await rig.buttons.press("abort", 0.1)
    await trio.sleep(1)
    assert rig.told == [PRESS[0], ("abort", "pressed"), ("abort", "released")]
    pin.drive_high()
    await trio.sleep(1)
    assert rig.reports == ["ok", "failing", "ok"]
    assert rig.told[3:] == [PRESS[1]]
    await rig.buttons.press("confirm", 0.1)
    await trio.sleep(1)
    assert rig.told[4:] == PRESS


async def test_chatter_is_ignored_until_quiet(rig: Rig, autojump_clock: object) -> None:
    pin = rig.pin(CONFIRM)
    for _ in range(CHATTER_EDGES):
        pin.drive_low()
        await trio.sleep(0.002)
        pin.drive_high()
        await trio.sleep(0.002)
    assert rig.reports == ["ok", "failing"]
    assert rig.told == []
    await rig.buttons.press("confirm", QUIET_SECONDS / 2)
    await rig.buttons.press("abort", 0.1)
    assert rig.told == [("abort", "pressed")]
    await trio.sleep(2 * QUIET_SECONDS + 1)
    assert rig.reports == ["ok", "failing", "ok"]
    await rig.buttons.press("confirm", 0.1)
    await trio.sleep(1)
    assert rig.told[2:] == PRESS


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
    for _ in range(20):
        await rig.buttons.press("confirm", 0.05)
        await trio.sleep(0.05)
    assert rig.told == PRESS * 20
    assert rig.reports == ["ok"]


async def test_leds_follow_the_newest_set(rig: Rig, autojump_clock: object) -> None:
    def leds() -> list[bool | None]:
        return [rig.buttons.led(name) for name in ("confirm", "abort")]

    assert leds() == [False, False]
    await rig.light("confirm")
    assert leds() == [True, False]
    await rig.light("confirm", "abort", "approve")
    assert leds() == [True, True]
    await rig.light()
    assert leds() == [False, False]
    await rig.light("abort")
    pin = rig.pin(23)
    await rig.stop()
    # Nothing acts on a press any more: dark.
    assert leds() == [False, False]
    assert pin.function == "input"


async def test_a_led_that_fails_leaves_the_buttons(rig: Rig, autojump_clock: object) -> None:
    rig.pin(22).function = "input"
    await rig.light("confirm", "abort")
    assert rig.buttons.led("abort") is True
    assert rig.reports == ["ok", "failing"]
    await rig.buttons.press("confirm", 0.1)
    await trio.sleep(1)
    assert rig.told == PRESS
    rig.pin(22).function = "output"
    await rig.light("confirm")
    assert rig.reports == ["ok", "failing", "ok"]


async def test_approve_without_led(nursery: trio.Nursery, autojump_clock: object) -> None:
    config = ButtonsConfig(driver="virtual", approve=ButtonConfig(pin=5))
    rig = Rig(nursery, config)
    assert rig.buttons.names == ("confirm", "abort", "approve")
    await rig.light("approve")
    assert rig.buttons.led("approve") is None
    await rig.buttons.press("approve", 0.1)
    await trio.sleep(1)
    assert rig.told == [("approve", "pressed"), ("approve", "released")]


async def test_press_names_what_exists(rig: Rig, autojump_clock: object) -> None:
    with pytest.raises(KeyError, match="approve"):
        await rig.buttons.press("approve", 0.1)
    with pytest.raises(KeyError, match="nothing"):
        rig.buttons.led("nothing")
    real = Buttons(ButtonsConfig(driver="gpio"))
    assert not real.virtual
    with pytest.raises(RuntimeError, match="virtual"):
        await real.press("confirm", 0.1)


async def test_a_cancelled_press_lets_go(rig: Rig, autojump_clock: object) -> None:
    with trio.move_on_after(0.1):
        await rig.buttons.press("confirm", 1000)
    await trio.sleep(1)
    assert rig.told == PRESS


async def test_press_waits_for_the_pins(autojump_clock: object) -> None:
    buttons = Buttons(VIRTUAL)
    with trio.move_on_after(10) as scope:
        await buttons.press("confirm", 0.1)
    assert scope.cancelled_caught


async def test_opened_again_after_the_end(nursery: trio.Nursery, autojump_clock: object) -> None:
    """Pins are let go of, and nothing of one run is left for the next."""
    for _ in range(2):
        rig = Rig(nursery)
        await rig.buttons.press("confirm", 0.1)
        await trio.sleep(1)
        assert rig.told == PRESS
        factory = rig.buttons._factory
        await rig.stop()
        assert factory.pins == {}
    assert gpiozero.Device.pin_factory is None


async def test_none(autojump_clock: object) -> None:
    reports: list[str] = []

    async def lit() -> AsyncIterator[frozenset[str]]:
        yield frozenset()

    await Buttons(ButtonsConfig(driver="none")).run(lambda *_: None, reports.append, lit())
    assert reports == ["off"]


async def test_without_hardware(
    nursery: trio.Nursery, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Wherever this runs: there is no such board, with or without the library.
    monkeypatch.setitem(sys.modules, "lgpio", None)
    with trio.fail_after(5):
        rig = Rig(nursery, ButtonsConfig(driver="gpio"))
        await rig.reported.wait()
    await rig.stop()
    assert rig.reports == ["failing"]
    assert "pip install 'laned[gpio]'" in caplog.text


async def test_failed_opening_is_tried_again(
    nursery: trio.Nursery,
    autojump_clock: object,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("GPIOZERO_MOCK_REVISION", "fe")
    rig = Rig(nursery)
    await trio.sleep(3 * RETRY_SECONDS + 1)
    assert rig.reports == ["failing"]
    assert len(caplog.records) == 1
    assert "/dev/gpiochip" in caplog.text
    monkeypatch.undo()
    await trio.sleep(RETRY_SECONDS)
    assert rig.reports == ["failing", "ok"]
    assert "MockFactory" in caplog.text
    await rig.buttons.press("confirm", 0.1)
    await trio.sleep(1)
    assert rig.told == PRESS


async def test_edges_from_a_foreign_thread() -> None:
    """As on hardware, where the pin library has a thread of its own; in real time."""
    pressed = trio.Event()
    tellers: list[int] = []
    buttons = Buttons(VIRTUAL)

    def tell(name: str, action: str, since: float) -> None:
        tellers.append(threading.get_ident())
        pressed.set()

    async def lit() -> AsyncIterator[frozenset[str]]:
        yield frozenset()

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(buttons.run, tell, lambda _: None, lit())
            await buttons._opened.wait()
            await buttons._lines["confirm"].ready.wait()
            await trio.to_thread.run_sync(buttons._factory.pin(CONFIRM).drive_low)
            await pressed.wait()
            nursery.cancel_scope.cancel()
    assert tellers[0] == threading.get_ident()


def test_an_edge_after_the_end_hurts_nobody() -> None:
    """The library's thread outlives trio's run, and must outlive what it calls."""
    factory = MockFactory(pin_class=MockPin)
    line = Line("confirm", ButtonConfig(pin=CONFIRM))

    async def main(devices: ExitStack) -> None:
        line.open(factory, devices)
        factory.pin(CONFIRM).drive_low()
        await trio.testing.wait_all_tasks_blocked()

    with ExitStack() as devices:
        trio.run(main, devices)
        assert line.edges == 1
        assert factory.pin(CONFIRM).when_changed is not None
        factory.pin(CONFIRM).drive_high()
        assert line.edges == 1
