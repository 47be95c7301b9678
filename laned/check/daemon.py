"""Whether a daemon runs this lane now: what it holds is then asked of it and not touched."""

import errno
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from laned.check.finding import Finding, broken, ok, warning
from laned.config.schema import Config
from laned.system.single_instance import claimed
from laned.till.client import ConnectionLost, Till, Unreachable

SUBJECT: Final = "daemon"
ANSWER_WITHIN: Final = 5.0  # seconds


class Daemon(Struct, frozen=True):
    """The daemon of a lane: whether it runs (None: cannot be told), and what it says of the lane.

    `lane` is its `GET /v1/lane`; without it `silence` says why it could not be asked.
    """

    running: bool | None
    lane: dict[str, Any] | None = None
    silence: str = ""

    @property
    def holds(self) -> bool:
        """Whether the lane's hardware and sockets must be left alone."""
        return self.running is not False

    def health(self, part: str) -> str:
        """What it says of its "display" or "buttons"; "" when it says nothing."""
        return "" if self.lane is None else str(self.lane["hardware"][part])


def look(config: Config) -> Daemon:
    """Find out by its claim of the terminal and by the journal's lock, and then ask it.

    A daemon that may not open its journal holds no lock. A socket alone proves nothing: systemd
    listens on it, and would start the daemon.
    """
    running = claimed(config.terminal) or _locked(Path(config.journal.path))
    if not running:
        return Daemon(running)
    try:
        reply = Till(Path(config.till.socket)).ask("GET", "/v1/lane", timeout=ANSWER_WITHIN)
    except (Unreachable, ConnectionLost, ValueError) as error:
        return Daemon(True, silence=str(error))
    if reply.status != 200:
        return Daemon(True, silence=f"HTTP status {reply.status}")
    return Daemon(True, reply.body)


def _locked(journal: Path) -> bool | None:
    """Whether a daemon holds the journal; None when this user may not look."""
    lock = journal.with_name(journal.name + ".lock")
    try:
        with lock.open("rb") as file:
            # Shared, and let go of at once: a daemon that starts in this moment is not in the way.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError as error:
        return True if error.errno == errno.EWOULDBLOCK else None
    return False


def check(config: Config, daemon: Daemon) -> Iterator[Finding]:
    """Say whether it runs, and whether it can be asked."""
    if daemon.running is None:
        yield warning(
            SUBJECT,
            f"it cannot be told whether one runs: {config.journal.path} may not be looked at;"
            " display, buttons and sockets are left alone",
            "run this with sudo",
        )
    elif not daemon.running:
        yield ok(SUBJECT, "none runs this lane now")
    elif daemon.lane is None:
        yield broken(
            SUBJECT,
            f"one runs this lane, and does not answer on its socket: {daemon.silence}",
            "is till.socket the one that it was started with? Else: journalctl -u laned",
        )
    else:
        yield ok(
            SUBJECT,
            f"laned {daemon.lane['version']} runs this lane; its hardware, sockets and session"
            " are left alone: to try them, stop it first (sudo systemctl stop laned)",
        )
