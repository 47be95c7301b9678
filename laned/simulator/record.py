"""What a test or a demonstration sees of a simulated terminal, and how it waits for it."""

from collections import deque
from collections.abc import Callable

import trio
from msgspec import Struct

from laned.simulator.wire import Message

MAX_RECORDED = 10_000
"""Received messages, and violations, that are kept."""


class Received(Struct, frozen=True):
    """A request from the till, as it came."""

    category: str
    service_id: str
    sale_id: str
    poi_id: str
    reference: str
    """ServiceID in MessageReference (Abort, TransactionStatus), or empty."""
    transaction_id: str
    """SaleTransactionID/TransactionID (Payment), or empty."""
    at: float
    """`trio.current_time` of its arrival."""
    raw: bytes


class Record:
    """Requests, violations, and a line for each thing that happens."""

    def __init__(self, on_event: Callable[[str], None]) -> None:
        self.requests: deque[Received] = deque(maxlen=MAX_RECORDED)
        self.violations: list[str] = []
        self._on_event = on_event
        self._waits: list[tuple[Callable[[], bool], trio.Event]] = []

    def say(self, line: str) -> None:
        """Something happened: tell it, and look at what is waited for."""
        self._on_event(line)
        for view, event in self._waits:
            if view():
                event.set()

    def violation(self, text: str) -> None:
        """The till broke a rule."""
        if len(self.violations) < MAX_RECORDED:
            self.violations.append(text)
        self.say(f"VIOLATION {text}")

    def received(self, message: Message, raw: bytes) -> None:
        """The till sent a request."""
        reference = message.find("MessageReference", "ServiceID")
        self.requests.append(
            Received(
                category=message.category,
                service_id=message.service_id,
                sale_id=message.sale_id,
                poi_id=message.poi_id,
                reference=reference,
                transaction_id=message.find("SaleData/SaleTransactionID", "TransactionID"),
                at=trio.current_time(),
                raw=raw,
            )
        )
        about = f" about {reference}" if reference else ""
        self.say(f"till: {message.category} {message.service_id}{about}")

    async def until(self, view: Callable[[], bool]) -> None:
        """Wait until the view is true; looked at after every change, so none is missed."""
        if view():
            await trio.lowlevel.checkpoint()
            return
        wait = (view, trio.Event())
        self._waits.append(wait)
        try:
            await wait[1].wait()
        finally:
            self._waits.remove(wait)
