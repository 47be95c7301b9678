"""Server-sent events, written and read: one JSON object each. Source: HTML standard, 9.2.

Standard library only, so that a command that reads them starts quickly on a small board.
"""

import json
from typing import Any, NamedTuple


class Event(NamedTuple):
    """One server-sent event: its name, and its decoded data."""

    name: str
    data: Any


def written(name: str, data: bytes, event_id: int | None = None) -> bytes:
    """The bytes of an event; `data` is JSON without a line feed."""
    line = b"" if event_id is None else b"id: %d\n" % event_id
    return b"%sevent: %s\ndata: %s\n\n" % (line, name.encode(), data)


class EventReader:
    """Puts events together from the lines of a stream, given one by one."""

    def __init__(self) -> None:
        self._name = ""
        self._data: list[str] = []

    def take(self, line: str) -> Event | None:
        """Take a line; the event that it completes."""
        field, _, value = line.rstrip("\r\n").partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        elif not line.rstrip("\r\n"):
            return self._complete()
        return None

    def _complete(self) -> Event | None:
        name, data = self._name, self._data
        self._name, self._data = "", []
        return Event(name, json.loads("\n".join(data))) if data else None
