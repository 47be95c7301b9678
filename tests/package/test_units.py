"""The systemd units: what systemd says of them, and what they must agree on."""

import os
import re
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from ctypes.util import find_library
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[2] / "systemd"
SERVICES = ("laned.service", "laned@.service")
UNITS = (*SERVICES, "laned.socket", "laned@.socket")
OF_THE_TEMPLATE = {
    "laned.socket": "laned@%i.socket",
    "/etc/laned/laned.toml": "/etc/laned/%i.toml",
    "/run/laned/till.sock": "/run/laned/%i.sock",
    "StateDirectory=laned": "StateDirectory=laned/%i",
    "laned-work": "laned-work-%i",
}
"""What a lane of several has instead."""

EXPOSURE = 20
"""In tenths; four of them because systemd counts the calls that read the clock as setting it."""

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze"
)


def analyze(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def installed(folder: Path) -> list[str]:
    """The units as they are where laned is installed: their programs exist."""
    for name in UNITS:
        text = (SYSTEMD / name).read_text()
        text = re.sub(r"/usr/bin/laned|/usr/lib/laned/back-off", "/bin/true", text)
        (folder / name).write_text(text)
    return [str(folder / name) for name in UNITS]


def values(unit: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", (SYSTEMD / unit).read_text(), re.MULTILINE)


@needs_systemd
def test_systemd_has_nothing_to_say(tmp_path: Path) -> None:
    assert analyze("verify", "--man=no", *installed(tmp_path)) == (0, "")


@needs_systemd
@pytest.mark.parametrize("unit", UNITS)
def test_a_mistyped_key_would_be_seen(tmp_path: Path, unit: str) -> None:
    installed(tmp_path)
    section = "[Socket]" if unit.endswith(".socket") else "[Service]"
    path = tmp_path / unit
    path.write_text(path.read_text().replace(section, f"{section}\nRestartsec=2"))
    assert "Restartsec" in analyze("verify", "--man=no", str(path))[1]


@needs_systemd
@pytest.mark.parametrize("unit", SERVICES)
def test_the_sandbox_is_tight(unit: str) -> None:
    status, said = analyze(
        "security", "--offline=true", f"--threshold={EXPOSURE}", str(SYSTEMD / unit)
    )
    assert status == 0, said.splitlines()[-1]


@needs_systemd
def test_a_looser_sandbox_would_be_seen(tmp_path: Path) -> None:
    text = (SYSTEMD / "laned.service").read_text().replace("ProtectHome=yes", "ProtectHome=no")
    (tmp_path / "laned.service").write_text(text)
    path = str(tmp_path / "laned.service")
    assert analyze("security", "--offline=true", f"--threshold={EXPOSURE}", path)[0] != 0


def system_calls(unit: str) -> set[str]:
    """The system calls that a unit may use, of its lines of SystemCallFilter=."""
    allowed = set[str]()
    for line in values(unit, "SystemCallFilter"):
        forbids = line.startswith("~")
        for name in line.removeprefix("~").split():
            calls = members(name)
            allowed = allowed - calls if forbids else allowed | calls
    return allowed


def members(name: str) -> set[str]:
    if not name.startswith("@"):
        return {name}
    lines = analyze("syscall-filter", name)[1].splitlines()[1:]
    names = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    return set[str]().union(*map(members, names))


CLOCK = """
import ctypes, errno, os, sys
seccomp = ctypes.CDLL("libseccomp.so.2")
seccomp.seccomp_init.restype = ctypes.c_void_p
seccomp.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int,
    ctypes.c_uint, ctypes.c_void_p]
seccomp.seccomp_load.argtypes = [ctypes.c_void_p]
libc = ctypes.CDLL(None, use_errno=True)
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
assert libc.prctl(38, 1, 0, 0, 0) == 0
filter = seccomp.seccomp_init(0x00050000 | errno.EPERM)
for name in sys.argv[1:]:
    number = seccomp.seccomp_syscall_resolve_name(name.encode())
    if number >= 0:
        assert seccomp.seccomp_rule_add_array(filter, 0x7FFF0000, number, 0, None) == 0
assert seccomp.seccomp_load(filter) == 0
timex = ctypes.create_string_buffer(256)
read = libc.adjtimex(timex)
timex = ctypes.create_string_buffer(256)
timex[0] = 2  # ADJ_FREQUENCY
print(read >= 0, libc.adjtimex(timex), errno.errorcode[ctypes.get_errno()])
now = (ctypes.c_long * 2)(1, 0)
print(libc.clock_settime(0, now), errno.errorcode[ctypes.get_errno()])
"""
"""Run by nobody, under a filter of the system calls that it is given."""


@needs_systemd
@pytest.mark.parametrize("unit", SERVICES)
def test_the_clock_can_be_read_and_not_set(unit: str) -> None:
    """Whether the clock is right, chrony and others say by adjtimex(2) alone."""
    allowed = system_calls(unit)
    assert {"adjtimex", "clock_adjtime", "clock_adjtime64"} <= allowed
    assert not {"clock_settime", "clock_settime64", "settimeofday"} & allowed
    assert values(unit, "CapabilityBoundingSet") == [""]
    assert values(unit, "ProtectClock") == []
    assert "char-rtc" not in " ".join(values(unit, "DeviceAllow"))
    if os.geteuid() == 0 and find_library("seccomp"):
        done = subprocess.run(
            [sys.executable, "-c", CLOCK, *sorted(allowed)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == "True -1 EPERM\n-1 EPERM\n", done.stderr


@pytest.mark.parametrize("kind", ["service", "socket"])
def test_the_template_differs_only_where_lanes_differ(kind: str) -> None:
    template = (SYSTEMD / f"laned@.{kind}").read_text().splitlines()
    expected = []
    for line in (SYSTEMD / f"laned.{kind}").read_text().splitlines():
        changed = line
        for one, other in OF_THE_TEMPLATE.items():
            changed = re.sub(rf"{re.escape(one)}(?=$|[\s/])", other, changed)
        expected.append(changed)
    assert [line for line in template if not line.startswith("Description=")] == [
        line for line in expected if not line.startswith("Description=")
    ]


def test_users_and_groups_are_made() -> None:
    made = re.findall(r"^[ug] (\S+)", (SYSTEMD / "sysusers.conf").read_text(), re.MULTILINE)
    named = [*values("laned.service", "User"), *values("laned.socket", "SocketGroup")]
    named += values("laned.service", "SupplementaryGroups")[0].split()
    assert set(named) == set(made)


def test_the_rules_give_the_devices_to_groups_of_the_service() -> None:
    groups = re.findall(r'GROUP="(.*?)"', (SYSTEMD / "laned.rules").read_text())
    assert groups == values("laned.service", "SupplementaryGroups")[0].split()


@pytest.mark.parametrize("unit", SERVICES)
def test_a_kiosk_is_never_given_up(unit: str) -> None:
    parser = RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(SYSTEMD / unit)
    assert parser["Unit"]["StartLimitIntervalSec"] == "0"
    assert parser["Service"]["Restart"] == "always"
    assert int(parser["Service"]["WatchdogSec"]) > 10, "the journal tries a bad disk for 10 s"
    assert values(unit.replace("service", "socket"), "TriggerLimitIntervalSec") == ["0"]


@pytest.mark.parametrize("unit", SERVICES)
def test_callers_keep_their_names(unit: str) -> None:
    """In a user namespace every till would be 65534, and a verdict (`resolve`) nobody's."""
    assert values(unit, "PrivateUsers") in ([], ["no"])
