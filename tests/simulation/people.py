"""Tills, customers, attendants and whoever pulls plugs: everybody that a seed sets on the lane."""

import random
from decimal import Decimal
from functools import partial

import trio
from lives import damage, lose
from msgspec.structs import replace
from world import HOME, World, configured

from laned.lane import events as ev
from laned.lane.payment import Order
from laned.lane.state import LaneState, Phase
from laned.lane.table import IDLE
from laned.nexo.messages import OutputText, Receipt, ReversalReason

AMOUNTS = ("38.00", "38.00", "38.00", "10.00", "125.50", "0.05", "99999.00")
ELSEWHERE = ("192.0.2.8:11000", "192.0.2.9:11000")
"""Where there is no terminal."""
STRAY = (
    ev.DisplayShown((OutputText("Welcome", None),)),
    ev.Printed(Receipt(qualifier="CustomerReceipt", lines=("38.00",))),
    ev.InputAsked("stray", "Signature OK?", 1),
    ev.InputWithdrawn("stray"),
    ev.TerminalNotified(event="CardRemoved"),
    ev.TerminalNotified(event="SaleAdmin", maintenance_required=True),
)
"""What a terminal may post although nothing is asked of it."""
NOTICES = ("Shutdown", "Initialised", "Abort", "SaleAdmin", "BeginMaintenance", "EndMaintenance")
PLACES = (HOME, "192.0.2.17:11000")
"""Where terminals are put."""
REPLACED_AFTER = 15.0
"""Seconds in which a new journal comes at the least: what the life before has sent is read."""
GIVE_UP_AFTER = 40  # refusals


class Till:
    """A till with a few customers in a row. It hangs up, repeats itself, and races with itself."""

    def __init__(self, world: World, name: str, customers: int) -> None:
        self._world = world
        self._name = name
        self._customers = customers
        self._random = world.random(f"till {name}")

    async def run(self) -> None:
        for number in range(self._customers):
            await self._serve(f"{self._name}-{number}")
            await trio.sleep(self._random.choice((0.0, 0.0, 1.0, 10.0, 120.0)))

    def _order(self, payment_id: str) -> Order:
        chance = self._random.random
        return Order(
            id=payment_id,
            type="refund" if chance() < 0.1 else "payment",
            amount=Decimal(self._random.choice(AMOUNTS)),
            currency="SEK",
            confirm="button" if chance() < 0.15 else "none",
            fingerprint=payment_id,
        )

    async def _serve(self, payment_id: str) -> None:
        world, chance = self._world, self._random.random
        order = world.books.orders[payment_id] = self._order(payment_id)
        if not await self._put(order):
            return
        if chance() < 0.12:
            world.nursery.start_soon(self._abort, payment_id)
        if order.confirm == "button" and chance() < 0.8:
            world.nursery.start_soon(self._confirm, payment_id)
        if chance() < 0.2:  # it hangs up, and asks again later
            await trio.sleep(self._random.choice((0.1, 3.0, 60.0)))
        state = await self._wait(order)
        if state == "approved" and chance() < 0.35:
            await self._reverse(payment_id)

    async def _put(self, order: Order) -> bool:
        """Ask until it is accepted; whether it ever was."""
        for _ in range(GIVE_UP_AFTER):
            if order.id in self._world.books.lost:
                return False
            if self._random.random() < 0.1:
                self._world.nursery.start_soon(self._world.bring, ev.PaymentAsked(order))
            handled = await self._world.bring(ev.PaymentAsked(order))
            if handled is not None and handled.refusal is None:
                return True
            await trio.sleep(self._random.choice((0.2, 1.0, 5.0, 20.0)))
        return False

    async def _wait(self, order: Order) -> str:
        """Wait for the end, however many lives it takes: the till repeats its request."""
        while True:
            if order.id in self._world.books.lost:
                return "lost"
            handled = await self._world.bring(ev.PaymentAsked(order))
            payment = handled.payment if handled is not None else None
            if payment is not None and payment.settled:
                return payment.state
            if handled is not None and handled.refusal is not None:
                await trio.sleep(2.0)
            else:
                await self._settles(order.id)

    async def _settles(self, payment_id: str) -> None:
        life = self._world.life
        with trio.move_on_after(self._random.choice((2.0, 30.0))):
            if life is None:
                await self._world.lane()
            else:
                await life.watch.until(lambda state: _settled(state, payment_id))
                await trio.lowlevel.checkpoint()

    async def _abort(self, payment_id: str) -> None:
        await trio.sleep(self._random.uniform(0, 6))
        await self._world.bring(ev.AbortAsked(payment_id))

    async def _confirm(self, payment_id: str) -> None:
        await trio.sleep(self._random.uniform(0, 10))
        await self._world.bring(ev.ConfirmAsked(payment_id))

    async def _reverse(self, payment_id: str) -> None:
        reason = self._random.choice(list(ReversalReason))
        await trio.sleep(self._random.choice((0.0, 4.0)))
        event = ev.ReversalAsked(payment_id=payment_id, reason=reason)
        await self._world.bring(event)


def _settled(state: LaneState, payment_id: str) -> bool | None:
    return True if state.payment is None or state.payment.id != payment_id else None


def asks(seen: str, state: LaneState) -> LaneState | None:
    """The state, if a prompt is open that was not seen before."""
    return state if state.prompt is not None and state.prompt.id != seen else None


class Attendant:
    """Answers prompts, in time or not, with a button or at the till."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = world.random("attendant")

    async def run(self) -> None:
        world, chance = self._world, self._random.random
        seen = ""
        while True:
            asked = await world.until(partial(asks, seen))
            assert asked.prompt is not None
            seen = asked.prompt.id
            await trio.sleep(self._random.choice((0.0, 1.0, 8.0, 70.0)))
            yes = chance() < 0.6
            if chance() < 0.5:
                await world.bring(ev.PromptAnswered(seen, yes))
            else:
                await world.bring(ev.ButtonPressed("confirm" if yes else "abort"))


class Meddler:
    """Brings any event at any time; none of them may do harm."""

    def __init__(self, world: World, pause: float) -> None:
        self._world = world
        self._pause = pause
        self._random = world.random("meddler")

    async def run(self) -> None:
        while True:
            await trio.sleep(self._random.expovariate(1 / self._pause))
            self._world.nursery.start_soon(self._world.bring, self._event())

    def _event(self) -> ev.Event:
        return meddling(self._world, self._random)


def meddling(world: World, draw: random.Random) -> ev.Event:
    """Any event of people and of the box."""
    choose = draw.choice
    life = world.life
    payment = life.runner.state.payment if life else None
    name = payment.id if payment and draw.random() < 0.5 else "nobody"
    yes = draw.random() < 0.5
    events: list[ev.Event] = [
        ev.AbortAsked(name),
        ev.ConfirmAsked(name),
        ev.PromptAnswered("none", yes),
        ev.ReversalAsked(
            payment_id=choose([*world.books.orders, "nobody"]), reason=ReversalReason.MALFUNCTION
        ),
        ev.ResolveAsked(payment_id="nobody", state="approved", note="", uid=0),
        ev.LoginAsked(),
        ev.ButtonPressed(choose(("confirm", "abort"))),
        ev.ButtonReleased("abort"),
        ev.HardwareReported("display", choose(("ok", "failing"))),
        ev.JournalAcknowledged(),
        ev.LearnAsked(),
        ev.UpdateAsked(),
        ev.AddressAnnounced(choose(ELSEWHERE), yes),
        ev.TerminalProbed(choose((*ELSEWHERE, world.terminal.address)), yes),
        ev.ConfigChanged(world.config),
    ]
    if draw.random() < 0.1:
        events = [ev.LogoutAsked(maintenance=yes)]
    return choose(events)


class Crowd:
    """Waits for a phase that is soon over, and then all talk at once: people, box, terminal."""

    def __init__(self, world: World, phases: list[Phase]) -> None:
        self._world = world
        self._phases = phases
        self._random = world.random("crowd")

    async def run(self) -> None:
        while self._phases:
            await self._world.until(self._wants)
            await self._talk()
            await trio.sleep(self._random.choice((1.0, 10.0, 30.0)))

    def _wants(self, state: LaneState) -> bool | None:
        return True if state.phase in self._phases else None

    async def _talk(self) -> None:
        for _ in range(self._random.choice((2, 4, 8))):
            event = self._event()
            self._world.nursery.start_soon(self._world.bring, event)

    def _event(self) -> ev.Event:
        life, chance = self._world.life, self._random.random()
        phase = life.runner.state.phase if life else Phase.STOPPED
        if chance < 0.05:
            return ev.StopAsked()
        if chance < 0.15:
            orders = self._world.books.repeatable()
            return ev.PaymentAsked(self._random.choice(orders)) if orders else ev.LoginAsked()
        if chance < 0.4 and phase in (*IDLE, Phase.PENDING, Phase.SIGNING, Phase.SIGNING_RELOGIN):
            return self._random.choice(STRAY)
        return meddling(self._world, self._random)


class Gremlin:
    """Pulls plugs, swaps terminals, fills disks, and stops the daemon."""

    def __init__(self, world: World, pause: float, ways: list[str], *, spiteful: bool) -> None:
        self._world = world
        self._spiteful = spiteful  # it waits until a payment is unfinished
        self._pause = pause
        self._ways = ways
        self._random = world.random("gremlin")

    async def run(self) -> None:
        while self._ways:
            await trio.sleep(self._random.expovariate(1 / self._pause))
            if self._spiteful:
                await self._until_it_hurts()
            if self._world.calm:
                return
            way = self._random.choice(self._ways)
            self._world.say(f"GREMLIN {way}")
            self._world.covered.fact(way)
            await getattr(self, way)()

    async def _until_it_hurts(self) -> None:
        lane = await self._world.lane()
        with trio.move_on_after(600.0):
            await lane.until(lambda state: True if state.attempt is not None else None)
            await trio.sleep(self._random.choice((0.0, 1.0, 3.0, 10.0)))

    async def reboot(self) -> None:
        await self._power(forget=False)

    async def forget(self) -> None:
        await self._power(forget=True)

    async def _power(self, *, forget: bool) -> None:
        self._world.reboot(self._world.terminal, forget=forget)
        await trio.lowlevel.checkpoint()

    async def swap(self) -> None:
        """Another terminal at the same address; both have lost power meanwhile."""
        world = self._world
        await self._power(forget=False)
        others = [terminal for terminal in world.terminals if terminal is not world.terminal]
        if others:
            world.terminal = self._random.choice(others)
            await self._power(forget=False)
        else:
            await world.new_terminal()

    async def unplug(self) -> None:
        world = self._world
        world.unplugged = True
        world.cut()
        await trio.sleep(self._random.choice((0.5, 5.0, 40.0, 90.0)))
        world.unplugged = False

    async def cut(self) -> None:
        self._world.cut()
        await trio.lowlevel.checkpoint()

    async def kill(self) -> None:
        self._world.kill()
        await trio.lowlevel.checkpoint()

    async def stop(self) -> None:
        await self._world.bring(ev.StopAsked())

    async def notify(self) -> None:
        terminal = self._world.terminal
        if terminal.session is not None and terminal.powered:
            name = self._random.choice(NOTICES)
            if name in ("Shutdown", "Initialised"):  # the lane believes it
                self._world.books.sessions_lost.append((terminal, trio.current_time()))
            self._world.nursery.start_soon(terminal._panel.notify, terminal.session, name)
        await trio.lowlevel.checkpoint()

    async def restart(self) -> None:
        """In good order, as terminals do every day."""
        await self._world.terminal.restart()

    async def wish(self) -> None:
        self._world.terminal.require_maintenance()
        await trio.lowlevel.checkpoint()

    async def move(self) -> None:
        """To another address; in light integration it comes back, because nobody hears of it."""
        world = self._world
        home = world.terminal.address
        await world.terminal.move(self._random.choice(PLACES))
        if world.config.lane.mode == "light":
            await trio.sleep(self._random.choice((1.0, 100.0)))
            await world.terminal.move(home)

    async def outage(self) -> None:
        seconds = self._random.choice((3.0, 30.0, 300.0))
        await self._world.terminal.outage(seconds, silent=self._random.random() < 0.5)

    async def reload(self) -> None:
        """The file names another signature policy, and is read again."""
        world, choose = self._world, self._random.choice
        policy = choose(("decline", "button", "till"))
        world.plan = replace(world.plan, signature=policy, retry_interval=choose((1.0, 3.0)))
        world.config = configured(world.folder, world.plan)
        await world.bring(ev.ConfigChanged(world.config))

    async def clock(self) -> None:
        """The box does not know the time for a while."""
        clocks = self._world.clocks
        clocks.ahead, clocks.synchronised = self._random.uniform(-7200, 7200), False
        await trio.sleep(self._random.choice((5.0, 600.0)))
        clocks.ahead, clocks.synchronised = 0.0, True

    async def fill(self) -> None:
        """The disk is full, or cannot be written, for a while."""
        trouble = self._world.trouble
        trouble.condition = self._random.choice(("full", "read_only", "corrupt"))
        await trio.sleep(self._random.choice((0.3, 2.0, 30.0)))
        trouble.condition = ""


class Supervisor:
    """What happens between two lives: a while passes, and the journal may go."""

    def __init__(self, world: World, loses: float, damages: float) -> None:
        self._world = world
        self._loses = loses
        self._damages = damages
        self._random: random.Random = world.random("supervisor")

    async def between(self) -> None:
        world = self._world
        await trio.sleep(self._random.choice((0.0, 0.1, 5.0, 5.0, 100.0)))
        if world.calm:
            return
        if self._random.random() < self._loses:
            world.say("the journal is lost")
            world.covered.fact("journal lost")
            world.books.journal_goes()
            lose(world.path)
            await trio.sleep(REPLACED_AFTER)
        elif self._random.random() < self._damages:
            world.say("the journal is damaged")
            world.covered.fact("journal damaged")
            world.books.journal_goes()
            damage(world.path)
            await trio.sleep(REPLACED_AFTER)
