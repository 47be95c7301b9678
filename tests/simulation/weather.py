"""What a year has in store for a lane: everybody and everything that comes now and then.

Each happens by itself, at times that the seed decides; `Chances` says how many days lie between two
of a kind on average.
"""

import random
from collections.abc import Awaitable, Callable
from datetime import datetime, time, timedelta

import trio
from msgspec import Struct
from msgspec.structs import replace
from people import Till
from world import HOME, World, configured

from laned.lane import events as ev

NEVER = float("inf")
PLACES = (HOME, "192.0.2.8:11000", "192.0.2.77:11000")
OUTAGES = (30.0, 60.0, 120.0, 120.0, 300.0, 600.0, 600.0, 3600.0, 3 * 3600.0)  # seconds
RESTARTS_AFTER = 2.0  # seconds from the end of one life to the next, as systemd does it
SAVES_AGAIN = 120.0  # seconds after which somebody who has moved the terminal saves again
OPENS, CLOSES = time(6, 30), time(22, 30)


class Chances(Struct, frozen=True, kw_only=True):
    """Days between two of a kind, on average."""

    outage: float = 4.0  # of the network, from half a minute to three hours
    power_cut: float = 12.0  # of the terminal, which tells nobody
    wish: float = 7.0  # for maintenance
    move: float = 20.0  # to another address
    update: float = 15.0  # the till has the terminal look for updates
    reload: float = 18.0  # another signature policy
    crash: float = 10.0  # of laned
    restart: float = 30.0  # of laned, in good order
    box: float = 25.0  # the box loses power, and wakes up with a wrong clock
    jump: float = 40.0  # of the box's clock, for a few hours


QUIET = Chances(**dict.fromkeys(Chances.__struct_fields__, NEVER))


class Weather:
    """Lets it all happen, until cancelled."""

    def __init__(self, world: World, chances: Chances) -> None:
        self._world = world
        self._chances = chances
        self._draw = world.random("weather")
        self._dead_for = 0.0
        self._box_off = False
        self.happened: dict[str, int] = {}

    async def run(self) -> None:
        """Everything that happens now and then."""
        async with trio.open_nursery() as nursery:
            for name in Chances.__struct_fields__:
                every: float = getattr(self._chances, name)
                if every != NEVER:
                    nursery.start_soon(self._now_and_then, name, every)

    async def _now_and_then(self, name: str, every: float) -> None:
        draw = self._world.random(f"weather {name}")
        while True:
            await trio.sleep(draw.expovariate(1 / every) * 86400)
            self._world.say(f"WEATHER {name}")
            happens: Callable[[random.Random], Awaitable[None]] = getattr(self, f"_{name}")
            self.happened[name] = self.happened.get(name, 0) + 1
            await happens(draw)

    # -- The terminal and the network

    async def _outage(self, draw: random.Random) -> None:
        seconds = draw.choice(OUTAGES) * draw.uniform(0.5, 1)
        await self._world.terminal.outage(seconds, silent=draw.random() < 0.5)

    async def _power_cut(self, _: random.Random) -> None:
        world = self._world
        world.reboot(world.terminal, forget=False)
        await trio.lowlevel.checkpoint()

    async def _wish(self, _: random.Random) -> None:
        self._world.terminal.require_maintenance()
        await trio.lowlevel.checkpoint()

    async def _move(self, draw: random.Random) -> None:
        """Only where a lane has an ear for it."""
        world = self._world
        if world.config.lane.mode == "default":
            await world.terminal.until(lambda: not world.terminal.running)
            others = [place for place in PLACES if place != world.terminal.address]
            world.terminal.address = draw.choice(others)
            while not await self._saved(world.terminal.address):
                pass

    async def _saved(self, address: str) -> bool:
        """Save in its menu, as often as it takes: whoever moves a terminal looks at the lane."""
        await self._world.terminal.save()
        with trio.move_on_after(SAVES_AGAIN):
            await self._world.until(
                lambda state: (
                    True if state.logged_in and state.terminal.address == address else None
                )
            )
            return True
        return False

    async def _update(self, _: random.Random) -> None:
        await self._world.bring(ev.UpdateAsked())

    # -- The box

    async def _reload(self, draw: random.Random) -> None:
        world = self._world
        policy = draw.choice(("button", "till"))
        plan = replace(world.plan, signature=policy, mode=world.config.lane.mode)
        world.plan = replace(plan, address=world.config.terminal.address)
        world.config = configured(world.folder, world.plan)
        await world.bring(ev.ConfigChanged(world.config))

    async def _crash(self, draw: random.Random) -> None:
        """At any time, or at the next place in the code."""
        if draw.random() < 0.5:
            self._world.kill()
        else:
            left = iter(range(draw.choice((1, 3, 10, 30)), -1, -1))
            self._world.crash_at = lambda life, name: next(left, -1) == 0
        await trio.lowlevel.checkpoint()

    async def _restart(self, _: random.Random) -> None:
        await self._world.bring(ev.StopAsked())

    async def _box(self, draw: random.Random) -> None:
        """Off for a while; its clock stood still, and is put right some minutes after it is on."""
        self._dead_for = draw.uniform(30, 90)
        self._box_off = True
        self._world.kill()
        await trio.sleep(self._dead_for + draw.uniform(30, 600))
        self._set_clock(0.0, synchronised=True)

    async def _jump(self, draw: random.Random) -> None:
        self._set_clock(draw.uniform(-3000, 3000), synchronised=True)
        await trio.sleep(draw.uniform(600, 6 * 3600))
        self._set_clock(0.0, synchronised=True)

    def _set_clock(self, ahead: float, *, synchronised: bool) -> None:
        world = self._world
        world.changed()  # until now it was as it was
        world.clocks.ahead, world.clocks.synchronised = ahead, synchronised
        world.changed()

    async def between(self) -> None:
        """Between two lives."""
        self._world.crash_at = lambda life, name: False
        dead_for, self._dead_for = self._dead_for or RESTARTS_AFTER, 0.0
        await trio.sleep(dead_for)
        if self._box_off:
            self._box_off = False
            behind = -self._draw.uniform(60, 12 * 3600)
            self._set_clock(behind, synchronised=False)

    def dies_for(self, seconds: float) -> None:
        """Laned is gone for so long."""
        self._dead_for = seconds
        self._world.kill()


class Shop(Till):
    """A few customers a day, while the shop is open."""

    def __init__(self, world: World, days: int) -> None:
        super().__init__(world, "day", 0)
        self._days = days
        self.on_a_day: list[int] = []
        """How many came, day by day."""

    async def run(self) -> None:
        today = self._world.clocks.right().date()
        for number in range(1, self._days + 1):
            date = today + timedelta(days=number)
            hours = (CLOSES.hour - OPENS.hour) * 3600
            comes = sorted(
                self._random.uniform(0, hours) for _ in range(self._random.randint(3, 4))
            )
            opens = datetime.combine(date, OPENS, self._world.clocks.right().tzinfo)
            for customer, after in enumerate(comes):
                due = opens.timestamp() + after
                await trio.sleep(max(0.0, due - self._world.clocks.right().timestamp()))
                await self._serve(f"{date}-{customer}")
            self.on_a_day.append(len(comes))
