"""The machine as the checks see it: its files, and what this process may do there."""

import os
import pwd
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from laned.system.clock import clock_fault


class Box(Struct, frozen=True, kw_only=True):
    """A machine: `root` is where its files are, `may_use` whether this process may read and write.

    `user` is the name of whoever checks, `free_bytes` the room on the disk of a folder.
    """

    root: Path
    user: str
    may_use: Callable[[Path], bool]
    clock_fault: Callable[[], str]
    free_bytes: Callable[[Path], int]

    @classmethod
    def here(cls) -> "Box":
        """The machine that this runs on."""
        return cls(
            root=Path("/"),
            user=_user(),
            may_use=lambda path: os.access(path, os.R_OK | os.W_OK),
            clock_fault=clock_fault,
            free_bytes=_free_bytes,
        )

    def path(self, absolute: str | Path) -> Path:
        """Where the file `absolute` of this machine is."""
        return self.root / str(absolute).lstrip("/")

    def nearest(self, absolute: Path) -> Path:
        """The folder that is there of this one and those above it. Raises OSError."""
        folder = self.path(absolute)
        while not folder.exists():
            folder = folder.parent
        return folder

    def lines(self, absolute: str) -> list[str]:
        """The lines of a file; none when it cannot be read."""
        try:
            return self.path(absolute).read_text(errors="replace").splitlines()
        except OSError:
            return []

    def devices(self, pattern: str) -> list[str]:
        """The names in /dev that match."""
        return sorted(f"/dev/{found.name}" for found in self.path("/dev").glob(pattern))

    def groups(self) -> Mapping[str, frozenset[str]]:
        """Every group of the machine, and its members."""
        found = (line.split(":") for line in self.lines("/etc/group"))
        return {parts[0]: frozenset(parts[3].split(",")) for parts in found if len(parts) == 4}

    def joining(self, group: str) -> str:
        """How the one who checks gets into a group."""
        add = "" if group in self.groups() else f"sudo groupadd --system {group}; "
        return f"{add}sudo usermod -aG {group} {self.user}, then log in again"


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _free_bytes(folder: Path) -> int:
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize
