"""Events that nobody waits for: how many may wait, and what becomes of those who bring more."""

from contextlib import suppress
from pathlib import Path

import pytest
import trio
from bench import Bench, ready
from trio.testing import MockClock, wait_all_tasks_blocked

from laned.inbox import INBOX, SUBMITTED, LaneStopped
from laned.lane import events as ev

SHOWN = ev.DisplayShown(())
HELP = ev.ButtonPressed("help")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


async def hold(made: Bench, nursery: trio.Nursery) -> trio.Event:
    """Have the lane's task wait for the journal until the event is set."""
    gate = made.gate = trio.Event()

    async def ask() -> None:
        with suppress(LaneStopped):
            await made.runner.handle(ev.AbortAsked("nobody's"))

    nursery.start_soon(ask)
    await wait_all_tasks_blocked()
    return gate


async def test_at_the_end_whoever_waits_for_room_is_told(
    path: Path, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    ends: list[str] = []

    async def submit() -> None:
        try:
            await made.runner.submit(SHOWN)
        except LaneStopped:
            ends.append("stopped")
        else:
            ends.append("submitted")

    async with ready(path) as made:
        await hold(made, nursery)
        for _ in range(SUBMITTED + 20):
            nursery.start_soon(submit)
        await wait_all_tasks_blocked()
        assert ends == ["submitted"] * SUBMITTED
    with trio.fail_after(1):
        await made.watch.stopped.wait()
        await wait_all_tasks_blocked()
        assert ends[SUBMITTED:] == ["stopped"] * 20
        await submit()
        assert ends[SUBMITTED:] == ["stopped"] * 21


async def test_who_gives_up_waiting_takes_no_room(
    path: Path, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        gate = await hold(made, nursery)
        for _ in range(INBOX):
            made.runner.submit_nowait(HELP)
        for _ in range(SUBMITTED + 1):
            with trio.move_on_after(1) as patience:
                await made.runner.submit(SHOWN)
            assert patience.cancelled_caught
        gate.set()
        await wait_all_tasks_blocked()
        await hold(made, nursery)
        with trio.fail_after(1):
            for _ in range(SUBMITTED):
                await made.runner.submit(SHOWN)


async def test_room_is_made_by_each_that_is_handled(path: Path, autojump_clock: MockClock) -> None:
    async with ready(path) as made:
        with trio.fail_after(1):
            for _ in range(3 * SUBMITTED):
                await made.runner.submit(SHOWN)
