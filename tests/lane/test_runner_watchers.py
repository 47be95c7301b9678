"""Who watches the lane: `until` misses nothing, `changes` may skip, `listen` replays."""

from pathlib import Path

import lanes
import pytest
import trio
from bench import Bench, bench, ready
from trio.testing import MockClock, wait_all_tasks_blocked

from laned.lane import events as ev
from laned.lane.state import LaneState, Phase
from laned.publishing import HISTORY, NEWS_PER_LIFE, Told
from laned.runner import LaneStopped


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


async def show(made: Bench, *texts: str) -> None:
    for text in texts:
        await made.runner.handle(lanes.shows(text))


async def hear(made: Bench, after: int, heard: list[Told]) -> None:
    async for told in made.runner.listen(after):
        heard.append(told)  # noqa: PERF401 - one by one, as they come


def texts(heard: list[Told]) -> list[str]:
    return [told.news.data.lines[0] for told in heard if told.news.name == "display"]


# -- until ----------------------------------------------------------------------------------------


async def test_until_gives_at_once_what_is_there_already(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        assert await made.runner.until(lambda state: state.phase) is Phase.READY


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
            nursery.start_soon(made.runner.until, look)
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
            await made.runner.until(look)
        await show(made, "A")
        assert looked == 1


# -- changes --------------------------------------------------------------------------------------


async def test_changes_may_skip_and_end_with_the_newest(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        seen: list[tuple[str, ...]] = []

        async def slow() -> None:
            async for lines in made.runner.changes(lambda state: state.shown.lines):
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
            phases.extend([phase async for phase in made.runner.changes(lambda s: s.phase)])

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
        begin = made.runner.position(None)
        await show(made, "A", "B", "C")
        heard: list[Told] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear, made, made.runner.position(begin + 1), heard)
            await wait_all_tasks_blocked()
            assert texts(heard) == ["B", "C"], "the replay"
            await show(made, "D", "D", "E")
            await wait_all_tasks_blocked()
            assert texts(heard) == ["B", "C", "D", "E"], "then live"
            await made.runner.handle(ev.StopAsked())
        ids = [told.id for told in heard]
        assert ids == list(range(begin + 2, begin + 2 + len(ids)))
        assert heard[-1].news.name == "session"


async def test_a_listener_from_now_on_hears_nothing_old(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        await show(made, "A")
        heard: list[Told] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear, made, made.runner.position(None), heard)
            await wait_all_tasks_blocked()
            await show(made, "B")
            await made.runner.handle(ev.StopAsked())
        assert texts(heard)[0] == "B"


async def test_ids_grow_across_restarts_and_an_old_one_is_not_replayed(
    path: Path, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        await show(made, "A")
        old = made.runner.position(None)
        assert NEWS_PER_LIFE < old < 2 * NEWS_PER_LIFE
    async with ready(path) as made:
        await show(made, "A")
        newest = made.runner.position(None)
        assert newest > 2 * NEWS_PER_LIFE
        assert made.runner.position(old) == newest, "of another life"
        assert made.runner.position(newest - 1) == newest - 1
        assert made.runner.position(newest) == newest
        for unknown in (newest + 1, 0, -1, 10**18):
            assert made.runner.position(unknown) == newest


async def test_only_so_much_is_kept(path: Path, autojump_clock: MockClock) -> None:
    async with ready(path) as made:
        begin = made.runner.position(None)
        await show(made, *[str(n) for n in range(HISTORY + 5)])
        newest = made.runner.position(None)
        assert newest == begin + HISTORY + 5
        assert made.runner.position(begin) == newest, "too old"
        assert made.runner.position(newest - HISTORY - 1) == newest
        assert made.runner.position(newest - HISTORY) == newest - HISTORY
        heard: list[Told] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(hear, made, newest - HISTORY, heard)
            await wait_all_tasks_blocked()
            await made.runner.handle(ev.StopAsked())
        assert texts(heard)[0] == "5"
        assert len(heard) > HISTORY


async def test_a_listener_that_falls_behind_ends(path: Path, autojump_clock: MockClock) -> None:
    async with ready(path) as made:
        position = made.runner.position(None)
        heard: list[str] = []

        async def slow() -> None:
            async for told in made.runner.listen(position):
                heard.append(told.news.data.lines[0])
                await trio.sleep(1000)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(slow)
            await show(made, "first")
            await wait_all_tasks_blocked()
            await show(made, *[str(n) for n in range(HISTORY + 1)])
        assert heard == ["first"]


async def test_every_listener_hears_it(path: Path, autojump_clock: MockClock) -> None:
    async with ready(path) as made:
        heard: list[list[Told]] = [[], [], []]
        async with trio.open_nursery() as nursery:
            for one in heard:
                nursery.start_soon(hear, made, made.runner.position(None), one)
            await wait_all_tasks_blocked()
            await made.pay()
            await made.runner.handle(ev.StopAsked())
        assert heard[0] == heard[1] == heard[2]
        assert [told.news.name for told in heard[0]][:3] == ["payment", "display", "session"]


async def test_nothing_is_listened_to_after_the_end(path: Path, autojump_clock: MockClock) -> None:
    async with bench(path) as made:
        await made.runner.handle(ev.StopAsked())
        await made.runner.stopped.wait()
        heard: list[Told] = []
        await hear(made, made.runner.position(None), heard)
        assert heard == []
        with pytest.raises(LaneStopped):
            await made.runner.handle(ev.TimePassed())
