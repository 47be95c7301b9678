"""A `laned run` process that is killed and started again on the same journal and the same ports."""

import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

RETRY_INTERVAL = 0.05
"""Seconds; what a terminal at speed 100 deserves."""
DIES_WITHIN = 10.0
REPOSITORY = Path(__file__).parents[2]
CONFIG = """
[terminal]
address = "127.0.0.1:{terminal}"
poi_id = "{poi_id}"
retry_interval = {retry_interval}
[listener]
bind = "127.0.0.1:{listener}"
[till]
socket = "{folder}/till.sock"
[maintenance]
window = ""
[display]
driver = "virtual"
[buttons]
driver = "virtual"
[journal]
path = "{folder}/journal.sqlite3"
"""
_BELOW_EPHEMERAL = range(20_000, 32_000)


def fixed_port() -> int:
    """A free port that the kernel gives to nobody by itself, while the daemon is dead."""
    for port in random.sample(_BELOW_EPHEMERAL, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")


class Victim:
    """One daemon, over all its lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.listener_port = fixed_port()
        self.socket = folder / "till.sock"
        self.journal = folder / "journal.sqlite3"
        self.wal = folder / "journal.sqlite3-wal"
        self.terminal_address = ""
        self._log = folder / "laned.log"
        self._config = folder / "laned.toml"
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, terminal_port: int) -> None:
        """Write the configuration of all lives."""
        self.terminal_address = f"127.0.0.1:{terminal_port}"
        text = CONFIG.format(
            terminal=terminal_port,
            listener=self.listener_port,
            folder=self.folder,
            poi_id=f"KILL-{terminal_port}",
            retry_interval=RETRY_INTERVAL,
        )
        self._config.write_text(text, encoding="utf-8")

    @property
    def log(self) -> str:
        """What this life has written to stderr."""
        return self._log.read_text(encoding="utf-8")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Begin a life."""
        assert self._process is None
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "laned", "run", "--config", str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=kept | {"PYTHONPATH": str(REPOSITORY)},
            )

    def must_live(self) -> None:
        """It has not ended by itself."""
        assert self._process is not None
        status = self._process.poll()
        assert status is None, f"laned ended by itself with {status}: {self.log[-3000:]}"

    def kill(self) -> None:
        """End this life with SIGKILL; nothing of it runs when this returns."""
        self.must_live()
        assert self._process is not None
        self._process.kill()
        assert self._process.wait(DIES_WITHIN) == -signal.SIGKILL
        self._process = None

    def close(self) -> None:
        """End it, however it is."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(DIES_WITHIN)

    # -- What is on disk

    def corpse(self) -> "Corpse":
        """What the dead daemon left on disk, read from a copy: the next life finds it untouched."""
        with tempfile.TemporaryDirectory(prefix="laned-") as folder:
            for part in (self.journal, self.wal):
                if part.exists():
                    shutil.copy(part, folder)
            copy = Path(folder, self.journal.name)
            return Corpse(copy) if copy.exists() else Corpse(None)

    def unfinished(self) -> list[str]:
        """The payments that the living daemon's journal holds as not final."""
        with closing(sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True)) as db:
            sql = "SELECT id FROM payments WHERE final = 0 AND set_aside = 0"
            return [row[0] for row in db.execute(sql)]


class Corpse:
    """A journal as a crash left it."""

    def __init__(self, path: Path | None) -> None:
        self.sound = "ok"
        self.states: dict[str, str] = {}
        self.unfinished: set[str] = set()
        self.attempts: dict[str, str] = {}
        """The payment's id by ServiceID."""
        if path is None:
            return
        with closing(sqlite3.connect(path)) as db:
            self.sound = str(db.execute("PRAGMA integrity_check").fetchone()[0])
            if db.execute("PRAGMA user_version").fetchone()[0] == 0:
                return  # killed before it was made
            sql = "SELECT id, state, final OR set_aside FROM payments"
            rows: list[Any] = db.execute(sql).fetchall()
            self.states = {row[0]: row[1] for row in rows}
            self.unfinished = {row[0] for row in rows if not row[2]}
            self.attempts = dict(
                db.execute(
                    "SELECT service_id, payments.id FROM attempts"
                    " JOIN payments ON payments.seq = attempts.payment"
                ).fetchall()
            )


@contextmanager
def victim() -> Iterator[Victim]:
    """A daemon in a folder of its own with a short name, as unix sockets need it."""
    with tempfile.TemporaryDirectory(prefix="laned-") as folder:
        found = Victim(Path(folder))
        try:
            yield found
        finally:
            found.close()
