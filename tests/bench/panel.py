"""Figures of the display: `python tests/bench/panel.py`.

What a frame costs on the bus is counted, not timed: luma's own I2C on a bus that records each
message as the wires would have it, 9 clocks a byte (eight bits and the acknowledgement). The time
from a DisplayRequest to the last byte handed to the bus is that of a real `serve_lane` on real
sockets, in this process, so that the bus can be a recording one.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import luma.oled.device
import smbus2
import trio
from figures import CONFIG, DISPLAY, POI_ID, FakeTerminal, free_port, post, quantiles, until

from laned.config.display import DisplayConfig
from laned.config.file import load
from laned.config.oled_models import MODELS
from laned.daemon import open_journal, serve_lane
from laned.hardware.drawing import draw
from laned.hardware.panel import Panel
from laned.views.screen import Icon, Screen

CLOCKS = 9  # of a byte
BUS = 400_000  # Hz: fast mode
PANELS: tuple[tuple[Any, tuple[int, int]], ...] = (
    *(("ssd1306", (128, 64)), ("ssd1306", (128, 32))),
    *(("sh1106", (128, 64)), ("ssd1322", (256, 64))),
)
Row = tuple[str, str, str]


class Wires:
    """In place of smbus2's bus: bytes of all messages, and when the last one was handed on."""

    count = 0
    last = 0.0

    def __init__(self, port: int) -> None:
        del port

    def write_i2c_block_data(self, address: int, control: int, data: list[int]) -> None:
        del address, control
        self._note(2 + len(data))

    def i2c_rdwr(self, *messages: Any) -> None:
        for message in messages:
            self._note(1 + len(bytes(message)))

    def close(self) -> None:
        pass

    def _note(self, count: int) -> None:
        Wires.count += count
        Wires.last = time.perf_counter()


@contextmanager
def wires() -> Iterator[None]:
    with patch.object(smbus2, "SMBus", Wires):
        yield


def pin(stars: int) -> Screen:
    words = "Enter PIN: " + "*" * stars
    return Screen(lines=(words,), amount="38.00 SEK", abort="Cancel", icon=Icon.CARD)


def counted(work: Callable[[], object]) -> int:
    before = Wires.count
    work()
    return Wires.count - before


def on_wire(count: float) -> str:
    return f"{count * CLOCKS / BUS * 1000:.2f} ms at 400 kHz"


def bytes_of_a_star() -> list[Row]:
    rows = []
    with wires():
        for name, size in PANELS:
            config = DisplayConfig(driver=name, width=size[0], height=size[1])
            serial = luma.core.interface.serial.i2c(port=1)
            whole = getattr(luma.oled.device, name)(serial, width=size[0], height=size[1])
            panel = Panel(config)
            for stars in range(1, 4):
                panel.show(draw(pin(stars), size))
                whole.display(draw(pin(stars), size).convert(whole.mode))
            last = draw(pin(4), size)
            before = counted(lambda: whole.display(last.convert(whole.mode)))  # noqa: B023
            after = counted(lambda: panel.show(last))  # noqa: B023
            rows.append(
                (
                    f"a PIN star on {name} {size[0]}x{size[1]}",
                    f"{after} bytes",
                    f"luma's display(): {before}, {before / after:.0f} x; {on_wire(after)}"
                    f" instead of {on_wire(before)}",
                )
            )
    return rows


def request_to_last_byte(count: int) -> list[Row]:
    terminal = FakeTerminal()
    with (
        tempfile.TemporaryDirectory() as folder,
        wires(),
        lane(Path(folder), terminal.port) as port,
    ):
        times, sizes = [], []
        for number in range(count + 20):
            body = DISPLAY.format("Enter PIN: " + "*" * (1 + number % 4)).encode()
            before, begun = Wires.count, time.perf_counter()
            post(port, body)
            until("the frame", lambda: Wires.count > before and still())  # noqa: B023
            if number >= 20:
                times.append(Wires.last - begun)
                sizes.append(Wires.count - before)
    median, worst = quantiles(times)
    size = sum(sizes) / len(sizes)
    width, height = MODELS["ssd1306"].sizes[0]
    whole = 2 + 6 + 2 + width * height // 8
    return [
        (
            "DisplayRequest -> last byte handed to the bus, median",
            f"{median * 1000:.2f} ms",
            f"{size:.0f} bytes: {on_wire(size)} on the bus; a whole frame {on_wire(whole)}",
        ),
        ("the same, 99th percentile", f"{worst * 1000:.2f} ms", ""),
    ]


def still() -> bool:
    """Whether the last message is some while ago: a frame may be of several."""
    return time.perf_counter() - Wires.last > 0.02


@contextmanager
def lane(folder: Path, terminal: int) -> Iterator[int]:
    """A lane with its sockets and an SSD1306, in a thread; gives the listener's port."""
    port = free_port()
    path = folder / "laned.toml"
    text = CONFIG.format(terminal=terminal, listener=port, poi_id=POI_ID, folder=folder)
    path.write_text(text.replace('[display]\ndriver = "virtual"', '[display]\ndriver = "ssd1306"'))
    config = load(path, {})
    ready, handles = threading.Event(), []

    async def run() -> None:
        stop = trio.Event()
        handles.append((trio.lowlevel.current_trio_token(), stop))
        journal = open_journal(config)
        await serve_lane(config, journal, stop=stop, on_ready=lambda lane: ready.set())
        journal.close()

    thread = threading.Thread(target=trio.run, args=(run,))
    thread.start()
    try:
        assert ready.wait(20)
        until("the first frame", lambda: Wires.count > 0 and still())
        yield port
    finally:
        token, stop = handles[0]
        trio.from_thread.run_sync(stop.set, trio_token=token)
        thread.join(20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    quick = parser.parse_args().quick
    rows = [*bytes_of_a_star(), *request_to_last_byte(50 if quick else 500)]
    width = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print(f"{row[0]:{width[0]}}  {row[1]:>{width[1]}}  {row[2]}".rstrip())


if __name__ == "__main__":
    main()
