"""`laned demo` in a terminal window: the lane's display is drawn, keys are its two buttons."""

import os
import signal
import sys
from collections import deque
from collections.abc import Mapping
from contextlib import aclosing
from typing import Final

import trio

from laned.demo import words
from laned.demo.look import look_of
from laned.demo.plays import AMOUNT, CURRENCY
from laned.demo.scene import View, draw
from laned.demo.stage import Said, Shown, Stage, open_stage
from laned.demo.till import Refused
from laned.demo.window import ESCAPE, Window
from laned.exits import DONE
from laned.simulator import SCENARIOS

LOOK_AGAIN: Final = 0.1  # seconds; lamps and warnings do not announce themselves
PRESS: Final = 0.1  # seconds
PRESSES: Final[Mapping[str, str]] = {
    "c": "confirm",
    "\n": "confirm",
    "\r": "confirm",
    "a": "abort",
    ESCAPE: "abort",
}
PAYMENTS: Final[Mapping[str, str]] = {
    "p": "happy",
    "s": "signature-approved",
    "d": "declined",
}
QUIT: Final = "q"
TOLD_ELSEWHERE: Final = frozenset({"button"})


class Interaction:
    """A person before the lane: what the keys do, and what is seen."""

    def __init__(self, stage: Stage, window: Window, warnings: deque[str]) -> None:
        self._stage = stage
        self._window = window
        self._warnings = warnings
        self._look = look_of(sys.stdout, os.environ)
        self._view = View()
        self._changed = trio.Event()
        self._payments = 0

    async def run(self) -> None:
        """Go on until the key to quit is pressed, or the window is gone."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch)
            nursery.start_soon(self._listen)
            nursery.start_soon(self._resize)
            nursery.start_soon(self._draw)
            async with aclosing(self._window.keys()) as keys:
                async for key in keys:
                    if key == QUIT:
                        break
                    if key in PRESSES:
                        nursery.start_soon(self._press, PRESSES[key])
                    elif key in PAYMENTS:
                        nursery.start_soon(self._pay, PAYMENTS[key])
            nursery.cancel_scope.cancel()

    async def _pay(self, scenario: str) -> None:
        self._payments += 1
        payment = f"demo-{self._payments}"
        self._stage.say("till", f"asks for {AMOUNT} {CURRENCY}: PUT /v1/payments/{payment}")
        terminal = self._stage.terminal
        before, terminal.scenario = terminal.scenario, SCENARIOS[scenario]
        try:
            await self._stage.till.pay(payment, AMOUNT, wait=False)
        except Refused as refused:
            terminal.scenario = before
            self._stage.say("till", f"is refused: {refused}")

    async def _press(self, button: str) -> None:
        self._stage.say("button", f"{button} is pressed")
        try:
            await self._stage.till.press(button, PRESS)
        except Refused as refused:
            self._stage.say("button", f"{button}: {refused}")

    async def _listen(self) -> None:
        async for event in self._stage.till.events():
            if event.name not in TOLD_ELSEWHERE:
                self._stage.hears(event)

    async def _watch(self) -> None:
        async for happening in self._stage.happenings:
            match happening:
                case Said():
                    self._view.said.append(happening)
                case Shown(frame=frame, screen=screen):
                    self._view.frame, self._view.words = frame, words.of_screen(screen)
            self._changed.set()

    async def _resize(self) -> None:
        with trio.open_signal_receiver(signal.SIGWINCH) as resized:
            async for _ in resized:
                self._window.forget()
                self._changed.set()

    async def _draw(self) -> None:
        while True:
            while self._warnings:
                self._stage.say("laned", f"warns: {self._warnings.popleft()}")
            buttons = self._stage.lane.buttons
            self._view.lit = {name: bool(buttons.led(name)) for name in buttons.names}
            self._view.charged = self._stage.terminal.ledger.balance(CURRENCY)
            self._window.show(draw(self._view, *self._window.size, self._look).rows(self._look))
            self._changed = trio.Event()
            with trio.move_on_after(LOOK_AGAIN):
                await self._changed.wait()


async def interact(speed: float, warnings: deque[str]) -> int:
    """Run the lane and show it until a person has enough; DONE. The window is put back."""
    async with open_stage("happy", speed) as stage:
        with Window() as window:
            await Interaction(stage, window, warnings).run()
    return DONE
