"""Writing the nexo messages that laned sends, strictly: they are valid against the 3.1 schema.

Elements stand in the schema's order, which the terminal insists on. What is ours is checked and
refused if it would not be valid; what echoes the terminal (device, qualifier, a timestamp, a
document's kind) is written as it came, also where the schema does not know it. Source: protocol
description, sections Transport, Header, Session, Payment and "What the terminal posts to us".
"""

import base64
import json
import re
from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from xml.etree.ElementTree import Element, tostring

from laned.nexo import messages as m
from laned.nexo.xml import NexoError, shown

MAX_SERVICE_ID = 10  # characters; also DeviceID
MAX_POI_ID = 32  # bytes
MAX_TEXT = 256  # characters of any other attribute or text
MAX_WHOLE_DIGITS = 12
MAX_DECIMALS = 6

_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
# Control characters, lone surrogates and the two that XML excludes; line breaks have no use here.
_NOT_ALLOWED = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_CURRENCY = re.compile(r"[A-Z]{3}")
_LANGUAGE = re.compile(r"[a-z]{2}")
_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9])"
)
_SALE_CAPABILITIES = frozenset(
    (
        *m.DEFAULT_INTEGRATION,
        "CustomerDisplay",
        "CustomerError",
        "CustomerInput",
        "PrinterDocument",
        "PrinterVoucher",
        "MagStripe",
        "ICC",
        "EMVContactless",
    )
)


def encode(message: m.Message) -> bytes:
    """Write `message` as UTF-8 with an XML declaration.

    Raises:
        NexoError: not a message that laned sends, or a value of ours that the schema or the
            protocol does not allow; the text names it, what was found and what is expected.

    """
    header = message.header
    body = _body(message)
    if header.body_element != body.tag:
        found = f"{shown(header.category)} {shown(header.type)}"
        raise NexoError(f"MessageHeader: found {found}, expected one that names {body.tag}")
    is_response = header.type == m.MessageType.RESPONSE
    root = _element(
        "SaleToPOIResponse" if is_response else "SaleToPOIRequest", {}, _header(header), body
    )
    document: bytes = tostring(root, encoding="utf-8")
    return _DECLARATION + document


def _header(header: m.Header) -> Element:
    is_request = header.type == m.MessageType.REQUEST
    if is_request and not header.service_id:
        # The schema would let it go, but without one the answer could not be asked after.
        raise NexoError("MessageHeader ServiceID: found none, expected one")
    if is_request and not header.sale_id:
        raise NexoError("MessageHeader SaleID: found none, expected one")
    if header.category == m.Category.LOGIN and header.protocol_version != m.PROTOCOL_VERSION:
        found = shown(str(header.protocol_version))
        raise NexoError(
            f"MessageHeader ProtocolVersion: found {found}, expected {m.PROTOCOL_VERSION}"
        )
    _one_of("MessageHeader MessageClass", header.message_class, tuple(m.MessageClass))
    attributes = {
        "ProtocolVersion": header.protocol_version,
        "MessageClass": header.message_class,
        "MessageCategory": header.category,
        "MessageType": header.type,
        **_ids(header.service_id, header.device_id, header.sale_id, header.poi_id),
    }
    return _element("MessageHeader", attributes)


def _body(message: m.Message) -> Element:
    match message.body:
        case m.LoginRequest() as body:
            return _login_request(body)
        case m.LogoutRequest() as body:
            allowed = _boolean(body.maintenance_allowed)
            return _element("LogoutRequest", {"MaintenanceAllowed": allowed})
        case m.PaymentRequest() as body:
            return _payment_request(body)
        case m.AbortRequest() as body:
            reason = _leaf("AbortReason", body.reason)
            return _element("AbortRequest", {}, _reference(body.reference), reason)
        case m.TransactionStatusRequest() as body:
            reference = None if body.reference is None else _reference(body.reference)
            return _element("TransactionStatusRequest", {}, reference)
        case m.ReversalRequest() as body:
            return _reversal_request(body)
        case m.AdminRequest() as body:
            service = body.service_identification
            named = None if service is None else _leaf("ServiceIdentification", service)
            return _element("AdminRequest", {}, named)
        case m.DisplayResponse() as body:
            return _display_response(body)
        case m.InputResponse() as body:
            return _input_response(body)
        case m.PrintResponse() as body:
            qualifier = {"DocumentQualifier": body.qualifier}
            return _element("PrintResponse", qualifier, _response(body.response))
        case other:
            expected = "a request of ours or an answer to what the terminal posts"
            raise NexoError(f"message: found {type(other).__name__}, expected {expected}")


def _login_request(body: m.LoginRequest) -> Element:
    if body.date_time.tzinfo is None:
        raise NexoError("LoginRequest DateTime: found no UTC offset, expected one")
    language = _pattern("LoginRequest OperatorLanguage", body.operator_language, _LANGUAGE, "sv")
    for capability in body.capabilities:
        _one_of("SaleCapabilities", capability, _SALE_CAPABILITIES)
    profile = None
    if set(body.capabilities) == set(m.DEFAULT_INTEGRATION):
        services = _leaf("ServiceProfiles", "Loyalty PIN CardReader")
        profile = _element("SaleProfile", {"GenericProfile": "Extended"}, services)
    software = {
        "ProviderIdentification": body.provider,
        "ApplicationName": body.application,
        "SoftwareVersion": body.software_version,
    }
    return _element(
        "LoginRequest",
        {"OperatorLanguage": language},
        _leaf("DateTime", _date_time("DateTime", body.date_time.isoformat(timespec="seconds"))),
        _element("SaleSoftware", software),
        _element(
            "SaleTerminalData",
            {"TerminalEnvironment": "Attended"},
            _leaf("SaleCapabilities", " ".join(body.capabilities)),
            profile,
        ),
    )


def _payment_request(body: m.PaymentRequest) -> Element:
    transaction = body.transaction
    acquirer_data = None
    if body.reference is not None:
        reference = _checked("PaymentRequest reference", body.reference)
        document = json.dumps({"purchaseOrderNumber": reference}, separators=(",", ":"))
        acquirer_data = Element("SaleToAcquirerData")
        acquirer_data.text = base64.b64encode(document.encode()).decode()
    sale_data = _element(
        "SaleData",
        {"TokenRequestedType": "Customer" if body.token else None},
        _transaction(
            "SaleTransactionID",
            transaction.transaction_id,
            _date_time("SaleTransactionID TimeStamp", transaction.timestamp),
        ),
        acquirer_data,
    )
    cash_back = body.cash_back_amount
    amounts = {
        "Currency": _pattern("AmountsReq Currency", body.currency, _CURRENCY, "SEK"),
        "RequestedAmount": _amount("RequestedAmount", body.requested_amount),
        "CashBackAmount": None if cash_back is None else _amount("CashBackAmount", cash_back),
    }
    payment_type = _one_of("PaymentType", body.payment_type, tuple(m.PaymentType))
    return _element(
        "PaymentRequest",
        {},
        sale_data,
        _element("PaymentTransaction", {}, _element("AmountsReq", amounts)),
        _element("PaymentData", {"PaymentType": payment_type}),
    )


def _reversal_request(body: m.ReversalRequest) -> Element:
    reason = _one_of("ReversalReason", body.reason, tuple(m.ReversalReason))
    original = body.poi_transaction
    return _element(
        "ReversalRequest",
        {"ReversalReason": reason},
        _element(
            "OriginalPOITransaction",
            _ids(None, None, body.sale_id, body.poi_id),
            _transaction("POITransactionID", original.transaction_id, original.timestamp),
        ),
    )


def _transaction(tag: str, transaction_id: str, timestamp: str) -> Element:
    return _element(tag, {"TransactionID": transaction_id, "TimeStamp": timestamp})


def _reference(reference: m.MessageReference) -> Element:
    if not reference.service_id:
        raise NexoError("MessageReference ServiceID: found none, expected one")
    if reference.category is not None:
        _one_of("MessageReference MessageCategory", reference.category, tuple(m.Category))
    ids = _ids(reference.service_id, reference.device_id, reference.sale_id, reference.poi_id)
    return _element("MessageReference", {"MessageCategory": reference.category, **ids})


def _display_response(body: m.DisplayResponse) -> Element:
    if not body.results:
        raise NexoError("DisplayResponse OutputResult: found none, expected at least one")
    return _element("DisplayResponse", {}, *(_output_result(result) for result in body.results))


def _output_result(result: m.OutputResult) -> Element:
    echoed = {"Device": result.device, "InfoQualify": result.info_qualify}
    return _element("OutputResult", echoed, _response(result.response))


def _input_response(body: m.InputResponse) -> Element:
    given = None
    if body.confirmed is not None:
        confirmed = _leaf("ConfirmedFlag", _boolean(body.confirmed))
        given = _element("Input", {"InputCommand": body.command}, confirmed)
    elif body.response.success:
        raise NexoError("InputResponse: found Success and no answer, expected ConfirmedFlag")
    echoed = {"Device": body.device, "InfoQualify": body.info_qualify}
    return _element(
        "InputResponse",
        {},
        None if body.output is None else _output_result(body.output),
        _element("InputResult", echoed, _response(body.response), given),
    )


def _response(response: m.Response) -> Element:
    result = _one_of("Response Result", response.result, tuple(m.Result))
    condition = response.error_condition
    if condition is not None:
        _one_of("Response ErrorCondition", condition, tuple(m.ErrorCondition))
    text = response.additional_response
    additional = _leaf("AdditionalResponse", text) if text else None
    return _element("Response", {"Result": result, "ErrorCondition": condition}, additional)


# -- Values ---------------------------------------------------------------------------------------


def _element(tag: str, attributes: Mapping[str, str | None], *children: Element | None) -> Element:
    element = Element(tag)
    for name, value in attributes.items():
        if value is not None:
            element.set(name, _checked(f"{tag} {name}", value))
    element.extend(child for child in children if child is not None)
    return element


def _leaf(tag: str, text: str) -> Element:
    element = Element(tag)
    element.text = _checked(tag, text)
    return element


def _ids(
    service_id: str | None, device_id: str | None, sale_id: str | None, poi_id: str | None
) -> dict[str, str | None]:
    for name, value in (("ServiceID", service_id), ("DeviceID", device_id)):
        if value is not None and len(value) > MAX_SERVICE_ID:
            raise NexoError(
                f"{name}: found {shown(value)}, expected at most {MAX_SERVICE_ID} characters"
            )
    if poi_id is not None and len(poi_id.encode(errors="replace")) > MAX_POI_ID:
        raise NexoError(f"POIID: found {shown(poi_id)}, expected at most {MAX_POI_ID} bytes")
    return {"ServiceID": service_id, "DeviceID": device_id, "SaleID": sale_id, "POIID": poi_id}


def _checked(where: str, value: str) -> str:
    # A SaleID alone may be blank: the terminal, outside of any session, has none to echo.
    if not value.strip() and where != "MessageHeader SaleID":
        raise NexoError(f"{where}: found a blank value, expected one that is not")
    if len(value) > MAX_TEXT:
        raise NexoError(f"{where}: found {len(value)} characters, expected at most {MAX_TEXT}")
    if bad := _NOT_ALLOWED.search(value):
        found = f"U+{ord(bad[0]):04X}"
        raise NexoError(f"{where}: found the character {found}, expected none that is a control")
    return value


def _one_of(where: str, value: str, allowed: Collection[str]) -> str:
    if value not in allowed:
        expected = ", ".join(sorted(allowed))
        raise NexoError(f"{where}: found {shown(value)}, expected one of {expected}")
    return str(value)


def _pattern(where: str, value: str, pattern: re.Pattern[str], example: str) -> str:
    if not pattern.fullmatch(value):
        raise NexoError(f"{where}: found {shown(value)}, expected such as {example}")
    return value


def _date_time(where: str, value: str) -> str:
    example = "2024-05-17T09:30:00+02:00"
    _pattern(where, value, _DATE_TIME, example)
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise NexoError(f"{where}: found {shown(value)}, expected such as {example}") from None
    return value


def _amount(where: str, value: Decimal) -> str:
    """`value` in plain digits: no exponent, whatever the Decimal was made of."""
    expected = f"an amount from 0, at most {MAX_WHOLE_DIGITS} digits and {MAX_DECIMALS} decimals"
    if not value.is_finite() or value.is_signed() or value.adjusted() >= MAX_WHOLE_DIGITS:
        raise NexoError(f"AmountsReq {where}: found {shown(str(value))}, expected {expected}")
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    if exponent < -MAX_DECIMALS:
        raise NexoError(f"AmountsReq {where}: found {shown(str(value))}, expected {expected}")
    return format(value, "f")


def _boolean(value: bool) -> str:
    return "true" if value else "false"
