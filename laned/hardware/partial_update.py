"""What has to be sent of a frame: the part that differs, for controllers whose memory has pages.

A page is eight rows; one byte of it is a column of eight pixels, the topmost in the lowest bit
(SSD1306 data sheet, 8.7 and 10.1; SH1106 data sheet, "Display Data RAM"). On I2C each window costs
bytes of its own for the address and the position, so that small windows close together are sent
as one.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from PIL.Image import Image

Pages = tuple[bytes, ...]
"""A frame as the controller's memory holds it, page by page."""


class Window(Struct, frozen=True):
    """Pages `top` up to, not with, `bottom`; columns `left` up to, not with, `right`."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def size(self) -> int:
        """Bytes of picture in it."""
        return (self.bottom - self.top) * (self.right - self.left)

    def union(self, other: "Window") -> "Window":
        """Return the smallest window around both."""
        return Window(
            min(self.top, other.top),
            max(self.bottom, other.bottom),
            min(self.left, other.left),
            max(self.right, other.right),
        )


def pack(picture: "Image") -> Pages:
    """Return a picture of mode "1", as the panel is mounted, in the order of the memory."""
    from PIL import Image

    count = picture.height // 8
    # Turned by a quarter, each row is one column of the picture, from its foot to its head.
    packed = picture.transpose(Image.Transpose.ROTATE_270).tobytes()
    return tuple(packed[count - 1 - page :: count] for page in range(count))


def spans(old: bytes, new: bytes, overhead: int) -> Iterator[tuple[int, int]]:
    """Where a page differs: from column, up to column; a gap dearer than itself is kept."""
    if old == new:
        return
    columns = [column for column, (was, is_) in enumerate(zip(old, new, strict=True)) if was != is_]
    left = columns[0]
    for column, following in pairwise(columns):
        if following - column - 1 > overhead:
            yield left, column + 1
            left = following
    yield left, columns[-1] + 1


class Paged:
    """Sends windows to a controller in page addressing mode: SH1106, SH1107, CH1115.

    `overhead` is what a window costs on I2C beside its picture, in bytes.
    """

    overhead = 7  # address and control byte twice, and three of position
    tall = False  # whether a window may be of more than one page

    def __init__(self, device: Any, first_column: int) -> None:
        self._device = device
        self._first = first_column

    def packed(self, frame: "Image") -> Pages:
        """Return a frame, upright, as the panel's memory is to hold it."""
        return pack(self._device.preprocess(frame))

    def update(self, old: Pages | None, new: Pages) -> None:
        """Send what differs, or everything if it is not known what the panel holds."""
        for window in self.windows(old, new):
            self.send(window, new)

    def windows(self, old: Pages | None, new: Pages) -> list[Window]:
        """The windows to send, from the top."""
        whole = Window(0, len(new), 0, len(new[0]))
        if old is None:
            return self._rows(whole)
        found: list[Window] = []
        for page, (was, is_) in enumerate(zip(old, new, strict=True)):
            for left, right in spans(was, is_, self.overhead):
                self._add(found, Window(page, page + 1, left, right))
        everything = self._rows(whole)
        return min(found, everything, key=self._cost)

    def send(self, window: Window, pages: Pages) -> None:
        """Set the position and send the picture there."""
        column = self._first + window.left
        self._device.command(0xB0 | window.top, column & 0x0F, 0x10 | column >> 4)
        self._device.data(list(pages[window.top][window.left : window.right]))

    def _rows(self, window: Window) -> list[Window]:
        if self.tall:
            return [window]
        return [
            Window(page, page + 1, window.left, window.right)
            for page in range(window.top, window.bottom)
        ]

    def _add(self, found: list[Window], window: Window) -> None:
        """Add a window, or let one that reaches down to it take it in, if that is no dearer."""
        if self.tall:
            for number, above in enumerate(found):
                both = above.union(window)
                apart = above.size + window.size + self.overhead
                if above.bottom >= window.top and both.size <= apart:
                    found[number] = both
                    return
        found.append(window)

    def _cost(self, windows: list[Window]) -> int:
        return sum(window.size + self.overhead for window in windows)


class Windowed(Paged):
    """Sends windows to a controller in horizontal addressing mode: SSD1306 and its kin."""

    overhead = 10  # address and control byte twice, and six of position
    tall = True

    def send(self, window: Window, pages: Pages) -> None:
        """Set the window and send the picture in it."""
        const = self._device._const
        left, right = self._first + window.left, self._first + window.right - 1
        self._device.command(
            *(const.COLUMNADDR, left, right), *(const.PAGEADDR, window.top, window.bottom - 1)
        )
        rows = (
            pages[page][window.left : window.right] for page in range(window.top, window.bottom)
        )
        self._device.data(list(b"".join(rows)))


def paged(device: Any) -> Paged | None:
    """Return who sends parts of a frame to a luma device; None where luma itself has to."""
    from luma.oled import device as oled

    match device:
        case oled.ssd1306():
            return Windowed(device, device._colstart)
        case oled.sh1106():
            return Paged(device, device._page_address_offset)
        case oled.ch1115():
            return Paged(device, 2)  # as luma sends it
        case oled.sh1107():
            return Paged(device, 0)
        case _:
            return None
