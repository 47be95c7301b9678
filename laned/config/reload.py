"""Reading the configuration again while the daemon runs (SIGHUP).

What the running lane asks its configuration for at every step changes at once. What was opened at
the start (sockets, pins, panel, journal) or belongs to the session is left as it was, and named.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from laned.config.schema import Config

RELOADABLE: Final = frozenset(
    {
        "lane.language",  # of the next Login
        "terminal.currency",
        "terminal.response_timeout",
        "terminal.status_timeout",
        "terminal.retry_interval",
        "listener.allow",
        "payment",
        "maintenance",
        "display.language",
        "display.texts",
        "display.icons",
    }
)
"""Keys, or whole tables, that take effect without a restart."""

BY_BUTTON: Final = frozenset({"confirm", "signature"})
"""Of [payment], what waits for the next start together with changed buttons."""


def reloaded(running: Config, read: Config) -> tuple[Config, list[str], list[str]]:
    """The configuration to run with, the keys that it changes, and those that need a restart."""
    changed: list[str] = []
    later: list[str] = []
    tables = {}
    for table in Config.__struct_fields__:
        old, new = getattr(running, table), getattr(read, table)
        kept = {}
        for key in _differing(old, new):
            name = f"{table}.{key}"
            reloads = name in RELOADABLE or table in RELOADABLE
            (changed if reloads else later).append(name)
            if not reloads:
                kept[key] = getattr(old, key)
        tables[table] = msgspec.structs.replace(new, **kept)
    if running.buttons != read.buttons:  # who confirms and approves depends on the buttons
        payment = msgspec.structs.replace(
            read.payment, **{key: getattr(running.payment, key) for key in BY_BUTTON}
        )
        tables["payment"] = payment
        for key in BY_BUTTON & set(_differing(running.payment, read.payment)):
            changed.remove(f"payment.{key}")
            later.append(f"payment.{key}")
    return Config(**tables), changed, later


def _differing(old: msgspec.Struct, new: msgspec.Struct) -> Iterator[str]:
    for key in old.__struct_fields__:
        if getattr(old, key) != getattr(new, key):
            yield key
