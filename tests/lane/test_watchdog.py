"""The watchdog is fed by a lane that gets on, and by no other; systemd is a real socket here."""

import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import lanes
import pytest
import trio
from bench import Bench, approval, bench, ready
from trio.testing import MockClock, wait_all_tasks_blocked

from laned.journal.store import JournalError
from laned.lane import events as ev
from laned.lane.state import Phase
from laned.runner import WRITE_FOR
from laned.system.watchdog import patience, report

WATCHDOG = 20.0  # seconds


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite3"


class Manager:
    """systemd's end of NOTIFY_SOCKET."""

    def __init__(self, folder: Path) -> None:
        self.environ = {
            "NOTIFY_SOCKET": str(folder / "notify"),
            "WATCHDOG_USEC": str(int(WATCHDOG * 1_000_000)),
            "WATCHDOG_PID": str(os.getpid()),
        }
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(self.environ["NOTIFY_SOCKET"])
        self.longest = 0.0
        """Seconds between two feedings at the most."""
        self.said: list[str] = []
        self._fed_at = trio.current_time()

    @property
    def starving(self) -> float:
        """Seconds since it was fed last."""
        return trio.current_time() - self._fed_at

    async def watch(self) -> None:
        """Read what comes, at once."""
        while True:
            self.read()
            await trio.sleep(0.05)

    def read(self) -> list[str]:
        """The lines that have come since the last time."""
        lines: list[str] = []
        while True:
            try:
                lines += self._socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                break
        if "WATCHDOG=1" in lines:
            self.longest = max(self.longest, self.starving)
            self._fed_at = trio.current_time()
        self.said += lines
        return lines

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
async def manager(tmp_path: Path) -> AsyncIterator[Manager]:
    made = Manager(tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.watch)
        yield made
        nursery.cancel_scope.cancel()
    made.close()


async def test_a_lane_that_is_well_feeds_the_watchdog_in_half_its_time(
    path: Path, manager: Manager, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        nursery.start_soon(report, made.watch, made.runner.pulse, manager.environ)
        await trio.sleep(10 * WATCHDOG)
        assert manager.said.count("WATCHDOG=1") == pytest.approx(20, abs=1)
        assert manager.longest == pytest.approx(WATCHDOG / 2, abs=0.2)


async def test_a_lane_that_is_stuck_in_the_journal_does_not(
    path: Path, manager: Manager, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        nursery.start_soon(report, made.watch, made.runner.pulse, manager.environ)
        await trio.sleep(WATCHDOG)
        made.gate = trio.Event()
        async with trio.open_nursery() as asking:
            asking.start_soon(made.runner.handle, ev.PaymentAsked(lanes.order()))
            await trio.sleep(3 * WATCHDOG)
            assert manager.starving >= 2.4 * WATCHDOG
            made.gate.set()
            await trio.sleep(0.1)
        assert manager.starving <= 0.2


async def test_nor_does_one_whose_journal_thread_is_stuck_at_a_tills_request(
    path: Path, manager: Manager, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        nursery.start_soon(report, made.watch, made.runner.pulse, manager.environ)
        made.gate = trio.Event()  # the lane has no use for the journal now
        await trio.sleep(3 * WATCHDOG)
        assert manager.starving >= 2.4 * WATCHDOG
        made.gate.set()
        await trio.sleep(0.1)
        assert manager.starving <= 0.2


async def test_a_lane_that_waits_for_room_on_the_disk_is_not_stuck(
    path: Path, manager: Manager, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    manager.environ["WATCHDOG_USEC"] = str(int(WRITE_FOR / 4 * 1_000_000))
    with pytest.RaisesGroup(JournalError, flatten_subgroups=True, allow_unwrapped=True):
        async with ready(path) as made:
            nursery.start_soon(report, made.watch, made.runner.pulse, manager.environ)
            call = await made.pay("a")
            await trio.sleep(WRITE_FOR)
            manager.longest = 0
            made.journal.broken = "write"
            began = trio.current_time()
            call.answer(approval(call, "poi-1"))
            await made.watch.stopped.wait()
    assert trio.current_time() - began >= WRITE_FOR
    assert max(manager.longest, manager.starving) <= WRITE_FOR / 4 - 0.5


async def test_the_status_follows_the_lane(
    path: Path, manager: Manager, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    async with ready(path) as made:
        nursery.start_soon(report, made.watch, made.runner.pulse, manager.environ)
        await trio.sleep(1)
        call = await made.pay("a")
        await trio.sleep(1)
        call.answer(approval(call, "poi-1"))
        await trio.sleep(1)
        await made.runner.handle(ev.StopAsked())
        await trio.sleep(1)
    status = [line for line in manager.said if line.startswith("STATUS=")]
    seen = [now for before, now in zip(["", *status], status, strict=False) if now != before]
    assert seen == [
        "STATUS=ready, no payment",
        "STATUS=payment a processing",
        "STATUS=ready, no payment",
        "STATUS=stopping",
        "STATUS=stopped",
    ]


async def test_a_word_that_systemd_could_not_take_is_said_again(
    path: Path, tmp_path: Path, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    manager = Manager(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as other:
        for _ in range(1000):
            try:
                other.sendto(b"STATUS=me", manager.environ["NOTIFY_SOCKET"])
            except BlockingIOError:
                break
        else:
            pytest.fail("the queue never fills")
    async with ready(path) as made:
        nursery.start_soon(report, made.watch, made.runner.pulse, manager.environ)
        await trio.sleep(0.5)
        assert "WATCHDOG=1" not in manager.read()
        await trio.sleep(1)
        assert manager.read() == ["WATCHDOG=1", "STATUS=ready, no payment"]
    manager.close()


async def test_without_systemd_nothing_runs(path: Path, autojump_clock: MockClock) -> None:
    async with ready(path) as made:
        with trio.fail_after(1):
            await report(made.watch, made.runner.pulse, {"WATCHDOG_USEC": "1000000"})


async def test_without_a_watchdog_only_the_status_is_told(
    path: Path, manager: Manager, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    del manager.environ["WATCHDOG_USEC"]
    async with ready(path) as made:
        nursery.start_soon(report, made.watch, made.runner.pulse, manager.environ)
        await trio.sleep(100)
        assert manager.said == ["STATUS=ready, no payment"]


async def test_the_pulse_of_a_lane_that_has_stopped(path: Path, autojump_clock: MockClock) -> None:
    async with bench(path) as made:
        await made.until(Phase.READY)
        await stop(made)
        await wait_all_tasks_blocked()


async def stop(made: Bench) -> None:
    """Stop a lane while somebody waits for its pulse."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.runner.pulse)
        await made.runner.handle(ev.StopAsked())
        await made.watch.stopped.wait()


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "3000000"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "-3"}, None),
    ],
)
def test_whether_systemd_watches(environ: dict[str, str], seconds: float | None) -> None:
    assert patience(environ) == seconds
