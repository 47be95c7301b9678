"""The MessageHeader of a nexo message, and how requests and responses get theirs.

Source: protocol description, sections Transport and Header.
"""

from enum import StrEnum

from msgspec import Struct

PROTOCOL_VERSION = "3.1"
PATH = "/EPASSaleToPOI/3.1"
CONTENT_TYPE = "application/xml; charset=utf-8"


class MessageClass(StrEnum):
    """Who speaks: the application (Service), a device of it (Device), or an event."""

    SERVICE = "Service"
    DEVICE = "Device"
    EVENT = "Event"


class MessageType(StrEnum):
    """A request, its response, or a notification that has none."""

    REQUEST = "Request"
    RESPONSE = "Response"
    NOTIFICATION = "Notification"


class Category(StrEnum):
    """The message categories that laned speaks; category + type name the body element."""

    LOGIN = "Login"
    LOGOUT = "Logout"
    PAYMENT = "Payment"
    ABORT = "Abort"
    TRANSACTION_STATUS = "TransactionStatus"
    REVERSAL = "Reversal"
    ADMIN = "Admin"
    DISPLAY = "Display"
    INPUT = "Input"
    PRINT = "Print"
    TRANSMIT = "Transmit"
    EVENT = "Event"
    CARD_ACQUISITION = "CardAcquisition"
    ENABLE_SERVICE = "EnableService"


class Header(Struct, frozen=True, kw_only=True):
    """MessageHeader. `service_id` and `device_id` are 1 to 10 characters, `poi_id` at most 32."""

    message_class: str
    category: str
    type: str
    sale_id: str
    poi_id: str
    service_id: str | None = None
    device_id: str | None = None
    protocol_version: str | None = None

    @property
    def body_element(self) -> str:
        """Name of the body element that belongs to this header: category and type in one word."""
        return self.category if self.category == "InputUpdate" else self.category + self.type


def request_header(category: Category, *, service_id: str, sale_id: str, poi_id: str) -> Header:
    """Header of a request that laned sends (class Service, with the protocol version)."""
    return Header(
        message_class=MessageClass.SERVICE,
        category=category,
        type=MessageType.REQUEST,
        sale_id=sale_id,
        poi_id=poi_id,
        service_id=service_id,
        protocol_version=PROTOCOL_VERSION,
    )


def response_header(to: Header) -> Header:
    """Header of the response to a request with header `to`: class, category and all ids echoed."""
    return Header(
        message_class=to.message_class,
        category=to.category,
        type=MessageType.RESPONSE,
        sale_id=to.sale_id,
        poi_id=to.poi_id,
        service_id=to.service_id,
        device_id=to.device_id,
    )
