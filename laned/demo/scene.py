"""What the interactive demonstration looks like, in a window of any size."""

import textwrap
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from laned.demo.canvas import PLAIN, Canvas
from laned.demo.look import BOLD, CYAN, DIM, GREEN, RED, WHITE, YELLOW, Look
from laned.demo.pixels import ASCII, BLOCKS, BRAILLE, Style
from laned.demo.plays import CURRENCY
from laned.demo.stage import Said

if TYPE_CHECKING:
    from PIL.Image import Image

PANEL: Final = (128, 64)  # pixels
KEPT: Final = 200  # things said that may still be on the screen
PANES_BESIDE: Final = 44  # columns that make it worth having the panes beside the display
AROUND: Final = 3  # lines: the title above the display, the buttons and the keys below
FRAME: Final = 2
LEAST_BELOW: Final = {BLOCKS: 5, BRAILLE: 2, ASCII: 2}
"""Lines of panes below the display that are worth more than a larger display."""
TWO_PANES: Final = 100  # columns at which they stand side by side
TITLES: Final = (
    "laned stands between a shop's till and its card terminal. This is a lane of a shop: you are"
    " the customer, and press p to buy something.",
    "laned stands between a till and a card terminal. Press p to buy something.",
    "laned: press p to pay",
)
KEYS: Final = (
    (
        ("p", "pay 38.00"),
        ("s", "pay, the card wants a signature"),
        ("d", "pay, the bank says no"),
        ("a", "or Esc: abort button"),
        ("c", "or Enter: confirm button"),
        ("q", "quit"),
    ),
    (
        ("p", "pay"),
        ("s", "pay, signature"),
        ("d", "pay, declined"),
        ("a", "abort"),
        ("c", "confirm"),
        ("q", "quit"),
    ),
    (("p", "pay"), ("a", "abort"), ("c", "confirm"), ("q", "quit")),
)
NARROWEST: Final = 10  # columns of text beside who said it
KEY: Final = "7"  # reversed
PAYMENT: Final = f"{BOLD};{CYAN}"
LAMPS: Final = {"abort": f"1;7;{RED}", "confirm": f"1;7;{GREEN}"}
COLOURS: Final[Mapping[str, str]] = {"laned": BOLD, "terminal": YELLOW, "till": CYAN}


class View:
    """What there is to be seen: the newest frame, the lit buttons, what was said, what was paid."""

    def __init__(self) -> None:
        self.frame: Image | None = None
        self.words = ""
        self.lit: Mapping[str, bool] = {}
        self.said: deque[Said] = deque(maxlen=KEPT)
        self.charged = Decimal(0)


class Box(Struct, frozen=True):
    """A part of the window, in columns and lines."""

    x: int
    y: int
    width: int
    height: int


class Plan(Struct, frozen=True):
    """How a window is divided: the display's style (None: words instead), and every part's place.

    One pane holds everything that is said, two hold the till's side and the terminal's.
    """

    style: Style | None
    panel: Box
    panes: tuple[Box, ...]


def plan(columns: int, lines: int, look: Look) -> Plan:
    """The plan that shows most: the display as large as it goes, with room for the panes."""
    for style in (*((BLOCKS,) if look.unicode else ()), look.small):
        width, height = (size + FRAME for size in style.size(*PANEL))
        if columns >= width + PANES_BESIDE and lines >= height + AROUND:
            panel = Box(0, 1, width, height)
            rest = Box(width + 1, 1, columns - width - 2, lines - 2)
            upper = rest.height // 2
            halves = (
                Box(rest.x, rest.y, rest.width, upper),
                Box(rest.x, rest.y + upper, rest.width, rest.height - upper),
            )
            return Plan(style, panel, halves)
        if columns >= width and lines >= height + AROUND + LEAST_BELOW[style]:
            panel = Box((columns - width) // 2, 1, width, height)
            return Plan(style, panel, _below(panel, columns, lines))
    panel = Box(0, 1, columns, 1 + FRAME)
    return Plan(None, panel, _below(panel, columns, lines))


def _below(panel: Box, columns: int, lines: int) -> tuple[Box, ...]:
    top = panel.y + panel.height + 1  # under the buttons
    height = lines - top - 1
    if columns < TWO_PANES:
        return (Box(1, top, columns - 2, height),)
    half = columns // 2
    return Box(1, top, half - 2, height), Box(half, top, columns - half - 1, height)


def draw(view: View, columns: int, lines: int, look: Look) -> Canvas:
    """The whole window."""
    canvas = Canvas(columns, lines)
    canvas.put(1, 0, _widest(TITLES, columns - 2), BOLD)
    places = plan(columns, lines, look)
    _panel(canvas, places, view, look)
    _buttons(canvas, places.panel, view, look)
    if len(places.panes) == 1:
        _said(canvas, places.panes[0], view.said)
    else:
        charged = f"{view.charged:.2f} {CURRENCY} charged"
        titles = ("The till", f"laned and the card terminal, {charged}")
        sides = (("till", "button"), ("laned", "terminal"))
        for box, title, side in zip(places.panes, titles, sides, strict=True):
            rule = look.glyphs.box[4] * (box.width - len(title) - 1)
            canvas.put(box.x, box.y, f"{title} {rule}"[: box.width], DIM)
            rest = Box(box.x, box.y + 1, box.width, box.height - 1)
            _said(canvas, rest, [said for said in view.said if said.who in side])
    _keys(canvas)
    return canvas


def _panel(canvas: Canvas, places: Plan, view: View, look: Look) -> None:
    box = places.panel
    if places.style is None:
        picture, ink = [f" {view.words}"[: box.width - FRAME]], BOLD
    else:
        picture = [] if view.frame is None else places.style.text(view.frame)
        ink = WHITE
    top_left, top_right, low_left, low_right, across, down = look.glyphs.box
    edge = across * (box.width - FRAME)
    canvas.put(box.x, box.y, top_left + edge + top_right, DIM)
    for line in range(1, box.height - 1):
        canvas.put(box.x, box.y + line, down, DIM)
        canvas.put(box.x + box.width - 1, box.y + line, down, DIM)
    canvas.put(box.x, box.y + box.height - 1, low_left + edge + low_right, DIM)
    for line, text in enumerate(picture, box.y + 1):
        canvas.put(box.x + 1, line, text, ink)


def _buttons(canvas: Canvas, panel: Box, view: View, look: Look) -> None:
    """The two buttons under the display, as the labels above them stand; lit: with colour."""
    line = panel.y + panel.height
    for name, key in (("abort", "a"), ("confirm", "c")):
        lit = view.lit.get(name, False)
        lamp = look.glyphs.lit if lit else look.glyphs.unlit
        text = f" {lamp} {name} [{key}] "
        x = panel.x + 1 if name == "abort" else panel.x + panel.width - 1 - len(text)
        canvas.put(x, line, text, LAMPS[name] if lit else DIM)


def _said(canvas: Canvas, box: Box, said: Iterable[Said]) -> None:
    """The newest of what was said, the last at the bottom of what it needs."""
    lines: list[tuple[str, str]] = []
    for one in said:
        start = f"{one.at:6.1f}  {one.who:8}  "
        wrapped = textwrap.wrap(one.text, max(box.width - len(start), NARROWEST)) or [""]
        style = PAYMENT if one.text.startswith("hears: payment") else COLOURS.get(one.who, PLAIN)
        lines.append((start + wrapped[0], style))
        lines += [(" " * len(start) + line, style) for line in wrapped[1:]]
    for line, (text, style) in enumerate(lines[-box.height :] if box.height > 0 else (), box.y):
        canvas.put(box.x, line, text[: box.width], style)


def _keys(canvas: Canvas) -> None:
    line = canvas.lines - 1
    fitting = (keys for keys in KEYS if sum(len(k) + len(t) + 4 for k, t in keys) < canvas.columns)
    x = 1
    for key, text in next(fitting, KEYS[-1]):
        canvas.put(x, line, key, KEY)
        canvas.put(x + len(key) + 1, line, text)
        x += len(key) + len(text) + 4


def _widest(texts: Sequence[str], columns: int) -> str:
    return next((text for text in texts if len(text) <= columns), texts[-1])
