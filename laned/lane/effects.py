"""What a step of the lane asks of the outside: only to record, and to send.

Everything recorded in one step is on disk before any of its messages leaves and before anybody is
told (money rule 1).
"""

from datetime import datetime

from msgspec import Struct

from laned.lane.payment import Attempt, Order, Payment
from laned.nexo.messages import Message, PaymentResponse, ReversalResponse


class PaymentOpened(Struct, frozen=True):
    """A payment exists from now on, under an id that stays taken for ever."""

    payment: Payment
    order: Order


class PaymentChanged(Struct, frozen=True):
    """The payment now stands like this."""

    payment: Payment


class AttemptOpened(Struct, frozen=True):
    """An attempt is about to be sent for the payment."""

    payment_id: str
    attempt: Attempt


class AttemptChanged(Struct, frozen=True):
    """The terminal refused the attempt, or lost its session since."""

    attempt: Attempt


class AskedAfter(Struct, frozen=True):
    """What is set aside, or a person resolved, is asked after `until` then; None: no more."""

    payment_id: str
    until: datetime | None


class DoubtsCounted(Struct, frozen=True):
    """So many payments in a row were set aside without one between that the terminal decided."""

    doubts: int


class ForeignSeen(Struct, frozen=True, kw_only=True):
    """The terminal `serial` showed a transaction that is in no payment of this journal."""

    seen_at: datetime
    serial: str
    service_id: str
    poi_transaction: str | None
    response: PaymentResponse | ReversalResponse


class Surveyed(Struct, frozen=True):
    """A new journal knows what the terminal's last transaction was (money rule 11)."""


class Acknowledged(Struct, frozen=True):
    """A person knows that this journal is new."""


class ServiceIDsReserved(Struct, frozen=True):
    """ServiceIDs below `below` may have been used; the next life starts there."""

    below: int


class TerminalSeen(Struct, frozen=True):
    """The terminal that answered our Login, while `terminal.address` was `configured`."""

    address: str
    serial: str
    configured: str


Entry = (
    PaymentOpened
    | PaymentChanged
    | AttemptOpened
    | AttemptChanged
    | AskedAfter
    | DoubtsCounted
    | ForeignSeen
    | Surveyed
    | Acknowledged
    | ServiceIDsReserved
    | TerminalSeen
)


class Record(Struct, frozen=True):
    """Write `entry` to the journal."""

    entry: Entry


class Send(Struct, frozen=True):
    """Send `message` to the terminal at `address`; `timeout` in seconds bounds the exchange."""

    message: Message
    address: str
    timeout: float


Effect = Record | Send
