"""The crash sweep: every scenario, with a crash at every place where a life can end.

First a payment goes through without a crash, and its places are counted. Then it is made again as
often as there were places, with a crash at one of them, and another payment after the restart.
"""

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

import trio
from lives import Life
from msgspec import Struct
from people import asks
from seeds import BY_HAND, virtually
from world import Plan, World, made

from laned.lane import events as ev
from laned.lane.payment import Order
from laned.nexo.messages import ReversalReason
from laned.simulator import SCENARIOS, Settings

SETTLES_WITHIN = 600.0
RESOLVED_AFTER = 45.0  # by a person, if the terminal cannot tell
SCENARIO_NAMES = (*SCENARIOS, "reversal")
FIRST, SECOND = "first-1", "second-2"


class Swept(Struct):
    """What one crash led to; `place` is empty if the life ended before it came there."""

    scenario: str
    number: int
    place: str
    wrong: list[str]
    states: dict[str, str]


def sweep(scenario: str) -> Iterator[Swept]:
    """One scenario with a crash at each of its places, one after the other."""
    number = 0
    while True:
        number += 1
        swept = crash(scenario, number)
        if not swept.place:
            return
        yield swept


def crash(scenario: str, number: int) -> Swept:
    """One scenario with a crash at the place with this number, from 1 on."""
    return virtually(number, partial(_crash, scenario, number))


async def _crash(scenario: str, number: int, folder: Path) -> Swept:
    busy = 3.0 if scenario == "busy" else 0.5
    known = SCENARIOS.get(scenario, SCENARIOS["happy"])
    plan = Plan(
        mode="light" if scenario.startswith("light") else "default",
        idle_before=10.0,
        signature="button",
        scenarios=(known,),
        settings=Settings(busy_after_login=busy, busy_after_payment=0.5),
    )
    async with made(number, folder, plan) as world:
        place = ""
        world.terminal.maintenance_required = known.maintenance
        world.books.excused += (BY_HAND,)

        def at(life: Life, name: str) -> bool:
            nonlocal place
            if world.lives == 1 and life.points == number:
                place = name
            return bool(place) and world.lives == 1

        world.crash_at = at
        world.between_lives = partial(trio.sleep, 5.0)
        world.nursery.start_soon(world.supervise)
        world.nursery.start_soon(_customer, world, scenario)
        with trio.move_on_after(24 * 3600.0) as late:
            await _pay(world, FIRST)
            if scenario == "reversal":
                await world.bring(
                    ev.ReversalAsked(payment_id=FIRST, reason=ReversalReason.MERCHANT_CANCEL)
                )
                await world.idle()
            if known.maintenance:
                await world.terminal.until(lambda: world.terminal.maintenances > 0)
                await world.idle()
            if world.lives == 1:  # not crashed yet: the stop has its places, too
                await world.bring(ev.StopAsked())
                await world.idle()
            await _pay(world, SECOND)
            await world.idle()
            await world.terminal.until(lambda: not world.terminal.running)
        if late.cancelled_caught:
            world.books.fault("it never ends")
        world.books.compare()
        sql = "SELECT id, state FROM payments"
        states = dict(world.books.rows(sql))
        _compare(world, scenario, states)
        world.books.close()
        return Swept(scenario, number, place, world.books.wrong, states)


def _compare(world: World, scenario: str, states: dict[str, str]) -> None:
    """What the second payment became: the crash is over, so just what the scenario says."""
    usual = USUAL[scenario]
    if states.get(SECOND) != usual:
        world.books.fault(f"the second payment is {states.get(SECOND)}, not {usual}")


USUAL = {
    "happy": "approved",
    "signature-approved": "approved",
    "signature-declined": "declined",
    "declined": "declined",
    "aborted": "aborted",
    "customer-cancel": "aborted",
    "busy": "approved",
    "maintenance": "approved",
    "light": "approved",
    "light-signature-declined": "declined",
    "lost-response": "approved",
    "reboot": "approved",
    "reboot-forgets": "unknown",  # and set aside, as is the next
    "power-cut": "unknown",
    "reversal": "approved",
}


async def _pay(world: World, payment_id: str) -> None:
    """Ask until it is final, as a till does."""
    order = Order(
        id=payment_id, type="payment", amount=Decimal("38.00"), currency="SEK", fingerprint="-"
    )
    world.books.orders[payment_id] = order
    began = trio.current_time()
    while True:
        handled = await world.bring(ev.PaymentAsked(order))
        payment = handled.payment if handled is not None else None
        if payment is not None and payment.settled:
            return
        await trio.sleep(1.0)
        if trio.current_time() - began > SETTLES_WITHIN:
            world.books.fault(f"{payment_id} is not settled")
            return


async def _customer(world: World, scenario: str) -> None:
    """Whoever answers the signature question, and presses abort, in each life again."""
    answered = ""
    while True:
        lane = await world.lane()
        found = None
        with trio.move_on_after(1.0):
            found = await lane.until(partial(asks, answered))
        pursuit = lane.state.pursuit
        if found is not None and found.prompt is not None:
            answered = found.prompt.id
            await trio.sleep(1.0)
            yes = scenario == "signature-approved"
            await world.bring(ev.ButtonPressed("confirm" if yes else "abort"))
        elif scenario == "aborted" and pursuit is not None and pursuit.sent:
            await trio.sleep(0.5)
            await world.bring(ev.ButtonPressed("abort"))
