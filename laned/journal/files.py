"""What lies beside the journal's database: its lock, its ballast, and what was set aside."""

import errno
import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, NoReturn

from laned.lane.start import JournalSnapshot

BALLAST: Final = 1024 * 1024  # bytes


class JournalError(Exception):
    """The journal cannot be opened, read or written; the text says which file and why.

    `condition` is the till API's word for it: full, read_only or corrupt.
    """

    def __init__(self, text: str, condition: str = "read_only") -> None:
        super().__init__(text)
        self.condition = condition


class JournalBusy(JournalError):  # noqa: N818 - read as a sentence
    """Another daemon uses this journal."""


def hold(path: Path) -> tuple[bool, IO[str]]:
    """Hold the journal's lock file as long as the process lives: one daemon for one journal.

    The first of the two tells whether there has been a journal here (`was_here`), lost or not.
    """
    lock_path = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        known = lock_path.exists() and lock_path.stat().st_size > 0
        lock = lock_path.open("a")
    except OSError as error:
        raise JournalError(f"{path}: cannot open: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise JournalBusy(f"{path}: another laned uses this journal") from error
    return known, lock


def set_aside(path: Path) -> Path:
    """Move a journal that cannot be used out of the way, with all that belongs to it; where to.

    Its lock file stays, so that the new one knows that it is in place of another.
    """
    number = 1
    while (aside := path.with_name(f"{path.name}.aside-{number}")).exists():
        number += 1
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def was_here(lock: IO[str]) -> None:
    """Note in the lock file that there is a journal, so that its loss is noticed later."""
    if not os.fstat(lock.fileno()).st_size:
        lock.write("a journal was here\n")
        lock.flush()
        os.fsync(lock.fileno())


def has_room(path: Path, size: int) -> bool:
    """Tell whether `size` bytes can be written where `path` is: JournalError `read_only`."""
    try:
        disk = os.statvfs(path.parent)
    except OSError as error:
        raise JournalError(f"{path}: cannot be looked at: {error.strerror}") from error
    if disk.f_flag & os.ST_RDONLY:
        raise JournalError(f"{path}: its disk is read only")
    return disk.f_bavail * disk.f_frsize >= size


class Ballast:
    """A file that is let go of when the disk is full, so that what has happened can be written."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".ballast")

    def keep(self) -> None:
        """Have the whole file on disk: JournalError, `full` or `read_only`."""
        try:
            if self._path.exists() and self._path.stat().st_size == BALLAST:
                return
            with self._path.open("wb") as file:
                file.write(bytes(BALLAST))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            self.release()
            condition = "full" if error.errno == errno.ENOSPC else "read_only"
            text = f"{self._path}: cannot write: {error.strerror}"
            raise JournalError(text, condition) from error

    @property
    def missing(self) -> int:
        """Bytes that it takes to have the whole file."""
        try:
            return BALLAST - min(self._path.stat().st_size, BALLAST)
        except OSError:
            return BALLAST

    def release(self) -> None:
        """Let the file go."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


class BrokenJournal:
    """Stands in for a journal that cannot be used: everything asked of it is a JournalError."""

    def __init__(self, error: JournalError) -> None:
        self._error = error
        self.condition = error.condition
        self.life = 0

    def past(self) -> JournalSnapshot:
        """A past that keeps the lane from sending anything (money rule 13)."""
        return JournalSnapshot(next_service_id=1, journal=self._error.condition)

    def close(self) -> None:
        """Nothing is open."""

    def release_ballast(self) -> None:
        """There is none."""

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        def refuse(*_: object) -> NoReturn:
            raise self._error

        return refuse
