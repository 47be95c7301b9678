"""The machine itself: its clock, its disk, and the groups that the service runs in."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from laned.check.box import Box
from laned.check.finding import Finding, broken, ok, warning
from laned.config.schema import Config
from laned.system.clock import zone

MIB: Final = 1024 * 1024
LITTLE_ROOM: Final = 200 * MIB
"""Below this somebody should look; a payment takes a few kilobytes."""
NO_ROOM: Final = 8 * MIB
"""Below this the journal's ballast and its log may not fit."""


def check(config: Config, box: Box) -> Iterator[Finding]:
    """Check the clock, the disk, and the groups that the configured hardware needs."""
    yield clock(box)
    yield from time_zone(os.environ.get("TZ"))
    yield disk(Path(config.journal.path), box)
    yield from groups(config, box)


def clock(box: Box) -> Finding:
    """Whether the time of day can be believed."""
    why = box.clock_fault()
    if not why:
        return ok("clock", "is synchronised")
    return warning(
        "clock",
        f"is not synchronised, {why}: the maintenance window and pruning wait for it, and times may"
        " be wrong",
        "timedatectl shows why; systemd-timesyncd needs a time server that it can reach",
    )


def time_zone(name: str | None) -> Iterator[Finding]:
    """Whether the time zone that a variable TZ names is known."""
    if name is not None and zone(name) is None:
        yield warning(
            "clock",
            f"there is no time zone TZ={name}: the maintenance window is taken to be in UTC",
            'name one of timedatectl list-timezones, or write its rules: TZ="CET-1CEST,M3.5.0,'
            'M10.5.0/3"',
        )


def disk(journal: Path, box: Box) -> Finding:
    """Whether there is room where the journal is, or will be."""
    folder = box.path(journal.parent)
    try:
        while not folder.exists():
            folder = folder.parent
        free = box.free_bytes(folder)
    except OSError as error:
        return warning(
            "disk", f"the room in {journal.parent} is not known: {error.strerror}", "use sudo"
        )
    text = f"{free // MIB} MiB free where {journal} is"
    cure = "make room: sudo journalctl --vacuum-size=50M, sudo apt-get clean"
    if free < NO_ROOM:
        return broken("disk", text, cure)
    return ok("disk", text) if free >= LITTLE_ROOM else warning("disk", text, cure)


def groups(config: Config, box: Box) -> Iterator[Finding]:
    """Whether there are the groups that the service is given: without one it does not start."""
    needed = ["gpio"] if config.buttons.driver == "gpio" else []
    if config.display.driver not in ("virtual", "none"):
        needed.append(config.display.interface)
    for group in needed:
        if group not in box.groups():
            yield warning(
                "groups",
                f"this machine has no group {group}, which the service needs for its hardware",
                f"sudo groupadd --system {group}, and a udev rule that gives it the device",
            )
