"""The runner's inbox as others see it: how events are brought, and what becomes of them."""

from typing import Final, Protocol

import trio
from msgspec import Struct

from laned.lane import events as ev
from laned.lane.payment import Payment
from laned.lane.turn import Refusal

INBOX: Final = 256  # events that may wait to be handled
SUBMITTED: Final = 64  # of these, by `submit`: a terminal that floods leaves room for a button


class LaneStopped(Exception):  # noqa: N818 - not an error: the lane has ended in good order
    """The lane handles no more events."""


class Handled(Struct, frozen=True, kw_only=True):
    """What became of an event: refused or not, and the payment it is about, as it stands.

    `repeated` tells of a PaymentAsked whose payment was there already.
    """

    refusal: Refusal | None = None
    payment: Payment | None = None
    repeated: bool = False


class Submit(Protocol):
    """Where others bring events: all of the runner that they get."""

    async def handle(self, event: ev.Event) -> Handled:
        """Have `event` handled, and wait until it is on disk and published: LaneStopped."""
        ...

    async def submit(self, event: ev.Event) -> None:
        """Bring an event in its turn; waits for room only, when SUBMITTED wait: LaneStopped."""
        ...

    def submit_nowait(self, event: ev.Event) -> None:
        """Bring an event that nobody waits for; dropped when the lane is hopelessly behind."""
        ...


class Inquiry:
    """An event in the inbox, and whoever waits for it."""

    def __init__(self, event: ev.Event, *, takes_room: bool = False) -> None:
        self.event = event
        self.takes_room = takes_room
        self.done = trio.Event()
        self.handled: Handled | None = None
