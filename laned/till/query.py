"""The fields that a till may write in a query: each is read here, and described here."""

import re
from typing import Any, Final, Protocol

from msgspec import Struct

from laned.journal.store import MAX_PAGE
from laned.lane.payment import PaymentState
from laned.till.problems import ProblemError

PAGE: Final = 100  # payments in one answer, unless the till says otherwise
MAX_SCALE: Final = 8  # a pixel of the display is so many wide at the most


class Field(Protocol):
    """One field: its name, and a JSON schema of what it may be."""

    @property
    def name(self) -> str:
        """How it is written."""
        ...

    @property
    def schema(self) -> dict[str, Any]:
        """What is understood there."""
        ...


class Whole(Struct, frozen=True):
    """A whole number within bounds."""

    name: str
    default: int
    low: int
    high: int

    @property
    def schema(self) -> dict[str, Any]:
        """A whole number."""
        bounds = {"minimum": self.low, "maximum": self.high}
        return {"type": "integer", **bounds, "default": self.default}

    def read(self, query: dict[str, str]) -> int:
        """Read the number, or give the default: ProblemError `invalid`."""
        text = query.get(self.name, str(self.default))
        if not re.fullmatch("[0-9]{1,9}", text) or not self.low <= int(text) <= self.high:
            detail = f"{self.name} is a whole number, {self.low} to {self.high}"
            raise ProblemError("invalid", detail, field=self.name)
        return int(text)


class OfState(Struct, frozen=True):
    """A state of payments."""

    name: str

    @property
    def schema(self) -> dict[str, Any]:
        """One of the states."""
        return {"type": "string", "enum": list(PaymentState)}

    def read(self, query: dict[str, str]) -> PaymentState | None:
        """Read the state: ProblemError `invalid`."""
        text = query.get(self.name)
        if text is None:
            return None
        if text not in list(PaymentState):
            known = ", ".join(PaymentState)
            raise ProblemError("invalid", f"{text!r} is none of {known}", field=self.name)
        return PaymentState(text)


class OfPayment(Struct, frozen=True):
    """The id of a payment; the journal decides about it."""

    name: str

    @property
    def schema(self) -> dict[str, Any]:
        """Any text."""
        return {"type": "string", "description": "a payment's id"}

    def read(self, query: dict[str, str]) -> str | None:
        """Read the id."""
        return query.get(self.name)


SCALE: Final = Whole("scale", 1, 1, MAX_SCALE)
LIMIT: Final = Whole("limit", PAGE, 1, MAX_PAGE)
STATE: Final = OfState("state")
BEFORE: Final = OfPayment("before")
