"""The board's own pins, on a stand-in for lgpio: its thread, its working directory."""

import importlib.abc
import importlib.machinery
import logging
import os
import sys
import threading
import types
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
import trio
from buttonrig import CONFIRM
from fakelgpio import FakeLgpio

from laned.config.schema import ButtonsConfig
from laned.hardware import gpio
from laned.hardware.buttons import Buttons
from laned.hardware.gpio import name_of, real_pins

PI_4 = 0xC03111


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Lets `import lgpio` find the stand-in, made at that moment as the real one is."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, self) if name == "lgpio" else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return FakeLgpio()

    def exec_module(self, module: types.ModuleType) -> None:
        pass


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A Raspberry Pi on which lgpio is installed, and was not imported yet."""
    monkeypatch.setenv("LG_WD", str(tmp_path))
    monkeypatch.setattr("gpiozero.pins.local.get_pi_revision", lambda: PI_4)
    for name in ("lgpio", "gpiozero.pins.lgpio"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    finder = Finder()
    sys.meta_path.insert(0, finder)
    yield
    sys.meta_path.remove(finder)
    for name in ("lgpio", "gpiozero.pins.lgpio"):
        sys.modules.pop(name, None)


def library() -> FakeLgpio:
    found = sys.modules["lgpio"]
    assert isinstance(found, FakeLgpio)
    return found


@pytest.mark.usefixtures("board")
def test_lgpio_makes_its_pipe_elsewhere_and_leaves_us_where_we_are(tmp_path: Path) -> None:
    here = Path.cwd()
    factory = real_pins()
    assert library().made_in == tmp_path
    assert Path.cwd() == here
    assert name_of(factory) == "LGPIOFactory, /dev/gpiochip0"
    factory.close()


@pytest.mark.usefixtures("board")
def test_without_lg_wd_it_is_the_services_own_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LG_WD", "")
    monkeypatch.delenv("LG_WD")
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{tmp_path}/run:/elsewhere")
    real_pins().close()
    assert library().made_in == tmp_path / "run"


@pytest.mark.usefixtures("board")
async def test_presses_and_leds_through_lgpios_thread() -> None:
    send, told = trio.open_memory_channel[tuple[str, str]](10)
    buttons = Buttons(ButtonsConfig(driver="gpio"))

    async def lit() -> AsyncIterator[frozenset[str]]:
        yield frozenset({"confirm"})
        await trio.sleep_forever()

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                buttons.run,
                lambda name, action, since: send.send_nowait((name, action)),
                lambda _: None,
                lit(),
            )
            await buttons._opened.wait()
            await buttons._lines["confirm"].ready.wait()
            library().pull_line(CONFIRM, 0)
            assert await told.receive() == ("confirm", "pressed")
            library().pull_line(CONFIRM, 1)
            assert await told.receive() == ("confirm", "released")
            assert library().levels[22] == 1
            nursery.cancel_scope.cancel()
    assert not library().modes[22] & FakeLgpio.IS_OUT  # let go of: dark


@pytest.mark.usefixtures("board")
def test_an_exception_does_not_end_lgpios_thread(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever raises it: gpiozero does, for an edge that arrives while a device is closed."""
    from gpiozero import DigitalInputDevice

    caplog.set_level(logging.ERROR)
    factory = real_pins()
    device = DigitalInputDevice(CONFIRM, pull_up=True, pin_factory=factory)
    heard: list[bool] = []

    def edge() -> None:
        heard.append(bool(device.is_active))
        raise RuntimeError("planted")

    device.when_activated = edge
    device.when_deactivated = edge
    for level in (0, 1, 0):
        library().pull_line(CONFIRM, level)
    library().settle()
    assert len(heard) == 3
    assert caplog.text.count("an edge of a button is lost") == 3
    assert "planted" in caplog.text
    device.close()
    factory.close()


def test_debians_package_is_not_mended_by_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs with Debian's Python, and libraries that pip knows nothing of."""
    missing = ImportError("No module named 'lgpio'")
    assert gpio.cure(missing) == "install the library lgpio: pip install 'laned[gpio]'"
    monkeypatch.setattr(gpio, "__file__", "/opt/laned/lib/python3/laned/hardware/gpio.py")
    assert gpio.cure(missing) == "sudo apt install python3-lgpio"
    monkeypatch.setattr(
        gpio, "__file__", "/opt/laned/lib/python3.11/site-packages/laned/hardware/gpio.py"
    )
    assert "pip install" in gpio.cure(missing), "a virtual environment at the same place"


def test_threads_that_load_at_once_leave_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The buttons, an SPI display and what is loaded beforehand come from threads of their own."""
    inside, other, done = threading.Event(), threading.Event(), threading.Event()

    def moves(name: str) -> None:
        os.chdir(tmp_path)
        if inside.is_set():
            other.set()
            done.wait(5)
        else:
            inside.set()
            other.wait(0.5)

    def first() -> None:
        gpio.load()
        done.set()

    monkeypatch.setenv("LG_WD", str(tmp_path))
    monkeypatch.setattr(importlib, "import_module", moves)
    here = Path.cwd()
    threads = [threading.Thread(target=first), threading.Thread(target=gpio.load)]
    threads[0].start()
    inside.wait(5)
    threads[1].start()
    for thread in threads:
        thread.join()
    found = Path.cwd()
    os.chdir(here)
    assert found == here
