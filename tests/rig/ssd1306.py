"""An SSD1306 as its datasheet describes it, as far as what it shows goes: bytes to picture.

Source: Solomon Systech, SSD1306 datasheet rev 1.1, sections 8.1.5 (I2C), 8.7 (GDDRAM), 9 and 10
(commands). What a driver should not send is an error, not ignored.
"""

from collections.abc import Iterator
from typing import Final

WIDTH: Final = 128
HEIGHT: Final = 64
PAGES: Final = HEIGHT // 8
COMMAND: Final = 0x00
DATA: Final = 0x40

ARGUMENTS: Final = {
    0x20: 1, 0x21: 2, 0x22: 2, 0x26: 6, 0x27: 6, 0x29: 5, 0x2A: 5, 0x81: 1, 0x8D: 1, 0xA3: 2,
    0xA8: 1, 0xD3: 1, 0xD5: 1, 0xD9: 1, 0xDA: 1, 0xDB: 1,
}  # fmt: skip
"""How many bytes follow a command; none after the others."""
HORIZONTAL: Final = 0


class SSD1306Error(ValueError):
    """Bytes that an SSD1306 has no use for; the text says which."""


class SSD1306:
    """The controller's memory and what bears on the picture. `data_bytes` counts the pixels' bytes.

    After a reset its memory is what it was: here, empty. Only the horizontal addressing mode,
    which luma uses, is there.
    """

    def __init__(self) -> None:
        self.on = False
        self.inverse = False
        self.contrast = 0x7F
        self.data_bytes = 0
        self.total_bytes = 0
        self._memory = bytearray(WIDTH * PAGES)
        self._mode = 2
        self._columns = (0, WIDTH - 1)
        self._pages = (0, PAGES - 1)
        self._column = self._page = 0
        self._remapped = self._flipped = False
        self._start_line = self._offset = 0

    def message(self, data: bytes) -> None:
        """Take one I2C message, the control byte first."""
        self.total_bytes += len(data)
        if not data:
            return
        if data[0] == DATA:
            self._write(data[1:])
        elif data[0] == COMMAND:
            stream = iter(data[1:])
            for command in stream:
                self._obey(command, stream)
        else:
            raise SSD1306Error(f"control byte {data[0]:#04x}")

    def _obey(self, command: int, stream: Iterator[int]) -> None:
        try:
            arguments = [next(stream) for _ in range(ARGUMENTS.get(command, 0))]
        except StopIteration:
            raise SSD1306Error(f"command {command:#04x} lacks arguments") from None
        if command == 0x20:
            self._mode = arguments[0] & 3
        elif command == 0x21:
            self._columns = _span(arguments, WIDTH, "columns")
            self._column = self._columns[0]
        elif command == 0x22:
            self._pages = _span(arguments, PAGES, "pages")
            self._page = self._pages[0]
        elif 0x40 <= command <= 0x7F:
            self._start_line = command & 0x3F
        elif command == 0x81:
            self.contrast = arguments[0]
        elif command in (0xA0, 0xA1):
            self._remapped = command == 0xA1
        elif command in (0xA6, 0xA7):
            self.inverse = command == 0xA7
        elif command in (0xAE, 0xAF):
            self.on = command == 0xAF
        elif command in (0xC0, 0xC8):
            self._flipped = command == 0xC8
        elif command == 0xD3:
            self._offset = arguments[0] & 0x3F
        elif command not in (*ARGUMENTS, 0x2E, 0xA4, 0xE3):
            raise SSD1306Error(f"command {command:#04x}")

    def _write(self, data: bytes) -> None:
        if self._mode != HORIZONTAL:
            raise SSD1306Error(f"pixels in addressing mode {self._mode}")
        self.data_bytes += len(data)
        for byte in data:
            self._memory[self._page * WIDTH + self._column] = byte
            self._column += 1
            if self._column > self._columns[1]:
                self._column = self._columns[0]
                self._page += 1
                if self._page > self._pages[1]:
                    self._page = self._pages[0]

    def picture(self) -> list[list[bool]]:
        """Rows of lit pixels, as seen on a module that is built as most are, upright."""
        moved = not (self._remapped and self._flipped) or self._start_line or self._offset
        if self.on and moved:
            raise SSD1306Error("the picture would be mirrored, upside down or moved")
        return [
            [
                self.on and bool(self._memory[y // 8 * WIDTH + x] >> y % 8 & 1) != self.inverse
                for x in range(WIDTH)
            ]
            for y in range(HEIGHT)
        ]


def _span(arguments: list[int], size: int, what: str) -> tuple[int, int]:
    first, last = arguments
    if not first <= last < size:
        raise SSD1306Error(f"{what} {first}..{last}")
    return first, last
