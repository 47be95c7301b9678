"""Who watches the lane: `until` misses nothing, `changes` may skip, `listen` replays."""

from pathlib import Path

import lanes
import pytest
import trio
from bench import Bench, bench, ready
from trio.testing import MockClock, wait_all_tasks_blocked

from laned.inbox import LaneStopped
from laned.lane import events as ev
from laned.lane.state import LaneState, Phase
from laned.publishing import EVENTS_PER_LIFE, HISTORY, NumberedEvent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


async def show(made: Bench, *texts: str) -> None:
    for text in texts:
        await made.runner.handle(lanes.shows(text))


async def hear(made: Bench, after: int, heard: list[NumberedEvent]) -> None:
    async for told in made.watch.listen(after):
        heard.append(told)  # noqa: PERF401 - one by one, as they come


def texts(heard: list[NumberedEvent]) -> list[str]:
    return [told.event.data.lines[0] for told in heard if told.event.name == "display"]


# -- until ----------------------------------------------------------------------------------------


async def test_until_gives_at_once_what_is_there_already(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        assert await made.watch.until(lambda state: state.phase) is Phase.READY


async def test_until_misses_nothing_however_short(path: Path, autojump_clock: MockClock) -> None:
    async with ready(path, lanes.configuration(signature="till")) as made:
        await made.pay()
        seen: list[str] = []

        def look(state: LaneState) -> bool | None:
            if state.shown.lines:
                seen.append(state.shown.lines[0])
            prompt = state.closed
            return True if prompt is not None and prompt.key == "k1" else None

        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.watch.until, look)
            await wait_all_tasks_blocked()
            for event in (lanes.shows("A"), lanes.asks("k1"), lanes.shows("B"), lanes.asks("k2")):
                made.runner.submit_nowait(event)
            made.runner.submit_nowait(ev.InputWithdrawn("k2"))
        assert made.runner.state.closed is not None
        assert made.runner.state.closed.key in ("k1", "k2")
        assert seen[:3] == ["A", "A", "B"]


async def test_until_that_is_given_up_leaves_nobody_waiting(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        looked = 0

        def look(state: LaneState) -> None:
            nonlocal looked
            looked += 1

        with trio.move_on_after(1):
            await made.watch.until(look)
        await show(made, "A")
        assert looked == 1


# -- changes --------------------------------------------------------------------------------------


async def test_changes_may_skip_and_end_with_the_newest(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        seen: list[tuple[str, ...]] = []

        async def slow() -> None:
            async for lines in made.watch.changes(lambda state: state.shown.lines):
                seen.append(lines)
                await trio.sleep(10)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(slow)
            await wait_all_tasks_blocked()
            await show(made, *"ABCDEFG")
            await trio.sleep(100)
            assert seen == [(), ("G",)]
            await show(made, "H", "H")
            await made.runner.handle(ev.StopAsked())
        assert seen == [(), ("G",), ("H",)], "and it ends when the lane has stopped"


async def test_changes_says_the_same_only_once(path: Path, autojump_clock: MockClock) -> None:
    async with ready(path) as made:
        phases: list[Phase] = []

        async def watch() -> None:
            phases.extend([phase async for phase in made.watch.changes(lambda s: s.phase)])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await wait_all_tasks_blocked()
            await show(made, *"ABC")
            await made.pay()
            await wait_all_tasks_blocked()
            await made.runner.handle(ev.StopAsked())
        assert phases == [Phase.READY, Phase.PAYING, Phase.STOPPED]


# -- listen and position --------------------------------------------------------------------------


async def test_listen_goes_on_from_a_position_without_a_gap(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        begin = made.watch.position(None)
        await show(made, "A", "B", "C")
        heard: list[NumberedEvent] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear, made, made.watch.position(begin + 1), heard)
            await wait_all_tasks_blocked()
            assert texts(heard) == ["B", "C"], "the replay"
            await show(made, "D", "D", "E")
            await wait_all_tasks_blocked()
            assert texts(heard) == ["B", "C", "D", "E"], "then live"
            await made.runner.handle(ev.StopAsked())
        ids = [told.id for told in heard]
        assert ids == list(range(begin + 2, begin + 2 + len(ids)))
        assert heard[-1].event.name == "session"


async def test_a_listener_from_now_on_hears_nothing_old(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        await show(made, "A")
        heard: list[NumberedEvent] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear, made, made.watch.position(None), heard)
            await wait_all_tasks_blocked()
            await show(made, "B")
            await made.runner.handle(ev.StopAsked())
        assert texts(heard)[0] == "B"


async def test_ids_grow_across_restarts_and_an_old_one_is_not_replayed(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        await show(made, "A")
        old = made.watch.position(None)
        assert EVENTS_PER_LIFE < old < 2 * EVENTS_PER_LIFE
    async with ready(path) as made:
        await show(made, "A")
        newest = made.watch.position(None)
        assert newest > 2 * EVENTS_PER_LIFE
        assert made.watch.position(old) == newest, "of another life"
        assert made.watch.position(newest - 1) == newest - 1
        assert made.watch.position(newest) == newest
        for unknown in (newest + 1, 0, -1, 10**18):
            assert made.watch.position(unknown) == newest


async def test_only_so_much_is_kept(path: Path, autojump_clock: MockClock) -> None:
    async with ready(path) as made:
        begin = made.watch.position(None)
        await show(made, *[str(n) for n in range(HISTORY + 5)])
        newest = made.watch.position(None)
        assert newest == begin + HISTORY + 5
        assert made.watch.position(begin) == newest, "too old"
        assert made.watch.position(newest - HISTORY - 1) == newest
        assert made.watch.position(newest - HISTORY) == newest - HISTORY
        heard: list[NumberedEvent] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear, made, newest - HISTORY, heard)
            await wait_all_tasks_blocked()
            await made.runner.handle(ev.StopAsked())
        assert texts(heard)[0] == "5"
        assert len(heard) > HISTORY


async def test_a_listener_that_falls_behind_ends(path: Path, autojump_clock: MockClock) -> None:
    async with ready(path) as made:
        position = made.watch.position(None)
        heard: list[str] = []

        async def slow() -> None:
            async for told in made.watch.listen(position):
                heard.append(told.event.data.lines[0])
                await trio.sleep(1000)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(slow)
            await show(made, "first")
            await wait_all_tasks_blocked()
            await show(made, *[str(n) for n in range(HISTORY + 1)])
        assert heard == ["first"]


async def test_every_listener_hears_it(path: Path, autojump_clock: MockClock) -> None:
    async with ready(path) as made:
        heard: list[list[NumberedEvent]] = [[], [], []]
        async with trio.open_nursery() as nursery:
            for one in heard:
                nursery.start_soon(hear, made, made.watch.position(None), one)
            await wait_all_tasks_blocked()
            await made.pay()
            await made.runner.handle(ev.StopAsked())
        assert heard[0] == heard[1] == heard[2]
        assert [told.event.name for told in heard[0]][:3] == ["payment", "display", "session"]


async def test_nothing_is_listened_to_after_the_end(path: Path, autojump_clock: MockClock) -> None:
    async with bench(path) as made:
        await made.runner.handle(ev.StopAsked())
        await made.watch.stopped.wait()
        heard: list[NumberedEvent] = []
        await hear(made, made.watch.position(None), heard)
        assert heard == []
        with pytest.raises(LaneStopped):
            await made.runner.handle(ev.TimePassed())
