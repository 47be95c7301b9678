"""A few days of the simulated year, and its figure: what it must see, and what it may not."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest
import trio
from weather import QUIET, Weather
from world import World
from year import AT_LEAST, ZONE, Course, Report, live, told

from laned.lane import events as ev

TEN_MINUTES = 600.0
Plant = Callable[[World, Weather], Awaitable[None]]
LOGS_IN = 35.0
"""Seconds in which a session is there again: a pause between two Logins, and a time-out."""


def _kept(report: Report) -> None:
    assert not report.wrong, report.wrong
    assert report.account.figure > AT_LEAST, told(report)
    assert min(report.customers) >= 3


@pytest.mark.parametrize(
    "begin", [datetime(2025, 3, 28, tzinfo=ZONE), datetime(2025, 10, 24, tzinfo=ZONE)]
)
def test_days_with_a_change_of_the_clocks(begin: datetime) -> None:
    report = live(3, Course(days=5, begin=begin))
    _kept(report)
    assert report.account.sessions > 10
    assert report.states["approved"] > 3


def test_days_in_light_integration() -> None:
    report = live(4, Course(days=4, light=(0.1, 0.9)))
    _kept(report)
    assert report.states["approved"] > 3


# -- The figure -----------------------------------------------------------------------------------


async def nothing(world: World, weather: Weather) -> None:
    await trio.lowlevel.checkpoint()


async def laned_is_dead(world: World, weather: Weather) -> None:
    weather.dies_for(TEN_MINUTES)
    await trio.lowlevel.checkpoint()


async def laned_is_dead_in_an_outage(world: World, weather: Weather) -> None:
    weather.dies_for(TEN_MINUTES)
    await world.terminal.outage(2 * TEN_MINUTES)


async def logged_out(world: World, weather: Weather) -> None:
    """As if for maintenance, at noon, though the terminal wants none."""
    await world.bring(ev.LogoutAsked(maintenance=True))
    await trio.sleep(TEN_MINUTES)
    await world.bring(ev.LoginAsked())


async def the_session_is_taken(world: World, weather: Weather) -> None:
    """The terminal loses it, and nobody notices: a restart between two probes."""
    world.terminal.session = None
    world.terminal.record.say("the session is gone")
    await trio.sleep(TEN_MINUTES)
    await world.bring(ev.LoginAsked())


@pytest.mark.parametrize(
    ("plant", "shows"),
    [
        (laned_is_dead, TEN_MINUTES),
        (laned_is_dead_in_an_outage, 0.0),
        (logged_out, TEN_MINUTES),
        (the_session_is_taken, TEN_MINUTES),
    ],
)
def test_what_is_planted_shows_in_the_figure(plant: Plant, shows: float) -> None:
    down, figures = [], []
    plants: tuple[Plant, Plant] = (nothing, plant)
    for at_noon in plants:
        course = Course(days=1, chances=QUIET, faults=0.0, light=None, at_noon=at_noon)
        account = live(1, course).account
        down.append(account.allowed - account.up)
        figures.append(account.figure)
    print(f"without {down[0]:.1f} s ({figures[0]:.4%}), with {down[1]:.1f} s ({figures[1]:.4%})")
    assert shows - 0.1 <= down[1] - down[0] < shows + LOGS_IN
    assert (figures[1] < AT_LEAST) == bool(shows)
