"""The test pattern that `laned check` shows on the display."""

from typing import TYPE_CHECKING

from laned.lane.screen import Icon, Screen

if TYPE_CHECKING:
    from PIL.Image import Image


def pattern(size: tuple[int, int]) -> "Image":
    """A frame that shows whether every edge is there and nothing is mirrored or turned."""
    from PIL import ImageDraw

    from laned.drawing import draw

    frame = draw(Screen(lines=("laned check",), icon=Icon.NONE), size, 0)
    pen = ImageDraw.Draw(frame)
    width, height = size
    pen.rectangle((0, 0, width - 1, height - 1), outline=1)
    corner = max(2, height // 8)
    pen.rectangle((0, 0, corner, corner), fill=1)  # the upper left one only
    return frame
