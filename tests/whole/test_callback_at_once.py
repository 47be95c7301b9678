"""A display is answered at once: also while the lane's task waits for the journal's disk."""

from pathlib import Path

import httpx
import pytest
import trio
from posts import Peer, display, peer
from trio.testing import MockClock, wait_all_tasks_blocked
from wholelane import Rig, lane

from laned.inbox import SUBMITTED
from laned.lane import events as ev


async def hold(rig: Rig, nursery: trio.Nursery) -> trio.Event:
    """Have the lane's task wait for the journal's thread until the event is set."""
    gate = rig.world.gate = trio.Event()
    nursery.start_soon(rig.post, "/v1/payments/nobody/abort")  # is there such a payment?
    await wait_all_tasks_blocked()
    return gate


async def post(terminal: Peer, text: str, answers: list[httpx.Response]) -> None:
    answers.append(await terminal.post(display(text)))


async def test_a_display_does_not_wait_for_the_disk_and_comes_in_its_turn(
    tmp_path: Path, autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    async with lane(tmp_path) as rig, peer(rig) as terminal, rig.stream() as stream:
        gate = await hold(rig, nursery)
        before, began = rig.lane.watch.state, trio.current_time()
        for number in range(10):
            await terminal.tell(display(f"Text {number}"))
        assert trio.current_time() == began
        assert rig.lane.watch.state is before, "the lane's task is still at the disk"
        gate.set()
        await stream.until("display", lines=["Text 9"])
        shown = [item["lines"] for item in stream.of("display")]
        texts = [lines for lines in shown if lines[0].startswith("Text")]
        assert texts == [[f"Text {number}"] for number in range(10)]


async def test_a_terminal_that_floods_waits_and_leaves_room_for_a_button(
    tmp_path: Path,
    autojump_clock: MockClock,
    nursery: trio.Nursery,
    caplog: pytest.LogCaptureFixture,
) -> None:
    more = 300
    async with lane(tmp_path) as rig, peer(rig) as terminal, rig.stream() as stream:
        gate = await hold(rig, nursery)
        answers: list[httpx.Response] = []
        for number in range(SUBMITTED + more):
            nursery.start_soon(post, terminal, f"Text {number}", answers)
        await wait_all_tasks_blocked()
        assert len(answers) == SUBMITTED
        rig.lane.runner.submit_nowait(ev.ButtonPressed("help"))
        gate.set()
        await stream.until("button", name="help")
        await wait_all_tasks_blocked()
        assert [answer.status_code for answer in answers] == [204] * (SUBMITTED + more)
        assert "dropped" not in caplog.text
