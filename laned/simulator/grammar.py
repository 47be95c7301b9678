"""What the schema allows a till to send, as a table: one rule for each element.

Element order, occurrence, attributes and the form of values are those of the 3.1 message schema,
for the messages that a till sends to a terminal and for its answers to what the terminal posts.
Parts that no till of ours uses are opaque: allowed in their place, not looked into.
"""

import re
from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element

from msgspec import Struct


class Value(Struct, frozen=True):
    """The form of an attribute or of a text: a pattern, and its description for error messages."""

    expected: str
    pattern: re.Pattern[str]

    def accepts(self, value: str) -> bool:
        """Whether the value has this form."""
        return self.pattern.fullmatch(value) is not None


class Rule(Struct, frozen=True):
    """An element: children in order (``Name``, ``Name?``, ``Name*``, ``Name+``), attributes, text.

    Attribute names ending in ``!`` are required. An opaque element is not looked into.
    """

    children: tuple[str, ...] = ()
    attributes: Mapping[str, Value] = {}
    text: Value | None = None
    opaque: bool = False


def _pattern(expected: str, pattern: str) -> Value:
    return Value(expected, re.compile(pattern, re.DOTALL))


def _one_of(names: str) -> Value:
    return _pattern(f"one of {names}", "|".join(map(re.escape, names.split())))


def _list_of(names: str) -> Value:
    one = "|".join(map(re.escape, names.split()))
    return _pattern(f"a list of {names}", rf"({one})(\s+({one}))*")


TEXT = _pattern("text", ".*")
ID = _pattern("1 to 10 characters", ".{1,10}")
BOOLEAN = _pattern("true or false", "true|false|1|0")
WHOLE = _pattern("a whole number", r"[+-]?\d{1,9}")
DECIMAL = _pattern("a decimal number", r"[+-]?(\d{1,15}(\.\d{0,10})?|\.\d{1,10})")
AMOUNT = _pattern("a decimal number, not below 0", r"\+?(\d{1,15}(\.\d{0,10})?|\.\d{1,10})")
CURRENCY = _pattern("three capital letters", "[A-Z]{3}")
LANGUAGE = _pattern("two small letters", "[a-z]{2}")
DIGITS = _pattern("digits", r"\d{1,20}")
# The schema would also take a time without its offset from UTC; the protocol asks for the offset.
TIME = _pattern(
    "a date and time with offset",
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3])(:[0-5]\d){2}(\.\d+)?"
    r"(Z|[+-](0\d|1[0-4]):[0-5]\d)",
)
CATEGORY = _one_of(
    "Abort Admin BalanceInquiry Batch CardAcquisition CardReaderAPDU CardReaderInit "
    "CardReaderPowerOff Diagnosis Display EnableService Event GetTotals Input InputUpdate Login "
    "Logout Loyalty Payment PIN Print Reconciliation Reversal Sound StoredValue TransactionStatus "
    "Transmit"
)
MESSAGE_CLASS = _one_of("Service Device Event")
MESSAGE_TYPE = _one_of("Request Response Notification")
RESULT = _one_of("Success Failure Partial")
CONDITION = _one_of(
    "Aborted Busy Cancel DeviceOut InsertedCard InProgress LoggedOut MessageFormat NotAllowed "
    "NotFound PaymentRestriction Refusal UnavailableDevice UnavailableService InvalidCard "
    "UnreachableHost WrongPIN"
)
ENVIRONMENT = _one_of("Attended SemiAttended Unattended")
CAPABILITIES = _list_of(
    "CashierStatus CashierError CashierDisplay POIReplication CashierInput CustomerAssistance "
    "CustomerDisplay CustomerError CustomerInput PrinterReceipt PrinterDocument PrinterVoucher "
    "MagStripe ICC EMVContactless"
)
PROFILES = _list_of(
    "Synchro Batch OneTimeRes Reservation Loyalty StoredValue PIN CardReader Sound Communication"
)
PAYMENT_TYPE = _one_of(
    "Normal Refund OneTimeReservation FirstReservation UpdateReservation Completion CashAdvance "
    "CashDeposit Recurring Instalment IssuerInstalment PaidOut"
)
REASON = _one_of("CustCancel MerchantCancel Malfunction Unable2Compl")
TOKEN = _one_of("Transaction Customer")
DOCUMENT = _one_of("SaleReceipt CashierReceipt CustomerReceipt Document Voucher Journal")
DEVICE = _one_of("CashierDisplay CustomerDisplay CashierInput CustomerInput")
QUALIFY = _one_of(
    "Status Error Display Sound Input POIReplication CustomerAssistance Receipt Document Voucher"
)
COMMAND = _one_of(
    "GetAnyKey GetConfirmation SiteManager TextString DigitString DecimalString GetFunctionKey "
    "GetMenuEntry Password"
)
RESPONSE_MODE = _one_of("NotRequired Immediate PrintEnd SoundEnd")
OUTPUT_FORMAT = _one_of("MessageRef Text XHTML BarCode")
UNIT = _one_of(
    "Case Foot UKGallon USGallon Gram Inch Kilogram Pound Meter Centimetre Litre Centilitre Ounce "
    "Quart Pint Mile Kilometre Yard Other"
)
ORDERS = _list_of("Open Closed Both")

_TRANSACTION = Rule(attributes={"TransactionID!": TEXT, "TimeStamp!": TIME})
_PLAIN = Rule(text=TEXT)
_OPAQUE = Rule(opaque=True)
_OUTPUT_DEVICE = {"Device!": DEVICE, "InfoQualify!": QUALIFY}

RULES: Mapping[str, Rule] = {
    "MessageHeader": Rule(
        attributes={
            "ProtocolVersion": TEXT,
            "MessageClass!": MESSAGE_CLASS,
            "MessageCategory!": CATEGORY,
            "MessageType!": MESSAGE_TYPE,
            "ServiceID": ID,
            "DeviceID": ID,
            "SaleID!": TEXT,
            "POIID!": TEXT,
        }
    ),
    "MessageReference": Rule(
        attributes={
            "MessageCategory": CATEGORY,
            "ServiceID": ID,
            "DeviceID": ID,
            "SaleID": TEXT,
            "POIID": TEXT,
        }
    ),
    "LoginRequest": Rule(
        children=("DateTime", "SaleSoftware", "SaleTerminalData?"),
        attributes={
            "TrainingModeFlag": BOOLEAN,
            "OperatorLanguage!": LANGUAGE,
            "OperatorID": TEXT,
            "ShiftNumber": TEXT,
            "TokenRequestedType": TOKEN,
            "CustomerOrderReq": ORDERS,
            "POISerialNumber": TEXT,
        },
    ),
    "DateTime": Rule(text=TIME),
    "SaleSoftware": Rule(
        attributes={
            "ProviderIdentification!": TEXT,
            "ApplicationName!": TEXT,
            "SoftwareVersion!": TEXT,
            "CertificationCode": TEXT,
        }
    ),
    "SaleTerminalData": Rule(
        children=("SaleCapabilities?", "SaleProfile?"),
        attributes={"TerminalEnvironment": ENVIRONMENT, "TotalsGroupID": TEXT},
    ),
    "SaleCapabilities": Rule(text=CAPABILITIES),
    "SaleProfile": Rule(
        children=("ServiceProfiles?",),
        attributes={"GenericProfile": _one_of("Basic Standard Extended")},
    ),
    "ServiceProfiles": Rule(text=PROFILES),
    "LogoutRequest": Rule(attributes={"MaintenanceAllowed": BOOLEAN}),
    "AbortRequest": Rule(children=("MessageReference", "AbortReason", "DisplayOutput?")),
    "AbortReason": _PLAIN,
    "TransactionStatusRequest": Rule(
        children=("MessageReference?", "DocumentQualifier*"),
        attributes={"ReceiptReprintFlag": BOOLEAN},
    ),
    "DocumentQualifier": Rule(text=DOCUMENT),
    "AdminRequest": Rule(children=("ServiceIdentification?",)),
    "ServiceIdentification": _PLAIN,
    "ReversalRequest": Rule(
        children=("OriginalPOITransaction", "CustomerOrderID?"),
        attributes={"SaleReferenceID": TEXT, "ReversalReason!": REASON, "ReversedAmount": AMOUNT},
    ),
    "CustomerOrderID": _OPAQUE,
    "OriginalPOITransaction": Rule(
        children=("POITransactionID?", "ApprovalCode?", "HostTransactionID?"),
        attributes={
            "SaleID": TEXT,
            "POIID": TEXT,
            "ReuseCardDataFlag": BOOLEAN,
            "CustomerLanguage": LANGUAGE,
            "AcquirerID": DIGITS,
        },
    ),
    "POITransactionID": _TRANSACTION,
    "HostTransactionID": _TRANSACTION,
    "ApprovalCode": _PLAIN,
    "PaymentRequest": Rule(
        children=("SaleData", "PaymentTransaction", "PaymentData?", "LoyaltyData*")
    ),
    "LoyaltyData": _OPAQUE,
    "SaleData": Rule(
        children=(
            "SaleTransactionID",
            "SaleTerminalData?",
            "SponsoredMerchant*",
            "SaleToPOIData?",
            "SaleToAcquirerData?",
            "SaleToIssuerData?",
        ),
        attributes={
            "OperatorID": TEXT,
            "OperatorLanguage": LANGUAGE,
            "ShiftNumber": TEXT,
            "SaleReferenceID": TEXT,
            "TokenRequestedType": TOKEN,
            "CustomerOrderID": TEXT,
            "CustomerOrderReq": ORDERS,
        },
    ),
    "SaleTransactionID": _TRANSACTION,
    "SponsoredMerchant": _OPAQUE,
    "SaleToPOIData": _PLAIN,
    "SaleToAcquirerData": _PLAIN,
    "SaleToIssuerData": _OPAQUE,
    "PaymentTransaction": Rule(
        children=(
            "AmountsReq",
            "OriginalPOITransaction?",
            "TransactionConditions?",
            "SaleItem*",
        )
    ),
    "AmountsReq": Rule(
        attributes={
            "Currency!": CURRENCY,
            "RequestedAmount": AMOUNT,
            "CashBackAmount": AMOUNT,
            "TipAmount": AMOUNT,
            "PaidAmount": AMOUNT,
            "MinimumAmountToDeliver": AMOUNT,
            "MaximumCashBackAmount": AMOUNT,
            "MinimumSplitAmount": AMOUNT,
        }
    ),
    "TransactionConditions": _OPAQUE,
    "SaleItem": Rule(
        children=(
            "UnitOfMeasure?",
            "Quantity?",
            "UnitPrice?",
            "TaxCode?",
            "SaleChannel?",
            "ProductLabel?",
            "AdditionalProductInfo?",
        ),
        attributes={"ItemID!": WHOLE, "ProductCode!": DIGITS, "EanUpc": DIGITS}
        | {"ItemAmount!": AMOUNT},
    ),
    "UnitOfMeasure": Rule(text=UNIT),
    "Quantity": Rule(text=DECIMAL),
    "UnitPrice": Rule(text=AMOUNT),
    "TaxCode": _PLAIN,
    "SaleChannel": _PLAIN,
    "ProductLabel": _PLAIN,
    "AdditionalProductInfo": _PLAIN,
    "PaymentData": Rule(
        children=(
            "CardAcquisitionReference?",
            "RequestedValidityDate?",
            "Instalment?",
            "CustomerOrder?",
            "PaymentInstrumentData?",
        ),
        attributes={"PaymentType": PAYMENT_TYPE, "SplitPaymentFlag": BOOLEAN},
    ),
    "CardAcquisitionReference": _TRANSACTION,
    "RequestedValidityDate": _PLAIN,
    "Instalment": _OPAQUE,
    "CustomerOrder": _OPAQUE,
    "PaymentInstrumentData": _OPAQUE,
    "CardAcquisitionRequest": Rule(children=("SaleData", "CardAcquisitionTransaction")),
    "CardAcquisitionTransaction": _OPAQUE,
    "EnableServiceRequest": Rule(
        children=("ServicesEnabled?", "DisplayOutput?"),
        attributes={"TransactionAction!": _one_of("StartTransaction AbortTransaction")},
    ),
    "ServicesEnabled": Rule(text=_list_of("CardAcquisition Payment Loyalty")),
    "DisplayRequest": Rule(children=("DisplayOutput+",)),
    "DisplayOutput": Rule(
        children=("OutputContent", "MenuEntry*", "OutputSignature?"),
        attributes={**_OUTPUT_DEVICE, "ResponseRequiredFlag": BOOLEAN, "MinimumDisplayTime": WHOLE},
    ),
    "OutputContent": Rule(
        children=("PredefinedContent?", "OutputText*", "OutputXHTML?", "OutputBarcode?"),
        attributes={"OutputFormat!": OUTPUT_FORMAT},
    ),
    "OutputText": _OPAQUE,
    "PredefinedContent": _OPAQUE,
    "OutputXHTML": _OPAQUE,
    "OutputBarcode": _OPAQUE,
    "MenuEntry": _OPAQUE,
    "OutputSignature": _OPAQUE,
    "InputRequest": Rule(children=("DisplayOutput?", "InputData")),
    "InputData": _OPAQUE,
    "PrintRequest": Rule(children=("PrintOutput",)),
    "PrintOutput": Rule(
        children=("OutputContent", "OutputSignature?"),
        attributes={
            "DocumentQualifier!": DOCUMENT,
            "ResponseMode!": RESPONSE_MODE,
            "IntegratedPrintFlag": BOOLEAN,
            "RequiredSignatureFlag": BOOLEAN,
        },
    ),
    # The till's answers to what the terminal posts.
    "Response": Rule(
        children=("AdditionalResponse?",),
        attributes={"Result!": RESULT, "ErrorCondition": CONDITION},
    ),
    "AdditionalResponse": _PLAIN,
    "DisplayResponse": Rule(children=("OutputResult+",)),
    "OutputResult": Rule(children=("Response",), attributes=_OUTPUT_DEVICE),
    "PrintResponse": Rule(children=("Response",), attributes={"DocumentQualifier!": DOCUMENT}),
    "InputResponse": Rule(children=("OutputResult?", "InputResult")),
    "InputResult": Rule(children=("Response", "Input?"), attributes=_OUTPUT_DEVICE),
    "Input": Rule(
        children=(
            "ConfirmedFlag?",
            "FunctionKey?",
            "TextInput?",
            "DigitInput?",
            "Password?",
            "MenuEntryNumber?",
        ),
        attributes={"InputCommand!": COMMAND},
    ),
    "ConfirmedFlag": Rule(text=BOOLEAN),
    "FunctionKey": _PLAIN,
    "TextInput": _PLAIN,
    "DigitInput": _PLAIN,
    "Password": _OPAQUE,
    "MenuEntryNumber": _PLAIN,
}

OCCURRENCE = {"?": (0, 1), "*": (0, 1 << 30), "+": (1, 1 << 30)}


def particle(child: str) -> tuple[str, int, int]:
    """A child as a rule writes it: its name, and how often it must and may occur."""
    least, most = OCCURRENCE.get(child[-1], (1, 1))
    return child.rstrip("?*+"), least, most


def faults(element: Element, rules: Mapping[str, Rule] = RULES) -> Iterator[str]:
    """What is wrong with an element and all that is in it, a sentence for each fault."""
    rule = rules[element.tag]
    if rule.opaque:
        return
    yield from _attribute_faults(element, rule)
    text = (element.text or "").strip()
    if rule.text is None and text:
        yield f"{element.tag}: found the text {text[:40]!r}, expected none"
    elif rule.text is not None and not rule.text.accepts(text):
        yield f"{element.tag}: found {text[:40]!r}, expected {rule.text.expected}"
    yield from _order_faults(element, rule, rules)


def _attribute_faults(element: Element, rule: Rule) -> Iterator[str]:
    known = {name.rstrip("!") for name in rule.attributes}
    for name in sorted(element.attrib.keys() - known):
        yield f"{element.tag}: unknown attribute {name}"
    for name, value in rule.attributes.items():
        found = element.get(name.rstrip("!"))
        if found is None:
            if name.endswith("!"):
                yield f"{element.tag}: {name.rstrip('!')} is missing"
        elif not value.accepts(found):
            yield f"{element.tag}: {name.rstrip('!')} is {found[:40]!r}, expected {value.expected}"


def _order_faults(element: Element, rule: Rule, rules: Mapping[str, Rule]) -> Iterator[str]:
    children, at = list(element), 0
    for name, least, most in map(particle, rule.children):
        count = 0
        while at < len(children) and children[at].tag == name and count < most:
            yield from faults(children[at], rules)
            at, count = at + 1, count + 1
        if count < least:
            found = children[at].tag if at < len(children) else "its end"
            yield f"{element.tag}: found {found}, expected {name}"
    for child in children[at:]:
        order = " ".join(rule.children) or "no children"
        yield f"{element.tag}: {child.tag} is not expected here; the order is {order}"
