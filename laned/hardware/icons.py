"""The signs on the display, drawn in a square of any size: what a font of letters does not have."""

from collections.abc import Callable, Mapping

from PIL import ImageDraw

from laned.views.screen import Icon

Mark = Callable[[ImageDraw.ImageDraw, int, int, int, int], None]
"""Draws into the square at x, y with sides of `size` pixels, in colour `ink` (0 or 1)."""


def _cross(pen: ImageDraw.ImageDraw, x: int, y: int, size: int, ink: int) -> None:
    end = size - 1
    for shift in range(max(2, size // 6)):
        pen.line((x + shift, y, x + end, y + end - shift), fill=ink)
        pen.line((x, y + shift, x + end - shift, y + end), fill=ink)
        pen.line((x + end - shift, y, x, y + end - shift), fill=ink)
        pen.line((x + end, y + shift, x + shift, y + end), fill=ink)


def _check(pen: ImageDraw.ImageDraw, x: int, y: int, size: int, ink: int) -> None:
    end = size - 1
    foot = size // 3
    thick = max(3, size // 4)
    for shift in range(2 - thick, 2):
        low = y + end - 1 + shift
        pen.line((x, low - foot, x + foot, low), fill=ink)
        pen.line((x + foot, low, x + end, low - (end - foot)), fill=ink)


def _card(pen: ImageDraw.ImageDraw, x: int, y: int, size: int, ink: int) -> None:
    height = size * 7 // 10
    top = y + (size - height) // 2
    right, bottom = x + size - 1, top + height - 1
    pen.rounded_rectangle((x, top, right, bottom), radius=2, outline=ink)
    stripe = top + height // 4
    pen.rectangle((x, stripe, right, stripe + max(1, size // 7)), fill=ink)
    line = bottom - max(2, height // 5)
    pen.line((x + 3, line, x + size // 2, line), fill=ink)


def _wait(pen: ImageDraw.ImageDraw, x: int, y: int, size: int, ink: int) -> None:
    """Draw an hourglass, half run."""
    end = size - 1
    edge = max(2, size // 6)
    left, right = x + edge, x + end - edge
    middle, half = x + end / 2, y + end / 2
    for bar in (y, y + end - 1):
        pen.rectangle((left - 1, bar, right + 1, bar + 1), fill=ink)
    pen.line((left, y, middle, half, left, y + end), fill=ink)
    pen.line((right, y, middle, half, right, y + end), fill=ink)
    sand = size // 4
    pen.polygon(
        ((left + sand, y + sand + 1), (right - sand, y + sand + 1), (middle, half)), fill=ink
    )
    pen.polygon(((left + 1, y + end), (right - 1, y + end), (middle, y + end - sand)), fill=ink)


def _offline(pen: ImageDraw.ImageDraw, x: int, y: int, size: int, ink: int) -> None:
    """Draw bars of a signal, struck out."""
    end = size - 1
    step = max(3, size // 4)
    for index in range(4):
        left = x + index * step
        if left + step - 2 > x + end:
            break
        height = (index + 1) * size // 4
        pen.rectangle((left, y + size - height, left + step - 2, y + end), fill=ink)
    for shift in range(-2, 4):
        colour = ink if shift in (0, 1) else 1 - ink
        across, down = max(0, -shift), max(0, shift)
        pen.line((x + across, y + down, x + end - down, y + end - across), fill=colour)


def _signature(pen: ImageDraw.ImageDraw, x: int, y: int, size: int, ink: int) -> None:
    """Draw a pen above the line that it writes on."""
    end = size - 1
    pen.line((x, y + end, x + end, y + end), fill=ink)
    thick = max(2, size // 6)
    tip = (x + size // 6, y + end - 3)
    top = (x + end - thick, y + thick)
    neck = (tip[0] + thick, tip[1] - thick)
    pen.line((*neck, *top), fill=ink, width=thick + 1)
    pen.polygon(
        (
            tip,
            (neck[0] - thick // 2, neck[1] - thick // 2),
            (neck[0] + thick // 2, neck[1] + thick // 2),
        ),
        fill=ink,
    )


def _warning(pen: ImageDraw.ImageDraw, x: int, y: int, size: int, ink: int) -> None:
    end = size - 1
    middle = x + end / 2
    pen.polygon(((middle, y), (x + end, y + end - 1), (x, y + end - 1)), fill=ink)
    half = size // 16
    left, right = int(middle) - half + (end % 2 == 0), int(middle) + half + 1 - (end % 2 == 0)
    pen.rectangle((left, y + size * 3 // 8, right, y + size * 5 // 8), fill=1 - ink)
    pen.rectangle((left, y + end - size // 6 - half, right, y + end - size // 6), fill=1 - ink)


def _pin(pen: ImageDraw.ImageDraw, x: int, y: int, size: int, ink: int) -> None:
    """Draw the keys of a PIN pad."""
    key = max(1, size // 5)
    step = (size - key) // 3
    for row in range(4):
        for column in range(3):
            left = x + (size - 2 * step - key) // 2 + column * step
            top = y + row * step
            pen.rectangle((left, top, left + key - 1, top + key - 1), fill=ink)


MARKS: Mapping[str, Mark] = {
    Icon.CROSS: _cross,
    Icon.CHECK: _check,
    Icon.PIN: _pin,
    Icon.CARD: _card,
    Icon.WAIT: _wait,
    Icon.OFFLINE: _offline,
    Icon.SIGNATURE: _signature,
    Icon.WARNING: _warning,
}
