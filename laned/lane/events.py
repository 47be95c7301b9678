"""What can happen to a lane. Every event is a value; none of them says what follows from it."""

import math
from datetime import datetime
from typing import Literal

from msgspec import Struct

from laned.config.schema import Config
from laned.lane.payment import Order, Payment
from laned.nexo.messages import (
    AdminResponse,
    Header,
    LoginResponse,
    LogoutResponse,
    OutputText,
    PaymentResponse,
    Receipt,
    ReversalReason,
    ReversalResponse,
    TransactionStatusResponse,
)


class Moment(Struct, frozen=True):
    """What a step of the lane is given from outside beside the event.

    `monotonic` in seconds decides everything that waits; `wall` (aware, in the local time zone with
    its rules) is written down, and decides about the maintenance window where it is
    `synchronised`; `token` is 8 random characters, fresh for each step.
    """

    monotonic: float
    wall: datetime
    token: str
    synchronised: bool = True


class Event(Struct, frozen=True):
    """The base of all events."""


# -- The till asks --------------------------------------------------------------------------------


class PaymentAsked(Event, frozen=True):
    """A till wants a payment or refund; its id is not in the journal."""

    order: Order


class AbortAsked(Event, frozen=True):
    """A till wants the unfinished payment `payment_id` to end."""

    payment_id: str


class ConfirmAsked(Event, frozen=True):
    """A till confirms the pending payment in place of the button."""

    payment_id: str


class PromptAnswered(Event, frozen=True):
    """A till answers a prompt."""

    prompt_id: str
    confirmed: bool


class ReversalAsked(Event, frozen=True, kw_only=True):
    """A till wants an approved payment reversed.

    `payment` is that payment as the journal has it when the lane looks at the event, and
    `superseded_by` a later one that the terminal has approved; `charged_by` is the serial number of
    the terminal that was asked for it.
    """

    payment_id: str
    reason: ReversalReason
    payment: Payment | None = None
    superseded_by: str | None = None
    charged_by: str = ""


class ResolveAsked(Event, frozen=True, kw_only=True):
    """A person, by their `uid`, says what became of the unknown payment `payment_id`.

    `payment` is that payment as the journal has it when the lane looks at the event.
    """

    payment_id: str
    state: Literal["approved", "failed"]
    note: str
    uid: int
    payment: Payment | None = None


class JournalAcknowledged(Event, frozen=True):
    """A person knows that the journal is a new one in place of one that was lost."""


class LoginAsked(Event, frozen=True):
    """A person wants the login session renewed."""


class LogoutAsked(Event, frozen=True):
    """A person wants the session ended; `maintenance` lets the terminal update itself."""

    maintenance: bool


class LearnAsked(Event, frozen=True):
    """A person lets the lane take its first terminal from anywhere, for a while."""


class UpdateAsked(Event, frozen=True):
    """A person wants the terminal to look for updates."""


# -- Buttons --------------------------------------------------------------------------------------


class ButtonPressed(Event, frozen=True):
    """A debounced press of the button `name`, down since `since` (monotonic seconds).

    The default stands for a press that has just begun.
    """

    name: str
    since: float = math.inf


class ButtonReleased(Event, frozen=True):
    """The button `name` was let go after a press that counted."""

    name: str


# -- The terminal answers (or not) ----------------------------------------------------------------


class LoginAnswered(Event, frozen=True):
    """The terminal answered our Login."""

    response: LoginResponse


class LoginFailed(Event, frozen=True):
    """No usable answer to our Login."""

    reason: str


class LogoutEnded(Event, frozen=True):
    """Our Logout was answered, or was not: `response` is None then."""

    response: LogoutResponse | None


class UpdateAnswered(Event, frozen=True):
    """The terminal answered that it looks for updates, or not: `response` is None then."""

    response: AdminResponse | None


class AttemptSent(Event, frozen=True):
    """The PaymentRequest's last byte has left this machine."""

    service_id: str


class AttemptAnswered(Event, frozen=True, kw_only=True):
    """The answer to a PaymentRequest came on its own connection.

    `poi_owner` is the id of the payment in our journal that already has this POITransactionID,
    `superseded_by` a later one, approved by the terminal, than that which the answer is of.
    """

    service_id: str
    header: Header
    response: PaymentResponse | ReversalResponse
    poi_owner: str | None = None
    superseded_by: str | None = None


class AttemptNotSent(Event, frozen=True):
    """The PaymentRequest certainly did not reach the terminal (money rule 3)."""

    service_id: str
    reason: str


class AttemptLost(Event, frozen=True):
    """The PaymentRequest may have reached the terminal, but no usable answer came."""

    service_id: str
    reason: str


class StatusAnswered(Event, frozen=True, kw_only=True):
    """The terminal answered our TransactionStatus; the journal's words as in AttemptAnswered.

    `repeated_of` is the payment in our journal that the repeated response is of, by its ServiceID
    and TransactionID.
    """

    service_id: str
    response: TransactionStatusResponse
    poi_owner: str | None = None
    repeated_of: str | None = None
    superseded_by: str | None = None


Port = Literal["closed", "silent", "answered"]
"""What was found where a request went: nobody, nobody who answers, or no nexo answer to it."""


class StatusFailed(Event, frozen=True):
    """No usable answer to our TransactionStatus."""

    service_id: str
    reason: str
    port: Port = "silent"


# -- The terminal posts ---------------------------------------------------------------------------


class DisplayShown(Event, frozen=True):
    """The terminal's display shows this."""

    texts: tuple[OutputText, ...]


class Printed(Event, frozen=True):
    """The terminal wants a document printed."""

    receipt: Receipt


class InputAsked(Event, frozen=True):
    """The terminal asks for a confirmation; `key` names this request, `max_time` in seconds."""

    key: str
    text: str
    max_time: int | None


class InputWithdrawn(Event, frozen=True):
    """The terminal hung up before its request `key` was answered."""

    key: str


class TerminalNotified(Event, frozen=True, kw_only=True):
    """An EventNotification of the terminal."""

    event: str
    details: str = ""
    maintenance_required: bool = False


class AddressAnnounced(Event, frozen=True):
    """A terminal announced that it is at `address`, from that very address.

    `admitted`: the listener's `allow` names it.
    """

    address: str
    admitted: bool


# -- The box itself -------------------------------------------------------------------------------


class TimePassed(Event, frozen=True):
    """A time that the state waits for may have come."""


class TerminalProbed(Event, frozen=True):
    """A connection to `address` was tried while the lane was idle: it is gone, or back again."""

    address: str
    reached: bool


class ConfigChanged(Event, frozen=True):
    """The configuration was read again; what cannot change while the daemon runs is as before."""

    config: Config


class HardwareReported(Event, frozen=True):
    """The health of a part of our hardware changed."""

    part: Literal["display", "buttons"]
    health: str


class JournalReported(Event, frozen=True):
    """The journal's health changed: ok, full or read_only."""

    health: str


class StopAsked(Event, frozen=True):
    """The daemon is to stop in good order (money rule 12)."""
