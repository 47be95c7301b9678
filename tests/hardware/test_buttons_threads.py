"""Edges from another thread, as on hardware; and that nobody waits for them in one of ours."""

import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest
import trio
import trio.testing
from buttonrig import CONFIRM, VIRTUAL, Rig
from gpiozero.pins.mock import MockFactory, MockPin

from laned.config.schema import ButtonConfig
from laned.hardware.button_line import Line
from laned.hardware.buttons import Buttons


@pytest.fixture
async def rig(nursery: trio.Nursery) -> Rig:
    rig = Rig(nursery)
    await trio.sleep(1)
    assert rig.reports == ["ok"]
    return rig


async def test_edges_from_a_foreign_thread() -> None:
    """As on hardware, where the pin library has a thread of its own; in real time."""
    send, told = trio.open_memory_channel[tuple[str, str, int]](10)
    buttons = Buttons(VIRTUAL)

    def tell(name: str, action: str, since: float) -> None:
        send.send_nowait((name, action, threading.get_ident()))

    async def lit() -> AsyncIterator[frozenset[str]]:
        yield frozenset()

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(buttons.run, tell, lambda _: None, lit())
            await buttons._opened.wait()
            await buttons._lines["confirm"].ready.wait()
            pin = buttons._factory.pin(CONFIRM)
            for drive, action in ((pin.drive_low, "pressed"), (pin.drive_high, "released")):
                await trio.to_thread.run_sync(drive)
                assert await told.receive() == ("confirm", action, threading.get_ident())
            nursery.cancel_scope.cancel()


async def test_a_storm_of_edges_waits_in_one_place() -> None:
    """A thread that is faster than the lane leaves neither a queue nor a wrong level behind."""
    factory = MockFactory(pin_class=MockPin)
    line = Line("confirm", ButtonConfig(pin=CONFIRM), lambda part, fault: None)
    calls = 0
    hear = line._hear

    def counted() -> None:
        nonlocal calls
        calls += 1
        hear()

    line._hear = counted  # type: ignore[method-assign]
    with ExitStack() as devices:
        line.open(factory, devices)
        pin = factory.pin(CONFIRM)
        storm = 5000

        def drive() -> None:
            for _ in range(storm):
                pin.drive_low()
                pin.drive_high()
            pin.drive_low()

        # Blocks the lane until the storm is over, which no thread's timing can change.
        thread = threading.Thread(target=drive)
        thread.start()
        thread.join()
        with trio.fail_after(5):
            while line.edges < 2 * storm + 1:
                await trio.lowlevel.checkpoint()
        assert line.down is True
        assert line.chattering.is_set()
        assert calls <= 2


def test_an_edge_after_the_end_hurts_nobody() -> None:
    """The library's thread outlives trio's run, and must outlive what it calls."""
    factory = MockFactory(pin_class=MockPin)
    line = Line("confirm", ButtonConfig(pin=CONFIRM), lambda part, fault: None)

    async def main(devices: ExitStack) -> None:
        line.open(factory, devices)
        factory.pin(CONFIRM).drive_low()
        await trio.testing.wait_all_tasks_blocked()

    with ExitStack() as devices:
        trio.run(main, devices)
        assert line.edges == 1
        assert factory.pin(CONFIRM).when_changed is not None
        factory.pin(CONFIRM).drive_high()
        assert line.edges == 1


async def test_no_thread_of_ours_waits_for_a_button(rig: Rig, autojump_clock: object) -> None:
    """gpiozero.Button would poll, ten times a second each."""
    assert rig.buttons._lines.keys() == {"confirm", "abort"}
    assert [one.name for one in threading.enumerate() if "gpiozero" in repr(type(one))] == []


async def test_a_button_that_nobody_touches_costs_nothing(rig: Rig, autojump_clock: object) -> None:
    steps = 0

    class Steps(trio.abc.Instrument):
        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            nonlocal steps
            steps += "laned" in task.name

    instrument = Steps()
    trio.lowlevel.add_instrument(instrument)
    await trio.sleep(24 * 3600)
    assert steps == 0
    await rig.buttons.press("confirm", 0.1)
    await trio.sleep(1)
    trio.lowlevel.remove_instrument(instrument)
    assert 0 < steps < 20
