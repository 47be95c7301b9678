"""Text at one bit a pixel: cleaned for the font, wrapped, and sized to fit a box."""

import importlib.util
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path

from msgspec import Struct, structs
from PIL import ImageFont

MAX_CHARACTERS = 1000
"""Of a screen's text; the rest is replaced by an ellipsis, which is seen."""
FACE = "Roboto-Bold.ttf"
FACES = {10: "Roboto-Medium.ttf", 11: "Roboto-Medium.ttf", 14: "Roboto-Black.ttf"}
"""Sizes at which another weight comes out better at one bit: a bold t of 11 looks like a 1."""
READABLE = 13
"""The largest size of text that is stepped through: beyond it, fewer words would show at once."""
SCROLL_BAR = 4
"""Columns kept free for the bar beside text that is stepped through."""
REPLACEMENT = "?"
NO_BREAK = "\N{NO-BREAK SPACE}"
MONEY = re.compile(r"(?<=\d) (?=(?:\d|[A-Z]{3}(?!\w)|kr(?!\w)|€))")
"""The spaces inside an amount with its currency, where a line must not break."""
RESERVED = "\ue000"
"""Takes the room of a star, and is not drawn."""
STARS = re.compile(r"(?<=\S) (\*{1,12})$")
"""A PIN as it is typed, at the end of a line."""
TYPED = re.compile(rf"\*[*{RESERVED}]*$")
"""The same, with the room that is kept for the rest of it."""
PIN_LENGTHS = (4, 6, 12)
"""Room is kept for a PIN of so many digits, so that the line stands still while it is typed."""

Lines = tuple[str, ...]


class Block(Struct, frozen=True):
    """Text wrapped for a box: its lines, the font size, and how many lines show at once.

    `top` is where the ink of the highest letter begins, from the pen's position; `ink` is the
    height from there to the foot of the lowest. Text is centred by its ink, not by the font's box.
    """

    lines: Lines
    size: int
    visible: int
    top: int
    ink: int

    @property
    def steps(self) -> int:
        """How many positions it steps through; 1 when all of it shows at once."""
        return max(1, len(self.lines) - self.visible + 1)

    @property
    def first(self) -> int:
        """The position to begin with: a PIN is typed faster than a text is stepped through."""
        typed = (number for number, line in enumerate(self.lines) if TYPED.search(line))
        return min(next(typed, 0), self.steps - 1)

    @property
    def pitch(self) -> int:
        """Pixels from one line to the next."""
        return self.ink + max(2, self.size // 5)

    def fits(self, width: int, height: int) -> bool:
        """Whether all lines show at once in so many pixels."""
        tall = (len(self.lines) - 1) * self.pitch + self.ink
        return tall <= height and all(line_width(line, self.size) <= width for line in self.lines)


NO_TEXT = Block((), READABLE, 1, 0, 0)


def clean(lines: Sequence[str]) -> Lines:
    """Return the lines as the font can draw them: one space between words, no empty lines.

    Control characters become spaces; a letter that the font lacks becomes the nearest or "?".
    """
    result = []
    left = MAX_CHARACTERS
    for line in lines:
        # One more than may stay, so that a cut is noticed before work is done on the rest.
        composed = unicodedata.normalize("NFC", line[: left + 1])
        words = "".join(map(_drawable, composed)).split()
        if not words:
            continue
        text = " ".join(words)
        if len(line) > left:
            result.append(text[:left] + "…")
            break
        left -= len(line)
        result.append(STARS.sub(_with_room, MONEY.sub(NO_BREAK, text)))
    return tuple(result)


def _with_room(stars: re.Match[str]) -> str:
    typed = stars[1]
    length = next(length for length in PIN_LENGTHS if length >= len(typed))
    return NO_BREAK + typed.ljust(length, RESERVED)


@lru_cache(maxsize=512)
def fit(text: Lines, width: int, height: int, sizes: tuple[int, ...]) -> Block:
    """Wrap at the largest of `sizes` (falling) that fits the box; else to be stepped through."""
    for size in sizes:
        lines: list[str] = []
        for line in _wrap(text, size, width):
            lines.append(line)
            # Enough to give up early: a line's ink is never less than half its size on average.
            if line_width(line, size) > width or len(lines) * size // 2 > height:
                break
        else:
            block = measured(tuple(lines), size)
            if block.fits(width, height):
                return block
    return _stepped(text, width - SCROLL_BAR, height, sizes)


def measured(lines: Lines, size: int) -> Block:
    """Return the block of these lines, all visible."""
    extents = [_extent(line, size) for line in lines]
    top = min(extent[1] for extent in extents)
    return Block(lines, size, len(lines), top, max(extent[3] for extent in extents) - top)


def line_width(line: str, size: int) -> int:
    """Width of the ink in pixels."""
    left, _, right, _ = _extent(line, size)
    return right - left


def line_left(line: str, size: int) -> int:
    """Where the ink begins, in pixels from the pen's position."""
    return _extent(line, size)[0]


@lru_cache(maxsize=32)
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return Roboto's face for that size. RuntimeError when the package font-roboto is missing."""
    path = _face(FACES.get(size, FACE))
    # The basic layout engine is always there, so that every machine draws the same.
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def load() -> None:
    """Open all faces, which stay: an upgrade may take their files away."""
    for name in {FACE, *FACES.values()}:
        _face(name)


@cache
def _face(name: str) -> str:
    """Open a face's file; where to read it, whatever becomes of its name."""
    return f"/proc/self/fd/{os.open(_fonts() / name, os.O_RDONLY | os.O_CLOEXEC)}"


@lru_cache(maxsize=1)
def _fonts() -> Path:
    # Found without running the package, which lists its files at import.
    spec = importlib.util.find_spec("font_roboto")
    if spec is None or spec.origin is None:
        raise RuntimeError("cannot find the font: the package font-roboto is not installed")
    return Path(spec.origin).parent / "files"


def _extent(line: str, size: int) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of the ink, from the pen's position."""
    return _ink(line.replace(RESERVED, "*"), size)


@lru_cache(maxsize=4096)
def _ink(line: str, size: int) -> tuple[int, int, int, int]:
    left, top, right, bottom = font(size).getbbox(line, mode="1")
    return int(left), int(top), int(right), int(bottom)


@lru_cache(maxsize=4096)
def _drawable(character: str) -> str:
    category = unicodedata.category(character)
    if category in {"Cc", "Zs", "Zl", "Zp"}:
        return " "
    if category in {"Cf", "Mn", "Me"}:
        return ""
    if not _missing(character):
        return character
    nearest = unicodedata.normalize("NFKD", character)[0]
    return REPLACEMENT if _missing(nearest) else nearest


def _missing(character: str) -> bool:
    """Whether the font shows the same sign for it as for a code point that is no character."""
    face = font(20)
    return bytes(face.getmask(character, "1")) == bytes(face.getmask("\U0010ffff", "1"))


def _stepped(text: Lines, width: int, height: int, sizes: tuple[int, ...]) -> Block:
    """Wrap at the largest readable size that breaks no word, or else at the smallest.

    A smaller one that shows two lines at once goes before a larger one that shows a single line.
    """
    low = [s for s in sizes if s <= READABLE and measured(text, s).ink <= height] or [sizes[-1]]
    whole = [s for s in low if all(line_width(n, s) <= width for n in _wrap(text, s, width))]
    blocks = [_window(text, size, width, height) for size in whole or low[-1:]]
    return max(blocks, key=lambda block: (min(block.visible, 2), block.size))


def _window(text: Lines, size: int, width: int, height: int) -> Block:
    """Return the text wrapped at that size, as many lines of it visible as the height takes."""
    block = measured(tuple(_split(_wrap(text, size, width), size, width)), size)
    visible = max(1, (height - block.ink) // block.pitch + 1)
    return structs.replace(block, visible=min(visible, len(block.lines)))


def _wrap(text: Lines, size: int, width: int) -> Iterator[str]:
    """Break at spaces. A word wider than `width` has a line of its own, and is not broken."""
    for paragraph in text:
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if line and line_width(longer, size) > width:
                yield line
                line = word
            else:
                line = longer
        yield line


def _split(lines: Iterable[str], size: int, width: int) -> Iterator[str]:
    """Break lines that are wider than `width` anywhere."""
    for line in lines:
        start = 0
        for end in range(2, len(line) + 1):
            if end - start > 1 and line_width(line[start:end], size) > width:
                yield line[start : end - 1]
                start = end - 1
        yield line[start:]
