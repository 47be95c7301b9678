"""Buttons through the whole lane: what cannot be believed starts and ends no payment."""

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock
from wholelane import Rig, lane

from laned.hardware.button_line import CHATTER_EDGES
from laned.hardware.buttons import STUCK_SECONDS

CONFIRM = {"confirm": "button", "confirm_timeout": 600.0}
HELP = {"help.action": "till", "help.pin": 5, "help.led": 6}
PINS = {"confirm": 17, "abort": 27}


def wire(rig: Rig, name: str) -> Any:
    """The button's mock pin: the contact itself, without the adapter's `press`."""
    return rig.lane.buttons._factory.pin(PINS[name])


async def glitch(pin: Any) -> None:
    pin.drive_low()
    await trio.sleep(0.004)
    pin.drive_high()
    await trio.sleep(1)


async def chatter(pin: Any) -> None:
    for _ in range(CHATTER_EDGES):
        pin.drive_low()
        await trio.sleep(0.001)
        pin.drive_high()
        await trio.sleep(0.001)


@pytest.mark.parametrize("name", ["confirm", "abort"])
async def test_glitches_and_chatter_do_nothing_to_a_payment(
    tmp_path: Path, autojump_clock: MockClock, name: str
) -> None:
    async with lane(tmp_path, payment=CONFIRM) as rig, rig.stream() as stream:
        await rig.put()
        for _ in range(3):
            await glitch(wire(rig, name))
        await chatter(wire(rig, name))
        hardware = await stream.until("hardware", buttons="failing")
        assert hardware.data["display"] == "ok"
        assert rig.lane.buttons.led(name) is False
        assert (await rig.payment())["state"] == "pending"
        assert stream.of("button") == []
        await stream.until("hardware", buttons="ok")  # when it was quiet for a while
        assert rig.lane.buttons.led(name) is True
        await rig.press(name)
        payment = await rig.payment(wait=60)
        assert payment["state"] == {"confirm": "approved", "abort": "aborted"}[name]


@pytest.mark.parametrize("before", [0.002, 1.0])
@pytest.mark.parametrize("name", ["confirm", "abort"])
async def test_a_button_held_when_its_meaning_changes_must_be_released_first(
    tmp_path: Path, autojump_clock: MockClock, name: str, before: float
) -> None:
    """Held since before the payment, even if it counts as a press only after that had begun."""
    async with lane(tmp_path, payment=CONFIRM) as rig, rig.stream() as stream:
        pin = wire(rig, name)
        pin.drive_low()
        await trio.sleep(before)
        await rig.put()
        await trio.sleep(STUCK_SECONDS)
        await stream.until("hardware", buttons="failing")
        assert (await rig.payment())["state"] == "pending"
        pin.drive_high()
        await stream.until("hardware", buttons="ok")
        assert (await rig.payment())["state"] == "pending"
        await rig.press(name)
        payment = await rig.payment(wait=60)
        assert payment["state"] == {"confirm": "approved", "abort": "aborted"}[name]


async def test_a_button_of_the_tills_own_only_tells_the_till(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path, payment=CONFIRM, buttons=HELP) as rig, rig.stream() as stream:
        assert rig.lane.buttons.led("help") is True
        await rig.press("help")
        await stream.until("button", name="help", action="released")
        await rig.put()
        await rig.press("help")
        await trio.sleep(1)
        assert (await rig.payment())["state"] == "pending"
        await rig.press("confirm")
        await rig.press("help")
        assert (await rig.payment(wait=60))["state"] == "approved"
        pressed = [(b["name"], b["action"]) for b in stream.of("button") if b["name"] == "help"]
        assert pressed == [("help", "pressed"), ("help", "released")] * 3
