"""Where log lines go, and what they look like; systemd's journal is a real socket here."""

import logging
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from laned.system.logging import MAX_LINE, OneLine, ToJournal, stderr_is_journal

PAN = "4539578763621486"


class Journald:
    """The journal's two sockets: for datagrams, and what a service has for stderr."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "journal")
        self._datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._datagrams.bind(self.path)
        self._datagrams.setblocking(False)
        self._stream, self.stderr = socket.socketpair()
        self._stream.setblocking(False)

    def entry(self) -> dict[str, str]:
        """The fields of the oldest entry that was not read yet."""
        text = self._datagrams.recv(1 << 20).decode()
        assert text.endswith("\n")
        return dict(line.split("=", 1) for line in text[:-1].split("\n"))

    def on_stderr(self) -> str:
        """What has come on stderr since the last time."""
        try:
            return self._stream.recv(1 << 20).decode()
        except BlockingIOError:
            return ""

    @property
    def inode(self) -> str:
        found = os.fstat(self.stderr.fileno())
        return f"{found.st_dev}:{found.st_ino}"

    def gone(self) -> None:
        """Nothing listens any more."""
        self._datagrams.close()

    def close(self) -> None:
        for each in (self._datagrams, self._stream, self.stderr):
            each.close()


@pytest.fixture
def journald() -> Iterator[Journald]:
    with tempfile.TemporaryDirectory(prefix="laned-") as folder:
        made = Journald(Path(folder))
        yield made
        made.close()


@pytest.fixture
def log(journald: Journald) -> Iterator[logging.Logger]:
    handler = ToJournal("kiosk 7", journald.path, journald.stderr.fileno())
    logger = logging.Logger("laned.test", logging.DEBUG)
    logger.addHandler(handler)
    yield logger
    handler.close()


def test_an_entry_has_fields(journald: Journald, log: logging.Logger) -> None:
    log.info("payment %s approved", "4711", extra={"event": "payment", "payment": "4711"})
    assert journald.entry() == {
        "MESSAGE": "payment 4711 approved",
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "laned",
        "LOGGER": "laned.test",
        "LANE": "kiosk 7",
        "EVENT": "payment",
        "PAYMENT": "4711",
    }
    log.info("session ready", extra={"event": "session", "payment": None})
    assert "PAYMENT" not in journald.entry()
    assert journald.on_stderr() == ""


@pytest.mark.parametrize(
    ("level", "priority"),
    [("debug", "7"), ("info", "6"), ("warning", "4"), ("error", "3"), ("critical", "2")],
)
def test_priorities(journald: Journald, log: logging.Logger, level: str, priority: str) -> None:
    getattr(log, level)("text")
    assert journald.entry()["PRIORITY"] == priority


def test_no_text_makes_a_second_line_or_a_field(journald: Journald, log: logging.Logger) -> None:
    log.info("one\nPRIORITY=0\r\x1b[31m\u2028\udc80 two")
    entry = journald.entry()
    assert entry["MESSAGE"] == "one PRIORITY=0  [31m   two"
    assert entry["PRIORITY"] == "6"
    log.info("%s", "x" * 1_000_000)
    assert len(journald.entry()["MESSAGE"]) == MAX_LINE + 1


def test_a_journal_that_is_stuck_holds_nobody_up(journald: Journald, log: logging.Logger) -> None:
    sent = 0
    while journald.on_stderr() == "":
        log.warning("line %d", sent)
        sent += 1
        assert sent < 10_000
    for _ in range(20_000):  # until stderr is full, too
        log.warning("again")
    while journald.on_stderr():
        pass
    for number in range(sent - 1):
        assert journald.entry()["MESSAGE"] == f"line {number}"
    log.warning("better")
    assert journald.entry()["MESSAGE"].startswith("better (")
    log.warning("well")
    assert journald.entry()["MESSAGE"] == "well"


def test_without_a_journal_lines_go_to_stderr(journald: Journald, log: logging.Logger) -> None:
    journald.gone()
    log.error("alone", extra={"event": "journal"})
    assert journald.on_stderr() == "<3>alone\n"


def test_stderr_that_is_a_file_is_no_way_out(journald: Journald, tmp_path: Path) -> None:
    with (tmp_path / "err").open("w") as file:
        before = len(list(Path("/proc/self/fd").iterdir()))
        handler = ToJournal("lane1", journald.path, file.fileno())
        journald.gone()
        handler.handle(logging.LogRecord("x", logging.INFO, "", 0, "lost", None, None))
        handler.close()
        assert len(list(Path("/proc/self/fd").iterdir())) == before - 1  # the journal's own end


def test_whether_stderr_is_the_journal(journald: Journald) -> None:
    fd = journald.stderr.fileno()
    assert stderr_is_journal({"JOURNAL_STREAM": journald.inode}, fd)
    assert not stderr_is_journal({"JOURNAL_STREAM": "8:1234567"}, fd)
    assert not stderr_is_journal({"JOURNAL_STREAM": journald.inode})  # redirected since
    assert not stderr_is_journal({"JOURNAL_STREAM": "nonsense"}, fd)
    assert not stderr_is_journal({}, fd)
    assert not stderr_is_journal({"JOURNAL_STREAM": journald.inode}, 9999)


# -- Errors ---------------------------------------------------------------------------------------


def formatted(error: BaseException) -> str:
    record = logging.LogRecord(
        "laned.test", logging.ERROR, "", 0, "an error", None, (type(error), error, None)
    )
    record.exc_info = (type(error), error, error.__traceback__)
    return OneLine("%(levelname)s %(message)s").format(record)


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:
        return caught


def test_an_error_is_its_kind_and_place_without_its_text() -> None:
    line = formatted(raised(KeyError(PAN)))
    assert line.startswith("ERROR an error Traceback: KeyError at test_logs.py:")
    assert " in raised" in line
    assert PAN not in line
    assert "\n" not in line


def test_what_an_error_came_of_and_what_is_in_a_group() -> None:
    cause = raised(OSError(28, "No space left on device"))
    group = BaseExceptionGroup(PAN, [raised(ValueError(PAN), cause), raised(TypeError(PAN))])
    line = formatted(group)
    assert "ValueError at test_logs.py" in line
    assert "OSError (No space left on device) at test_logs.py" in line
    assert "TypeError at" in line
    assert PAN not in line


def test_errors_without_end_make_a_short_line() -> None:
    error: BaseException = raised(ValueError(PAN))
    for _ in range(500):
        error = raised(ValueError(PAN), error)
    assert len(formatted(error)) < MAX_LINE


BUG = f"""
import os, sys
from laned.system.logging import log_for_daemon
log_for_daemon("lane1", os.environ)
def pay(pan):
    raise ValueError(pan)
pay("{PAN}")
"""


def test_a_bug_that_ends_the_daemon_is_one_line_and_says_where() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BUG], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "CRITICAL laned: ended by a bug Traceback: ValueError at <string>:6 in pay" in line
    assert PAN not in line
