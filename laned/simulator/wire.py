"""Reading what the till sends, as strictly as a terminal does, and writing bytes.

Faults are what a terminal refuses with MessageFormat; remarks are what it lets pass although the
protocol says otherwise. Source: protocol description, sections Transport, Header and Session.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from msgspec import Struct

from laned.simulator import grammar

PROTOCOL_VERSION = "3.1"
MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_ELEMENTS = 4000
MAX_ATTRIBUTES = 64
MAX_POI_ID_BYTES = 32
MAX_FAULTS = 10
DECIMALS = 2

LIGHT = frozenset({"PrinterReceipt"})
DEFAULT = LIGHT | {
    "CashierStatus",
    "CashierError",
    "CashierDisplay",
    "POIReplication",
    "CustomerAssistance",
    "CashierInput",
}
ECHOED = (
    "MessageClass",
    "MessageCategory",
    "MessageType",
    "ServiceID",
    "DeviceID",
    "SaleID",
    "POIID",
)
"""Header attributes of an answer that must agree with what is answered."""
OPERATOR_LANGUAGES = ("sv", "no", "fi", "da")
CURRENCIES = ("SEK", "NOK", "DKK", "EUR")
CLASSES: Mapping[str, str] = {
    "Login": "Service",
    "Logout": "Service",
    "Payment": "Service",
    "Abort": "Service",
    "TransactionStatus": "Service",
    "Reversal": "Service",
    "Admin": "Service",
    "CardAcquisition": "Service",
    "EnableService": "Service",
    "Display": "Device",
    "Input": "Device",
    "Print": "Device",
}
"""The categories a till may send, and the MessageClass of each."""


class UnreadableError(Exception):
    """A body that is no nexo message at all: there is no header that could be answered."""


class Message(Struct, frozen=True):
    """A request from the till. Its identifiers are empty where it has none."""

    category: str
    service_id: str
    sale_id: str
    poi_id: str
    header: Mapping[str, str]
    body: Element
    faults: tuple[str, ...]
    remarks: tuple[str, ...]

    def find(self, path: str, attribute: str, default: str = "") -> str:
        """An attribute of an element inside the body."""
        found = self.body.find(path)
        return default if found is None else found.get(attribute, default)


def parse(data: bytes) -> Element:
    """A bounded XML document in UTF-8 without a document type, or UnreadableError."""
    if len(data) > MAX_BYTES:
        raise UnreadableError(f"found {len(data)} bytes, expected at most {MAX_BYTES}")
    builder = TreeBuilder()
    depth = elements = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, elements
        depth, elements = depth + 1, elements + 1
        if depth > MAX_DEPTH or elements > MAX_ELEMENTS or len(attributes) > MAX_ATTRIBUTES:
            raise UnreadableError(f"too deep, too long or too many attributes at {tag[:40]}")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def doctype(*_: object) -> None:
        raise UnreadableError("found a DOCTYPE, expected none")

    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise UnreadableError(f"no XML: {error}") from None
    return builder.close()


def read_request(data: bytes) -> Message:
    """A request with what is wrong with it; UnreadableError if nothing could answer it."""
    root = parse(data)
    header = root.find("MessageHeader")
    if root.tag != "SaleToPOIRequest" or header is None:
        raise UnreadableError(f"found {root.tag}, expected SaleToPOIRequest with a MessageHeader")
    category = header.get("MessageCategory", "")
    if category not in CLASSES:
        raise UnreadableError(f"MessageCategory {category[:40]!r} is nothing a till may send")
    body = root.find(f"{category}Request")
    if body is None:
        raise UnreadableError(f"MessageCategory is {category}, but there is no {category}Request")
    faults = list(grammar.faults(header))
    faults += _envelope_faults(root, header, category)
    faults += grammar.faults(body)
    if not faults:
        faults += _DIALECT.get(category, lambda _: iter(()))(body)
    return Message(
        category=category,
        service_id=header.get("ServiceID", ""),
        sale_id=header.get("SaleID", ""),
        poi_id=header.get("POIID", ""),
        header=header.attrib,
        body=body,
        faults=tuple(faults[:MAX_FAULTS]),
        remarks=() if faults else tuple(_remarks(category, header, body)),
    )


def _envelope_faults(root: Element, header: Element, category: str) -> Iterator[str]:
    tags = [child.tag for child in root]
    expected = ["MessageHeader", f"{category}Request"]
    if tags not in (expected, [*expected, "SecurityTrailer"]):
        yield f"{root.tag}: found {' '.join(tags)}, expected {' '.join(expected)}"
    wanted = {"MessageClass": CLASSES[category], "MessageType": "Request"}
    for name, value in wanted.items():
        if header.get(name) != value:
            yield f"MessageHeader: {name} is {header.get(name)!r}, expected {value} for {category}"
    if not header.get("ServiceID"):
        yield "MessageHeader: ServiceID is missing"
    if wanted["MessageClass"] == "Device" and not header.get("DeviceID"):
        yield "MessageHeader: DeviceID is missing"
    if not 1 <= len(header.get("POIID", "").encode()) <= MAX_POI_ID_BYTES:
        yield f"MessageHeader: POIID must have 1 to {MAX_POI_ID_BYTES} bytes"
    if not header.get("SaleID"):
        yield "MessageHeader: SaleID is empty"
    version = header.get("ProtocolVersion")
    if version is None and category == "Login":
        yield "MessageHeader: ProtocolVersion is missing; Login must have it"
    elif version not in (None, PROTOCOL_VERSION):
        yield f"MessageHeader: ProtocolVersion is {version!r}, expected {PROTOCOL_VERSION}"


def _login_faults(body: Element) -> Iterator[str]:
    data = body.find("SaleTerminalData")
    environment = None if data is None else data.get("TerminalEnvironment")
    if environment != "Attended":
        yield f"SaleTerminalData: TerminalEnvironment is {environment!r}, expected Attended"
    if not capabilities(body):
        yield "SaleTerminalData: SaleCapabilities are missing"


def _payment_faults(body: Element) -> Iterator[str]:
    amounts = body.find("PaymentTransaction/AmountsReq")
    assert amounts is not None
    if amounts.get("Currency") not in CURRENCIES:
        yield f"AmountsReq: Currency is {amounts.get('Currency')}, expected {' '.join(CURRENCIES)}"
    amount = Decimal(amounts.get("RequestedAmount", "0"))
    cash_back = Decimal(amounts.get("CashBackAmount", "0"))
    if amount <= 0:
        yield f"AmountsReq: RequestedAmount is {amount}, expected more than 0"
    if cash_back > amount:
        yield f"AmountsReq: CashBackAmount {cash_back} is more than RequestedAmount {amount}"
    if any(round(value, DECIMALS) != value for value in (amount, cash_back)):
        yield f"AmountsReq: found more than {DECIMALS} decimals"
    if payment_type(body) == "Refund" and cash_back:
        yield "AmountsReq: CashBackAmount in a Refund"


def _reversal_faults(body: Element) -> Iterator[str]:
    if body.find("OriginalPOITransaction/POITransactionID") is None:
        yield "OriginalPOITransaction: POITransactionID is missing"


_DIALECT = {"Login": _login_faults, "Payment": _payment_faults, "Reversal": _reversal_faults}
"""What these terminals ask beyond the schema, looked at only if the schema is kept."""


def _remarks(category: str, header: Element, body: Element) -> Iterator[str]:
    # The vendor's own Abort has no ProtocolVersion.
    if "ProtocolVersion" not in header.attrib and category not in ("Login", "Abort"):
        yield f"MessageHeader: ProtocolVersion is missing in {category}"
    if category == "Login":
        language = body.get("OperatorLanguage")
        if language not in OPERATOR_LANGUAGES:
            expected = " ".join(OPERATOR_LANGUAGES)
            yield f"LoginRequest: OperatorLanguage is {language!r}, expected {expected}"
        if capabilities(body) not in (DEFAULT, LIGHT):
            yield "SaleCapabilities: neither those of default nor those of light integration"


def capabilities(login: Element) -> frozenset[str]:
    """SaleCapabilities of a LoginRequest."""
    return frozenset((login.findtext("SaleTerminalData/SaleCapabilities") or "").split())


def payment_type(payment: Element) -> str:
    """PaymentType of a PaymentRequest."""
    data = payment.find("PaymentData")
    return "Normal" if data is None else data.get("PaymentType", "Normal")


def read_answer(data: bytes, header: Element, name: str) -> tuple[Element | None, list[str]]:
    """The body of an answer to what the terminal posted with this header, and its faults.

    ``name`` is the body's element. The body is None if there is none.
    """
    try:
        root = parse(data)
    except UnreadableError as error:
        return None, [str(error)]
    if root.tag != "SaleToPOIResponse" or [child.tag for child in root] != ["MessageHeader", name]:
        found = f"{root.tag}({' '.join(child.tag for child in root)})"
        return None, [f"found {found}, expected SaleToPOIResponse(MessageHeader {name})"]
    faults = list(grammar.faults(root[0]))
    expected = header.attrib | {"MessageType": "Response"}
    faults += [
        f"{name}: {key} is {root[0].get(key)!r}, expected {expected.get(key)!r}"
        for key in ECHOED
        if root[0].get(key) != expected.get(key)
    ]
    faults += grammar.faults(root[1])
    return root[1], faults[:MAX_FAULTS]


def write(root: Element) -> bytes:
    """A message as bytes, in UTF-8 with an XML declaration."""
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written
