"""The responses that a terminal can repeat when asked with TransactionStatus."""

from collections import deque
from xml.etree.ElementTree import Element

from msgspec import Struct

from laned.simulator import compose
from laned.simulator.wire import Message


class Remembered(Struct, frozen=True):
    """A response: its header, and its body."""

    header: dict[str, str]
    body: Element


class Memory:
    """The last responses to payments and reversals, so many as ``size``."""

    def __init__(self, size: int) -> None:
        self._found: deque[Remembered] = deque(maxlen=size)

    def remember(self, request: Message, body: Element) -> None:
        """Keep the response to a request."""
        self._found.append(Remembered(compose.response_header(request), body))

    def forget(self) -> None:
        """Lose everything."""
        self._found.clear()

    def forget_newest(self) -> None:
        """Lose the last one only."""
        if self._found:
            self._found.pop()

    def find(self, asked: dict[str, str]) -> Remembered | None:
        """The last response whose header has all these values."""
        for remembered in reversed(self._found):
            if asked.items() <= remembered.header.items():
                return remembered
        return None


def asked_for(status: Message) -> dict[str, str]:
    """What a TransactionStatusRequest asks for, as header values.

    Without a reference that is the last response for the asker's own POIID and SaleID.
    """
    own = {"POIID": status.poi_id, "SaleID": status.sale_id}
    reference = status.body.find("MessageReference")
    return own if reference is None else own | dict(reference.attrib)


def names(asked: dict[str, str], request: Message) -> bool:
    """Whether what is asked for is (the response to) this request."""
    return asked.items() <= compose.response_header(request).items()
