"""What a step of the lane asks of the outside: only to record, and to send.

Everything recorded in one step is on disk before any of its messages leaves and before anybody is
told (money rule 1).
"""

from msgspec import Struct

from laned.lane.payment import Attempt, Order, Payment
from laned.nexo.messages import Message


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
    """The terminal refused the attempt, or lost the session that it was sent in."""

    attempt: Attempt


class ServiceIDsReserved(Struct, frozen=True):
    """ServiceIDs below `below` may have been used; the next life starts there."""

    below: int


class TerminalSeen(Struct, frozen=True):
    """The terminal that answered our Login."""

    address: str
    serial: str


Entry = (
    PaymentOpened
    | PaymentChanged
    | AttemptOpened
    | AttemptChanged
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
