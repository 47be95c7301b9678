"""What became of a message that was sent, as an event of the lane."""

from msgspec import Struct

from laned.lane import events as ev
from laned.lane.effects import Send
from laned.nexo.messages import (
    AdminResponse,
    Category,
    LoginResponse,
    LogoutResponse,
    Message,
    PaymentResponse,
    ReversalResponse,
    TransactionStatusResponse,
)


class Answered(Struct, frozen=True):
    """The terminal answered; None: with HTTP 204, there is no nexo response."""

    message: Message | None


class NotSent(Struct, frozen=True):
    """No byte of the request left this machine (money rule 3)."""

    reason: str


class Lost(Struct, frozen=True):
    """The terminal may have the request, and no usable answer came; `answered`: but another."""

    reason: str
    answered: bool = False


Exchange = Answered | NotSent | Lost


def event_for(send: Send, exchange: Exchange) -> ev.Event | None:
    """The event that tells the lane how an exchange ended; None: nothing depends on it."""
    header = send.message.header
    sent_id = header.service_id or ""
    message = exchange.message if isinstance(exchange, Answered) else None
    reason = _reason(exchange)
    match header.category:
        case Category.PAYMENT | Category.REVERSAL:
            return _attempt(sent_id, exchange, message, reason)
        case Category.TRANSACTION_STATUS:
            if message and isinstance(message.body, TransactionStatusResponse):
                if message.header.service_id == sent_id:
                    return ev.StatusAnswered(service_id=sent_id, response=message.body)
                reason = f"an answer with ServiceID {message.header.service_id}"
            return ev.StatusFailed(sent_id, reason, _port(exchange))
        case Category.LOGIN:
            if message and isinstance(message.body, LoginResponse):
                if message.header.service_id == sent_id:
                    return ev.LoginAnswered(message.body)
                reason = f"an answer with ServiceID {message.header.service_id}"
            return ev.LoginFailed(reason)
        case Category.ADMIN:
            done = message is not None and isinstance(message.body, AdminResponse)
            return ev.UpdateAnswered(message.body if done else None)  # type: ignore[union-attr,arg-type]
        case Category.LOGOUT:
            usable = message is not None and isinstance(message.body, LogoutResponse)
            return ev.LogoutEnded(message.body if usable else None)  # type: ignore[union-attr,arg-type]
        case _:
            return None


def _attempt(
    sent_id: str, exchange: Exchange, message: Message | None, reason: str
) -> ev.AttemptAnswered | ev.AttemptNotSent | ev.AttemptLost:
    if isinstance(exchange, NotSent):
        return ev.AttemptNotSent(sent_id, reason)
    if message is not None and isinstance(message.body, PaymentResponse | ReversalResponse):
        # whose answer it is, the machine decides by the header
        return ev.AttemptAnswered(service_id=sent_id, header=message.header, response=message.body)
    return ev.AttemptLost(sent_id, reason)


def _port(exchange: Exchange) -> ev.Port:
    match exchange:
        case NotSent():
            return "closed"
        case Lost(answered=False):
            return "silent"
        case _:
            return "answered"


def _reason(exchange: Exchange) -> str:
    if isinstance(exchange, NotSent | Lost):
        return exchange.reason
    if exchange.message is None:
        return "an empty answer"
    return f"a {type(exchange.message.body).__name__} for an answer"
