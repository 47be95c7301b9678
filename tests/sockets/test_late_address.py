"""An address of listener.bind that comes late, as by DHCP: in a network of its own."""

import os
import subprocess
import sys
import time

import pytest
from processes import PATIENCE, TICK, Site, environment, site, until

ADDRESS = "203.0.113.9"
WITHIN = 2.0  # seconds
START = 'ip link set lo up && exec "$0" -m laned run --config "$1"'


def _can_unshare() -> bool:
    made = ["unshare", "-n", "ip", "link", "set", "lo", "up"]
    try:
        return subprocess.run(made, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


needs_a_network = pytest.mark.skipif(
    os.geteuid() != 0 or not _can_unshare(), reason="only root can make a network"
)


@needs_a_network
def test_the_daemon_waits_for_it_and_is_there_at_once() -> None:
    with site() as lane:
        config = lane.configure(listener={"bind": f"{ADDRESS}:11000"})
        err = lane.folder / "err"
        with err.open("wb") as file:
            daemon = subprocess.Popen(
                ["unshare", "-n", "sh", "-c", START, sys.executable, str(config)],
                stderr=file,
                env=environment(),
            )
        try:
            until(lambda: "session" in lane.lane(), "the till's socket")
            assert f"this machine does not have {ADDRESS}:11000 yet" in err.read_text()
            check(lane, daemon.pid)
            assert daemon.poll() is None, err.read_text()
        finally:
            daemon.terminate()
            assert daemon.wait(PATIENCE) == 0


def check(lane: Site, pid: int) -> None:
    """Give the address to the daemon's network, and connect to it there."""
    inside = ["nsenter", "-t", str(pid), "-n"]
    subprocess.run([*inside, "ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
    came = time.monotonic()
    code = f"import socket; socket.create_connection(({ADDRESS!r}, 11000), 1)"
    connect = [*inside, sys.executable, "-c", code]
    while subprocess.run(connect, capture_output=True, check=False).returncode:
        assert time.monotonic() < came + WITHIN
        time.sleep(TICK)
