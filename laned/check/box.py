"""The machine as the checks see it: its files, and what this process may do there."""

import grp
import os
import pwd
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from laned.system.clock import clock_fault

SERVICE_GROUPS: Final = ("gpio", "i2c", "spi")  # the units' SupplementaryGroups=


class Box(Struct, frozen=True, kw_only=True):
    """A machine: `root` is where its files are, `may_use` whether this process may read and write.

    `may_read` is whether it may read, `user` the name of whoever checks, `service` whether that is
    the service's user, `free_bytes` the room on the disk of a folder.
    """

    root: Path
    user: str
    may_use: Callable[[Path], bool]
    may_read: Callable[[Path], bool]
    clock_fault: Callable[[], str]
    free_bytes: Callable[[Path], int]
    service: bool = False

    @classmethod
    def here(cls, *, service: bool = False) -> "Box":
        """The machine that this runs on."""
        return cls(
            root=Path("/"),
            user=_user(),
            may_use=lambda path: os.access(path, os.R_OK | os.W_OK),
            may_read=lambda path: os.access(path, os.R_OK),
            clock_fault=clock_fault,
            free_bytes=_free_bytes,
            service=service,
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
        """How the one who checks gets into a group; the service is in those of its devices."""
        if self.service:
            return f"sudo udevadm trigger gives it the group {group}, by 60-laned.rules"
        add = "" if group in self.groups() else f"sudo groupadd --system {group}; "
        return f"{add}sudo usermod -aG {group} {self.user}, then log in again"


def become(user: str) -> bool:
    """Go on as a user, in the groups that the units give it, for good. False: there is no such."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        return False
    groups = set(os.getgrouplist(user, entry.pw_gid))
    for name in SERVICE_GROUPS:
        with suppress(KeyError):
            groups.add(grp.getgrnam(name).gr_gid)
    os.setgroups(sorted(groups))
    os.setresgid(*[entry.pw_gid] * 3)
    os.setresuid(*[entry.pw_uid] * 3)
    return True


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _free_bytes(folder: Path) -> int:
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize
