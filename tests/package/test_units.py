"""The systemd units: what systemd says of them, and what they must agree on."""

import re
import shutil
import subprocess
from configparser import RawConfigParser
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
    status, said = analyze("security", "--offline=true", "--threshold=15", str(SYSTEMD / unit))
    assert status == 0, said.splitlines()[-1]


@needs_systemd
def test_a_looser_sandbox_would_be_seen(tmp_path: Path) -> None:
    text = (SYSTEMD / "laned.service").read_text().replace("ProtectHome=yes", "ProtectHome=no")
    (tmp_path / "laned.service").write_text(text)
    path = str(tmp_path / "laned.service")
    assert analyze("security", "--offline=true", "--threshold=15", path)[0] != 0


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
