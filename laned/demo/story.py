"""A scenario told line by line: when, who, what; and what the lane's display showed."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final, TextIO

from laned.demo import words
from laned.demo.look import BOLD, CYAN, DIM, GREEN, RED, YELLOW, Look
from laned.demo.plays import Play
from laned.demo.stage import Happening, Said, Shown

TIME: Final = 7  # columns
WHO: Final = 10
INDENT: Final = 8  # of the pictures: with their frame they end before column 80
NARROWEST: Final = 20  # columns of text, however narrow the window
_COLOURS: Final[Mapping[str, str]] = {
    "till": CYAN,
    "terminal": YELLOW,
    "laned": BOLD,
    "display": BOLD,
    "button": GREEN,
}
SETTING: Final = (
    "laned, its journal, its display and its buttons are real, the last two on virtual hardware."
    " The till speaks to laned through its socket, as any till would; the card terminal is"
    " simulated, on a TCP port of this machine."
)


class Story:
    """Writes to `out`, `columns` wide, as well as its `look` allows; frames with `pictures`."""

    def __init__(self, out: TextIO, look: Look, columns: int) -> None:
        self._out = out
        self._look = look
        self._columns = columns
        self.pictures = True
        self._drawn: set[tuple[str, ...]] = set()

    def begin(self, play: Play) -> None:
        """Say what is about to happen."""
        self._write(self._look.paint(f"laned demo: {play.name}", BOLD), "")
        for paragraph in (play.about, SETTING):
            self._write(*self._wrapped(paragraph, "  "), "")
        header = f"{'time':>{TIME}}  {'who':{WHO}}what"
        self._write(self._look.paint(header, DIM))

    def tell(self, happening: Happening) -> None:
        """Write down one thing that happened."""
        match happening:
            case Said(at=at, who=who, text=text):
                self._line(at, who, text)
            case Shown(at=at, frame=frame, screen=screen):
                self._line(at, "display", words.of_screen(screen))
                # A text is drawn once, and the stars of a PIN not at all: words do.
                stars = any("*" in line for line in screen.lines)
                if self.pictures and not stars and screen.lines not in self._drawn:
                    self._drawn.add(screen.lines)
                    self._picture(self._look.small.text(frame))

    def end(self, payment: Mapping[str, Any]) -> None:
        """Write down what came of it."""
        outcome = f"{payment['state']}{words.of_outcome(payment)}"
        told = f"{payment['id']}, {payment['amount']} {payment['currency']}: {outcome}"
        self._write("", *self._wrapped(told, "  "))
        receipt = payment["receipts"]["customer"]
        if receipt:
            self._write("  The customer's receipt:", "")
            edge = self._look.glyphs.box[5]
            self._write(*(f"    {edge} {line}".rstrip() for line in receipt["lines"]))

    def judge(self, play: Play, faults: Sequence[str]) -> None:
        """Write down what was proven, or what is not as it should be."""
        word, code = ("Not as it should be", RED) if faults else ("As it should be", GREEN)
        first, *rest = self._wrapped(f"{word}: {'; '.join(faults) or play.proves}", "")
        self._write("", self._look.paint(word, code) + first.removeprefix(word), *rest)

    def _line(self, at: float, who: str, text: str) -> None:
        indent = " " * (TIME + 2 + WHO)
        first, *rest = self._wrapped(text, indent)
        time = self._look.paint(f"{at:{TIME}.2f}", DIM)
        name = self._look.paint(f"{who:{WHO}}", _COLOURS.get(who, ""))
        self._write(f"{time}  {name}{first.removeprefix(indent)}", *rest)

    def _picture(self, lines: Sequence[str]) -> None:
        width = len(lines[0])
        if INDENT + width + 2 > self._columns:
            return  # the words stand above
        top_left, top_right, low_left, low_right, across, down = self._look.glyphs.box
        self._write(
            *(
                " " * INDENT + line
                for line in (
                    top_left + across * width + top_right,
                    *(down + line + down for line in lines),
                    low_left + across * width + low_right,
                )
            )
        )

    def _wrapped(self, text: str, indent: str) -> list[str]:
        width = max(self._columns, len(indent) + NARROWEST)
        return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent) or [""]

    def _write(self, *lines: str) -> None:
        print(*lines, sep="\n", file=self._out, flush=True)
