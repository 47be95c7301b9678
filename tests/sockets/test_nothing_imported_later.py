"""A daemon that runs imports nothing more: an upgrade may have replaced, or taken, what is on disk.

Each import that a process begins is written to a file, by a hook that Python loads at its start.
"""

import os
import signal
from pathlib import Path

from processes import REPOSITORY, Site, site, until
from test_watched import manager

HOOK = """
import os, sys
_file = os.open(os.environ["IMPORTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
sys.addaudithook(
    lambda event, found: os.write(_file, f"{found[0]}\\n".encode()) if event == "import" else None
)
"""


def everything(lane: Site) -> None:
    """What tills, people and the terminal do in a day."""
    for number, command in enumerate(("pay", "refund", "pay")):
        assert lane.command(command, "38.00", "--id", f"p{number}").status == 0
        until(lambda: lane.lane()["display"]["lines"] == ["Welcome"], "the next customer")
    assert lane.command("reverse", "p2").status == 0
    for path in ("/metrics", "/v1/display.png?scale=4", "/v1/openapi.json", "/v1/payments", "/no"):
        with lane.connect() as till:
            till.sendall(f"GET {path} HTTP/1.1\r\nHost: lane\r\nConnection: close\r\n\r\n".encode())
            while till.recv(65536):
                pass
    assert lane.ask("PUT", "/v1/payments/x", {"amount": "1", "currency": "USD"})[0] == 422
    assert lane.ask("PUT", "/v1/payments/x", [])[0] in (400, 422)
    assert lane.command("press", "abort").status == 0
    assert lane.command("abort").status == 1
    assert lane.command("logout", "--maintenance").status == 0
    assert lane.command("login").status == 0
    lane.daemon.signal(signal.SIGHUP)
    until(lambda: "configuration read again" in lane.daemon.err, "the configuration")
    lane.background("pay", "1.00", "--id", "away").says("Present card")
    lane.terminal.kill()
    checking = ["Checking last payment"]
    until(lambda: lane.lane()["display"]["lines"] == checking, "the terminal to be missed")


def test_nothing_is_imported_after_ready(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HOOK)
    imports = tmp_path / "imports"
    with site("happy", run=False) as lane, manager(lane.folder) as systemd:
        environ = systemd.environ | {
            "PYTHONPATH": f"{tmp_path}{os.pathsep}{REPOSITORY}",
            "IMPORTS": str(imports),
        }
        lane.run(ready=False, environ=environ)
        systemd.hears("READY=1")
        before = imports.read_text().splitlines()
        assert len(before) > 200
        until(lambda: lane.lane()["display"]["lines"] == ["Welcome"], "the terminal's welcome")
        everything(lane)
        lane.daemon.signal(signal.SIGTERM)
        assert lane.daemon.ended() == 0
        later = imports.read_text().splitlines()[len(before) :]
        assert later == []
