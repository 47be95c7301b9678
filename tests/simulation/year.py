"""A lane's year: python tests/simulation/year.py [--days 365] [--seed 1] [--profile].

A terminal that restarts every day, wants maintenance, moves and is cut off; a box that loses power
and the time; at least three customers a day; in default integration, with a stretch of light
integration in the middle, across both changes of the clocks. All of it under virtual time. It fails
if a book is wrong or the session was up for less than 99.9 % of the time that the terminal allowed.
"""

import argparse
import cProfile
import logging
import pstats
import sys
import time as real
from collections.abc import Awaitable, Callable
from datetime import datetime, time, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import trio
from account import Account
from msgspec import Struct
from msgspec.structs import replace
from people import Attendant
from seeds import heal, virtually
from weather import Chances, Shop, Weather
from world import Plan, World, configured, made

from laned.lane import events as ev
from laned.simulator import SCENARIOS, Settings

ZONE = ZoneInfo("Europe/Stockholm")
BEGIN = datetime(2025, 3, 4, 11, 30, tzinfo=ZONE)
WINDOW = "02:30-04:00"
"""It begins within the hour that spring skips and autumn has twice."""
TIMES = (time(2, 30), time(4, 0))
AT_LEAST = 0.999
LIGHT = (0.4, 0.6)
"""From when to when of the year it is in light integration."""


class Report(Struct):
    """What became of a year."""

    account: Account
    wrong: list[str]
    states: dict[str, int]
    happened: dict[str, int]
    customers: list[int]
    lives: int
    maintenances: int
    trace: list[str]


def plan(begin: datetime) -> Plan:
    """The lane and its terminal."""
    happy = SCENARIOS["happy"]
    scenarios = (
        *[happy] * 12,
        replace(happy, pin_digits=0, host_time=20.0),
        *(SCENARIOS[name] for name in ("declined", "customer-cancel", "busy", "lost-response")),
        SCENARIOS["reboot"],
        *[SCENARIOS["signature-approved"]] * 3,
    )
    return Plan(
        address="auto",
        window=WINDOW,
        begin=begin,
        signature="button",
        settings=Settings(
            busy_after_login=3.0,
            busy_after_payment=3.0,
            boot_time=45.0,
            new_poi_busy=20.0,
            daily_reboot=time(5, 10),
        ),
        scenarios=scenarios,
        faults=0.01,
        post_faults=0.01,
        latency=0.02,
    )


class Course(Struct, frozen=True, kw_only=True):
    """How many days, from when on, and what comes beside the customers and the nights."""

    days: int
    begin: datetime = BEGIN
    chances: Chances = Chances()
    faults: float = 0.01
    light: tuple[float, float] | None = LIGHT
    at_noon: Callable[[World, Weather], Awaitable[None]] | None = None
    """Something that is planted at noon of the second day."""


def live(seed: int, course: Course, *, traced: bool = False) -> Report:
    """Live through so many days."""
    return virtually(seed, partial(_live, seed, course, traced))


async def _live(seed: int, course: Course, traced: bool, folder: Path) -> Report:
    steady = replace(plan(course.begin), faults=course.faults, post_faults=course.faults)
    async with made(seed, folder, steady, traced=traced) as world:
        weather, shop = Weather(world, course.chances), Shop(world, course.days)
        world.between_lives = weather.between
        account = Account(world.clocks, TIMES, lambda: world.terminal, lambda: world.life)
        world.nursery.start_soon(world.supervise)
        world.nursery.start_soon(Attendant(world).run)
        await _install(world)
        world.looks.append(account.look)
        account.look()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(weather.run)
            if course.light is not None:
                nursery.start_soon(_light, world, course.days, course.light)
            if course.at_noon is not None:
                nursery.start_soon(_at_noon, world, weather, course.at_noon)
            await shop.run()
            nursery.cancel_scope.cancel()
        account.look()
        world.looks.remove(account.look)
        world.terminal.plug()
        await heal(world)
        world.books.compare()
        states = dict(world.books.rows("SELECT state, count(*) FROM payments GROUP BY state"))
        world.books.close()
        return Report(
            account,
            world.books.wrong,
            states,
            weather.happened,
            shop.on_a_day,
            world.lives,
            sum(terminal.maintenances for terminal in world.terminals),
            world.trace,
        )


async def _install(world: World) -> None:
    """The first day: the lane learns where its terminal is from the terminal's own menu."""
    while world.life is None:
        await world.lane()
        await trio.lowlevel.checkpoint()
    await world.bring(ev.LearnAsked())
    await world.terminal.save()
    with trio.fail_after(3600.0):
        await world.idle()


async def _light(world: World, days: int, light: tuple[float, float]) -> None:
    """For a while the box is set to light integration, with the address in its file."""
    begin, end = (at * days * 86400 for at in light)
    await trio.sleep(begin)
    await _set_up(world, replace(world.plan, mode="light", address=world.terminal.address))
    await trio.sleep(end - begin)
    await _set_up(world, replace(world.plan, mode="default", address=world.terminal.address))


async def _at_noon(
    world: World, weather: Weather, plant: Callable[[World, Weather], Awaitable[None]]
) -> None:
    day = world.clocks.right().date() + timedelta(days=1)
    noon = datetime.combine(day, time(12), ZONE).timestamp()
    await trio.sleep(noon - world.clocks.right().timestamp())
    await plant(world, weather)


async def _set_up(world: World, steady: Plan) -> None:
    """Another configuration, and a restart; a terminal that has moved meanwhile says so."""
    await world.idle()
    world.plan = steady
    world.config = configured(world.folder, steady)
    await world.bring(ev.StopAsked())


def told(report: Report) -> str:
    """For people."""
    account = report.account
    down = account.allowed - account.up
    lines = [
        f"the terminal allowed a session for {timedelta(seconds=round(account.allowed))}",
        f"without one for {down:.0f} s in {len(account.gaps)} times: up {account.figure:.4%}",
        f"{account.sessions} sessions, {report.lives} lives, {report.maintenances} maintenances",
        f"customers: {sum(report.customers)}, {min(report.customers)} on the quietest day",
        "payments: " + ", ".join(f"{count} {state}" for state, count in report.states.items()),
        "happened: " + ", ".join(f"{name} {n}" for name, n in sorted(report.happened.items())),
        "longest times without a session:",
    ]
    lines += [
        f"  {gap.began:%Y-%m-%d %H:%M:%S %Z} {gap.seconds:7.1f} s  {gap.why}"
        for gap in account.largest(12)
    ]
    return "\n".join(lines)


def main() -> int:
    """The command; its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--profile", action="store_true", help="what takes the time")
    parser.add_argument("--trace", action="store_true", help="tell it line by line")
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)
    began = real.monotonic()
    profile = cProfile.Profile()
    year: Callable[[], Report] = partial(live, args.seed, Course(days=args.days), traced=args.trace)
    report = profile.runcall(year) if args.profile else year()
    if args.trace:
        print("\n".join(report.trace))
    print(told(report))
    if args.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    print("\n".join(report.wrong))
    low = report.account.figure < AT_LEAST
    if low:
        print(f"up for less than {AT_LEAST:.1%}")
    print(f"{args.days} days in {real.monotonic() - began:.0f} s, {len(report.wrong)} findings")
    return 1 if report.wrong or low else 0


if __name__ == "__main__":
    sys.exit(main())
