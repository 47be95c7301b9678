"""A till's event stream, taken apart as it comes, and more strictly than laned's reader does.

With code of its own: what writer and reader of `laned.http.sse` both had wrong would be seen here.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import trio
from msgspec import Struct

LONGEST_WAIT = 3600.0
"""Virtual seconds after which what is waited for has failed: heartbeats would go on for ever."""


class Told(Struct, frozen=True):
    """One server-sent event, as the till got it."""

    name: str
    data: Any
    id: int | None
    at: float


class Stream:
    """A till's event stream, read as it comes. `ended` when the daemon has ended it."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.comments: list[float] = []
        self.ended = trio.Event()
        self.cut = False
        """Whether the stream broke off, as it does when the daemon dies."""
        self._news = trio.Event()

    async def read(self, lines: AsyncIterator[str]) -> None:
        try:
            await self._read(lines)
        except httpx.RemoteProtocolError:
            self.cut = True
        self.ended.set()

    async def _read(self, lines: AsyncIterator[str]) -> None:
        fields: dict[str, str] = {}
        async for line in lines:
            if line.startswith(":"):
                self.comments.append(trio.current_time())
            elif line:
                name, _, value = line.partition(": ")
                assert name in ("id", "event", "data"), line
                assert name not in fields, line
                fields[name] = value
            elif fields:
                number = int(fields["id"]) if "id" in fields else None
                data = json.loads(fields["data"])
                self.told.append(Told(fields["event"], data, number, trio.current_time()))
                fields = {}
            news, self._news = self._news, trio.Event()
            news.set()

    def of(self, name: str) -> list[Any]:
        """The data of all events of this name, in order."""
        return [told.data for told in self.told if told.name == name]

    async def until(self, name: str, /, **fields: Any) -> Told:
        """The first event of this name whose data has these fields, waited for if need be."""
        read = 0
        with trio.fail_after(LONGEST_WAIT):
            while True:
                news = self._news
                for told in self.told[read:]:
                    if told.name == name and fields.items() <= told.data.items():
                        return told
                read = len(self.told)
                await news.wait()
