"""The interactive picture in windows of every size, with and without Unicode and colours."""

import io
import re
from itertools import product

import pytest
from PIL import Image

from laned.demo.canvas import Canvas
from laned.demo.look import Look, look_of
from laned.demo.pixels import ASCII, BLOCKS, BRAILLE, Style
from laned.demo.scene import View, draw, plan
from laned.demo.stage import Said
from laned.demo.window import typed

PLAIN = Look(unicode=True, braille=True, colour=False)
COLOUR = Look(unicode=True, braille=True, colour=True)
SEVEN_BITS = Look(unicode=False, braille=False, colour=False)
CONSOLE = Look(unicode=True, braille=False, colour=False)


def view() -> View:
    seen = View()
    seen.frame = Image.new("1", (128, 64), 255)
    seen.words = '"Present card"'
    seen.lit = {"abort": True, "confirm": False}
    for number in range(50):
        seen.said.append(Said(number, "till", f"hears: number {number}"))
        seen.said.append(Said(number, "terminal", "x" * 200))
    return seen


@pytest.mark.parametrize(
    ("columns", "lines", "look", "style", "panes"),
    [
        (200, 50, PLAIN, BLOCKS, 2),
        (150, 50, PLAIN, BLOCKS, 2),
        (150, 24, PLAIN, BRAILLE, 2),
        (80, 24, PLAIN, BRAILLE, 1),
        (80, 24, SEVEN_BITS, ASCII, 1),
        (200, 50, SEVEN_BITS, ASCII, 2),
        (80, 24, CONSOLE, ASCII, 1),
        (79, 20, PLAIN, None, 1),
        (40, 12, PLAIN, None, 1),
    ],
)
def test_the_display_is_as_large_as_the_window_allows(
    columns: int, lines: int, look: Look, style: Style | None, panes: int
) -> None:
    chosen = plan(columns, lines, look)
    assert (chosen.style, len(chosen.panes)) == (style, panes)
    if style is not None:
        assert chosen.panel.x + chosen.panel.width <= columns
        assert chosen.panel.y + chosen.panel.height + 2 <= lines  # the buttons and the keys


@pytest.mark.parametrize(
    ("columns", "lines", "look"),
    list(product((20, 66, 80, 110, 132, 200), (5, 18, 24, 40, 60), (PLAIN, SEVEN_BITS))),
)
def test_every_window_is_filled_exactly(columns: int, lines: int, look: Look) -> None:
    for seen in (View(), view()):
        rows = draw(seen, columns, lines, look).rows(look)
        assert [len(row) for row in rows] == [columns] * lines
        assert "press p" in rows[0].lower()
        assert look.unicode or "".join(rows).isascii()


def test_the_newest_is_to_be_seen_and_the_lamps_and_the_keys() -> None:
    rows = draw(view(), 150, 50, PLAIN).rows(PLAIN)
    assert any("hears: number 49" in row for row in rows)
    assert any("● abort [a]" in row and "○ confirm [c]" in row for row in rows)
    assert "quit" in rows[-1]
    assert sum("█" * 128 in row for row in rows) == 32


def test_colours_are_all_that_a_look_without_them_lacks() -> None:
    coloured = draw(view(), 150, 50, COLOUR).rows(COLOUR)
    assert all("\x1b[" in row for row in coloured[:3])
    bare = [re.sub(r"\x1b\[[0-9;]*m", "", row) for row in coloured]
    assert bare == draw(view(), 150, 50, PLAIN).rows(PLAIN)


def test_what_does_not_fit_on_a_canvas_is_cut_off_and_controls_are_not_passed_on() -> None:
    canvas = Canvas(4, 2)
    canvas.put(2, 0, "abc")
    canvas.put(-1, 1, "x\x1b\x07yz")
    canvas.put(0, 2, "below")
    assert canvas.rows(PLAIN) == ["  ab", "??yz"]


def test_keys_are_told_from_sequences() -> None:
    assert typed("p") == ["p"]
    assert typed("pq") == ["p", "q"]
    assert typed("\x1b") == ["\x1b"]
    assert typed("\x1b[A") == []
    assert typed("\x1bOP\x1b[1;5Cq") == ["q"]
    assert typed("\x1b\x1b") == ["\x1b", "\x1b"]


class Window(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("encoding", "environ", "look"),
    [
        ("utf-8", {"TERM": "xterm"}, Look(unicode=True, braille=True, colour=True)),
        ("utf-8", {"TERM": "xterm", "NO_COLOR": "1"}, PLAIN),
        ("utf-8", {"TERM": "dumb"}, PLAIN),
        ("utf-8", {"TERM": "linux", "NO_COLOR": "1"}, CONSOLE),
        ("latin-1", {"TERM": "xterm", "NO_COLOR": "1"}, SEVEN_BITS),
    ],
)
def test_what_a_window_can_show(encoding: str, environ: dict[str, str], look: Look) -> None:
    with Window(io.BytesIO(), encoding=encoding) as window:
        assert look_of(window, environ) == look


def test_a_pipe_has_no_colours() -> None:
    with io.TextIOWrapper(io.BytesIO(), encoding="utf-8") as pipe:
        assert look_of(pipe, {"TERM": "xterm"}) == PLAIN
