"""What a step is worth telling: the till's events, as a view of the step (contract, Events)."""

from typing import Any, Literal

from msgspec import Struct

from laned.lane import events as ev
from laned.lane.payment import ReceiptText
from laned.lane.state import LaneState, Phase
from laned.views import lane as views

TO_BE_SIGNED = (Phase.SIGNING, Phase.SIGNING_RELOGIN)

TillEventName = Literal[
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


class TillEvent(Struct, frozen=True):
    """One thing worth telling: an event's name, and its data ready to be written as JSON."""

    name: TillEventName
    data: Any


class PrintEvent(Struct, frozen=True, kw_only=True):
    """A document that the terminal wants printed, and the payment it belongs to."""

    document: Literal["merchant", "customer"]
    lines: tuple[str, ...]
    data: dict[str, Any] | None
    payment: str | None


class CardEvent(Struct, frozen=True):
    """The card went into the terminal's reader or came out of it."""

    action: Literal["inserted", "removed"]


class TerminalEvent(Struct, frozen=True):
    """Any other notification of the terminal."""

    event: str
    details: str


class ButtonEvent(Struct, frozen=True):
    """A button was pressed or released."""

    name: str
    action: Literal["pressed", "released"]


class JournalEvent(Struct, frozen=True):
    """The journal's condition changed."""

    journal: str


def till_events(before: LaneState, event: ev.Event | None, after: LaneState) -> list[TillEvent]:
    """What happened in the step from `before` to `after`, in the order a till wants to hear it."""
    told = _of_event(event, after)
    if after.phase in TO_BE_SIGNED and before.phase not in TO_BE_SIGNED:
        told.append(_to_be_signed(after))
    if after.payment is not before.payment and after.payment is not None:
        told.append(TillEvent("payment", after.payment))
    if after.settled is not before.settled and after.settled is not None:
        told.append(TillEvent("payment", after.settled))
    told += _of_prompt(before, after)
    display = views.display(after)
    if display != views.display(before):
        told.append(TillEvent("display", display))
    if views.session(after) != views.session(before):
        told.append(TillEvent("session", views.session(after)))
    if after.hardware != before.hardware:
        told.append(TillEvent("hardware", after.hardware))
    if after.journal != before.journal:
        told.append(TillEvent("journal", JournalEvent(after.journal)))
    return told


def _of_event(event: ev.Event | None, state: LaneState) -> list[TillEvent]:
    match event:
        case ev.Printed(receipt=receipt):
            customer = receipt.qualifier == "CustomerReceipt"
            printed = PrintEvent(
                document="customer" if customer else "merchant",
                lines=receipt.lines,
                data=receipt.data,
                payment=state.payment.id if state.payment else None,
            )
            return [TillEvent("print", printed)]
        case ev.TerminalNotified(event="CardInserted"):
            return [TillEvent("card", CardEvent("inserted"))]
        case ev.TerminalNotified(event="CardRemoved"):
            return [TillEvent("card", CardEvent("removed"))]
        case ev.TerminalNotified(event=name, details=details):
            return [TillEvent("terminal", TerminalEvent(name, details))]
        case ev.ButtonPressed(name=name):
            return [TillEvent("button", ButtonEvent(name, "pressed"))]
        case ev.ButtonReleased(name=name):
            return [TillEvent("button", ButtonEvent(name, "released"))]
        case _:
            return []


def _to_be_signed(state: LaneState) -> TillEvent:
    """Light integration: the merchant's receipt, which the terminal does not ask us to print."""
    assert state.payment is not None
    receipt = state.payment.receipts.merchant or ReceiptText(())
    printed = PrintEvent(
        document="merchant", lines=receipt.lines, data=receipt.data, payment=state.payment.id
    )
    return TillEvent("print", printed)


def _of_prompt(before: LaneState, after: LaneState) -> list[TillEvent]:
    told = []
    closed = after.closed
    if closed is not None and closed is not before.closed and closed.by is not None:
        told.append(TillEvent("prompt", views.prompt(after, closed)))
    if after.prompt is not None and after.prompt is not before.prompt:
        told.append(TillEvent("prompt", views.prompt(after, after.prompt)))
    return told
