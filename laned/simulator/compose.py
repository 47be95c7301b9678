"""The messages that the simulated terminal writes: its responses, and what it posts by itself.

Element order is the schema's. As from live terminals, only the LoginResponse has ProtocolVersion.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from xml.etree.ElementTree import Element, SubElement

from msgspec.structs import replace

from laned.simulator.receipts import MERCHANT_ID, TERMINAL_ID, Slip, receipt
from laned.simulator.scenarios import Scenario
from laned.simulator.settings import Settings
from laned.simulator.wire import PROTOCOL_VERSION, Message

PROVIDER = "laned"
APPLICATION = "Simulated terminal"
CONFIGURATION = "127.0.0.1:15022"
"""DestinationAddress of a configuration message: its port says what it is."""
POI_CAPABILITIES = "CustomerDisplay CustomerError CustomerInput MagStripe ICC EMVContactless"


def timestamp(time: datetime) -> str:
    """A point in time as these terminals write it: UTC, with milliseconds."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"


def plain(amount: Decimal) -> str:
    """An amount as these terminals write it: no decimals where it has none."""
    whole = amount.to_integral_value()
    return f"{whole:f}" if amount == whole else f"{amount:.2f}"


def envelope(root: str, header: Mapping[str, str], body: Element) -> Element:
    """A whole message: root, header and body."""
    message = Element(root)
    SubElement(message, "MessageHeader", dict(header))
    message.append(body)
    return message


def response_header(request: Message) -> dict[str, str]:
    """The header of the response to a request."""
    header = {
        "MessageClass": request.header.get("MessageClass", "Service"),
        "MessageCategory": request.category,
        "MessageType": "Response",
    }
    echoed = {
        name: request.header[name]
        for name in ("ServiceID", "DeviceID", "SaleID", "POIID")
        if name in request.header
    }
    version = {"ProtocolVersion": PROTOCOL_VERSION} if request.category == "Login" else {}
    return version | header | echoed


def failure(condition: str, text: str = "") -> Element:
    """A Response element that says no."""
    response = Element("Response", {"Result": "Failure", "ErrorCondition": condition})
    if text:
        SubElement(response, "AdditionalResponse").text = text
    return response


def success() -> Element:
    """A Response element that says yes."""
    return Element("Response", {"Result": "Success"})


def simple(category: str, response: Element) -> Element:
    """A response body that has only a Response."""
    body = Element(f"{category}Response")
    body.append(response)
    return body


def refusal(request: Message, response: Element, poi_data: Mapping[str, str]) -> Element:
    """The response to a request that was not even begun, in the shape the category needs.

    Parts that the request itself lacks, broken as it may be, are left out.
    """
    body = Element(f"{request.category}Response")
    match request.category:
        case "Display":
            for output in request.body.iterfind("DisplayOutput"):
                result = SubElement(body, "OutputResult", _device(output))
                result.append(response)
        case "Input":
            data = request.body.find("InputData")
            result = SubElement(body, "InputResult", {} if data is None else _device(data))
            result.append(response)
        case "Print":
            body.set("DocumentQualifier", request.find("PrintOutput", "DocumentQualifier"))
            body.append(response)
        case "Payment" | "CardAcquisition":
            body.append(response)
            _transaction_data(body, request, poi_data)
        case _:
            body.append(response)
    return body


def _device(element: Element) -> dict[str, str]:
    return {name: element.get(name, "") for name in ("Device", "InfoQualify")}


def _transaction_data(body: Element, request: Message, poi_data: Mapping[str, str]) -> None:
    identification = request.body.find("SaleData/SaleTransactionID")
    if identification is not None:
        sale_data = SubElement(body, "SaleData")
        SubElement(sale_data, "SaleTransactionID", dict(identification.attrib))
    SubElement(SubElement(body, "POIData"), "POITransactionID", dict(poi_data))


def login_response(settings: Settings, now: datetime) -> Element:
    """A successful LoginResponse."""
    body = simple("Login", success())
    system = SubElement(body, "POISystemData")
    SubElement(system, "DateTime").text = timestamp(now)
    software = {"ProviderIdentification": PROVIDER, "ApplicationName": APPLICATION}
    SubElement(system, "POISoftware", software | {"SoftwareVersion": settings.software})
    data = {"TerminalEnvironment": "Attended", "POISerialNumber": settings.serial}
    terminal = SubElement(system, "POITerminalData", data)
    SubElement(terminal, "POICapabilities").text = POI_CAPABILITIES
    flags = ("SecurityOKFlag", "PEDOKFlag", "CardReaderOKFlag", "CommunicationOKFlag")
    SubElement(system, "POIStatus", {"GlobalStatus": "OK"} | dict.fromkeys(flags, "true"))
    return body


def payment_response(
    request: Message,
    response: Element,
    poi_data: Mapping[str, str],
    scenario: Scenario,
    slip: Slip | None,
) -> Element:
    """The PaymentResponse of a transaction that ran; without a slip it has no result."""
    body = simple("Payment", response)
    _transaction_data(body, request, poi_data)
    if slip is None:
        return body
    result = SubElement(body, "PaymentResult", {"PaymentType": slip.type})
    instrument = SubElement(result, "PaymentInstrumentData", {"PaymentInstrumentType": "Card"})
    card = SubElement(
        instrument,
        "CardData",
        {
            "PaymentBrand": scenario.brand,
            "MaskedPAN": scenario.masked_pan,
            "EntryMode": scenario.entry,
        },
    )
    if request.find("SaleData", "TokenRequestedType") == "Customer":
        alias = base64.b16encode(f"{MERCHANT_ID}{scenario.masked_pan}".encode()).decode()
        SubElement(card, "PaymentToken", {"TokenRequestedType": "Customer", "TokenValue": alias})
    if slip.approved:
        amounts = {
            "Currency": slip.currency,
            "AuthorizedAmount": plain(slip.amount + slip.tip),
            "CashBackAmount": request.find(
                "PaymentTransaction/AmountsReq", "CashBackAmount", "0.00"
            ),
        }
        tip = {"TipAmount": plain(slip.tip)} if slip.tip else {}
        SubElement(result, "AmountsResp", amounts | tip)
    acquirer = {"MerchantID": MERCHANT_ID, "AcquirerPOIID": TERMINAL_ID}
    data = SubElement(result, "PaymentAcquirerData", acquirer)
    if slip.approved:
        SubElement(data, "ApprovalCode").text = slip.approval_code
    if scenario.receipts:
        _receipt(body, slip, merchant=True)
        _receipt(body, slip, merchant=False)
    return body


def reversal_response(poi_data: Mapping[str, str], slip: Slip, now: datetime) -> Element:
    """A successful ReversalResponse; the transaction's own id and time come back in it.

    The slip is that of the transaction.
    """
    slip = replace(slip, reversal=True, time=now)
    body = simple("Reversal", success())
    SubElement(SubElement(body, "POIData"), "POITransactionID", dict(poi_data))
    _receipt(body, slip, merchant=False)
    _receipt(body, slip, merchant=True)
    return body


def _receipt(body: Element, slip: Slip, *, merchant: bool) -> None:
    qualifier = "CashierReceipt" if merchant else "CustomerReceipt"
    paper = SubElement(body, "PaymentReceipt", {"DocumentQualifier": qualifier})
    paper.append(_text_content(receipt(slip, merchant=merchant)))


def _text_content(text: str) -> Element:
    content = Element("OutputContent", {"OutputFormat": "Text"})
    SubElement(content, "OutputText").text = text
    return content


def status_response(header: Mapping[str, str], repeated: Element) -> Element:
    """A TransactionStatusResponse that repeats an earlier response."""
    body = simple("TransactionStatus", success())
    names = ("MessageCategory", "ServiceID", "SaleID", "POIID")
    SubElement(body, "MessageReference", {name: header[name] for name in names})
    found = SubElement(body, "RepeatedMessageResponse")
    SubElement(found, "MessageHeader", dict(header))
    found.append(repeated)
    return body


def screen_text(code: int | None, text: str) -> str:
    """A text as live terminals write it: ``9202,"Approved"``, or the text alone."""
    return text if code is None else f'{code},"{text}"'


def display_request(text: str, flag: str) -> Element:
    """A DisplayRequest; a flag of "absent" leaves ResponseRequiredFlag out."""
    body = Element("DisplayRequest")
    attributes = {"Device": "CashierDisplay", "InfoQualify": "Status"}
    if flag != "absent":
        attributes["ResponseRequiredFlag"] = flag
    SubElement(body, "DisplayOutput", attributes).append(_text_content(text))
    return body


def print_request(slip: Slip, mode: str) -> Element:
    """A PrintRequest for the merchant's receipt that the customer is to sign."""
    body = Element("PrintRequest")
    attributes = {"DocumentQualifier": "CashierReceipt", "ResponseMode": mode}
    output = SubElement(body, "PrintOutput", attributes | {"RequiredSignatureFlag": "true"})
    output.append(_text_content(receipt(slip, merchant=True)))
    return body


def input_request(text: str, max_input_time: int | None) -> Element:
    """An InputRequest that asks the operator yes or no."""
    body = Element("InputRequest")
    shown = {"Device": "CashierDisplay", "InfoQualify": "Display"}
    SubElement(body, "DisplayOutput", shown).append(_text_content(text))
    asked = {"Device": "CashierInput", "InfoQualify": "Input", "InputCommand": "GetConfirmation"}
    if max_input_time is not None:
        asked["MaxInputTime"] = str(max_input_time)
    SubElement(body, "InputData", asked)
    return body


def event(name: str, now: datetime, *, details: str, rejected: bytes, maintenance: bool) -> Element:
    """An EventNotification."""
    body = Element("EventNotification", {"TimeStamp": timestamp(now), "EventToNotify": name})
    if maintenance:
        body.set("MaintenanceRequiredFlag", "true")
    if details:
        SubElement(body, "EventDetails").text = details
    if rejected:
        SubElement(body, "RejectedMessage").text = base64.b64encode(rejected).decode()
    return body


def transmit_request(address: str) -> Element:
    """The configuration message: at which host:port the terminal is reached from now on."""
    host, _, port = address.rpartition(":")
    end_point = {"ipV4Address": host, "ipPort": port}
    content = {"messageVersion": "1.0.0", "ipEndPoint": end_point}
    message = json.dumps({"saleTerminalconfiguration": content}, indent=4)
    attributes = {"DestinationAddress": CONFIGURATION, "MaximumTransmitTime": "30"}
    body = Element("TransmitRequest", attributes)
    SubElement(body, "Message").text = base64.b64encode(message.encode()).decode()
    return body
