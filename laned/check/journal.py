"""The journal: whether it is there, whole, and nobody else's. It is only read."""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from laned.check.box import Box
from laned.check.daemon import Daemon
from laned.check.finding import Finding, broken, ok, warning
from laned.config.schema import Config
from laned.journal.store import SCHEMA_VERSION

SUBJECT: Final = "journal"
STATE: Final = Path("/var/lib/laned")  # made by systemd: the units' StateDirectory=
PARTS: Final = ("", "-wal", "-shm", ".lock", ".ballast")  # of names, behind the journal's
ASIDE: Final = (
    "keep the file, it holds the payments; restore a copy, or set journal.on_corrupt"
    ' = "aside" to begin a new one beside it'
)
ACKNOWLEDGE: Final = (
    "restore it from a copy; else compare the terminal's last payments with your books, then:"
    " laned acknowledge-journal"
)
SAID: Final = {
    "full": "make room on the disk",
    "read_only": "make its folder writable: journalctl -u laned says what is in the way",
    "corrupt": ASIDE,
    "new": ACKNOWLEDGE,
}


def check(config: Config, box: Box, daemon: Daemon) -> Iterator[Finding]:
    """Check the journal; one that a daemon holds is left to it."""
    path = Path(config.journal.path)
    if daemon.running:
        yield _held(path, daemon)
    elif daemon.running is False:
        yield _look(path, box)


def _held(path: Path, daemon: Daemon) -> Finding:
    if daemon.lane is None:
        return ok(SUBJECT, f"{path} is in use by the daemon")
    said = str(daemon.lane["journal"])
    if said == "ok":
        return ok(SUBJECT, f"{path} is in use by the daemon, which finds it ok")
    return broken(SUBJECT, f"{path}: the daemon says {said}, and takes no payments", SAID[said])


def _look(path: Path, box: Box) -> Finding:
    lock = path.with_name(path.name + ".lock")
    try:
        if not path.exists() or not path.stat().st_size:
            if lock.exists() and lock.stat().st_size:
                return broken(SUBJECT, f"{path} is lost: there was one before", ACKNOWLEDGE)
            return _to_be_made(path, box)
        for part in (path.parent, *(path.with_name(path.name + suffix) for suffix in PARTS)):
            if part.exists() and not box.may_use(part):
                text = f"{path}: {part} may not be read and written by {box.user}"
                return broken(SUBJECT, text, _mine(path, box))
        return _read(path)
    except (OSError, sqlite3.OperationalError) as error:
        return broken(SUBJECT, f"{path} cannot be read: {error}", _mine(path, box))
    except sqlite3.DatabaseError as error:
        return broken(SUBJECT, f"{path} is damaged: {error}", ASIDE)


def _to_be_made(path: Path, box: Box) -> Finding:
    folder = box.nearest(path.parent)
    by_systemd = box.service and STATE in path.parents and folder in box.path(STATE).parents
    if not by_systemd and not box.may_use(folder):
        text = f"{path} cannot be made by {box.user}: {folder} may not be written"
        cure = _mine(path, box) if box.service else "use sudo, or name another journal.path"
        return broken(SUBJECT, text, cure)
    return ok(SUBJECT, f"{path} is not there yet; the first start makes it")


def _mine(path: Path, box: Box) -> str:
    return f"sudo chown -R {box.user}: {path.parent}" if box.service else "run this with sudo"


def learnt_address(config: Config, daemon: Daemon) -> str:
    """Where the terminal was last, if that was learnt under this configuration; "" otherwise."""
    if daemon.lane is not None:
        return str(daemon.lane["session"]["terminal"]["address"] or "")
    path = Path(config.journal.path)
    if daemon.running is not False:
        return ""
    try:
        if not path.exists():
            return ""
        with _opened(path) as db:
            meta = dict(db.execute("SELECT key, value FROM meta WHERE key LIKE 'terminal_%'"))
    except (OSError, sqlite3.Error):
        return ""  # which is said of the journal itself
    known = meta.get("terminal_configured") == config.terminal.address
    return str(meta.get("terminal_address", "")) if known else ""


def _opened(path: Path) -> AbstractContextManager[sqlite3.Connection]:
    """The journal, to be read only. Raises sqlite3.Error."""
    wal = path.with_name(path.name + "-wal")
    # Without a log beside it nothing of the file is elsewhere, and `immutable` makes no files.
    plain = not wal.exists() or not wal.stat().st_size
    uri = f"file:{quote(str(path))}?mode=ro{'&immutable=1' if plain else ''}"
    return closing(sqlite3.connect(uri, uri=True))


def _read(path: Path) -> Finding:
    with _opened(path) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            text = f"{path} is of a newer laned (schema {version}, this one knows {SCHEMA_VERSION})"
            return broken(SUBJECT, text, "install the newer laned again")
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            return broken(SUBJECT, f"{path} is damaged: {found}", ASIDE)
        payments, unfinished = db.execute(
            "SELECT COUNT(*), COUNT(*) FILTER (WHERE final = 0) FROM payments"
        ).fetchone()
    if unfinished:
        return warning(
            SUBJECT,
            f"{path} is whole: {payments} payments, one of them not finished",
            "start laned: it asks the terminal what became of it",
        )
    return ok(SUBJECT, f"{path} is whole: {payments} payments")
