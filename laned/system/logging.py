"""Where the log goes: to systemd's journal with its fields, or to stderr. One line per event.

Errors are written as their kind and place, without their text: that may quote what a card or a
receipt says. Sources: systemd.exec(5) for JOURNAL_STREAM, systemd.journal-fields(7), and
systemd.io/JOURNAL_NATIVE_PROTOCOL.
"""

import faulthandler
import logging
import os
import socket
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Final

JOURNAL: Final = "/run/systemd/journal/socket"
STDERR: Final = 2
MAX_LINE: Final = 4096  # characters of a line
MAX_CAUSES: Final = 3  # errors that are told of beside an error: what it came of, what else failed
MAX_PLACES: Final = 12  # frames of an error, from where it happened outwards
LIBRARIES: Final = ("httpx", "httpcore", "hypercorn", "PIL", "luma", "gpiozero")
_PRIORITIES: Final = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
)
_DEBUG: Final = 7

_log = logging.getLogger("laned")


def log_to_stderr(level: int = logging.INFO) -> None:
    """Log to stderr; libraries only when something is wrong."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    _log_to(handler, level)


def log_for_daemon(lane: str, environ: MutableMapping[str, str]) -> None:
    """Log to systemd's journal if that is what stderr is, else to stderr; bugs and hangs too."""
    if stderr_is_journal(environ):
        _log_to(ToJournal(lane), logging.INFO)
    else:
        log_to_stderr()
    sys.excepthook = _bug
    threading.excepthook = lambda told: _bug(told.exc_type, told.exc_value, told.exc_traceback)
    faulthandler.enable()  # where a lane was stuck that the watchdog ended


def stderr_is_journal(environ: Mapping[str, str], fd: int = STDERR) -> bool:
    """Whether systemd has connected stderr to its journal, and nobody has redirected it since."""
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        found = os.fstat(fd)
    except OSError:
        return False
    return (device, inode) == (str(found.st_dev), str(found.st_ino))


def _log_to(handler: logging.Handler, level: int) -> None:
    logging.raiseExceptions = False  # it would write a record that cannot be written to stderr
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for library in LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)


def _bug(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    error = error if error is not None else kind()
    if not isinstance(error, KeyboardInterrupt | SystemExit):
        _log.critical("ended by a bug", exc_info=(kind, error, trace))


class OneLine(logging.Formatter):
    """Makes one line of a record, whatever is in it."""

    def format(self, record: logging.LogRecord) -> str:
        """Make the line; nothing in it moves the cursor or begins another."""
        line = super().format(record)
        if not line.isprintable():
            line = "".join(c if c.isprintable() else " " for c in line)
        return line if len(line) <= MAX_LINE else line[:MAX_LINE] + "…"

    def formatException(  # noqa: N802 - the base's name
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None]
        | tuple[None, None, None],
    ) -> str:
        """Name the error and what it came of, without their texts."""
        told = [] if ei[1] is None else list(_errors(ei[1]))
        return "Traceback: " + "; of ".join(map(_place, told[: MAX_CAUSES + 1]))


def _errors(error: BaseException) -> Iterator[BaseException]:
    """What is in a group, and what an error came of."""
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _errors(member)
        return
    yield error
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _errors(cause)


def _place(error: BaseException) -> str:
    """An error's kind and the way to it, as `KeyError at asgi.py:146 in app, from api.py:97 …`."""
    name = type(error).__qualname__
    if isinstance(error, OSError) and error.strerror:
        name += f" ({error.strerror})"
    frames = traceback.extract_tb(error.__traceback__)[: -MAX_PLACES - 1 : -1]
    places = [f"{Path(f.filename).name}:{f.lineno} in {f.name}" for f in frames]
    return f"{name} at {', from '.join(places)}" if places else name


class ToJournal(logging.Handler):
    """Hands records to systemd's journal, with fields. Never waits for it.

    What the journal does not take goes to stderr, if that takes it at once; what is lost for good
    is counted, and told with the next line that arrives.
    """

    def __init__(self, lane: str, address: str = JOURNAL, stderr: int = STDERR) -> None:
        super().__init__()
        self.setFormatter(OneLine("%(message)s"))
        self._lane = lane
        self._address = address
        self._stderr = _as_socket(stderr)
        self._lost = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)

    def emit(self, record: logging.LogRecord) -> None:
        """Hand over one record."""
        text = self.format(record)
        if self._lost:
            text += f" ({self._lost} lines before this one are lost)"
        priority = next((p for level, p in _PRIORITIES if record.levelno >= level), _DEBUG)
        fields = {
            "MESSAGE": text,
            "PRIORITY": str(priority),
            "SYSLOG_IDENTIFIER": "laned",
            "LOGGER": record.name,
            "LANE": self._lane,
            "EVENT": getattr(record, "event", None),
            "PAYMENT": getattr(record, "payment", None),
        }
        content = "".join(f"{name}={value}\n" for name, value in fields.items() if value)
        try:
            self._socket.sendto(content.encode(), self._address)
        except OSError:
            told = self._to_stderr(f"<{priority}>{text}\n".encode())
        else:
            told = True
        self._lost = 0 if told else self._lost + 1

    def _to_stderr(self, line: bytes) -> bool:
        try:
            return self._stderr is not None and self._stderr.send(line, socket.MSG_DONTWAIT) > 0
        except OSError:
            return False

    def close(self) -> None:
        """Let go of the sockets."""
        self._socket.close()
        if self._stderr is not None:
            self._stderr.close()
        super().close()


def _as_socket(fd: int) -> socket.socket | None:
    """A socket of our own for what `fd` is connected to; None where that is no socket."""
    own = os.dup(fd)
    try:
        return socket.socket(fileno=own)
    except OSError:
        os.close(own)
        return None
