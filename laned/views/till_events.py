"""What a step is worth telling: the till's events, as a view of the step (contract, Events)."""

from typing import Any, Literal

from msgspec import Struct

from laned.lane import events as ev
from laned.lane.payment import ReceiptText
from laned.lane.state import LaneState, Phase
from laned.views import lane as views

TO_BE_SIGNED = (Phase.SIGNING, Phase.SIGNING_RELOGIN)

NewsName = Literal[
    "session",
    "payment",
    "display",
    "prompt",
    "print",
    "card",
    "terminal",
    "button",
    "hardware",
    "journal",
]


class News(Struct, frozen=True):
    """One thing worth telling: an event's name, and its data ready to be written as JSON."""

    name: NewsName
    data: Any


class PrintNews(Struct, frozen=True, kw_only=True):
    """A document that the terminal wants printed, and the payment it belongs to."""

    document: Literal["merchant", "customer"]
    lines: tuple[str, ...]
    data: dict[str, Any] | None
    payment: str | None


class CardNews(Struct, frozen=True):
    """The card went into the terminal's reader or came out of it."""

    action: Literal["inserted", "removed"]


class TerminalNews(Struct, frozen=True):
    """Any other notification of the terminal."""

    event: str
    details: str


class ButtonNews(Struct, frozen=True):
    """A button was pressed or released."""

    name: str
    action: Literal["pressed", "released"]


class JournalNews(Struct, frozen=True):
    """The journal's condition changed."""

    journal: str


def news(before: LaneState, event: ev.Event | None, after: LaneState) -> list[News]:
    """What happened in the step from `before` to `after`, in the order a till wants to hear it."""
    told = _of_event(event, after)
    if after.phase in TO_BE_SIGNED and before.phase not in TO_BE_SIGNED:
        told.append(_to_be_signed(after))
    if after.payment is not before.payment and after.payment is not None:
        told.append(News("payment", after.payment))
    if after.settled is not before.settled and after.settled is not None:
        told.append(News("payment", after.settled))
    told += _of_prompt(before, after)
    display = views.display(after)
    if display != views.display(before):
        told.append(News("display", display))
    if views.session(after) != views.session(before):
        told.append(News("session", views.session(after)))
    if after.hardware != before.hardware:
        told.append(News("hardware", after.hardware))
    if after.journal != before.journal:
        told.append(News("journal", JournalNews(after.journal)))
    return told


def _of_event(event: ev.Event | None, state: LaneState) -> list[News]:
    match event:
        case ev.Printed(receipt=receipt):
            customer = receipt.qualifier == "CustomerReceipt"
            printed = PrintNews(
                document="customer" if customer else "merchant",
                lines=receipt.lines,
                data=receipt.data,
                payment=state.payment.id if state.payment else None,
            )
            return [News("print", printed)]
        case ev.TerminalNotified(event="CardInserted"):
            return [News("card", CardNews("inserted"))]
        case ev.TerminalNotified(event="CardRemoved"):
            return [News("card", CardNews("removed"))]
        case ev.TerminalNotified(event=name, details=details):
            return [News("terminal", TerminalNews(name, details))]
        case ev.ButtonPressed(name=name):
            return [News("button", ButtonNews(name, "pressed"))]
        case ev.ButtonReleased(name=name):
            return [News("button", ButtonNews(name, "released"))]
        case _:
            return []


def _to_be_signed(state: LaneState) -> News:
    """Light integration: the merchant's receipt, which the terminal does not ask us to print."""
    assert state.payment is not None
    receipt = state.payment.receipts.merchant or ReceiptText(())
    printed = PrintNews(
        document="merchant", lines=receipt.lines, data=receipt.data, payment=state.payment.id
    )
    return News("print", printed)


def _of_prompt(before: LaneState, after: LaneState) -> list[News]:
    told = []
    closed = after.closed
    if closed is not None and closed is not before.closed and closed.by is not None:
        told.append(News("prompt", views.prompt(after, closed)))
    if after.prompt is not None and after.prompt is not before.prompt:
        told.append(News("prompt", views.prompt(after, after.prompt)))
    return told
