"""The real daemon under a service manager that is only a socket: READY, STATUS, watchdog."""

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from processes import PATIENCE, site

WATCHDOG = 2.0  # seconds
QUIET = 3 * WATCHDOG
"""Seconds in which a lane that lives would have been heard several times, however slow it is."""


class Manager:
    """The service manager's end of NOTIFY_SOCKET."""

    def __init__(self, folder: Path) -> None:
        self.environ = {
            "NOTIFY_SOCKET": str(folder / "notify"),
            "WATCHDOG_USEC": str(int(WATCHDOG * 1_000_000)),
        }
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.environ["NOTIFY_SOCKET"])
        self._socket.settimeout(PATIENCE)

    def hears(self, *lines: str) -> None:
        """Read until these lines have come, in this order."""
        for line in lines:
            deadline = time.monotonic() + PATIENCE
            while line not in self._socket.recv(4096).decode().split("\n"):
                assert time.monotonic() < deadline, line

    def quiet(self, seconds: float) -> bool:
        """Whether nothing comes for so long; what has come before is thrown away."""
        self._socket.setblocking(False)
        try:
            while self._socket.recv(4096):
                pass
        except BlockingIOError:
            pass
        self._socket.settimeout(seconds)
        try:
            self._socket.recv(4096)
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(PATIENCE)
        return False

    def close(self) -> None:
        self._socket.close()


@contextmanager
def manager(folder: Path) -> Iterator[Manager]:
    made = Manager(folder)
    try:
        yield made
    finally:
        made.close()


def test_from_ready_to_stopped_with_a_frozen_lane_between() -> None:
    with site("happy", run=False) as lane, manager(lane.folder) as systemd:
        lane.run(environ=systemd.environ)
        systemd.hears("READY=1", "STATUS=ready, no payment", "WATCHDOG=1")
        assert lane.command("pay", "38.00", "--id", "kvitto-1").status == 0
        systemd.hears("STATUS=payment kvitto-1 processing", "STATUS=ready, no payment")

        lane.daemon.signal(signal.SIGSTOP)
        assert systemd.quiet(QUIET)
        lane.daemon.signal(signal.SIGCONT)
        systemd.hears("WATCHDOG=1")

        lane.daemon.signal(signal.SIGABRT)  # what systemd does to a lane that is stuck
        assert lane.daemon.ended() == -signal.SIGABRT
        assert "Fatal Python error: Aborted" in lane.daemon.err
        assert "runner.py" in lane.daemon.err or "trio" in lane.daemon.err

        lane.run(environ=systemd.environ)
        systemd.hears("READY=1", "STATUS=ready, no payment")
        lane.daemon.signal(signal.SIGTERM)
        systemd.hears("STOPPING=1", "STATUS=stopped")
        assert lane.daemon.ended() == 0
