"""Draws a `Screen` as a 1-bit picture: pure, no device, no clock.

A screen is laid out as *items* (the text, the amount, a button) in boxes, on one page, or on two
for a panel too low to hold text and buttons at once. Text that fits at no size steps through its
lines; `tick` says which step is shown. Nothing is ever cut unseen.
"""

from enum import Enum, auto
from functools import lru_cache

from msgspec import Struct, structs
from PIL import Image, ImageDraw

from laned.hardware.font import (
    NO_TEXT,
    RESERVED,
    SCROLL_BAR,
    Block,
    Lines,
    clean,
    fit,
    font,
    line_left,
    line_width,
    measured,
)
from laned.hardware.icons import MARKS
from laned.views.screen import Icon, Screen

TEXT_SIZES = (48, 44, 40, 36, 32, 30, 28, 26, 24, 22, 20, 18, 16, 14, 13, 12, 11)
"""Font sizes in pixels."""
ICON_SIZE_LOSS = 16
"""An icon may cost the text some of its size, down to this, but not a further line as well."""
LABEL_SIZES = (14, 13, 12, 11, 10)
AMOUNT_SIZES = (18, 16, *LABEL_SIZES)
LOW = 24
"""Pixels: panels lower than this show text and buttons one after the other."""
ROOMY = 48
"""Pixels: panels at least this high have a row for the amount."""
STRIP, LOW_STRIP = 16, 13
"""Height of the buttons, on a roomy panel and on others."""
AMOUNT_ROW, LOW_AMOUNT_ROW = 16, 11
ICON = 22
GAP = 2
PADDING = 3
PLACES = ((1, 1), (2, 1), (2, 2), (1, 2), (0, 2), (0, 1), (0, 0), (1, 0), (2, 0))
"""Where the picture can stand, in pixels from the corner: it moves so that none burns in."""


class Box(Struct, frozen=True):
    """A rectangle, in pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column to the right of it."""
        return self.x + self.width

    def inset(self, across: int, down: int) -> "Box":
        """Return the box with that much taken off each side."""
        return Box(self.x + across, self.y + down, self.width - 2 * across, self.height - 2 * down)

    def split_left(self, width: int) -> tuple["Box", "Box"]:
        """Return the leftmost `width` columns and the rest."""
        rest = Box(self.x + width, self.y, self.width - width, self.height)
        return Box(self.x, self.y, width, self.height), rest

    def split_top(self, height: int) -> tuple["Box", "Box"]:
        """Return the topmost `height` rows and the rest."""
        rest = Box(self.x, self.y + height, self.width, self.height - height)
        return Box(self.x, self.y, self.width, height), rest


class Frame(Enum):
    """How an item is set off from the ground."""

    NONE = auto()
    OUTLINE = auto()
    FILLED = auto()


class Item(Struct, frozen=True):
    """A text in its box, with a mark to its left."""

    box: Box
    block: Block
    mark: str = ""
    mark_size: int = 0
    frame: Frame = Frame.NONE


Page = tuple[Item, ...]


def draw(screen: Screen, size: tuple[int, int], tick: int = 0, place: int = 0) -> Image.Image:
    """Return the picture of `screen`, mode "1", of `size` = (width, height) pixels.

    `tick` counts the steps of a screen that `scrolls`, and starts again at the end; for other
    screens it changes nothing. `place` counts the moves of the whole picture among PLACES.
    """
    image = blank(size)
    paint(image, screen, area(size, place), tick)
    return image


def blank(size: tuple[int, int]) -> Image.Image:
    """Return the picture of a panel that is switched off."""
    return Image.new("1", size)


def scrolls(screen: Screen, size: tuple[int, int]) -> bool:
    """Whether `screen` shows only a part of itself at a time, so that ticks matter."""
    box = area(size)
    return sum(map(_duration, _layout(screen, box.width, box.height))) > 1


def area(size: tuple[int, int], place: int = 0) -> Box:
    """The part of the panel that is drawn on. A low panel has no rows to spare for moves."""
    width, height = size
    across, down = PLACES[place % len(PLACES)]
    if height < LOW:
        return Box(across, 0, width - 2, height)
    return Box(across, down, width - 2, height - 2)


def paint(image: Image.Image, screen: Screen, box: Box, tick: int = 0) -> None:
    """Draw `screen` into `box` of `image`, and nowhere else."""
    pen = ImageDraw.Draw(image)
    pen.fontmode = "1"
    pages = _layout(screen, box.width, box.height)
    step = tick % sum(map(_duration, pages))
    for page in pages:
        if step < _duration(page):
            for item in page:
                _paint_item(pen, item, (box.x, box.y), step)
            return
        step -= _duration(page)


def _duration(page: Page) -> int:
    return max((item.block.steps for item in page), default=1)


# Layout


@lru_cache(maxsize=64)
def _layout(screen: Screen, width: int, height: int) -> tuple[Page, ...]:
    """Place everything on one page, or on two where the panel is too low for both."""
    box = Box(0, 0, width, height)
    text = clean(screen.lines)
    amount = clean([screen.amount])
    if height < LOW:
        pages = (_text(_joined(text, amount, box), screen.icon, box), _buttons(screen, box))
        return tuple(page for page in pages if page) or ((),)

    body, strip = box.split_top(height - (STRIP if height >= ROOMY else LOW_STRIP))
    buttons = _buttons(screen, strip)
    body = body.split_top(body.height - GAP)[0] if buttons else box
    beside = _amount_beside(amount, buttons, strip) if amount and height < ROOMY else None
    row: Page = ()
    if beside is not None:
        row = (beside,)
    elif amount and height >= ROOMY:
        top, body = body.split_top(AMOUNT_ROW)
        row = (Item(top, fit(amount, top.width, top.height, AMOUNT_SIZES)),)
    elif amount and body.height >= LOW:
        top, body = body.split_top(LOW_AMOUNT_ROW)
        row = (Item(top, fit(amount, top.width, top.height, LABEL_SIZES)),)
    else:
        text = _joined(text, amount, body)
    return (row + _text(text, screen.icon, body) + buttons,)


def _amount_beside(amount: Lines, buttons: Page, strip: Box) -> Item | None:
    """Place the amount in the buttons' strip; None if they leave no room for it."""
    if not buttons:
        return None
    left = max((b.box.right for b in buttons if b.box.x == strip.x), default=strip.x)
    right = min((b.box.x for b in buttons if b.box.x != strip.x), default=strip.right)
    free = Box(left + GAP, strip.y, right - left - 2 * GAP, strip.height)
    block = fit(amount, free.width, free.height, LABEL_SIZES)
    whole = len(block.lines) == 1 and block.fits(free.width, free.height)
    return Item(free, block) if whole else None


def _joined(text: Lines, amount: Lines, box: Box) -> Lines:
    """The text and the amount for a box without a row for it: on one line if that shows whole."""
    one = (" ".join(text + amount),)
    whole = fit(one, box.width, box.height, TEXT_SIZES).steps == 1
    return one if amount and len(text) == 1 and whole else text + amount


def _text(text: Lines, icon: Icon, box: Box) -> Page:
    """Centre the text, with the icon to its left where that does not hurt it: words come first."""
    mark = min(ICON, box.height)
    if not text:
        return (Item(box, NO_TEXT, icon, mark),) if icon is not Icon.NONE else ()
    plain = fit(text, box.width, box.height, TEXT_SIZES)
    if icon is not Icon.NONE:
        beside = fit(text, box.width - mark - 2 * GAP, box.height, TEXT_SIZES)
        smaller = beside.size < plain.size
        if smaller and (beside.size < ICON_SIZE_LOSS or len(beside.lines) > len(plain.lines)):
            return (Item(box, plain),)
        if beside.steps == plain.steps == 1:
            return (Item(box, beside, icon, mark),)
    return (Item(box, plain),)


def _buttons(screen: Screen, strip: Box) -> Page:
    """Abort at the left edge, confirm at the right, each as wide as its label needs."""
    wanted = (
        (clean([screen.abort]), "cross", Frame.OUTLINE),
        (clean([screen.confirm]), "check", Frame.FILLED),
    )
    labels = [entry for entry in wanted if entry[0]]
    if not labels:
        return ()
    mark_size = 9 if strip.height >= STRIP else 7
    around = mark_size + GAP + 2 * PADDING
    room = strip.width - (len(labels) - 1) * GAP
    blocks, widths = _side_by_side([entry[0] for entry in labels], room, around, strip.height - 3)
    # One base line for both.
    top = min(block.top for block in blocks)
    ink = max(block.top + block.ink for block in blocks) - top
    page = []
    for (_, mark, frame), block, width in zip(labels, blocks, widths, strict=True):
        box = Box(strip.x if mark == "cross" else strip.right - width, strip.y, width, strip.height)
        label = structs.replace(block, top=top, ink=ink) if ink <= strip.height else block
        page.append(Item(box, label, mark, mark_size, frame))
    return tuple(page)


def _side_by_side(
    labels: list[Lines], room: int, around: int, height: int
) -> tuple[list[Block], list[int]]:
    """Wrap labels at one size, as wide as each needs; else equally wide, stepping through."""
    for size in LABEL_SIZES:
        blocks = [measured(label, size) for label in labels]
        widths = [around + line_width(block.lines[0], size) for block in blocks]
        tall = max(b.top + b.ink for b in blocks) - min(b.top for b in blocks)
        if sum(widths) <= room and tall <= height:
            return blocks, widths
    width = room // len(labels)
    stepped = [fit(label, width - around, height, LABEL_SIZES) for label in labels]
    return stepped, [width] * len(labels)


# Painting


def _paint_item(pen: ImageDraw.ImageDraw, item: Item, origin: tuple[int, int], step: int) -> None:
    box = Box(item.box.x + origin[0], item.box.y + origin[1], item.box.width, item.box.height)
    ink = 0 if item.frame is Frame.FILLED else 1
    if item.frame is not Frame.NONE:
        corners = (box.x, box.y, box.right - 1, box.y + box.height - 1)
        pen.rounded_rectangle(corners, radius=3, fill=1 - ink, outline=1)
        box = box.inset(PADDING, 1)
    block = item.block
    step = (block.first + step) % block.steps
    if block.steps > 1:
        box, bar = box.split_left(box.width - SCROLL_BAR)
        _paint_bar(pen, bar, step, block, ink)
    shown = block.lines[step : step + block.visible]
    if item.mark:
        width = max((line_width(line, block.size) for line in shown), default=0)
        gap = (GAP if item.frame is not Frame.NONE else 2 * GAP) if shown else 0
        box = box.inset((box.width - item.mark_size - gap - width) // 2, 0)
        square, box = box.split_left(item.mark_size)
        y = square.y + (square.height - item.mark_size) // 2
        MARKS[item.mark](pen, square.x, y, item.mark_size, ink)
        box = box.split_left(gap)[1]
    height = (len(shown) - 1) * block.pitch + block.ink
    y = box.y + (box.height - height) // 2 - block.top
    for line in shown:
        x = box.x + (box.width - line_width(line, block.size)) // 2 - line_left(line, block.size)
        pen.text((x, y), line.replace(RESERVED, ""), font=font(block.size), fill=ink)
        y += block.pitch


def _paint_bar(pen: ImageDraw.ImageDraw, box: Box, step: int, block: Block, ink: int) -> None:
    """Show which part of the text is to be seen, at the right edge of `box`."""
    length = max(2, box.height * block.visible // len(block.lines))
    top = box.y + (box.height - length) * step // (block.steps - 1)
    pen.rectangle((box.right - 2, top, box.right - 1, top + length - 1), fill=ink)
