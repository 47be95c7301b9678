"""The terminal window as a full screen: keys one by one, and put back as it was, whatever happens.

Standard input is only ever waited for and read, never made non-blocking: that would outlast us, as
the shell shares it.
"""

import os
import re
import sys
import termios
from collections.abc import AsyncGenerator
from contextlib import suppress
from types import TracebackType
from typing import Any, Final

import trio

ENTER: Final = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J"  # other screen; no cursor, no wrapping
LEAVE: Final = "\x1b[m\x1b[?7h\x1b[?25h\x1b[?1049l"
LOCAL_FLAGS: Final = 3  # place in what tcgetattr returns
CONTROL_CHARACTERS: Final = 6
ESCAPE: Final = "\x1b"
SEQUENCE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.)")
READ: Final = 64  # bytes; more than anybody types between two looks
SMALLEST: Final = (20, 5)  # columns and lines that are drawn, seen or not


class Window:
    """The window of standard input and output. A context manager."""

    def __init__(self) -> None:
        self._input = sys.stdin.fileno()
        self._saved: list[Any] = []
        self._shown: list[str] = []

    def __enter__(self) -> "Window":
        self._saved = termios.tcgetattr(self._input)
        modes = termios.tcgetattr(self._input)
        modes[LOCAL_FLAGS] &= ~(termios.ECHO | termios.ICANON)
        modes[CONTROL_CHARACTERS][termios.VMIN] = 1
        modes[CONTROL_CHARACTERS][termios.VTIME] = 0
        # Suspended, the window would stay as it is.
        modes[CONTROL_CHARACTERS][termios.VSUSP] = b"\0"
        termios.tcsetattr(self._input, termios.TCSAFLUSH, modes)
        self._write(ENTER)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(OSError, termios.error):  # the window may be gone
            self._write(LEAVE)
        with suppress(termios.error):
            termios.tcsetattr(self._input, termios.TCSAFLUSH, self._saved)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        size = os.get_terminal_size(sys.stdout.fileno())
        return max(size.columns, SMALLEST[0]), max(size.lines, SMALLEST[1])

    def show(self, rows: list[str]) -> None:
        """Make the window look like `rows`, each as wide as it is."""
        changes = [
            f"\x1b[{number};1H{row}"
            for number, row in enumerate(rows, 1)
            if self._shown[number - 1 : number] != [row]
        ]
        self._shown = rows
        if changes:
            self._write("".join(changes))

    def forget(self) -> None:
        """The window has changed its size: draw everything anew."""
        self._shown = []
        self._write("\x1b[2J")

    async def keys(self) -> AsyncGenerator[str, None]:
        """Each key that is pressed, until there is no more input; arrows and the like are not."""
        while True:
            await trio.lowlevel.wait_readable(self._input)
            try:
                read = os.read(self._input, READ)
            except OSError:
                return  # the window is gone
            if not read:
                return
            for key in typed(read.decode(errors="ignore")):
                yield key

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def typed(text: str) -> list[str]:
    """The keys in what was read at once, without the sequences that arrows and the like send."""
    return list(SEQUENCE.sub("", text))
