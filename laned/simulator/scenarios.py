"""How a payment goes, as data: what the customer does and what the bank says."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct


class Ending(StrEnum):
    """How a payment ends unless the till or a signature decides otherwise."""

    APPROVED = "approved"
    DECLINED = "declined"
    CANCELLED = "cancelled"


class Mishap(StrEnum):
    """What happens to the terminal by itself in a payment, when `Moment` says."""

    CUT = "cut"
    """The connection breaks; the payment goes on."""
    REBOOT = "reboot"
    """It restarts, and still knows its responses then."""
    AMNESIA = "amnesia"
    """It restarts, and knows nothing of what was."""


class Moment(StrEnum):
    """When in a payment a mishap happens."""

    CARD = "card"
    """At "Present card": nothing is charged if it restarts."""
    BANK = "bank"
    """Before the bank is asked, the card is read: nothing is charged if it restarts."""
    CHARGE = "charge"
    """While the bank is asked: what it approves is charged, but a restarted terminal never knew."""
    BOOKED = "booked"
    """The outcome is in the books, and remembered, and the till has not heard of it."""


class Scenario(Struct, frozen=True):
    """One way a payment can go. Times are seconds at speed 1, varied by a tenth."""

    name: str
    ending: Ending = Ending.APPROVED
    condition: str = "Refusal"
    """ErrorCondition when the bank declines."""
    entry: Literal["Contactless", "ICC"] = "Contactless"
    brand: str = "01,Mastercard Debit"
    masked_pan: str = "535312******4478"
    pin_digits: int = 4
    signature: bool = False
    """The terminal asks for a signature, or sets SignatureBlock in light integration."""
    receipts: bool = True
    tip: Decimal = Decimal(0)
    mishap: Mishap | None = None
    mishap_at: Moment = Moment.BOOKED
    busy: float = 0.0
    """The PaymentRequest is answered Busy for so long, as after a login, and then taken."""
    maintenance: bool = False
    """The terminal wants maintenance from the beginning, before any payment."""
    card_time: float = 2.0
    """How long the customer takes to present the card, or to press stop."""
    pin_time: float = 0.8
    digit_time: float = 0.35
    host_time: float = 1.5
    result_time: float = 0.8
    """How long the result stays on the display before the response is sent."""


_CHIP: dict[str, Any] = {"entry": "ICC", "brand": "02,Visa", "masked_pan": "453201******7716"}

SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("happy"),
        # The same on the terminal's side: whoever answers its question decides.
        Scenario("signature-approved", pin_digits=0, signature=True, **_CHIP),
        Scenario("signature-declined", pin_digits=0, signature=True, **_CHIP),
        Scenario("declined", ending=Ending.DECLINED, **_CHIP),
        # Long enough at "Present card" for an abort to come.
        Scenario("aborted", ending=Ending.CANCELLED, card_time=120.0),
        Scenario("customer-cancel", ending=Ending.CANCELLED),
        Scenario("busy", busy=6.0),
        Scenario("lost-response", mishap=Mishap.CUT),
        Scenario("reboot", mishap=Mishap.REBOOT),
        Scenario("reboot-forgets", mishap=Mishap.AMNESIA),
        Scenario("maintenance", maintenance=True),
        # For a till in light integration; what makes it light is the till's Login.
        Scenario("light"),
        Scenario("light-signature-declined", pin_digits=0, signature=True, **_CHIP),
        # Of the terminal's power; whoever plays it cuts laned's at the same time.
        Scenario("power-cut", mishap=Mishap.REBOOT, mishap_at=Moment.CARD),
    )
}
