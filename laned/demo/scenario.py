"""`laned demo --scenario`: one payment played to its end, told as it happens, and judged."""

import os
import shutil
import sys
from collections.abc import AsyncIterator
from typing import Any, Final

import trio
from httpx import TransportError
from msgspec import Struct

from laned.demo.look import look_of
from laned.demo.plays import AMOUNT, CURRENCY, PLAYS, Outcome, Play, faults
from laned.demo.stage import Stage, open_stage
from laned.demo.story import Story
from laned.exits import DONE, FAILED
from laned.http.sse import Event
from laned.simulator import SCENARIOS

PAYMENT: Final = "demo-1"
NEXT: Final = "demo-2"
ASKS_AGAIN: Final = 0.2  # seconds until a till tries again to reach a lane that has gone
PLAY_WITHIN: Final = 60.0  # seconds at speed 1, for what takes about 12, or 30 with a restart
LEAST_PATIENCE: Final = 20.0  # seconds, however fast the terminal is: the machine may be slow
THINKING: Final = 1.2  # seconds at speed 1 that a person takes to do something
LONGEST_THOUGHT: Final = 20.0  # seconds; the question after a signature has 60 at any speed
PRESS: Final = 0.1  # seconds
UNSETTLED: Final = frozenset({"pending", "processing", "unknown"})
PRESENT_CARD: Final = "Present card"  # the simulated terminal's words
TOLD_ELSEWHERE: Final = frozenset({"display", "button", "card", "hardware"})
"""Events of which the story tells where they come from."""


class Afterwards(Struct, frozen=True):
    """What comes after the payment that a play is about: the next one, where there is one."""

    payment: dict[str, Any] | None = None
    shut_for: float = 0.0


async def play_scenario(name: str, speed: float) -> int:
    """Play it on stdout; DONE if it ended as it should, FAILED (and why on stderr) if not."""
    play = PLAYS[name]
    columns = shutil.get_terminal_size().columns
    story = Story(sys.stdout, look_of(sys.stdout, os.environ), columns)
    story.begin(play)
    outcome: Outcome | None = None
    patience = max(LEAST_PATIENCE, PLAY_WITHIN / speed)
    with trio.move_on_after(patience):
        async with trio.open_nursery() as nursery, open_stage(name, speed) as stage:
            nursery.start_soon(_tell, story, stage)
            after = Afterwards()
            if play.power_cut:
                nursery.start_soon(_cut_power, stage)
            payment = await _act(play, stage, speed)
            if play.power_cut:
                after = await _next_customer(stage, speed)
            story.pictures = False  # of the stop, words are enough
            kept = await stage.till.payment(PAYMENT)
            set_aside = await stage.set_aside()
            terminal = stage.terminal
        # The lane has stopped: nothing comes after this.
        outcome = Outcome(
            payment=payment,
            kept=kept,
            books=tuple(terminal.ledger),
            violations=tuple(terminal.violations),
            maintenances=terminal.maintenances,
            set_aside=set_aside,
            next=after.payment,
            shut_for=after.shut_for,
        )
    if outcome is None:
        print(f"laned: {name} did not end within {patience:g} s", file=sys.stderr)
        return FAILED
    found = faults(play, outcome)
    story.end(outcome.payment)
    story.judge(play, found)
    if found:
        print(f"laned: {name} ended otherwise: {'; '.join(found)}", file=sys.stderr)
    return FAILED if found else DONE


async def _tell(story: Story, stage: Stage) -> None:
    async for happening in stage.happenings:
        story.tell(happening)


async def _act(play: Play, stage: Stage, speed: float) -> dict[str, Any]:
    """Be the till, and whoever presses the button; the payment as the till was told it ended."""
    settled = trio.Event()
    thinking = min(THINKING / speed, LONGEST_THOUGHT)
    async with trio.open_nursery() as nursery:

        async def press() -> None:
            await trio.sleep(thinking)
            stage.say("button", f"{play.press} is pressed")
            await stage.till.press(play.press, PRESS)

        async def listen() -> None:
            acted = False
            async for event in _events(stage):
                if event.name not in TOLD_ELSEWHERE:
                    stage.hears(event)
                if not acted and _is_cue(play, event):
                    acted = True
                    nursery.start_soon(press)
                if event.name == "payment" and _settled(event.data):
                    settled.set()

        nursery.start_soon(listen)
        if play.maintained:
            await stage.maintained()
        await stage.idle()
        await trio.sleep(thinking)
        stage.say("till", f"asks laned for {AMOUNT} {CURRENCY}: PUT /v1/payments/{PAYMENT}")
        payment = await _pay(stage, PAYMENT)
        if stage.lives == 1:  # in a later life it may have been told before anybody listened
            await settled.wait()
        await stage.idle()
        nursery.cancel_scope.cancel()
    return payment


def _settled(payment: dict[str, Any]) -> bool:
    return payment["state"] not in UNSETTLED or payment["set_aside_at"] is not None


async def _pay(stage: Stage, payment_id: str) -> dict[str, Any]:
    """Ask for a payment until it is settled, as a till does: also of a lane that has gone."""
    while True:
        try:
            payment = await stage.till.pay(payment_id, AMOUNT, wait=True)
        except TransportError:
            if not stage.power_was_cut and stage.terminal.powered:
                raise
        else:
            return payment
        await trio.sleep(ASKS_AGAIN)


async def _events(stage: Stage) -> AsyncIterator[Event]:
    """What laned tells, in each of its lives."""
    while True:
        try:
            async for event in stage.till.events():
                yield event
        except TransportError:
            if not stage.power_was_cut and stage.terminal.powered:
                raise
        await trio.sleep(ASKS_AGAIN)


async def _cut_power(stage: Stage) -> None:
    """Cut laned's power as the terminal's goes."""
    await stage.terminal.until(lambda: not stage.terminal.powered)
    stage.terminal.scenario = SCENARIOS["happy"]  # of the next customer
    stage.cut_power()


async def _next_customer(stage: Stage, speed: float) -> Afterwards:
    """Be the next customer, and see how long the lane would have kept one waiting."""
    terminal = stage.terminal
    _, login, *_ = (r.at for r in terminal.requests if r.category == "Login")
    await trio.sleep(min(THINKING / speed, LONGEST_THOUGHT))
    stage.say("till", f"asks laned for {AMOUNT} {CURRENCY}: PUT /v1/payments/{NEXT}")
    payment = await _pay(stage, NEXT)
    stage.hears(Event("payment", payment))
    request = next(r.at for r in reversed(terminal.requests) if r.category == "Payment")
    await stage.idle()
    return Afterwards(payment, request - login)


def _is_cue(play: Play, event: Event) -> bool:
    match play.cue:
        case "signature":
            return event.name == "prompt" and "by" not in event.data
        case "card":
            return event.name == "display" and event.data["lines"] == [PRESENT_CARD]
        case _:
            return False
