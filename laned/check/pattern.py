"""The test pattern that `laned check` shows on the display."""

from typing import TYPE_CHECKING, Final

from laned.views.screen import Screen

if TYPE_CHECKING:
    from PIL.Image import Image

MARGIN: Final = 3  # pixels between the words and the edge


def pattern(size: tuple[int, int]) -> "Image":
    """A frame that shows whether every edge is there and nothing is mirrored or turned."""
    from PIL import Image, ImageDraw

    from laned.hardware.drawing import Box, paint

    width, height = size
    frame = Image.new("1", size)
    paint(frame, Screen(lines=("laned check",)), Box(0, 0, *size).inset(MARGIN, MARGIN))
    pen = ImageDraw.Draw(frame)
    pen.rectangle((0, 0, width - 1, height - 1), outline=1)
    corner = max(2, height // 8)
    pen.rectangle((0, 0, corner, corner), fill=1)  # the upper left one only
    return frame
