"""The button adapter on gpiozero's mock pins, in virtual time: presses and LEDs."""

from collections.abc import AsyncIterator
from typing import Any

import gpiozero
import pytest
import trio
from buttonrig import CONFIRM, PRESS, VIRTUAL, Rig
from gpiozero.pins.mock import MockFactory, MockPin

from laned.config.schema import ButtonConfig, ButtonsConfig, TillButtonConfig
from laned.hardware.buttons import Buttons


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


async def test_a_pin_that_cannot_be_let_go_of_does_not_end_the_daemon(
    nursery: trio.Nursery, autojump_clock: object, caplog: pytest.LogCaptureFixture
) -> None:
    """lgpio says "GPIO busy" now and then, while its thread reads the line."""
    closed = []

    class Busy(MockPin):  # type: ignore[misc]
        def close(self) -> None:
            super().close()
            closed.append(self.info.name)
            if self.info.name == f"GPIO{CONFIRM}" and closed.count(self.info.name) == 1:
                raise OSError("GPIO busy")

    config = ButtonsConfig(driver="gpio")
    rig = Rig(nursery, config, lambda: MockFactory(pin_class=Busy))
    await trio.sleep(1)
    await rig.stop()
    assert {"GPIO17", "GPIO22", "GPIO27", "GPIO23"} <= set(closed), "the others all the same"
    assert "not closed in order: OSError: GPIO busy" in caplog.text


async def test_none(autojump_clock: object) -> None:
    reports: list[str] = []

    async def lit() -> AsyncIterator[frozenset[str]]:
        yield frozenset()

    await Buttons(ButtonsConfig(driver="none")).run(lambda *_: None, reports.append, lit())
    assert reports == ["off"]


# -- Wiring ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wiring", "rest", "down"),
    [
        ({}, "high", "low"),
        ({"pull": "up", "active": "low"}, "high", "low"),
        ({"pull": "up", "active": "high"}, "low", "high"),  # a contact that opens
        ({"pull": "down"}, "low", "high"),
        ({"pull": "down", "active": "low"}, "high", "low"),
        ({"pull": "none", "active": "low"}, "high", "low"),
        ({"pull": "none", "active": "high"}, "low", "high"),
    ],
    ids=str,
)
async def test_pull_and_polarity(
    nursery: trio.Nursery, autojump_clock: object, wiring: dict[str, Any], rest: str, down: str
) -> None:
    """On real pins' code: `drive` is the wire, not the adapter's own virtual button."""
    confirm = ButtonConfig(pin=CONFIRM, **wiring)

    class Wired(MockPin):  # type: ignore[misc]
        def _set_pull(self, value: str) -> None:
            super()._set_pull(value)
            if self.info.name == f"GPIO{CONFIRM}":
                getattr(self, f"drive_{rest}")()  # the contact is stronger than the pull

    rig = Rig(
        nursery,
        ButtonsConfig(driver="gpio", confirm=confirm),
        lambda: MockFactory(pin_class=Wired),
    )
    await trio.sleep(1)
    assert rig.reports == ["ok"]
    pin = rig.pin(CONFIRM)
    assert pin.pull == {"none": "floating"}.get(confirm.pull, confirm.pull)
    getattr(pin, f"drive_{down}")()
    await trio.sleep(0.1)
    assert rig.told == PRESS[:1]
    getattr(pin, f"drive_{rest}")()
    await trio.sleep(0.1)
    assert rig.told == PRESS


@pytest.mark.parametrize("pull", ["up", "down", "none"])
@pytest.mark.parametrize("active", ["low", "high"])
async def test_virtual_buttons_of_any_wiring_are_released_and_can_be_pressed(
    nursery: trio.Nursery, autojump_clock: object, pull: Any, active: Any
) -> None:
    confirm = ButtonConfig(pin=CONFIRM, pull=pull, active=active)
    rig = Rig(nursery, ButtonsConfig(driver="virtual", confirm=confirm))
    await trio.sleep(1)
    assert (rig.told, rig.reports) == ([], ["ok"])
    await rig.buttons.press("confirm", 0.1)
    await trio.sleep(1)
    assert rig.told == PRESS


@pytest.mark.parametrize(("led_active", "lit"), [(None, True), ("high", True), ("low", False)])
async def test_polarity_of_an_led(
    nursery: trio.Nursery, autojump_clock: object, led_active: Any, lit: bool
) -> None:
    confirm = ButtonConfig(pin=CONFIRM, led=22, led_active=led_active)
    rig = Rig(nursery, ButtonsConfig(driver="virtual", confirm=confirm))
    await trio.sleep(1)
    assert rig.pin(22).state is not lit
    await rig.light("confirm")
    assert rig.pin(22).state is lit
    assert rig.buttons.led("confirm") is True


async def test_a_button_of_the_tills_own(nursery: trio.Nursery, autojump_clock: object) -> None:
    config = ButtonsConfig(driver="virtual", till={"help": TillButtonConfig(pin=5, action="till")})
    rig = Rig(nursery, config)
    await rig.buttons.press("help", 0.1)
    await trio.sleep(1)
    assert rig.told == [("help", "pressed"), ("help", "released")]


async def test_bounce_time_locks_out(nursery: trio.Nursery, autojump_clock: object) -> None:
    """Counted from the first edge of a press, and from that of a release."""
    config = ButtonsConfig(driver="virtual", confirm=ButtonConfig(pin=CONFIRM, bounce_time=0.3))
    rig = Rig(nursery, config)
    await trio.sleep(1)
    began = trio.current_time()
    pin = rig.pin(CONFIRM)
    for _ in range(3):
        pin.drive_low()
        await trio.sleep(0.05)
        pin.drive_high()
        await trio.sleep(0.05)
    await trio.sleep(1)
    assert rig.told == PRESS
    assert [at - began for at in rig.times] == pytest.approx([0.005, 0.305])
