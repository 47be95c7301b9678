"""Disks that are full or read only, for tests that may mount one."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MIB = 1024 * 1024


def _mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0


@contextmanager
def small_disk(path: Path, size: int = 8 * MIB) -> Iterator[Path]:
    """A file system of so many bytes, in memory."""
    path.mkdir(exist_ok=True)
    assert _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path))
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def fill(disk: Path) -> Path:
    """Leave no room on it; the file that takes it."""
    path = disk / "full"
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    try:
        while os.write(file, bytes(4096)):
            pass
    except OSError:
        pass
    finally:
        os.close(file)
    return path


def make_read_only(disk: Path) -> None:
    """Nothing can be written there any more."""
    assert _mount("-o", "remount,ro", str(disk))


def _can_mount() -> bool:
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        mounted = _mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", folder)
        if mounted:
            subprocess.run(["umount", "-l", folder], check=True)
        return mounted


needs_mount = pytest.mark.skipif(
    not _can_mount(), reason="only root can mount a small disk; the other tests imitate one"
)
