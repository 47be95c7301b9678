"""The panel and the buttons of the emulated machine, from outside."""

import io
import struct
from typing import Final

from PIL import Image

from rig.lane import Lane
from rig.machine import Machine
from rig.ssd1306 import HEIGHT, SSD1306, WIDTH

HEAD: Final = struct.Struct("<QI")
MESSAGES: Final = "/sys/kernel/debug/recorder/messages"
PRESENT: Final = "/sys/module/recorder/parameters/present"
LINES: Final = "/sys/devices/platform/gpio-sim.0/gpiochip0"
PINS: Final = {"confirm": 17, "abort": 27, "approve": 5}
LEDS: Final = {"confirm": 22, "abort": 23, "approve": 6}


class Buttons:
    """Lines that are pulled, and lines that are looked at."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def down(self, name: str) -> float:
        """Press; when, in the machine's seconds."""
        return self._machine.write(f"{LINES}/sim_gpio{PINS[name]}/pull", "pull-down")

    def up(self, name: str) -> None:
        """Let go."""
        self._machine.write(f"{LINES}/sim_gpio{PINS[name]}/pull", "pull-up")

    def lit(self) -> set[str]:
        """The buttons whose LEDs are lit."""
        return {
            name
            for name, pin in LEDS.items()
            if self._machine.read(f"{LINES}/sim_gpio{pin}/value").strip() == b"1"
        }


class Panel:
    """What the panel was sent, and what it shows."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def messages(self) -> list[tuple[float, bytes]]:
        """All that was written to the bus, with the machine's seconds."""
        raw, at, found = self._machine.read(MESSAGES), 0, []
        while at < len(raw):
            nanoseconds, length = HEAD.unpack_from(raw, at)
            at += HEAD.size
            found.append((nanoseconds / 1e9, raw[at : at + length]))
            at += length
        return found

    def controller(self) -> SSD1306:
        """The controller after all of that."""
        panel = SSD1306()
        for _, message in self.messages():
            panel.message(message)
        return panel

    def plug(self, *, present: bool) -> None:
        """Pull it off the bus, or put it back."""
        self._machine.write(PRESENT, "Y" if present else "N")

    def matches(self, lane: Lane) -> bool:
        """Whether it shows what the till is told that it shows."""
        return self.controller().picture() == told(lane)


def told(lane: Lane) -> list[list[bool]]:
    """The picture of /v1/display.png, as rows of lit pixels."""
    image = Image.open(io.BytesIO(lane.ask("GET", "/v1/display.png").content)).convert("1")
    assert image.size == (WIDTH, HEIGHT), image.size
    return [[bool(image.getpixel((x, y))) for x in range(WIDTH)] for y in range(HEIGHT)]
