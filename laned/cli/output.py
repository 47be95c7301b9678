"""Where a command's words go: streams that may be closed, full, or know no letter but ASCII.

An exit status is a statement about money, so no trouble with a stream may end a command: what
cannot be written is left out, and `Output.fault` says why.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EBADF, EPIPE
from io import TextIOBase, TextIOWrapper
from typing import Final, TextIO

STANDARD: Final = (0, 1, 2)


class Output(TextIOBase):
    """A text stream that writes what it can, at once, and never raises.

    `fault` is why something could not be written, empty when nobody is left to read it: the reader
    has what it wanted then. None: all was written.
    """

    def __init__(self, stream: TextIO | None, fd: int) -> None:
        self._stream = stream
        self._fd = fd
        self.fault: str | None = None
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        """Write `text`, or note why that cannot be done."""
        try:
            if self._stream is None:
                raise OSError(EBADF, os.strerror(EBADF))
            self._stream.write(text)
            self._stream.flush()
        except OSError as error:
            self.fault = "" if error.errno == EPIPE else error.strerror or str(error)
        return len(text)

    def flush(self) -> None:
        """Do nothing: all is written at once."""

    def let_go(self) -> None:
        """See to it that the interpreter, at its end, does not try once more and fail."""
        if self._stream is None or self.fault is None:
            return
        try:
            self._stream.flush()
        except OSError:
            _put(os.devnull, self._stream.fileno())

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """What letters there are."""
        return self._stream.encoding if self._stream is not None else "utf-8"

    def fileno(self) -> int:
        """Return the descriptor beneath."""
        return self._fd if self._stream is None else self._stream.fileno()

    def isatty(self) -> bool:
        """Return whether this is a terminal window."""
        return self._stream is not None and self._stream.isatty()


@contextmanager
def outputs() -> Iterator[Output]:
    """Put an `Output` in place of stdout (which is given) and of stderr."""
    _occupy_what_is_closed()
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as we run
    out, err = Output(sys.stdout, 1), Output(sys.stderr, 2)
    before, sys.stdout, sys.stderr = (sys.stdout, sys.stderr), out, err
    try:
        yield out
    finally:
        sys.stdout, sys.stderr = before
        out.let_go()
        err.let_go()


def _occupy_what_is_closed() -> None:
    """Leave no standard descriptor free: a socket that got it would be written to by mistake."""
    for fd in STANDARD:
        try:
            os.fstat(fd)
        except OSError:
            _put(os.devnull, fd)


def _put(path: str, fd: int) -> None:
    with suppress(OSError):
        opened = os.open(path, os.O_RDWR)
        if opened != fd:
            os.dup2(opened, fd)
            os.close(opened)
