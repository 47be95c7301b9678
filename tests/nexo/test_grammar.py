"""What laned sends, judged without laned's encoder: by the simulated terminal's grammar.

Each message is also altered in every small way, and the grammar's verdicts are compared with a
list of what may be altered. Where the message schema lies beside the repository, its verdicts are
the same, so this is what the schema guarantees.
"""

from collections import defaultdict
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from altered import VALUES, alterations, valued
from golden_messages import GOLDEN
from lxml import etree
from shared import needs_shared, schema

from laned.nexo import encode
from laned.simulator import grammar

MAY_BE_MISSING = {
    "AdminRequest": "ServiceIdentification",
    "AmountsReq": "@RequestedAmount @CashBackAmount",
    "Input": "ConfirmedFlag",
    "InputResponse": "OutputResult",
    "InputResult": "Input",
    "LoginRequest": "SaleTerminalData",
    "LogoutRequest": "@MaintenanceAllowed",
    "MessageHeader": "@ProtocolVersion @ServiceID @DeviceID",
    "MessageReference": "@MessageCategory @ServiceID @SaleID @POIID",
    "OriginalPOITransaction": "POITransactionID @SaleID @POIID",
    "PaymentData": "@PaymentType",
    "PaymentRequest": "PaymentData",
    "Response": "AdditionalResponse @ErrorCondition",
    "SaleData": "SaleToAcquirerData @TokenRequestedType",
    "SaleProfile": "ServiceProfiles @GenericProfile",
    "SaleTerminalData": "SaleCapabilities SaleProfile @TerminalEnvironment",
    "TransactionStatusRequest": "MessageReference",
}
MAY_BE_TWICE = {"DisplayResponse": "OutputResult"}
"""Two of them are sent, so one may go as well."""

AMOUNT = {"+1", ".5", "0", "1.5", "1234567890", "12345678901", "7"}
BOOLEAN = {"0", "true"}
ID = {value for value in VALUES if 1 <= len(value) <= 10}
TEXT = set(VALUES)
TIME = {"2025-06-07T08:09:10+02:00", "2025-06-07T08:09:10Z"}
FORMS = {
    "AbortReason": TEXT,
    "AdditionalResponse": TEXT,
    "AmountsReq @CashBackAmount": AMOUNT,
    "AmountsReq @Currency": {"SEK"},
    "AmountsReq @RequestedAmount": AMOUNT,
    "ConfirmedFlag": BOOLEAN,
    "DateTime": TIME,
    "Input @InputCommand": {"GetConfirmation"},
    "InputResult @Device": {"CashierDisplay"},
    "InputResult @InfoQualify": {"Status"},
    "LoginRequest @OperatorLanguage": {"sv"},
    "LogoutRequest @MaintenanceAllowed": BOOLEAN,
    "MessageHeader @DeviceID": ID,
    "MessageHeader @MessageCategory": {"Payment"},
    "MessageHeader @MessageClass": {"Device"},
    "MessageHeader @MessageType": {"Request"},
    "MessageHeader @POIID": TEXT,
    "MessageHeader @ProtocolVersion": TEXT,
    "MessageHeader @SaleID": TEXT,
    "MessageHeader @ServiceID": ID,
    "MessageReference @MessageCategory": {"Payment"},
    "MessageReference @POIID": TEXT,
    "MessageReference @SaleID": TEXT,
    "MessageReference @ServiceID": ID,
    "OriginalPOITransaction @POIID": TEXT,
    "OriginalPOITransaction @SaleID": TEXT,
    "OutputResult @Device": {"CashierDisplay"},
    "OutputResult @InfoQualify": {"Status"},
    "POITransactionID @TimeStamp": TIME,
    "POITransactionID @TransactionID": TEXT,
    "PaymentData @PaymentType": {"Normal"},
    "PrintResponse @DocumentQualifier": {"CashierReceipt"},
    "Response @ErrorCondition": {"Busy"},
    "Response @Result": {"Success"},
    "ReversalRequest @ReversalReason": {"Malfunction"},
    "SaleCapabilities": {"CashierDisplay", "PrinterReceipt", "PrinterReceipt ICC"},
    "SaleData @TokenRequestedType": {"Customer"},
    "SaleProfile @GenericProfile": {"Extended"},
    "SaleSoftware @ApplicationName": TEXT,
    "SaleSoftware @ProviderIdentification": TEXT,
    "SaleSoftware @SoftwareVersion": TEXT,
    "SaleTerminalData @TerminalEnvironment": {"Attended"},
    "SaleToAcquirerData": TEXT,
    "SaleTransactionID @TimeStamp": TIME,
    "SaleTransactionID @TransactionID": TEXT,
    "ServiceIdentification": TEXT,
    "ServiceProfiles": {"Loyalty PIN"},
}
"""Which of VALUES each attribute and text may have."""
MAY_BE_EMPTY = {"SaleCapabilities", "ServiceProfiles"}
"""Lists that the schema lets be empty, and laned's grammar does not."""


def faults(data: bytes) -> list[str]:
    """What the grammar has against a message's header and body."""
    root = ElementTree.fromstring(data)
    header, body = root
    kind = str(header.get("MessageType"))
    found = [*grammar.faults(header), *grammar.faults(body)]
    if root.tag != ("SaleToPOIResponse" if kind == "Response" else "SaleToPOIRequest"):
        found.append(f"{root.tag} with a {kind}")
    if body.tag != f"{header.get('MessageCategory')}{kind}":
        found.append(f"{body.tag} under {header.attrib}")
    return found


def accepted(data: bytes) -> bool:
    """Whether the grammar takes header and body, each by itself."""
    return not any(fault for part in ElementTree.fromstring(data) for fault in grammar.faults(part))


def opaque(element: Element) -> Iterator[str]:
    """The parts of an element that the grammar does not look into."""
    for each in element.iter():
        if grammar.RULES[each.tag].opaque:
            yield each.tag


@pytest.mark.parametrize("name", GOLDEN)
def test_what_is_sent_keeps_the_grammar_to_its_last_part(name: str) -> None:
    data = encode(GOLDEN[name][0])
    assert faults(data) == []
    assert [tag for part in ElementTree.fromstring(data) for tag in opaque(part)] == []


def test_nothing_is_sent_that_could_be_altered_unseen() -> None:
    may = {f"{tag} without {part}" for tag, p in MAY_BE_MISSING.items() for part in p.split()}
    for tag, part in MAY_BE_TWICE.items():
        may |= {f"{tag} twice {part}", f"{tag} without {part}"}
    taken, refused = set[str](), set[str]()
    for message, _ in GOLDEN.values():
        for name, data in alterations(encode(message)):
            (taken if accepted(data) else refused).add(name)
    assert taken == may
    assert not taken & refused
    assert len(refused) > 150


def test_every_value_has_its_form() -> None:
    forms: dict[str, set[str]] = defaultdict(set)
    for message, _ in GOLDEN.values():
        for where, value, data in valued(encode(message)):
            if accepted(data):
                forms[where].add(value)
    assert forms == FORMS


@needs_shared
@pytest.mark.parametrize("name", GOLDEN)
def test_the_schemas_verdicts_are_the_grammars(name: str) -> None:
    judge = schema()
    assert judge is not None
    data = encode(GOLDEN[name][0])
    judge.assertValid(etree.fromstring(data))
    for what, altered in alterations(data):
        assert judge.validate(etree.fromstring(altered)) == accepted(altered), what
    for where, value, altered in valued(data):
        if value.strip() or where not in MAY_BE_EMPTY:
            verdict = judge.validate(etree.fromstring(altered))
            assert verdict == accepted(altered), f"{where} {value}"
