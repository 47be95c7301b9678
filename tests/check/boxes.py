"""Machines for the checks: a folder in place of /, and what this process may do there."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from laned.check.box import Box
from laned.check.daemon import Daemon
from laned.check.finding import Finding, Level
from laned.config.file import parse
from laned.config.schema import Config

NONE_RUNS = Daemon(running=False)
NOT_KNOWN = Daemon(running=None)
GROUPS = ("gpio:x:986:", "i2c:x:988:pi", "spi:x:989:", "dialout:x:20:pi", "kassa:x:1001:")


def lane(**said: Any) -> dict[str, Any]:
    """What a daemon says of its lane, as far as it is looked at."""
    terminal = {"address": "127.0.0.1:9", "serial_number": "1", "software": "x"}
    usual = {
        "version": "1.2.3",
        "journal": "ok",
        "session": {"state": "ready", "reason": "", "terminal": terminal},
        "hardware": {"display": "ok", "buttons": "ok"},
    }
    return usual | said


def running(**said: Any) -> Daemon:
    return Daemon(True, lane(**said))


def hardware(display: str = "ok", buttons: str = "ok") -> Daemon:
    return running(hardware={"display": display, "buttons": buttons})


def config(*lines: str) -> Config:
    """A configuration with these lines in place of the defaults."""
    needed = ['terminal.poi_id = "A"']
    if not any(line.startswith("terminal.address") for line in lines):
        needed.append('terminal.address = "127.0.0.1:9"')
    return parse("\n".join([*needed, *lines]), "laned.toml", {})


class Machine:
    """A fake root, filled as a test needs it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.forbidden: set[str] = set()
        self.clock_fault = ""
        self.free = 1 << 40
        self.write("/etc/group", *GROUPS)

    def write(self, path: str, *lines: str) -> None:
        real = self.root / path.lstrip("/")
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_text("".join(f"{line}\n" for line in lines))

    def device(self, name: str, *, usable: bool = True) -> None:
        self.write(f"/dev/{name}")
        if not usable:
            self.forbidden.add(f"dev/{name}")

    def networks(self, *routes: tuple[str, str, str, str]) -> None:
        """Routes as (interface, target, gateway, mask)."""
        lines = [f"{name}\t{'	'.join(map(_hex, (to, via)))}\t1\t0\t0\t0\t{_hex(mask)}\t0\t0\t0"
                 for name, to, via, mask in routes]  # fmt: skip
        self.write("/proc/net/route", "Iface\tDestination\tGateway\tFlags …", *lines)

    @property
    def box(self) -> Box:
        return Box(
            root=self.root,
            user="pi",
            may_use=lambda path: os.fspath(path.relative_to(self.root)) not in self.forbidden,
            may_read=lambda path: True,
            clock_fault=lambda: self.clock_fault,
            free_bytes=lambda folder: self.free,
        )


def _hex(address: str) -> str:
    return "".join(f"{int(part):02X}" for part in reversed(address.split(".")))


def only(findings: Iterable[Finding]) -> Finding:
    (found,) = findings
    return found


def expect(found: Finding | None, level: Level, *words: str) -> None:
    """The finding is of this level, on one line, and has these words."""
    assert found is not None
    line = str(found)
    assert found.level is level, line
    assert (found.level is Level.OK) == (not found.cure), line
    assert "\n" not in line
    for word in words:
        assert word in line, line
