"""Reading nexo messages: tolerant of how terminals write, strict where money depends on it.

Unknown elements and attributes are ignored, unknown enumeration values kept as they came, and
what the schema requires but laned can do without may be missing. What decides about money is
never guessed: a header that does not name its body, two elements where one is meant, a Response
without Result or an amount that is none refuse the message. Source: protocol description.
"""

from collections.abc import Callable
from xml.etree.ElementTree import Element

from laned.nexo import decode_device as device
from laned.nexo import decode_service as service
from laned.nexo import messages as m
from laned.nexo.fields import enumeration, find, optional, require, required, response
from laned.nexo.xml import NexoError, parse, shown

_ROOTS = {
    m.MessageType.REQUEST: "SaleToPOIRequest",
    m.MessageType.NOTIFICATION: "SaleToPOIRequest",
    m.MessageType.RESPONSE: "SaleToPOIResponse",
}
_BODY_ENDINGS = ("Request", "Response", "Notification", "InputUpdate")


def decode(data: bytes) -> m.Message:
    """Read one message.

    Raises:
        NexoError: no XML within the limits of `laned.nexo.xml`, or no message that can be relied
            on; the text says which element or attribute, what was found and what is expected.

    """
    root = parse(data)
    if root.tag not in _ROOTS.values():
        expected = "SaleToPOIRequest or SaleToPOIResponse"
        raise NexoError(f"root element: found {shown(root.tag)}, expected {expected}")
    header = _header(root)
    message_type = enumeration(m.MessageType, header.type, "MessageHeader/@MessageType")
    if root.tag != _ROOTS[message_type]:
        found = f"found {root.tag} around a {message_type}"
        raise NexoError(f"root element: {found}, expected {_ROOTS[message_type]}")
    body = _body_element(root, header)
    return m.Message(header, _READERS.get(body.tag, _unknown)(body))


def _header(parent: Element) -> m.Header:
    element = require(parent, "MessageHeader")
    sale_id = element.get("SaleID")
    if sale_id is None:
        # It may be blank, though: a terminal outside of any session writes it so.
        raise NexoError("MessageHeader/@SaleID: found no attribute, expected one")
    return m.Header(
        message_class=required(element, "MessageClass"),
        category=required(element, "MessageCategory"),
        type=required(element, "MessageType"),
        sale_id=sale_id,
        poi_id=required(element, "POIID"),
        service_id=optional(element, "ServiceID"),
        device_id=optional(element, "DeviceID"),
        protocol_version=optional(element, "ProtocolVersion"),
    )


def _body_element(parent: Element, header: m.Header) -> Element:
    bodies = [child for child in parent if child.tag.endswith(_BODY_ENDINGS)]
    if [body.tag for body in bodies] != [header.body_element]:
        found = ", ".join(shown(body.tag) for body in bodies[:3]) or "none"
        expected = f"one {shown(header.body_element)}, as the MessageHeader says"
        raise NexoError(f"{parent.tag} body: found {found}, expected {expected}")
    return bodies[0]


def _unknown(element: Element) -> m.UnknownBody:
    has_response = find(element, "Response") is not None
    return m.UnknownBody(element.tag, response(element) if has_response else None)


def _transaction_status_response(element: Element) -> m.TransactionStatusResponse:
    repeated = find(element, "RepeatedMessageResponse")
    return m.TransactionStatusResponse(
        response=response(element),
        reference=service.reference(element),
        repeated=None if repeated is None else _repeated(repeated),
    )


def _repeated(element: Element) -> m.RepeatedMessage:
    header = _header(element)
    where = "RepeatedMessageResponse/MessageHeader"
    if header.service_id is None:
        expected = "that of the repeated message"
        raise NexoError(f"{where}/@ServiceID: found none, expected {expected}")
    if header.type != m.MessageType.RESPONSE:
        raise NexoError(f"{where}/@MessageType: found {shown(header.type)}, expected Response")
    found = _body_element(element, header)
    body: m.PaymentResponse | m.ReversalResponse | m.UnknownBody
    if found.tag == "PaymentResponse":
        body = service.payment_response(found)
    elif found.tag == "ReversalResponse":
        body = service.reversal_response(found)
    else:
        body = _unknown(found)
    return m.RepeatedMessage(header=header, body=body)


_READERS: dict[str, Callable[[Element], m.Body]] = {
    "LoginRequest": service.login_request,
    "LoginResponse": service.login_response,
    "LogoutRequest": service.logout_request,
    "LogoutResponse": lambda element: m.LogoutResponse(response=response(element)),
    "PaymentRequest": service.payment_request,
    "PaymentResponse": service.payment_response,
    "AbortRequest": service.abort_request,
    "ReversalRequest": service.reversal_request,
    "ReversalResponse": service.reversal_response,
    "TransactionStatusRequest": lambda element: m.TransactionStatusRequest(
        reference=service.reference(element)
    ),
    "TransactionStatusResponse": _transaction_status_response,
    "AdminRequest": service.admin_request,
    "AdminResponse": lambda element: m.AdminResponse(response=response(element)),
    "DisplayRequest": device.display_request,
    "DisplayResponse": device.display_response,
    "InputRequest": device.input_request,
    "InputResponse": device.input_response,
    "PrintRequest": device.print_request,
    "PrintResponse": device.print_response,
    "EventNotification": device.event_notification,
    "TransmitRequest": device.transmit_request,
}
