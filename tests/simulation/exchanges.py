"""Requests and responses as seen from outside, by their bytes: not with laned's own decoder."""

import re
from enum import StrEnum

import trio
from msgspec import Struct


class Fault(StrEnum):
    """What happens to one exchange that the lane begins."""

    NONE = "none"
    REFUSED = "refused"  # no connection
    STALLED = "sent slowly"  # its last byte leaves long after its first
    RESET_BEFORE = "reset before read"  # the first byte has left, the terminal never sees it
    RESET_AFTER = "reset after read"  # the terminal works on it, the connection is gone
    SILENT = "time-out"  # the terminal works on it, and no answer ever comes
    TRUNCATED = "truncated"
    GARBAGE = "garbage"
    FOREIGN = "foreign ServiceID"
    STALE = "an older answer"  # one that belongs to an earlier request
    ERROR = "HTTP 500"  # in place of the answer
    EMPTY = "HTTP 204"
    SLOW_REQUEST = "read late"
    SLOW_ANSWER = "answered late"


class Exchange:
    """A request of the lane on the wire, as seen from outside: by its bytes."""

    def __init__(self, raw: bytes, at: float) -> None:
        self.raw = raw
        self.at = at
        self.category = value(raw, "MessageCategory")
        self.service_id = value(raw, "ServiceID")
        body = raw.partition(b"<MessageReference")[2].partition(b">")[0]
        self.about = value(body, "ServiceID") if body else ""
        sale = raw.partition(b"<SaleTransactionID")[2].partition(b">")[0]
        self.transaction_id = value(sale, "TransactionID") if sale else ""
        self.fault = Fault.NONE
        self.over = trio.Event()
        self.status = 0
        self.answer: bytes | None = None
        self.broken = trio.Event()

    @property
    def cut(self) -> bool:
        """Whether the connection is reset."""
        return self.broken.is_set()

    def reset(self) -> None:
        """Break the connection, wherever it stands."""
        self.broken.set()
        self.over.set()


class Answer(Struct, frozen=True):
    """A response as it came over the wire: the outer outcome, and what it repeats."""

    result: str
    condition: str
    repeated_id: str = ""
    repeated_condition: str = ""


def read_answer(raw: bytes) -> Answer:
    """The outcome in a response's bytes."""
    outer, _, inner = raw.partition(b"<RepeatedMessageResponse")
    responses = re.findall(rb"<Response\b[^>]*>", outer)
    repeated = re.findall(rb"<Response\b[^>]*>", inner)
    header = re.search(rb"<MessageHeader\b[^>]*>", inner)
    return Answer(
        result=value(responses[0], "Result") if responses else "",
        condition=value(responses[0], "ErrorCondition") if responses else "",
        repeated_id=value(header[0], "ServiceID") if header else "",
        repeated_condition=value(repeated[0], "ErrorCondition") if repeated else "",
    )


def value(tag: bytes, name: str) -> str:
    """The first attribute with this name, or empty."""
    found = re.search(rf'\b{name}="([^"]*)"'.encode(), tag)
    return found[1].decode() if found else ""
