"""laned's real processes on real sockets: started by tests, and always ended with them.

Real time runs here, so everything is waited for with a deadline and nothing sleeps for a fixed
while. Output goes to files, which no pipe can block.
"""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PATIENCE = 60.0
"""Seconds after which what is waited for has failed."""
TICK = 0.02
SPEED = "20"
REPOSITORY = Path(__file__).parents[2]

Tables = dict[str, dict[str, Any]]


def until(view: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """The first true value of `view`."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if found := view():
            return found
        time.sleep(TICK)
    raise AssertionError(f"waited {patience:g} s for {what}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Process:
    """One `laned` in the background."""

    def __init__(
        self, arguments: Sequence[str], output: Path, environ: dict[str, str] | None = None
    ) -> None:
        self._out, self._err = output.with_suffix(".out"), output.with_suffix(".err")
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "laned", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=output.parent,
                env=environment() | (environ or {}),
            )

    @property
    def out(self) -> str:
        return self._out.read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        return self._err.read_text(encoding="utf-8")

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def says(self, text: str) -> None:
        """Wait until it has written `text` to stdout."""
        until(lambda: text in self.out or not self.running, f"{text!r}")
        assert text in self.out, f"ended without {text!r}: {self.out}{self.err}"

    def ended(self, patience: float = PATIENCE) -> int:
        """Wait until it has ended; its exit status."""
        try:
            return self._process.wait(patience)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {patience:g} s: {self.err[-2000:]}") from None

    def kill(self) -> None:
        """End it the hard way."""
        self._process.kill()
        self._process.wait()


def environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {"PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}


class Done:
    """What a command that has ended left behind."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status = status
        self.out = out
        self.err = err

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    def __repr__(self) -> str:
        return f"exit {self.status}\n{self.out}{self.err}"


class Site:
    """A folder with a configuration, and the processes that run there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "till.sock"
        self.listener_port = free_port()
        self.terminal_port = free_port()
        self.poi_id = f"LANE-{self.terminal_port}"
        self.daemon: Process
        self.terminal: Process
        self._processes: list[Process] = []

    def configure(self, name: str = "laned.toml", **changes: Any) -> Path:
        """Write a configuration file."""
        tables: Tables = {
            "lane": {"language": "sv"},
            "terminal": {
                "address": f"127.0.0.1:{self.terminal_port}",
                "poi_id": self.poi_id,
                "retry_interval": 0.2,
            },
            "listener": {"bind": f"127.0.0.1:{self.listener_port}"},
            "till": {"socket": str(self.socket)},
            "payment": {},
            "maintenance": {"window": ""},
            "display": {"driver": "virtual", "language": "en"},
            "buttons": {"driver": "virtual"},
            "journal": {"path": str(self.folder / "journal.sqlite3")},
        }
        lines = []
        for table, values in tables.items():
            lines.append(f"[{table}]")
            merged = values | changes.get(table, {})
            lines += [f"{key} = {json.dumps(value)}" for key, value in merged.items()]
        path = self.folder / name
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    # -- Processes

    def start(self, *arguments: str, environ: dict[str, str] | None = None) -> Process:
        """Start a `laned` in the background, with these variables beside the usual ones."""
        output = self.folder / f"{len(self._processes)}-{arguments[0]}"
        process = Process(arguments, output, environ)
        self._processes.append(process)
        return process

    def simulate(self, scenario: str = "happy") -> None:
        """Start the simulated terminal."""
        self.terminal = self.start(
            "simulate",
            "--listen", f"127.0.0.1:{self.terminal_port}",
            "--callback", f"http://127.0.0.1:{self.listener_port}",
            "--scenario", scenario,
            "--speed", SPEED,
        )  # fmt: skip
        self.terminal.says("on port")

    def run(
        self, *, ready: bool = True, environ: dict[str, str] | None = None, **changes: Any
    ) -> None:
        """Start the daemon, and wait until it takes payments and the terminal is no longer busy."""
        config = str(self.configure(**changes))
        self.daemon = self.start("run", "--config", config, environ=environ)
        if ready:
            until(self._welcomed, "the terminal's welcome")

    def _welcomed(self) -> bool:
        assert self.daemon.running, f"the daemon has ended: {self.daemon.err}"
        lane = self.lane()
        if lane["display"]["lines"] != ["Welcome"]:
            return False
        # Before the terminal's first text laned has a welcome of its own, and the terminal is busy.
        return bool(lane["display"]["source"] == "terminal" or lane["mode"] == "light")

    def close(self) -> None:
        """End every process."""
        for process in self._processes:
            process.kill()

    # -- The till

    def command(self, *arguments: str) -> Done:
        """Run one of the till's commands to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "laned", *arguments, "--socket", str(self.socket)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            cwd=self.folder,
            env=environment(),
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def background(self, *arguments: str) -> Process:
        """Start one of the till's commands."""
        return self.start(*arguments, "--socket", str(self.socket))

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """One request to the till API; (0, {}) while nothing answers."""
        connection = _UnixConnection(self.socket)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except OSError:
            return 0, {}
        finally:
            connection.close()

    def lane(self) -> Any:
        """`GET /v1/lane`; a stand-in while nothing answers."""
        status, lane = self.ask("GET", "/v1/lane")
        return lane if status == 200 else {"display": {"lines": []}, "payment": None}

    def connect(self) -> socket.socket:
        """A raw connection to the till's socket."""
        raw = socket.socket(socket.AF_UNIX)
        raw.settimeout(PATIENCE)
        raw.connect(str(self.socket))
        return raw


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("lane", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@contextmanager
def site(scenario: str = "", *, run: bool = True, **changes: Any) -> Iterator[Site]:
    """A site in a folder of its own with a short name, as unix sockets need it.

    With a scenario the terminal is started, and with `run` the daemon too.
    """
    folder = Path(tempfile.mkdtemp(prefix="laned-"))
    found = Site(folder)
    try:
        if scenario:
            found.simulate(scenario)
            if run:
                found.run(**changes)
        yield found
    finally:
        found.close()
        with suppress(OSError):
            shutil.rmtree(folder)
