"""The rig in a container: everything about laned as a service."""

import shutil
from pathlib import Path

from rig import boxes, debian, payments, service
from rig.checks import Checks
from rig.container import container
from rig.lane import Lane, Terminal
from rig.machine import Machine
from rig.sandbox import check_sandbox


def rig(checks: Checks, package: Path, work: Path) -> None:
    """Boot a container with the package in it, and check everything."""
    debian.install(["systemd-nspawn", "mmdebstrap"], ["systemd-container", "mmdebstrap"])
    root = work / "container"
    debian.root(root)
    shutil.copy(package, root / "root/laned.deb")
    shutil.copy(debian.newer(package, work), root / "root/newer.deb")
    checks.note("the container's files are there")
    with container(root) as machine:
        checks.note("the container has booted")
        _check(checks, machine)


def _check(checks: Checks, machine: Machine) -> None:
    lane = Lane(machine)
    with checks.check("the package installs"):
        machine.sh("dpkg -i /root/laned.deb", patience=120)
    check_sandbox(checks, machine)
    terminal = Terminal(machine, "happy")
    service.check_start(checks, lane)
    failing = service.BackOff(machine)
    service.check_socket(checks, lane)
    service.check_reload(checks, lane)
    service.check_waits(checks, lane)
    payments.check_payments(checks, lane, terminal)
    payments.check_watchdog(checks, lane, terminal)
    service.check_tried_for_ever(checks, machine)
    failing.check(checks)
    boxes.check_lanes(checks, machine)
    others = [Lane(machine, "a"), Lane(machine, "b")]
    service.check_status_line(checks, lane, terminal)
    boxes.check_upgrade(checks, lane, terminal, others)
    boxes.check_removal(checks, lane, others)
