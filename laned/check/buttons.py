"""The buttons: their pins, their levels, a press of each, and their LEDs."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import trio

from laned.check.box import Box
from laned.check.daemon import Daemon
from laned.check.finding import Finding, Tell, broken, ok, warning
from laned.config.schema import ButtonConfig, ButtonsConfig, Config
from laned.hardware.button_line import SETTLE_SECONDS
from laned.hardware.buttons import Buttons

SUBJECT: Final = "buttons"
PRESS_WITHIN: Final = 15.0
"""Seconds for each button to be pressed."""
LIT_SECONDS: Final = 2.0
"""For which the LEDs are lit when no button is asked for."""

Say = Callable[[str], None]


async def check(
    config: Config,
    box: Box,
    daemon: Daemon,
    tell: Tell,
    *,
    ask: bool,
    pins: Callable[[], Any] | None = None,
    say: Say = print,
) -> None:
    """Check the buttons; with `ask` each has to be pressed. Those that a daemon has are left."""
    buttons = config.buttons
    if buttons.driver == "none":
        tell(ok(SUBJECT, 'are off: buttons.driver = "none"'))
    elif buttons.driver == "virtual":
        text = 'buttons.driver = "virtual": there are none to press'
        tell(warning(SUBJECT, text, 'set buttons.driver = "gpio"'))
    elif daemon.holds:
        tell(_held(daemon))
    elif (found := chips(box)) is not None:
        tell(found)
    else:
        await _Session(buttons, tell, say, pins).run(ask=ask)


def _held(daemon: Daemon) -> Finding:
    match daemon.health("buttons"):
        case "ok":
            return ok(SUBJECT, "the daemon has them, and finds them ok")
        case "failing":
            return broken(
                SUBJECT,
                "the daemon says that they are failing",
                "journalctl -u laned | grep buttons: says which, and why",
            )
        case _:
            return ok(SUBJECT, "are left to the daemon")


def chips(box: Box) -> Finding | None:
    """What is wrong with the files in /dev that pins are reached by; None: nothing."""
    found = box.devices("gpiochip*")
    if not found:
        return broken(
            SUBJECT,
            "there is no /dev/gpiochip*: this machine has no GPIO",
            'use a Raspberry Pi, or set buttons.driver = "none" or "virtual"',
        )
    if not any(box.may_use(box.path(chip)) for chip in found):
        return broken(SUBJECT, f"{found[0]} may not be used by {box.user}", box.joining("gpio"))
    return None


class _Session:
    """The buttons opened as the daemon opens them, and let go of at the end."""

    def __init__(
        self, config: ButtonsConfig, tell: Tell, say: Say, pins: Callable[[], Any] | None
    ) -> None:
        self._named = config.named
        self._buttons = Buttons(config, pins)
        self._tell = tell
        self._say = say
        self._reported = trio.Event()
        self._pressed, self._presses = trio.open_memory_channel[str](100)
        self._light, self._lit = trio.open_memory_channel[frozenset[str]](100)

    async def run(self, *, ask: bool) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                self._buttons.run, self._on_press, lambda state: self._reported.set(), self._lit
            )
            await self._reported.wait()
            if "pins" in self._buttons.faults:
                self._tell_faults()
            else:
                await trio.sleep(4 * SETTLE_SECONDS)
                await self._look(ask=ask)
            nursery.cancel_scope.cancel()

    def _on_press(self, name: str, action: str, since: float) -> None:
        if action == "pressed":
            self._pressed.send_nowait(name)

    async def _look(self, *, ask: bool) -> None:
        self._tell_faults()
        sound = {name: one for name, one in self._named.items() if name not in self._buttons.faults}
        if ask:
            for name, button in sound.items():
                await self._ask_for(name, button)
            return
        for name, button in sound.items():
            self._tell(ok(SUBJECT, f"{name}: GPIO {button.pin} is {_rest(button)}, released"))
        await self._light_all()

    def _tell_faults(self) -> None:
        faults = self._buttons.faults
        for part, fault in faults.items():
            self._tell(broken(SUBJECT, f"{part}: {fault.text}", fault.cure))

    async def _light_all(self) -> None:
        leds = {name: one.led for name, one in self._named.items() if one.led is not None}
        if not leds:
            return
        await self._light.send(frozenset(leds))
        await trio.sleep(LIT_SECONDS)
        failed = self._failed_leds(leds)
        if lit := [f"{name} (GPIO {led})" for name, led in leds.items() if name not in failed]:
            self._tell(ok("LEDs", f"{', '.join(lit)}: were lit for {LIT_SECONDS:g} s"))

    def _failed_leds(self, names: Mapping[str, object]) -> set[str]:
        found = {name for name in names if f"LED of {name}" in self._buttons.faults}
        for name in found:
            fault = self._buttons.faults[f"LED of {name}"]
            self._tell(broken("LEDs", f"{name}: {fault.text}", fault.cure))
        return found

    async def _ask_for(self, name: str, button: ButtonConfig) -> None:
        await self._light.send(frozenset({name}))
        lit = "" if button.led is None else f", its LED on GPIO {button.led} is lit"
        self._say(f"         Press {name} within {PRESS_WITHIN:g} s (GPIO {button.pin}{lit})")
        others: list[str] = []
        with trio.move_on_after(PRESS_WITHIN):
            while (pressed := await self._presses.receive()) != name:
                others.append(pressed)
            self._failed_leds({name: button.led})
            self._tell(ok(SUBJECT, f"{name}: was pressed (GPIO {button.pin}{lit})"))
            return
        if others:
            text = f"{name}: was not pressed, but {', '.join(dict.fromkeys(others))} was"
            self._tell(broken(SUBJECT, text, "if the right one was, exchange their pins"))
        else:
            self._tell(
                broken(
                    SUBJECT,
                    f"{name}: no press within {PRESS_WITHIN:g} s on GPIO {button.pin}",
                    f'check its wires; pull = "{button.pull}" takes it to be pressed when the pin'
                    f" is {'high' if button.pressed_high else 'low'}",
                )
            )


def _rest(button: ButtonConfig) -> str:
    return "low" if button.pressed_high else "high"
