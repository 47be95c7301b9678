"""Tries what a unit's sandbox should forbid; prints {setting: what came of it} as JSON.

Each try is one that this user could do, or would be refused otherwise, if just that setting were
not there: "ok", or the error that the system gave.
"""

import ctypes
import errno
import json
import mmap
import os
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

SEEN = "/srv/rig"
"""A folder that everybody may write to, with a setuid copy of `id` in it."""
STATE = os.environ["STATE_DIRECTORY"]
ADDR_NO_RANDOMIZE = 0x0040000
CLONE_NEWUSER = 0x10000000

libc = ctypes.CDLL(None, use_errno=True)


def call(result: int) -> None:
    """Raise what a C function reports."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def status(field: str) -> str:
    """A field of /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{field}:"))


def namespace() -> None:
    """Make one in a child, so that the other tries stay as they are."""
    child = os.fork()
    if child == 0:
        os._exit(0 if libc.unshare(CLONE_NEWUSER) == 0 else ctypes.get_errno())
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, os.strerror(code))


def umask() -> str:
    """Make a file, and see who may read it."""
    path = Path(STATE, "tried")
    path.touch()
    mode = path.stat().st_mode
    path.unlink()
    return oct(stat.S_IMODE(mode))


def setuid() -> None:
    """Mark a file of our own setuid."""
    path = Path(STATE, "tried-setuid")
    path.touch()
    try:
        path.chmod(0o4700)
    finally:
        path.unlink()


TRIES: dict[str, Callable[[], object]] = {
    "ProtectSystem": lambda: Path(SEEN, "written").touch(),
    "ProtectHome": lambda: Path("/home/rig/secret").read_text(),
    "PrivateTmp": lambda: Path("/tmp/rig-secret").read_text(),
    "DevicePolicy": lambda: os.close(os.open("/dev/rig-device", os.O_RDONLY)),
    "MemoryDenyWriteExecute": lambda: mmap.mmap(-1, 4096, prot=7).close(),
    "RestrictAddressFamilies": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
    "SystemCallFilter": lambda: os.setpriority(os.PRIO_PROCESS, 0, 5),
    "NoNewPrivileges": lambda: subprocess.run(
        [f"{SEEN}/id", "-u"], capture_output=True, text=True, check=True
    ).stdout.strip(),
    "CapabilityBoundingSet": lambda: status("CapBnd"),
    "ProtectProc": lambda: Path("/proc/1/comm").read_text(),
    "ProtectControlGroups": lambda: Path("/sys/fs/cgroup/rig").mkdir(),
    "RestrictNamespaces": namespace,
    "RestrictSUIDSGID": setuid,
    "LockPersonality": lambda: call(libc.personality(ADDR_NO_RANDOMIZE)),
    "UMask": umask,
}


def outcome(attempt: Callable[[], object]) -> str:
    """What came of it."""
    try:
        result = attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return result if isinstance(result, str) else "ok"


print(json.dumps({setting: outcome(attempt) for setting, attempt in TRIES.items()}))
