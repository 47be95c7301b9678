"""A bus that records what a luma device sends, and the memory that a controller would then have."""

from collections.abc import Callable
from typing import Any

import luma.core.interface.serial
import pytest
from PIL import Image

COLUMNS, PAGES = 160, 16


class Bus:
    """Counts bytes as an I2C bus has them on its wires, each with its acknowledgement.

    A transaction is the address, the control byte and the content (luma: one for each command or
    block of data). `fails`, if set, is called before each.
    """

    def __init__(self) -> None:
        self.log: list[tuple[str, bytes]] = []
        self.fails: Callable[[], Exception | None] = lambda: None
        self.closed = 0

    def command(self, *cmd: int) -> None:
        self._note("command", bytes(cmd))

    def data(self, data: list[int] | bytearray) -> None:
        self._note("data", bytes(data))

    def cleanup(self) -> None:
        self.closed += 1

    def _note(self, kind: str, content: bytes) -> None:
        if (error := self.fails()) is not None:
            raise error
        self.log.append((kind, content))

    def taken(self) -> int:
        """Bytes since the last call."""
        count = sum(2 + len(content) for _, content in self.log)
        self.log.clear()
        return count


class Memory:
    """What an SSD1306 or SH1106 holds after a log, by its data sheet's commands."""

    def __init__(self) -> None:
        self.rows = [bytearray(COLUMNS) for _ in range(PAGES)]
        self.column = self.page = 0
        self.window: tuple[int, int, int, int] | None = None

    def take(self, log: list[tuple[str, bytes]]) -> None:
        """Follow the commands that position (others are skipped with their parameters)."""
        for kind, content in log:
            if kind == "data":
                for byte in content:
                    self._write(byte)
            elif content[0] == 0x21 and len(content) == 6:
                assert content[3] == 0x22
                left, right, top, bottom = content[1], content[2], content[4], content[5]
                self.window = (left, right, top, bottom)
                self.column, self.page = left, top
            elif len(content) == 3:
                for byte in content:
                    if byte & 0xF0 == 0xB0:
                        self.page = byte & 0x0F
                    elif byte & 0xF0 == 0x10:
                        self.column = (byte & 0x0F) << 4 | self.column & 0x0F
                    else:
                        assert byte < 0x10
                        self.column = self.column & 0xF0 | byte

    def _write(self, byte: int) -> None:
        self.rows[self.page][self.column] = byte
        self.column += 1
        if self.window is not None and self.column > self.window[1]:
            self.column = self.window[0]
            self.page = self.page + 1 if self.page < self.window[3] else self.window[2]

    def picture(self, size: tuple[int, int], first: int) -> Image.Image:
        """What a panel of that size shows whose first column is `first`."""
        width, height = size
        lit = [
            self.rows[y // 8][first + x] >> y % 8 & 1 for y in range(height) for x in range(width)
        ]
        image = Image.new("1", size)
        image.putdata(lit)
        return image


def on(monkeypatch: pytest.MonkeyPatch) -> Bus:
    """Put a recording bus in place of luma's I2C."""
    bus = Bus()

    def opened(**parameters: Any) -> Bus:
        del parameters
        return bus

    monkeypatch.setattr(luma.core.interface.serial, "i2c", opened)
    return bus
