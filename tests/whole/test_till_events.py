"""The till's event stream: how it begins, what is replayed, and that it lives."""

from itertools import pairwise
from pathlib import Path

import pytest
import trio
from tillstream import Stream
from trio.testing import MockClock
from wholelane import Rig, lane, world


async def goes_on(rig: Rig, stream: Stream) -> None:
    """The stream is live: it tells what happens now."""
    await rig.press("confirm")
    await stream.until("button", name="confirm", action="released")


async def test_every_stream_begins_with_the_whole_lane_without_an_id(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig:
        view = await rig.view()
        async with rig.stream() as stream:
            assert [told.name for told in stream.told] == ["lane"]
            assert stream.told[0].data == view
            assert stream.told[0].id is None
        assert view["name"] == "lane1"
        assert view["mode"] == "default"
        assert view["hardware"] == {"display": "ok", "buttons": "ok"}
        assert view["session"]["terminal"]["serial_number"] == "2290714382"
        assert view["payment"] is None
        assert view["prompt"] is None
        assert view["journal"] == "ok"


async def test_ids_grow_by_one_and_every_stream_tells_the_same(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig, rig.stream() as one, rig.stream() as other:
        await rig.pay()
        await rig.settled()
        ids = [told.id for told in one.told[1:]]
        assert None not in ids
        assert ids == list(range(ids[0] or 0, (ids[0] or 0) + len(ids)))
        assert [(t.id, t.name, t.data) for t in one.told] == [
            (t.id, t.name, t.data) for t in other.told
        ]


async def test_a_till_that_comes_back_is_told_what_it_missed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig, rig.stream() as whole:
        async with rig.stream() as first:
            await rig.put()
            await first.until("display", lines=["Enter PIN: *"])
        last = first.told[-1].id
        await rig.payment(wait=60)
        async with rig.stream(last) as second:
            await rig.settled()
            await trio.testing.wait_all_tasks_blocked()
        assert second.told[0].name == "lane"
        assert second.told[0].id is None
        told = first.told[1:] + second.told[1:]
        assert [(t.id, t.data) for t in told] == [(t.id, t.data) for t in whole.told[1:]]


@pytest.mark.parametrize("last", [0, 1, 2_000_000_000, 10**17])
async def test_an_id_of_another_life_replays_nothing(
    tmp_path: Path, autojump_clock: MockClock, last: int
) -> None:
    async with lane(tmp_path) as rig:
        await rig.pay()
        async with rig.stream(last) as stream:
            await trio.testing.wait_all_tasks_blocked()
            assert [told.name for told in stream.told] == ["lane"]
            await goes_on(rig, stream)


@pytest.mark.parametrize("last", ["", "x", "-1", "1.5", "9" * 30, "1_0"])
async def test_an_id_that_is_none_replays_nothing(
    tmp_path: Path, autojump_clock: MockClock, last: str
) -> None:
    async with lane(tmp_path) as rig:
        await rig.pay()
        async with rig.stream(last) as stream:
            await trio.testing.wait_all_tasks_blocked()
            assert [told.name for told in stream.told] == ["lane"]
            await goes_on(rig, stream)


async def test_nothing_of_the_life_before_is_replayed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(tmp_path) as found:
        rig = await found.start()
        async with rig.stream() as stream:
            await rig.pay()
            first, last = stream.told[1].id, stream.told[-1].id
            await rig.settled()
        await rig.stop()
        rig = await found.start()
        for old in (first, last):
            async with rig.stream(old) as stream:
                await trio.testing.wait_all_tasks_blocked()
                assert [told.name for told in stream.told] == ["lane"]
                await goes_on(rig, stream)


async def test_only_the_last_thousand_are_replayed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig, rig.stream() as stream:
        for number in range(501):
            await rig.press("confirm")
            await trio.sleep(0.5)
            assert len(stream.of("button")) == 2 * (number + 1)
        told = [t for t in stream.told if t.id is not None]
        oldest = told[-1000].id
        assert oldest is not None
        async with rig.stream(oldest - 1) as again:
            await trio.testing.wait_all_tasks_blocked()
            assert len(again.told) == 1001
        async with rig.stream(oldest - 2) as late:
            await trio.testing.wait_all_tasks_blocked()
            assert len(late.told) == 1
            await goes_on(rig, late)


async def test_a_quiet_stream_has_a_comment_at_least_every_15_seconds(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig, rig.stream() as stream:
        begun = trio.current_time()
        await trio.sleep(100)
        times = [begun, *stream.comments]
        assert len(times) >= 7
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert max(gaps) <= 15.0 + 1e-6
        await rig.pay()
        assert len(stream.of("payment")) == 2


async def test_a_stream_ends_at_the_stop_after_the_last_news(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig, rig.stream() as stream:
        await rig.stop()
        await stream.ended.wait()
        assert not stream.cut
        assert stream.of("session")[-1]["state"] in ("logged_out", "offline")


async def test_streams_that_hang_up_leave_nothing_behind(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig:
        await trio.testing.wait_all_tasks_blocked()
        before = trio.lowlevel.current_statistics().tasks_living
        for _ in range(20):
            async with rig.stream():
                pass
        await trio.testing.wait_all_tasks_blocked()
        assert trio.lowlevel.current_statistics().tasks_living == before
