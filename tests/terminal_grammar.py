"""What the schema allows a terminal to send, for the messages that ours and the samples have.

The rules for a till's messages are those of the simulated terminal (laned.simulator.grammar). These
are for the other direction, and judge that terminal itself.
"""

from collections.abc import Mapping
from xml.etree.ElementTree import Element

from laned.simulator.grammar import (
    AMOUNT,
    BOOLEAN,
    COMMAND,
    CURRENCY,
    DEVICE,
    DOCUMENT,
    ENVIRONMENT,
    PAYMENT_TYPE,
    QUALIFY,
    RULES,
    TEXT,
    TIME,
    TOKEN,
    WHOLE,
    Rule,
    Value,
    _list_of,
    _one_of,
    _pattern,
    faults,
)

BASE64: Value = _pattern("base64", r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}(==|[A-Za-z0-9+/]=))?")
CAPABILITIES = _list_of(
    "CashierDisplay CashierError CashierInput CustomerDisplay CustomerError CustomerInput "
    "PrinterReceipt PrinterDocument PrinterVoucher MagStripe ICC EMVContactless"
)
ENTRY_MODE = _list_of(
    "RFID Keyed Manual File Scanned MagStripe ICC SynchronousICC Tapped Contactless Mobile"
)
EVENT = _one_of(
    "BeginMaintenance EndMaintenance Shutdown Initialised OutOfOrder Completed Abort SaleWakeUp "
    "SaleAdmin CustomerLanguage KeyPressed SecurityAlarm StopAssistance CardInserted CardRemoved "
    "Reject"
)
INSTRUMENT = _one_of("Card Check Mobile StoredValue Cash")
STATUS = _one_of("OK Busy Maintenance Unreachable")

# What the till wrote comes back; the schema lets it be without its offset, the last group.
TIME_AS_IT_CAME = _pattern("a date and time", f"{TIME.pattern.pattern}?")

_ONLY_RESPONSE = Rule(children=("Response",))
FROM_TERMINAL: Mapping[str, Rule] = {
    **RULES,
    "LoginResponse": Rule(children=("Response", "POISystemData?")),
    "POISystemData": Rule(children=("DateTime", "POISoftware", "POITerminalData?", "POIStatus?")),
    "POISoftware": Rule(
        attributes={
            "ProviderIdentification!": TEXT,
            "ApplicationName!": TEXT,
            "SoftwareVersion!": TEXT,
        }
    ),
    "POITerminalData": Rule(
        children=("POICapabilities",),
        attributes={"TerminalEnvironment!": ENVIRONMENT, "POISerialNumber!": TEXT},
    ),
    "POICapabilities": Rule(text=CAPABILITIES),
    "POIStatus": Rule(
        attributes={
            "GlobalStatus!": STATUS,
            "SecurityOKFlag": BOOLEAN,
            "PEDOKFlag": BOOLEAN,
            "CardReaderOKFlag": BOOLEAN,
            "CommunicationOKFlag": BOOLEAN,
        }
    ),
    "LogoutResponse": _ONLY_RESPONSE,
    "AdminResponse": _ONLY_RESPONSE,
    "EnableServiceResponse": _ONLY_RESPONSE,
    "CardAcquisitionResponse": Rule(
        children=("Response", "SaleData", "POIData", "PaymentInstrumentData?")
    ),
    "PaymentResponse": Rule(
        children=("Response", "SaleData", "POIData", "PaymentResult?", "PaymentReceipt*")
    ),
    "SaleTransactionID": Rule(attributes={"TransactionID!": TEXT, "TimeStamp!": TIME_AS_IT_CAME}),
    "POIData": Rule(children=("POITransactionID",)),
    "PaymentResult": Rule(
        children=("PaymentInstrumentData?", "AmountsResp?", "PaymentAcquirerData?"),
        attributes={"PaymentType": PAYMENT_TYPE},
    ),
    "PaymentInstrumentData": Rule(
        children=("CardData?",), attributes={"PaymentInstrumentType!": INSTRUMENT}
    ),
    "CardData": Rule(
        children=("PaymentToken?",),
        attributes={"PaymentBrand": TEXT, "MaskedPAN": TEXT, "EntryMode": ENTRY_MODE},
    ),
    "PaymentToken": Rule(attributes={"TokenRequestedType!": TOKEN, "TokenValue!": TEXT}),
    "AmountsResp": Rule(
        attributes={
            "Currency": CURRENCY,
            "AuthorizedAmount!": AMOUNT,
            "CashBackAmount": AMOUNT,
            "TipAmount": AMOUNT,
        }
    ),
    "PaymentAcquirerData": Rule(
        children=("ApprovalCode?",), attributes={"MerchantID!": TEXT, "AcquirerPOIID!": TEXT}
    ),
    "PaymentReceipt": Rule(
        children=("OutputContent",), attributes={"DocumentQualifier!": DOCUMENT}
    ),
    "OutputText": Rule(text=TEXT),
    "ReversalResponse": Rule(children=("Response", "POIData?", "PaymentReceipt*")),
    "TransactionStatusResponse": Rule(
        children=("Response", "MessageReference?", "RepeatedMessageResponse?")
    ),
    # The schema has exactly one of these answers in it: see `terminal_faults`.
    "RepeatedMessageResponse": Rule(
        children=(
            "MessageHeader",
            "PaymentResponse?",
            "ReversalResponse?",
            "CardAcquisitionResponse?",
        )
    ),
    "InputData": Rule(
        attributes={
            "Device!": DEVICE,
            "InfoQualify!": QUALIFY,
            "InputCommand!": COMMAND,
            "MaxInputTime": WHOLE,
        }
    ),
    "EventNotification": Rule(
        children=("EventDetails?", "RejectedMessage?"),
        attributes={
            "TimeStamp!": TIME,
            "EventToNotify!": EVENT,
            "MaintenanceRequiredFlag": BOOLEAN,
        },
    ),
    "EventDetails": Rule(text=TEXT),
    "RejectedMessage": Rule(text=BASE64),
    "TransmitRequest": Rule(
        children=("Message",),
        attributes={"MaximumTransmitTime!": WHOLE, "DestinationAddress!": TEXT},
    ),
    "Message": Rule(text=BASE64),
}


def terminal_faults(root: Element) -> list[str]:
    """What is wrong with a whole message of a terminal's."""
    if len(root) != 2 or root[0].tag != "MessageHeader":
        return [f"{root.tag}: found {' '.join(child.tag for child in root)}"]
    found = [fault for part in root for fault in faults(part, FROM_TERMINAL)]
    repeats = root[1].find("RepeatedMessageResponse")
    if repeats is not None and len(repeats) != 2:
        found.append("RepeatedMessageResponse: expected one message")
    return found
