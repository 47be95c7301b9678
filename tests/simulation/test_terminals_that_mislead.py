"""What seeds have found, on purpose: a last transaction that proves less than it seems.

That it is an older one decides nothing (money rules 4 and 14).
"""

from decimal import Decimal
from pathlib import Path

import trio
from msgspec.structs import replace
from seeds import virtually
from world import Plan, World, made

from laned.lane import events as ev
from laned.lane.payment import Order, PaymentState
from laned.simulator import SCENARIOS, Settings
from laned.views.lane import set_aside

SLOW = replace(SCENARIOS["happy"], pin_digits=0, host_time=30.0)
SETTINGS = Settings(busy_after_login=0.0, busy_after_payment=0.0, boot_time=5.0)


async def put(world: World, payment_id: str) -> None:
    """Have a payment accepted."""
    order = Order(
        id=payment_id, type="payment", amount=Decimal("38.00"), currency="SEK", fingerprint="-"
    )
    world.books.orders[payment_id] = order
    handled = await world.bring(ev.PaymentAsked(order))
    assert handled is not None
    assert handled.refusal is None


async def until_charged(world: World, payment_id: str) -> None:
    """Pay, and wait for the end."""
    await put(world, payment_id)
    await world.idle()
    assert world.books.last_told[payment_id]["state"] == "approved"


async def state_after_a_while(world: World, payment_id: str) -> PaymentState:
    """What the payment is told to be after a while: the lane goes on."""
    await trio.sleep(300)
    lane = await world.lane()
    assert lane.state.payment is None
    assert payment_id in set_aside(lane.state)
    return PaymentState(world.books.last_told[payment_id]["state"])


async def swapped(folder: Path) -> None:
    """The terminal that was asked is replaced by one that has served this lane before."""
    plan = Plan(settings=SETTINGS, scenarios=(SLOW,))
    async with made(1, folder, plan) as world:
        world.nursery.start_soon(world.supervise)
        await world.idle()
        first = world.terminal
        await until_charged(world, "on-the-first")
        await first.reboot()
        second = await world.new_terminal()
        await world.bring(ev.LoginAsked())
        await world.idle()
        await put(world, "on-the-second")
        await trio.sleep(10)
        assert second.running
        world.terminal = first
        world.reboot(second, forget=False)
        assert await state_after_a_while(world, "on-the-second") is PaymentState.UNKNOWN
        assert len(second.ledger.charged()) == 1
        world.terminal = second  # it has forgotten; only a person can tell
        assert await state_after_a_while(world, "on-the-second") is PaymentState.UNKNOWN
        assert not world.books.wrong
        world.books.close()


async def interrupted(folder: Path) -> None:
    """A terminal loses power while the bank is asked, and remembers what was before that."""
    plan = Plan(settings=SETTINGS, scenarios=(SLOW,))
    async with made(1, folder, plan) as world:
        world.nursery.start_soon(world.supervise)
        await world.idle()
        await until_charged(world, "before")
        await put(world, "interrupted")
        await trio.sleep(10)
        world.reboot(world.terminal, forget=False)
        await world.terminal.until(lambda: not world.terminal.powered)
        assert len(world.terminal.ledger.charged()) == 2
        assert await state_after_a_while(world, "interrupted") is PaymentState.UNKNOWN
        await until_charged(world, "the next")
        world.books.close()


def test_another_terminals_last_transaction_proves_nothing() -> None:
    virtually(1, swapped)


def test_a_gap_in_the_terminals_memory_is_not_taken_for_proof() -> None:
    virtually(1, interrupted)
