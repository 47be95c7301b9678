"""Checks of a lane as a service: ready, status, socket, reload, and failing without end."""

import re
from typing import Final

from rig.checks import Checks, equal
from rig.lane import Lane, Terminal, reply, settings
from rig.machine import Machine, RigError
from rig.payments import in_the_middle

OFTEN: Final = 10
"""How many times a service fails in a row in the check that it is still tried."""
BROKEN: Final = (
    "[Service]\nExecStartPre=\nExecStopPost=\nExecStart=\nExecStart=/bin/false\nRestartSec=50ms\n"
)
LIMITED: Final = "[Unit]\nStartLimitIntervalSec=60\nStartLimitBurst=5\n"


def configure(lane: Lane, terminal: int = 11001, listener: int = 11000, poi: str = "RIG-1") -> None:
    """Give a lane the package's configuration, with a terminal on these ports."""
    text = settings(
        terminal_address=f'"127.0.0.1:{terminal}"', terminal_poi_id=f'"{poi}"',
        listener_bind=f'"127.0.0.1:{listener}"',
    )  # fmt: skip
    lane.machine.write(lane.config, text)


def check_start(checks: Checks, lane: Lane) -> None:
    """Check that the service starts once it is told to, and says when it is ready."""
    machine = lane.machine
    with checks.check("installed, but not started before it is configured"):
        state = machine.sh(f"systemctl is-active {lane.service} {lane.socket_unit}", check=False)
        equal(state.split(), ["inactive", "inactive"], "what systemctl says")
    configure(lane)
    with checks.check("READY: the start ends when the lane can be asked"):
        machine.sh(f"systemctl enable --now {lane.socket_unit} {lane.service}")
        equal(lane.ask("GET", "/v1/lane").status, 200, "the status")
        equal(machine.show(lane.service, "Type"), "notify", "Type")
        assert machine.show(lane.service, "SubState") == "running"
    with checks.check("no panel and no buttons here: the lane runs without"):
        lane.ready()

        def hardware() -> set[str]:
            return set(lane.ask("GET", "/v1/lane").body["hardware"].values())

        machine.until(lambda: hardware() == {"failing"}, "both to be failing")


def check_status_line(checks: Checks, lane: Lane, terminal: Terminal) -> None:
    """Check that systemctl shows the lane's state, and that it follows it."""

    def shown() -> str:
        text = lane.machine.sh(f"systemctl status {lane.service}", check=False)
        found = re.search(r'^ *Status: "(.*)"$', text, re.MULTILINE)
        return found[1] if found else ""

    with checks.check("STATUS= as systemctl shows it follows the lane"):
        idle = lane.machine.until(shown, "a status line")
        with in_the_middle(lane, terminal, "status"):
            paying = lane.machine.until(lambda: shown() != idle and shown(), "another status line")
        checks.note(f"idle: {idle!r}, during a payment: {paying!r}")


def check_socket(checks: Checks, lane: Lane) -> None:
    """Check who may use the till's socket."""
    machine = lane.machine
    with checks.check("the till's socket is its group's, and nobody else's"):
        equal(machine.sh(f"stat -c '%U %G %a' {lane.socket}"), "root laned-till 660", "the socket")
        machine.sh("useradd --groups laned-till shop; useradd guest")
        status = f"laned status --socket {lane.socket}"
        equal(machine.code(status, user="shop"), 0, "the till's exit status")
        equal(machine.code(status, user="guest"), 1, "another user's exit status")


def check_reload(checks: Checks, lane: Lane) -> None:
    """Check that a reload takes effect in the same process, and a wrong one changes nothing."""
    machine, before = lane.machine, lane.pid
    good = machine.read(lane.config).decode()

    def refused(number: str) -> bool:
        return reply(lane.put(number, "500.00")).status == 422

    with checks.check("reload: a new limit counts, in the same process"):
        machine.write(lane.config, good.replace('max_amount = "0"', 'max_amount = "1.00"'))
        machine.sh(f"systemctl reload {lane.service}")
        machine.until(lambda: refused("reload"), "the new limit")
        equal(lane.pid, before, "the process")
    with checks.check("reload: a wrong configuration changes nothing"):
        machine.write(lane.config, good + "\n[nonsense]\n")
        machine.sh(f"systemctl reload {lane.service}")
        seen = f"journalctl -u {lane.service} | grep -q 'stays as it was.*nonsense'"
        machine.until(lambda: machine.code(seen) == 0, "the error in the log")
        assert refused("reload")
        equal(lane.pid, before, "the process")
    machine.write(lane.config, good)
    machine.sh(f"systemctl reload {lane.service}")


def check_tried_for_ever(checks: Checks, machine: Machine) -> None:
    """Check that a lane that cannot start is tried for ever, and a till waits meanwhile."""
    lane = Lane(machine, "failing")
    configure(lane, 11009, 12009, "RIG-9")
    folder = f"/run/systemd/system/{lane.service}.d"
    with checks.check(f"a daemon that fails {OFTEN} times is still tried, and its socket is open"):
        machine.write(f"{folder}/broken.conf", BROKEN)
        machine.sh(f"systemctl daemon-reload; systemctl start --no-block {lane.service}")
        machine.until(
            lambda: int(machine.show(lane.service, "NRestarts")) >= OFTEN, f"{OFTEN} restarts"
        )
        equal(machine.show(lane.socket_unit, "ActiveState"), "active", "the socket")
        waiting = lane.asking("GET", "/v1/lane")
        machine.sh(f"rm {folder}/broken.conf; systemctl daemon-reload")
        equal(reply(waiting).status, 200, "what the till is told that waited")
    with checks.check("a start limit would have ended it: the check can fail"):
        machine.sh(f"systemctl stop {lane.service}")
        machine.write(f"{folder}/broken.conf", LIMITED + BROKEN)
        machine.sh(f"systemctl daemon-reload; systemctl start --no-block {lane.service}")
        machine.until(
            lambda: machine.show(lane.service, "ActiveState") == "failed", "the service to be dead"
        )
    machine.sh(
        f"rm -r {folder}; systemctl daemon-reload; systemctl reset-failed {lane.service};"
        f" systemctl stop {lane.socket_unit}"
    )


class BackOff:
    """A lane with a wrong configuration, that fails while other checks run."""

    def __init__(self, machine: Machine) -> None:
        self.lane = Lane(machine, "wrong")
        machine.write(self.lane.config, "[nonsense]\n")
        machine.sh(f"systemctl start --no-block {self.lane.service}")

    def check(self, checks: Checks) -> None:
        """Check how long the pauses were."""
        machine, wanted = self.lane.machine, ["4", "8"]
        with checks.check("the pauses between failed starts grow"):

            def pauses() -> list[str]:
                log = machine.sh(f"journalctl -o cat -u {self.lane.service}")
                return re.findall(r"a pause of (\d+) s", log)[: len(wanted)]

            machine.until(lambda: len(pauses()) == len(wanted), "pauses in the log")
            equal(pauses(), wanted, "the pauses")
        machine.sh(f"systemctl stop {self.lane.socket_unit} {self.lane.service}")


def check_waits(checks: Checks, lane: Lane) -> None:
    """Check that tills which connect during a restart wait, and none is refused."""
    machine, before = lane.machine, lane.pid
    with checks.check("restart: tills that connect meanwhile wait, and none is refused"):
        restart = machine.later(
            "run", argv=["systemctl", "restart", lane.service], timeout=60
        )  # fmt: skip
        times = []
        while not restart.done():
            answer = lane.ask("GET", "/v1/lane")  # RigError if it is refused
            equal(answer.status, 200, "the status")
            times.append(answer.took)
        equal(restart.result()["code"], 0, "the restart's exit status")
        assert lane.pid != before, "the daemon was not restarted"
        checks.note(f"{len(times)} tills; one waited {max(times):.1f} s")
    with checks.check("without its socket unit a till would be refused: the check can fail"):
        machine.sh(f"systemctl stop {lane.socket_unit} {lane.service}")
        try:
            lane.ask("GET", "/v1/lane")
        except RigError:
            pass
        else:
            raise AssertionError("a till was answered")
    machine.sh(f"systemctl start {lane.socket_unit} {lane.service}")
