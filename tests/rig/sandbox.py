"""Checks that each sandbox setting of the units bites, and that only it does.

In the unit the daemon is replaced by inside/probe.py. A drop-in that opens one setting must turn
just that setting's try around, and leave all the others as they were.
"""

import json
from typing import Final

from rig.checks import Checks, equal
from rig.lane import Lane
from rig.machine import Machine

PREPARE: Final = """
mkdir -p /srv/rig /home/rig; chmod 1777 /srv/rig
echo secret > /home/rig/secret; echo secret > /tmp/rig-secret
install -m 4755 /usr/bin/id /srv/rig/id
[ -e /dev/rig-device ] || mknod -m 666 /dev/rig-device c 1 12
"""
# Character device 1:12 is none that DevicePolicy=closed leaves open, and has no driver: ENXIO.
PROBE: Final = """[Service]
Type=oneshot
Restart=no
WatchdogSec=0
ExecStartPre=
ExecStopPost=
ExecStart=
ExecStart=/usr/bin/python3 -I /opt/rig/probe.py
StandardOutput=truncate:/run/probe.json
"""
SETTINGS: Final = {
    "ProtectSystem": ("EROFS", "no", "ok"),
    "ProtectHome": ("EACCES", "no", "secret\n"),
    "PrivateTmp": ("ENOENT", "no", "secret\n"),
    "DevicePolicy": ("EPERM", "closed\nDeviceAllow=/dev/rig-device r", "ENXIO"),
    "MemoryDenyWriteExecute": ("EPERM", "no", "ok"),
    "RestrictAddressFamilies": ("EAFNOSUPPORT", "", "ok"),
    "SystemCallFilter": ("EPERM", "", "ok"),
    "CapabilityBoundingSet": ("0000000000000000", "CAP_KILL", "0000000000000020"),
    "ProtectProc": ("ENOENT", "default", "systemd\n"),
    "ProtectControlGroups": ("EROFS", "no", "EACCES"),
    "RestrictNamespaces": ("EPERM", "no", "ok"),
    "RestrictSUIDSGID": ("EPERM", "no", "ok"),
    "LockPersonality": ("EPERM", "no", "ok"),
    "UMask": ("0o600", "0022", "0o644"),
}
"""Of each setting: what the try meets; a value that opens it; what the try meets then."""
IMPLYING: Final = """SystemCallFilter=
SystemCallArchitectures=
RestrictAddressFamilies=
RestrictNamespaces=no
RestrictRealtime=no
RestrictSUIDSGID=no
MemoryDenyWriteExecute=no
LockPersonality=no
ProtectClock=no
ProtectHostname=no
ProtectKernelTunables=no
ProtectKernelModules=no
ProtectKernelLogs=no
"""
"""Opens what implies NoNewPrivileges=, which bites twice otherwise."""


def check_sandbox(checks: Checks, machine: Machine) -> None:
    """Check both units' settings, then each alone; leaves no drop-in behind."""
    machine.sh(PREPARE)
    expected = {name: closed for name, (closed, _, _) in SETTINGS.items()}
    user = expected["NoNewPrivileges"] = machine.sh("id -u laned")
    one, other = Lane(machine), Lane(machine, "probe")
    for lane in (other, one):
        with checks.check(f"sandbox of {lane.service}: {len(expected)} settings bite"):
            equal(_tried(lane), expected, "what was tried")
    for name, (_, value, then) in SETTINGS.items():
        with checks.check(f"sandbox: {name}= is what bites"):
            found = _tried(one, f"{name}={value}")
            equal(found, expected | {name: then}, "what was tried")
    with checks.check("sandbox: NoNewPrivileges= is what bites, once nothing implies it"):
        equal(_tried(one, IMPLYING)["NoNewPrivileges"], user, "a setuid program's user")
        found = _tried(one, f"{IMPLYING}NoNewPrivileges=no")
        equal(found["NoNewPrivileges"], "0", "a setuid program's user")
    machine.sh(
        f"rm -r {_folder(one)} {_folder(other)} /home/rig /tmp/rig-secret /dev/rig-device;"
        f" systemctl daemon-reload; systemctl stop {one.socket_unit} {other.socket_unit}"
    )


def _folder(lane: Lane) -> str:
    return f"/run/systemd/system/{lane.service}.d"


def _tried(lane: Lane, opened: str = "") -> dict[str, str]:
    """What the probe meets in the lane's unit, with one setting opened."""
    lane.machine.write(f"{_folder(lane)}/probe.conf", f"{PROBE}{opened}\n")
    lane.machine.sh(
        "rm -rf /run/probe.json /srv/rig/written; systemctl daemon-reload;"
        f" systemctl start {lane.service} || journalctl -n 9 -o cat -u {lane.service} >&2"
    )
    tried: dict[str, str] = json.loads(lane.machine.read("/run/probe.json"))
    return tried
