"""Reading the bodies that laned and the terminal exchange as services: session and payment.

Source: protocol description, sections Session and Payment. Every function takes the body element
and raises NexoError as `laned.nexo.decode.decode` describes.
"""

import json
from datetime import datetime
from xml.etree.ElementTree import Element

from laned.nexo import messages as m
from laned.nexo.fields import (
    amount,
    content,
    enumeration,
    find,
    flag,
    from_base64,
    optional,
    optional_amount,
    output_texts,
    require,
    required,
    response,
)
from laned.nexo.receipts import decode_receipt
from laned.nexo.xml import NexoError, shown

MAX_PAN_DIGITS = 11  # a card number that shows more digits is masked here


def login_request(element: Element) -> m.LoginRequest:
    """Read a LoginRequest."""
    software = require(element, "SaleSoftware")
    written = content(require(element, "DateTime")).strip()
    try:
        date_time = datetime.fromisoformat(written)
    except ValueError:
        expected = "a time such as 2024-05-17T09:30:00+02:00"
        raise NexoError(f"DateTime: found {shown(written)}, expected {expected}") from None
    capabilities = content(find(element, "SaleTerminalData", "SaleCapabilities"))
    return m.LoginRequest(
        date_time=date_time,
        operator_language=required(element, "OperatorLanguage"),
        provider=required(software, "ProviderIdentification"),
        application=required(software, "ApplicationName"),
        software_version=required(software, "SoftwareVersion"),
        capabilities=tuple(capabilities.split()),
    )


def login_response(element: Element) -> m.LoginResponse:
    """Read a LoginResponse; `software` is the application's name and version."""
    serial_number = software = status = ""
    if (terminal := find(element, "POISystemData", "POITerminalData")) is not None:
        serial_number = terminal.get("POISerialNumber", "").strip()
    if (program := find(element, "POISystemData", "POISoftware")) is not None:
        name, version = program.get("ApplicationName", ""), program.get("SoftwareVersion", "")
        software = f"{name} {version}".strip()
    if (state := find(element, "POISystemData", "POIStatus")) is not None:
        status = state.get("GlobalStatus", "")
    return m.LoginResponse(
        response=response(element),
        serial_number=serial_number,
        software=software,
        global_status=status,
    )


def logout_request(element: Element) -> m.LogoutRequest:
    """Read a LogoutRequest."""
    return m.LogoutRequest(maintenance_allowed=flag(element, "MaintenanceAllowed") or False)


def payment_request(element: Element) -> m.PaymentRequest:
    """Read a PaymentRequest."""
    sale_data = require(element, "SaleData")
    amounts = require(element, "PaymentTransaction", "AmountsReq")
    data = find(element, "PaymentData")
    payment_type = None if data is None else optional(data, "PaymentType")
    return m.PaymentRequest(
        transaction=_given_transaction(sale_data, "SaleTransactionID"),
        requested_amount=amount(amounts, "RequestedAmount"),
        currency=required(amounts, "Currency"),
        payment_type=enumeration(
            m.PaymentType, payment_type or m.PaymentType.NORMAL, "PaymentData/@PaymentType"
        ),
        cash_back_amount=optional_amount(amounts, "CashBackAmount"),
        reference=_purchase_order_number(content(sale_data.find("SaleToAcquirerData"))),
        token=optional(sale_data, "TokenRequestedType") is not None,
    )


def _purchase_order_number(data: str) -> str | None:
    try:
        document = json.loads(from_base64(data))
    except (ValueError, RecursionError):
        return None
    number = document.get("purchaseOrderNumber") if isinstance(document, dict) else None
    return number if isinstance(number, str) else None


def payment_response(element: Element) -> m.PaymentResponse:
    """Read a PaymentResponse."""
    result = find(element, "PaymentResult")
    amounts = find(element, "PaymentResult", "AmountsResp")
    instrument = find(element, "PaymentResult", "PaymentInstrumentData")
    approval_code = content(element.find("PaymentResult/PaymentAcquirerData/ApprovalCode"))
    return m.PaymentResponse(
        response=response(element),
        sale_transaction=_transaction(element, "SaleData", "SaleTransactionID"),
        poi_transaction=_transaction(element, "POIData", "POITransactionID"),
        payment_type=None if result is None else optional(result, "PaymentType"),
        instrument=None if instrument is None else optional(instrument, "PaymentInstrumentType"),
        card=_card(element.find("PaymentResult/PaymentInstrumentData/CardData")),
        amounts=None if amounts is None else _amounts(amounts),
        approval_code=approval_code.strip() or None,
        receipts=_receipts(element),
    )


def _amounts(element: Element) -> m.AmountsResp:
    return m.AmountsResp(
        authorized_amount=amount(element, "AuthorizedAmount"),
        currency=optional(element, "Currency"),
        cash_back_amount=optional_amount(element, "CashBackAmount"),
        tip_amount=optional_amount(element, "TipAmount"),
    )


def _card(element: Element | None) -> m.CardData | None:
    if element is None:
        return None
    token = element.find("PaymentToken")
    return m.CardData(
        brand=element.get("PaymentBrand", ""),
        masked_pan=_masked(element.get("MaskedPAN", "")),
        entry_mode=element.get("EntryMode", ""),
        token=None if token is None else optional(token, "TokenValue"),
    )


def _masked(pan: str) -> str:
    """`pan` as it came, or no more of it than its first six and last four digits."""
    digits = [index for index, character in enumerate(pan) if character.isdigit()]
    if len(digits) <= MAX_PAN_DIGITS:
        return pan
    hidden = set(digits[6:-4])
    return "".join("*" if index in hidden else character for index, character in enumerate(pan))


def _transaction(parent: Element, *path: str) -> m.TransactionID | None:
    # A refusal before there was any transaction has to carry the element all the same: blank.
    element = find(parent, *path)
    transaction_id = None if element is None else optional(element, "TransactionID")
    if element is None or transaction_id is None:
        return None
    return m.TransactionID(transaction_id, element.get("TimeStamp", ""))


def _given_transaction(parent: Element, name: str) -> m.TransactionID:
    element = require(parent, name)
    return m.TransactionID(required(element, "TransactionID"), required(element, "TimeStamp"))


def _receipts(parent: Element) -> tuple[m.Receipt, ...]:
    return tuple(
        decode_receipt(receipt.get("DocumentQualifier", ""), output_texts(receipt))
        for receipt in parent.findall("PaymentReceipt")
    )


def abort_request(element: Element) -> m.AbortRequest:
    """Read an AbortRequest."""
    aborted = reference(element)
    if aborted is None:
        raise NexoError("AbortRequest/MessageReference: found none, expected one")
    return m.AbortRequest(reference=aborted, reason=content(element.find("AbortReason")))


def reference(parent: Element) -> m.MessageReference | None:
    """Read the MessageReference of a body, if there is one."""
    element = find(parent, "MessageReference")
    if element is None:
        return None
    return m.MessageReference(
        category=optional(element, "MessageCategory"),
        service_id=optional(element, "ServiceID"),
        device_id=optional(element, "DeviceID"),
        sale_id=optional(element, "SaleID"),
        poi_id=optional(element, "POIID"),
    )


def reversal_request(element: Element) -> m.ReversalRequest:
    """Read a ReversalRequest."""
    original = require(element, "OriginalPOITransaction")
    reason = required(element, "ReversalReason")
    return m.ReversalRequest(
        poi_transaction=_given_transaction(original, "POITransactionID"),
        reason=enumeration(m.ReversalReason, reason, "ReversalRequest/@ReversalReason"),
        sale_id=original.get("SaleID", ""),
        poi_id=original.get("POIID", ""),
    )


def reversal_response(element: Element) -> m.ReversalResponse:
    """Read a ReversalResponse."""
    return m.ReversalResponse(
        response=response(element),
        poi_transaction=_transaction(element, "POIData", "POITransactionID"),
        receipts=_receipts(element),
    )


def admin_request(element: Element) -> m.AdminRequest:
    """Read an AdminRequest."""
    identification = content(element.find("ServiceIdentification"))
    return m.AdminRequest(service_identification=identification or None)
