"""Room for connections: what peers of one kind may hold, so that nobody can take another's.

Nobody waits for a slot, so no peer delays the next one's `accept`. Where a share is full, a
newcomer takes the place of the connection that has been idle longest; where all of them are at
work, it is closed. What an idle connection loses by that is one more connect.
"""

from collections.abc import Hashable
from math import inf
from typing import Protocol

from msgspec import Struct


class Share(Struct, frozen=True, kw_only=True):
    """What the peers of one kind may hold of a server's connections."""

    name: str
    connections: int
    """Open at a time, of all of them together."""
    per_peer: int
    """Of one peer: a TCP address, or the user at a unix socket."""
    seconds: float = inf
    """For a whole connection, from its accept to its end."""
    oldest_goes: bool = False
    """Whether the oldest makes room for a newcomer, idle or not."""


class Holder(Protocol):
    """A connection that holds a slot."""

    def idle_since(self) -> float | None:
        """Since when it waits for a request; None while one is being sent or answered."""
        ...

    def give_way(self) -> None:
        """End soon; `Slots` does not count it any more."""
        ...


class Slots:
    """Who holds what of one listener's connections, the oldest first."""

    def __init__(self) -> None:
        self._held: dict[str, list[tuple[Hashable, Holder]]] = {}

    def take(self, share: Share, peer: Hashable, holder: Holder) -> bool:
        """Give `holder` a slot of `share`, if need be another's; whether there was one."""
        held = self._held.setdefault(share.name, [])
        own = [slot for slot in held if slot[0] == peer]
        for slots, limit in ((own, share.per_peer), (held, share.connections)):
            if len(slots) >= limit:
                leaving = slots[0] if share.oldest_goes else _longest_idle(slots)
                if leaving is None:
                    return False
                held.remove(leaving)
                leaving[1].give_way()
                break  # room for one is room in both: its own slot counts in the whole, too
        held.append((peer, holder))
        return True

    def give_back(self, share: Share, peer: Hashable, holder: Holder) -> None:
        """Take `holder` off the list; nothing if it has given way."""
        held = self._held[share.name]
        if (peer, holder) in held:
            held.remove((peer, holder))


def _longest_idle(slots: list[tuple[Hashable, Holder]]) -> tuple[Hashable, Holder] | None:
    idle = [(since, slot) for slot in slots if (since := slot[1].idle_since()) is not None]
    return min(idle, key=lambda one: one[0])[1] if idle else None
