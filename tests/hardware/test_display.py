"""The display adapter on luma's own dummy device, and on drivers that fail like real ones."""

import atexit
import errno
import io
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from typing import Any, TypeVar

import luma.core.device
import luma.core.error
import luma.core.interface.serial
import luma.oled.device
import pytest
import trio
import trio.testing
from msgspec import structs
from PIL import Image

from laned.config.display import DisplayConfig
from laned.config.oled_models import MODELS
from laned.hardware.display import TICK_SECONDS, Display
from laned.hardware.drawing import draw
from laned.offload import Offload, WorkerThread, in_line
from laned.views.screen import Icon, Screen

VIRTUAL = DisplayConfig(driver="virtual")
FAKE = DisplayConfig(driver="ssd1325")
WELCOME = Screen(lines=("Welcome",))
PIN = Screen(lines=("Enter PIN: *",), amount="38.00 SEK", abort="Cancel")
FAREWELL = Screen(lines=("Out of service",))
LONG = Screen(lines=("word " * 60,))
T = TypeVar("T")


class FakePanel:
    """A luma device whose bus fails on demand."""

    mode = "1"
    opened: int
    fails: Callable[[int], Exception | None]
    lights: list[int | str]
    shown: list[Any]

    def __init__(self, bus: Any, width: int, height: int, rotate: int, mode: str) -> None:
        del bus, width, height, rotate, mode
        luma.core.device.atexit.register(lambda: self)
        FakePanel.opened += 1
        self._try()

    def _try(self) -> None:
        if (error := FakePanel.fails(FakePanel.opened)) is not None:
            raise error

    def display(self, image: Any) -> None:
        assert image.mode == self.mode
        self._try()
        FakePanel.shown.append(image)

    def contrast(self, level: int) -> None:
        FakePanel.lights.append(level)

    def hide(self) -> None:
        FakePanel.lights.append("off")

    def show(self) -> None:
        FakePanel.lights.append("on")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakePanel]:
    FakePanel.opened = 0
    FakePanel.fails = lambda _: None
    FakePanel.shown = []
    FakePanel.lights = []
    monkeypatch.setattr(luma.oled.device, "ssd1325", FakePanel)
    monkeypatch.setattr(
        luma.core.interface.serial, "i2c", lambda **_: luma.core.interface.serial.noop()
    )
    return FakePanel


async def slowly(work: Callable[[], T]) -> T:
    """An Offload that takes a second."""
    await trio.sleep(1)
    return work()


class Rig:
    """A display running, with everything that it said."""

    def __init__(
        self, config: DisplayConfig, nursery: trio.Nursery, offload: Offload = in_line
    ) -> None:
        self.frames: list[Image.Image] = []
        self.reports: list[tuple[float, str]] = []
        self.display = Display(config, offload, on_frame=self.frames.append)
        self._send, self._screens = trio.open_memory_channel[Screen](100)
        self.scope = trio.CancelScope()
        self.ended = trio.Event()
        nursery.start_soon(self._run)

    async def _run(self) -> None:
        with self.scope:
            await self.display.run(self._screens, self._report, farewell=FAREWELL)
        self.ended.set()

    def _report(self, state: str) -> None:
        self.reports.append((trio.current_time(), state))

    async def show(self, *screens: Screen) -> None:
        for screen in screens:
            self._send.send_nowait(screen)
        await trio.testing.wait_all_tasks_blocked()

    async def stop(self) -> None:
        self.scope.cancel()
        await self.ended.wait()


async def test_shows_what_is_drawn(nursery: trio.Nursery, autojump_clock: object) -> None:
    rig = Rig(VIRTUAL, nursery)
    await rig.show(WELCOME)
    assert rig.display.frame == draw(WELCOME, (128, 64)) == rig.frames[-1]
    assert [state for _, state in rig.reports] == ["ok"]


async def test_turned_panel_is_drawn_upright(nursery: trio.Nursery, autojump_clock: object) -> None:
    rig = Rig(DisplayConfig(driver="virtual", rotate=1), nursery)
    await rig.show(WELCOME)
    assert rig.display.frame == draw(WELCOME, (64, 128))


async def test_newest_wins_and_only_changes_are_sent(
    nursery: trio.Nursery, autojump_clock: object, fake: type[FakePanel]
) -> None:
    rig = Rig(FAKE, nursery, slowly)
    await rig.show(WELCOME)
    # While the bus is busy with the first.
    await rig.show(FAREWELL, LONG, PIN)
    await trio.sleep(10)
    assert rig.frames == fake.shown == [draw(WELCOME, (128, 64)), draw(PIN, (128, 64))]
    await rig.show(PIN)
    # Another screen that looks the same.
    await rig.show(Screen(lines=("Enter  PIN: *",), amount="38.00 SEK", abort="Cancel"))
    await trio.sleep(10)
    assert len(rig.frames) == len(fake.shown) == 2


async def test_scrolls_with_time_and_else_rests(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    rig = Rig(VIRTUAL, nursery)
    await rig.show(LONG)
    await trio.sleep(2.5 * TICK_SECONDS)
    assert rig.frames == [draw(LONG, (128, 64), tick) for tick in range(3)]
    await rig.show(PIN)
    count = len(rig.frames)
    statistics = trio.lowlevel.current_statistics
    assert statistics().seconds_to_next_deadline == float("inf")
    await trio.sleep(86_400)
    assert len(rig.frames) == count
    await rig.show(LONG)
    assert rig.frames[-1] == draw(LONG, (128, 64), 0)


async def test_spared_at_rest_and_awake_at_the_first_event(
    nursery: trio.Nursery, autojump_clock: object, fake: type[FakePanel]
) -> None:
    care = {"dim_after": 60.0, "dim_contrast": 9, "shift_every": 600.0, "off_after": 1500.0}
    rig = Rig(structs.replace(FAKE, **care), nursery)
    size = (128, 64)
    await rig.show(WELCOME)
    assert (fake.shown, fake.lights) == ([draw(WELCOME, size)], [])
    await trio.sleep(61)
    assert (len(fake.shown), fake.lights) == (1, [9])
    # Each move is sent to a panel that is initialised again: one that lost its supply comes back.
    await trio.sleep(1200)
    assert fake.shown == [draw(WELCOME, size, 0, place) for place in range(3)]
    assert (fake.opened, fake.lights) == (3, [9, 9, 9])
    await trio.sleep(300)
    assert (len(fake.shown), fake.lights[3:]) == (3, ["off"])
    assert rig.display.frame == Image.new("1", size)
    # Off, it costs nothing at all.
    assert trio.lowlevel.current_statistics().seconds_to_next_deadline == float("inf")
    # A press that changes nothing on the screen is an event as well.
    rig.display.wake()
    await trio.testing.wait_all_tasks_blocked()
    assert (len(fake.shown), fake.lights[4:]) == (3, [0x7F, "on"])
    assert rig.display.frame == draw(WELCOME, size, 0, 2)
    await trio.sleep(70)
    await rig.show(PIN)
    assert fake.lights[6:] == [9, 0x7F]
    assert fake.shown[3:] == [draw(PIN, size, 0, 2)]


async def test_a_long_text_at_rest_steps_on_until_the_panel_is_off(
    nursery: trio.Nursery, autojump_clock: object
) -> None:
    rig = Rig(VIRTUAL, nursery)
    await rig.show(LONG)
    await trio.sleep(3590)
    assert len(rig.frames) > 2000
    await trio.sleep(20)
    assert trio.lowlevel.current_statistics().seconds_to_next_deadline == float("inf")


async def test_whoever_is_asked_is_not_left_in_the_dark(
    nursery: trio.Nursery, autojump_clock: object, fake: type[FakePanel]
) -> None:
    rig = Rig(FAKE, nursery)
    judged_at_the_till = Screen(lines=("Signature OK?",), icon=Icon.SIGNATURE)
    for screen in (PIN, Screen(lines=("Pay?",), confirm="Pay"), judged_at_the_till):
        await rig.show(screen)
        await trio.sleep(86_400)
    assert (len(fake.shown), fake.lights) == (3, [])


async def test_never_spared_when_the_configuration_says_so(
    nursery: trio.Nursery, autojump_clock: object, fake: type[FakePanel]
) -> None:
    never = structs.replace(FAKE, dim_after=0.0, shift_every=0.0, off_after=0.0)
    rig = Rig(never, nursery)
    await rig.show(WELCOME)
    assert trio.lowlevel.current_statistics().seconds_to_next_deadline == float("inf")
    await rig.stop()
    assert (len(fake.shown), fake.lights) == (2, [])


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EIO, "Input/output error"),
        OSError(errno.ETIMEDOUT, "Connection timed out"),
        luma.core.error.DeviceNotFoundError("I2C device not found on address: 0x3C"),
        AssertionError(),
    ],
)
async def test_failing_panel_is_tried_again_with_back_off(
    nursery: trio.Nursery, autojump_clock: object, fake: type[FakePanel], error: Exception
) -> None:
    tries: list[float] = []

    def fails(_: int) -> Exception | None:
        tries.append(trio.current_time())
        return error if len(tries) <= 8 else None

    fake.fails = staticmethod(fails)
    hooks = atexit._ncallbacks()
    rig = Rig(FAKE, nursery)
    started = trio.current_time()
    await rig.show(WELCOME)
    assert rig.display.frame is None
    await trio.sleep(60)
    await rig.show(PIN)
    await trio.sleep(300)
    gaps = [later - sooner for sooner, later in pairwise(tries[:9])]
    assert gaps == pytest.approx([1, 2, 4, 8, 16, 30, 30, 30])
    assert [(round(at - started), state) for at, state in rig.reports] == [
        (0, "failing"),
        (121, "ok"),
    ]
    assert fake.shown == [draw(PIN, (128, 64))]
    assert fake.opened == 9
    # Nothing is kept of each attempt, and nothing will switch the panel off at exit.
    assert atexit._ncallbacks() == hooks


async def test_each_failure_begins_with_the_shortest_wait_and_is_told(
    nursery: trio.Nursery,
    autojump_clock: object,
    fake: type[FakePanel],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "laned.hardware.display")
    failures: list[float] = []
    unplugged = False

    def fails(_: int) -> Exception | None:
        if not unplugged:
            return None
        failures.append(trio.current_time())
        return OSError(errno.EIO, "Input/output error")

    fake.fails = staticmethod(fails)
    rig = Rig(FAKE, nursery)
    for screen in (WELCOME, PIN):
        await rig.show(screen)
        await trio.sleep(10)
        unplugged = True
        await rig.show(PIN if screen is WELCOME else WELCOME)
        await trio.sleep(5)
        unplugged = False
        await trio.sleep(60)
    gaps = [later - sooner for sooner, later in pairwise(failures)]
    assert [gap for gap in gaps if gap < 10] == pytest.approx([1, 2, 1, 2])
    said = [record.message.rpartition(" ")[2] for record in caplog.records]
    assert said == ["again", "again"] * 2
    assert [state for _, state in rig.reports] == ["ok", "failing", "ok", "failing", "ok"]


async def test_unplugged_panel_gets_its_frame_again(
    nursery: trio.Nursery, autojump_clock: object, fake: type[FakePanel]
) -> None:
    rig = Rig(FAKE, nursery)
    await rig.show(WELCOME)
    fake.fails = staticmethod(lambda opened: OSError(errno.EREMOTEIO, "") if opened < 3 else None)
    await rig.show(PIN)
    assert rig.display.frame == draw(WELCOME, (128, 64))
    await rig.show(WELCOME)
    await trio.sleep(10)
    # The same picture as before, but the panel is another one now.
    assert fake.shown == [draw(WELCOME, (128, 64))] * 2
    assert [state for _, state in rig.reports] == ["ok", "failing", "ok"]


async def test_older_luma_and_missing_bus_are_reported(
    nursery: trio.Nursery,
    autojump_clock: object,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    older = [name for name in luma.oled.device.__all__ if name != "ssd1363"]
    monkeypatch.setattr(luma.oled.device, "__all__", older)
    for config, words in [
        (DisplayConfig(driver="ssd1363"), "luma.oled has no 'ssd1363'"),
        (DisplayConfig(driver="ssd1306", port=250), "I2C device not found: /dev/i2c-250"),
    ]:
        rig = Rig(config, nursery)
        await rig.show(WELCOME)
        await trio.sleep(100)
        await rig.stop()
        assert [state for _, state in rig.reports] == ["failing"]
        assert words in caplog.text
    assert len(caplog.records) == 2


async def test_farewell_stays(
    nursery: trio.Nursery, autojump_clock: object, fake: type[FakePanel]
) -> None:
    rig = Rig(FAKE, nursery)
    await rig.show(WELCOME)
    await rig.stop()
    assert fake.shown[-1] == draw(FAREWELL, (128, 64)) == rig.display.frame
    # It may stand for weeks.
    assert fake.lights == [8]


async def test_farewell_to_a_dead_panel_is_no_error(
    nursery: trio.Nursery, autojump_clock: object, fake: type[FakePanel]
) -> None:
    rig = Rig(FAKE, nursery)
    await rig.show(WELCOME)
    fake.fails = staticmethod(lambda _: OSError(errno.EIO, ""))
    await rig.stop()
    assert fake.shown == [draw(WELCOME, (128, 64))]


async def test_a_mistake_in_drawing_is_raised(
    autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("laned.hardware.drawing.draw", lambda *_: 1 / 0)

    async def screens() -> AsyncIterator[Screen]:
        yield WELCOME

    display = Display(VIRTUAL, in_line)
    with pytest.raises(BaseExceptionGroup) as caught:
        await display.run(screens(), lambda _: None, farewell=FAREWELL)
    assert caught.group_contains(ZeroDivisionError)


async def test_without_a_display(autojump_clock: object) -> None:
    reports: list[str] = []
    display = Display(DisplayConfig(driver="none"), in_line)

    async def screens() -> AsyncIterator[Screen]:
        yield WELCOME

    await display.run(screens(), reports.append, farewell=FAREWELL)
    assert reports == ["off"]
    with pytest.raises(LookupError, match="switched off"):
        display.png(1)


async def test_png_pixel_for_pixel(nursery: trio.Nursery, autojump_clock: object) -> None:
    rig = Rig(VIRTUAL, nursery)
    await rig.show(PIN)
    frame = rig.display.frame
    assert frame is not None
    with Image.open(io.BytesIO(rig.display.png(3))) as picture:
        assert picture.size == (384, 192)
        for x in range(0, 384, 5):
            for y in range(0, 192, 5):
                lit = frame.getpixel((x // 3, y // 3)) != 0
                assert picture.getpixel((x, y)) == (255 if lit else 0)
    for scale in (0, 9, -1):
        with pytest.raises(ValueError, match=r"not in 1\.\.8"):
            rig.display.png(scale)


async def test_contrast_is_set_when_asked_for(
    nursery: trio.Nursery, autojump_clock: object, fake: type[FakePanel]
) -> None:
    rig = Rig(structs.replace(FAKE, contrast=40), nursery)
    await rig.show(WELCOME)
    assert fake.lights == [40]
    plain = Rig(FAKE, nursery)
    await plain.show(WELCOME)
    assert fake.lights == [40]


@pytest.mark.parametrize(
    ("driver", "size"), [(name, size) for name, model in MODELS.items() for size in model.sizes]
)
async def test_real_drivers_take_the_frame(
    nursery: trio.Nursery,
    autojump_clock: object,
    fake: type[FakePanel],
    driver: Any,
    size: tuple[int, int],
) -> None:
    hooks = atexit._ncallbacks()
    rig = Rig(DisplayConfig(driver=driver, width=size[0], height=size[1]), nursery)
    await rig.show(WELCOME)
    await rig.stop()
    assert atexit._ncallbacks() == hooks
    assert rig.frames == [draw(WELCOME, size), draw(FAREWELL, size)]
    assert [state for _, state in rig.reports] == ["ok"]


async def test_in_a_worker_thread() -> None:
    shown = trio.Event()
    display = Display(VIRTUAL, WorkerThread(), on_frame=lambda _: shown.set())

    async def screens() -> AsyncIterator[Screen]:
        yield WELCOME

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:

            async def run() -> None:
                await display.run(screens(), lambda _: None, farewell=FAREWELL)

            nursery.start_soon(run)
            await shown.wait()
            assert display.frame == draw(WELCOME, (128, 64))
            nursery.cancel_scope.cancel()
    assert display.frame == draw(FAREWELL, (128, 64))


def test_imports_nothing_heavy() -> None:
    """The daemon is ready before Pillow, luma and gpiozero are loaded."""
    code = (
        "import sys, laned.hardware.display, laned.hardware.buttons\n"
        "print([name for name in ('PIL', 'luma', 'gpiozero', 'lgpio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
