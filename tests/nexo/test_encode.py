"""What laned sends: the schema's order, and nothing that the schema would refuse."""

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import msgspec
import pytest
from nexo_wire import SAMPLES, SHARED, needs_shared

from laned.nexo import NexoError, decode, encode
from laned.nexo import messages as m

SUMMER = timezone(timedelta(hours=2))
LOGIN = m.LoginRequest(
    date_time=datetime(2025, 6, 7, 8, 9, 10, 987654, tzinfo=SUMMER),
    operator_language="sv",
    provider="laned",
    application="laned",
    software_version="0.1.0",
    capabilities=m.DEFAULT_INTEGRATION,
)
SALE = m.TransactionID("glass-1.k3jx90ab", "2025-06-07T08:09:10+02:00")
PAYMENT = m.PaymentRequest(
    transaction=SALE,
    requested_amount=Decimal("120.00"),
    currency="SEK",
    cash_back_amount=Decimal(20),
    reference="Beställning 7",
    token=True,
)
RUNNING = m.MessageReference(
    category=m.Category.PAYMENT, service_id="17", sale_id="kassa-2", poi_id="kiosk-7"
)
OK = m.Response(result=m.Result.SUCCESS)
REFUSED = m.Response(
    result=m.Result.FAILURE, error_condition=m.ErrorCondition.BUSY, additional_response="Väntar"
)
SHOWN = m.OutputResult(device="CashierDisplay", info_qualify="Status", response=OK)
ANSWER = m.InputResponse(
    device="CashierInput",
    info_qualify="Input",
    command=m.InputCommand.GET_CONFIRMATION,
    response=OK,
    output=SHOWN,
    confirmed=False,
)

REQUEST = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<SaleToPOIRequest>'
    '<MessageHeader ProtocolVersion="3.1" MessageClass="Service" MessageCategory="{}" '
    'MessageType="Request" ServiceID="17" SaleID="kassa-2" POIID="kiosk-7" />{}</SaleToPOIRequest>'
)
RESPONSE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<SaleToPOIResponse>'
    '<MessageHeader MessageClass="Device" MessageCategory="{}" '
    'MessageType="Response" ServiceID="17" DeviceID="3" SaleID="kassa-2" POIID="kiosk-7" />{}'
    "</SaleToPOIResponse>"
)


def request(category: m.Category, body: m.Body) -> m.Message:
    header = m.request_header(category, service_id="17", sale_id="kassa-2", poi_id="kiosk-7")
    return m.Message(header, body)


def response(category: m.Category, body: m.Body) -> m.Message:
    asked = m.Header(
        message_class=m.MessageClass.DEVICE,
        category=category,
        type=m.MessageType.REQUEST,
        sale_id="kassa-2",
        poi_id="kiosk-7",
        service_id="17",
        device_id="3",
        protocol_version="3.1",
    )
    return m.Message(m.response_header(asked), body)


def to_acquirer(number: str) -> str:
    document = json.dumps({"purchaseOrderNumber": number}, separators=(",", ":"))
    return base64.b64encode(document.encode()).decode()


SOFTWARE = (
    '<SaleSoftware ProviderIdentification="laned" ApplicationName="laned" '
    'SoftwareVersion="0.1.0" />'
)
LOGIN_BODY = (
    '<LoginRequest OperatorLanguage="sv"><DateTime>2025-06-07T08:09:10+02:00</DateTime>'
    f'{SOFTWARE}<SaleTerminalData TerminalEnvironment="Attended"><SaleCapabilities>{{}}'
    "</SaleCapabilities>{}</SaleTerminalData></LoginRequest>"
)
GOLDEN: dict[str, tuple[m.Message, str]] = {
    "login": (
        request(m.Category.LOGIN, LOGIN),
        REQUEST.format(
            "Login",
            LOGIN_BODY.format(
                "CashierStatus CashierError CashierDisplay POIReplication CustomerAssistance "
                "CashierInput PrinterReceipt",
                '<SaleProfile GenericProfile="Extended"><ServiceProfiles>Loyalty PIN CardReader'
                "</ServiceProfiles></SaleProfile>",
            ),
        ),
    ),
    "login light": (
        request(m.Category.LOGIN, msgspec.structs.replace(LOGIN, capabilities=m.LIGHT_INTEGRATION)),
        REQUEST.format("Login", LOGIN_BODY.format("PrinterReceipt", "")),
    ),
    "logout": (
        request(m.Category.LOGOUT, m.LogoutRequest(maintenance_allowed=True)),
        REQUEST.format("Logout", '<LogoutRequest MaintenanceAllowed="true" />'),
    ),
    "payment": (
        request(m.Category.PAYMENT, PAYMENT),
        REQUEST.format(
            "Payment",
            '<PaymentRequest><SaleData TokenRequestedType="Customer">'
            '<SaleTransactionID TransactionID="glass-1.k3jx90ab" '
            'TimeStamp="2025-06-07T08:09:10+02:00" />'
            f"<SaleToAcquirerData>{to_acquirer('Beställning 7')}</SaleToAcquirerData></SaleData>"
            '<PaymentTransaction><AmountsReq Currency="SEK" RequestedAmount="120.00" '
            'CashBackAmount="20" /></PaymentTransaction>'
            '<PaymentData PaymentType="Normal" /></PaymentRequest>',
        ),
    ),
    "refund": (
        request(
            m.Category.PAYMENT,
            m.PaymentRequest(
                transaction=SALE,
                requested_amount=Decimal("1E+2"),
                currency="NOK",
                payment_type=m.PaymentType.REFUND,
            ),
        ),
        REQUEST.format(
            "Payment",
            '<PaymentRequest><SaleData><SaleTransactionID TransactionID="glass-1.k3jx90ab" '
            'TimeStamp="2025-06-07T08:09:10+02:00" /></SaleData><PaymentTransaction>'
            '<AmountsReq Currency="NOK" RequestedAmount="100" /></PaymentTransaction>'
            '<PaymentData PaymentType="Refund" /></PaymentRequest>',
        ),
    ),
    "abort": (
        request(m.Category.ABORT, m.AbortRequest(reference=RUNNING, reason="Kunden ångrade <sig>")),
        REQUEST.format(
            "Abort",
            '<AbortRequest><MessageReference MessageCategory="Payment" ServiceID="17" '
            'SaleID="kassa-2" POIID="kiosk-7" /><AbortReason>Kunden ångrade &lt;sig&gt;'
            "</AbortReason></AbortRequest>",
        ),
    ),
    "status of the last": (
        request(m.Category.TRANSACTION_STATUS, m.TransactionStatusRequest()),
        REQUEST.format("TransactionStatus", "<TransactionStatusRequest />"),
    ),
    "status": (
        request(m.Category.TRANSACTION_STATUS, m.TransactionStatusRequest(reference=RUNNING)),
        REQUEST.format(
            "TransactionStatus",
            '<TransactionStatusRequest><MessageReference MessageCategory="Payment" '
            'ServiceID="17" SaleID="kassa-2" POIID="kiosk-7" /></TransactionStatusRequest>',
        ),
    ),
    "reversal": (
        request(
            m.Category.REVERSAL,
            m.ReversalRequest(
                poi_transaction=m.TransactionID("990017", "2025-06-07T06:09:44.120Z"),
                reason=m.ReversalReason.MALFUNCTION,
                sale_id="kassa-2",
                poi_id="kiosk-7",
            ),
        ),
        REQUEST.format(
            "Reversal",
            '<ReversalRequest ReversalReason="Malfunction"><OriginalPOITransaction '
            'SaleID="kassa-2" POIID="kiosk-7"><POITransactionID TransactionID="990017" '
            'TimeStamp="2025-06-07T06:09:44.120Z" /></OriginalPOITransaction></ReversalRequest>',
        ),
    ),
    "admin": (
        request(m.Category.ADMIN, m.AdminRequest()),
        REQUEST.format("Admin", "<AdminRequest />"),
    ),
    "admin, named": (
        request(m.Category.ADMIN, m.AdminRequest(service_identification="Update")),
        REQUEST.format(
            "Admin",
            "<AdminRequest><ServiceIdentification>Update</ServiceIdentification></AdminRequest>",
        ),
    ),
    "display": (
        response(m.Category.DISPLAY, m.DisplayResponse(results=(SHOWN, SHOWN))),
        RESPONSE.format(
            "Display",
            "<DisplayResponse>" + '<OutputResult Device="CashierDisplay" InfoQualify="Status">'
            '<Response Result="Success" /></OutputResult>' * 2 + "</DisplayResponse>",
        ),
    ),
    "input": (
        response(m.Category.INPUT, ANSWER),
        RESPONSE.format(
            "Input",
            '<InputResponse><OutputResult Device="CashierDisplay" InfoQualify="Status">'
            '<Response Result="Success" /></OutputResult>'
            '<InputResult Device="CashierInput" InfoQualify="Input"><Response Result="Success" />'
            '<Input InputCommand="GetConfirmation"><ConfirmedFlag>false</ConfirmedFlag></Input>'
            "</InputResult></InputResponse>",
        ),
    ),
    "input refused": (
        response(
            m.Category.INPUT,
            m.InputResponse(
                device="CashierInput", info_qualify="Input", command="Password", response=REFUSED
            ),
        ),
        RESPONSE.format(
            "Input",
            '<InputResponse><InputResult Device="CashierInput" InfoQualify="Input">'
            '<Response Result="Failure" ErrorCondition="Busy">'
            "<AdditionalResponse>Väntar</AdditionalResponse></Response>"
            "</InputResult></InputResponse>",
        ),
    ),
    "print": (
        response(m.Category.PRINT, m.PrintResponse(qualifier="CashierReceipt", response=OK)),
        RESPONSE.format(
            "Print",
            '<PrintResponse DocumentQualifier="CashierReceipt"><Response Result="Success" />'
            "</PrintResponse>",
        ),
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_written_exactly(name: str) -> None:
    message, expected = GOLDEN[name]
    assert encode(message) == expected.encode()


@needs_shared
@pytest.mark.parametrize("name", GOLDEN)
def test_valid_against_the_schema(name: str) -> None:
    from lxml import etree

    schema = etree.XMLSchema(etree.parse(SHARED / "sale-to-poi-3.1.xsd"))
    schema.assertValid(etree.fromstring(encode(GOLDEN[name][0])))


@pytest.mark.parametrize("name", GOLDEN)
def test_read_back(name: str) -> None:
    message, _ = GOLDEN[name]
    expected = message
    if isinstance(message.body, m.LoginRequest):
        whole_second = message.body.date_time.replace(microsecond=0)
        body = msgspec.structs.replace(message.body, date_time=whole_second)
        expected = m.Message(message.header, body)
    if isinstance(message.body, m.InputResponse) and message.body.confirmed is None:
        body_without_input = msgspec.structs.replace(message.body, command="")
        expected = m.Message(message.header, body_without_input)
    assert decode(encode(message)) == expected


SENT = ("Login", "Logout", "Payment", "Abort", "Reversal", "TransactionStatus")


@needs_shared
@pytest.mark.parametrize("category", SENT)
def test_samples_of_what_laned_sends_survive_writing(category: str) -> None:
    samples = [sample for sample in SAMPLES if sample.name.startswith(f"{category}Request")]
    assert samples
    for sample in samples:
        message = decode(sample.read_bytes())
        assert decode(encode(message)) == message


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("0", "0"),
        ("0.00", "0.00"),
        ("514.90", "514.90"),
        ("1E+3", "1000"),
        ("1e-2", "0.01"),
        ("999999999999.999999", "999999999999.999999"),
    ],
)
def test_amounts_are_plain_decimals(amount: str, written: str) -> None:
    body = msgspec.structs.replace(PAYMENT, requested_amount=Decimal(amount))
    assert f' RequestedAmount="{written}"'.encode() in encode(request(m.Category.PAYMENT, body))


@pytest.mark.parametrize(
    "amount", ["-1", "-0", "NaN", "sNaN", "Infinity", "1E+12", "1E+999999", "0.0000001", "1e-99999"]
)
def test_other_amounts_are_refused(amount: str) -> None:
    for field in ("requested_amount", "cash_back_amount"):
        body = msgspec.structs.replace(PAYMENT, **{field: Decimal(amount)})
        with pytest.raises(NexoError, match=r"AmountsReq .*found .*expected an amount from 0"):
            encode(request(m.Category.PAYMENT, body))


HEADER = m.request_header(m.Category.LOGOUT, service_id="17", sale_id="kassa-2", poi_id="kiosk-7")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"service_id": None}, "ServiceID: found none"),
        ({"service_id": ""}, "ServiceID: found none"),
        ({"service_id": " "}, "ServiceID: found a blank"),
        ({"service_id": "12345678901"}, "ServiceID: found '12345678901', expected at most 10"),
        ({"device_id": "12345678901"}, "DeviceID: found '12345678901', expected at most 10"),
        ({"poi_id": "p" * 33}, "expected at most 32 bytes"),
        ({"poi_id": "å" * 17}, "expected at most 32 bytes"),
        ({"poi_id": ""}, "POIID: found a blank"),
        ({"sale_id": ""}, "SaleID: found none"),
        ({"sale_id": "s" * 257}, "SaleID: found 257 characters, expected at most 256"),
        ({"sale_id": "a\nb"}, "U+000A"),
        ({"sale_id": "a\x00b"}, "U+0000"),
        ({"sale_id": "a\ud800b"}, "U+D800"),
        ({"sale_id": "a\uffffb"}, "U+FFFF"),
        ({"category": "Login"}, "found 'Login' 'Request', expected one that names LogoutRequest"),
        ({"type": "Response"}, "expected one that names LogoutRequest"),
        ({"message_class": "Butler"}, "found 'Butler', expected one of Device, Event, Service"),
    ],
)
def test_headers_are_checked(changes: dict[str, str | None], says: str) -> None:
    header = msgspec.structs.replace(HEADER, **changes)
    with pytest.raises(NexoError) as refused:
        encode(m.Message(header, m.LogoutRequest()))
    assert says in str(refused.value)


def test_the_longest_ids_are_written() -> None:
    header = msgspec.structs.replace(HEADER, service_id="1234567890", poi_id="å" * 16)
    assert decode(encode(m.Message(header, m.LogoutRequest()))).header == header


def test_a_login_must_say_its_protocol_version() -> None:
    message = request(m.Category.LOGIN, LOGIN)
    header = msgspec.structs.replace(message.header, protocol_version=None)
    with pytest.raises(NexoError, match=r"ProtocolVersion: found 'None', expected 3\.1"):
        encode(m.Message(header, LOGIN))


def test_a_blank_sale_id_is_echoed() -> None:
    message = response(m.Category.PRINT, m.PrintResponse(qualifier="Document", response=OK))
    header = msgspec.structs.replace(message.header, sale_id="")
    assert b' SaleID="" ' in encode(m.Message(header, message.body))


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (
            request(
                m.Category.LOGIN,
                msgspec.structs.replace(LOGIN, date_time=datetime(2025, 1, 1)),
            ),
            "DateTime: found no UTC offset",
        ),
        (
            request(m.Category.LOGIN, msgspec.structs.replace(LOGIN, operator_language="SV")),
            "OperatorLanguage: found 'SV'",
        ),
        (
            request(m.Category.LOGIN, msgspec.structs.replace(LOGIN, capabilities=("Coffee",))),
            "SaleCapabilities: found 'Coffee'",
        ),
        (
            request(m.Category.LOGIN, msgspec.structs.replace(LOGIN, provider="")),
            "SaleSoftware ProviderIdentification: found a blank",
        ),
        (
            request(m.Category.PAYMENT, msgspec.structs.replace(PAYMENT, currency="kr")),
            "Currency: found 'kr', expected such as SEK",
        ),
        (
            request(m.Category.PAYMENT, msgspec.structs.replace(PAYMENT, payment_type="Gift")),
            "PaymentType: found 'Gift'",
        ),
        (
            request(m.Category.PAYMENT, msgspec.structs.replace(PAYMENT, reference="x" * 257)),
            "reference: found 257 characters",
        ),
        (
            request(
                m.Category.PAYMENT,
                msgspec.structs.replace(PAYMENT, transaction=m.TransactionID("", SALE.timestamp)),
            ),
            "SaleTransactionID TransactionID: found a blank",
        ),
        *(
            (
                request(
                    m.Category.PAYMENT,
                    msgspec.structs.replace(PAYMENT, transaction=m.TransactionID("a.b", time)),
                ),
                "SaleTransactionID TimeStamp: found",
            )
            for time in ("", "2025-06-07T08:09:10", "2025-13-07T08:09:10Z", "2025-06-07 08:09:10Z")
        ),
        (
            request(
                m.Category.ABORT,
                m.AbortRequest(reference=m.MessageReference(category="Payment"), reason="x"),
            ),
            "MessageReference ServiceID: found none",
        ),
        (
            request(
                m.Category.ABORT,
                m.AbortRequest(
                    reference=m.MessageReference(category="Pay", service_id="1"), reason="x"
                ),
            ),
            "MessageCategory: found 'Pay'",
        ),
        (
            request(m.Category.ABORT, m.AbortRequest(reference=RUNNING, reason="")),
            "AbortReason: found a blank",
        ),
        (
            request(m.Category.ABORT, m.AbortRequest(reference=RUNNING, reason="\x1b[31m")),
            "AbortReason: found the character U+001B",
        ),
        (
            response(m.Category.DISPLAY, m.DisplayResponse(results=())),
            "OutputResult: found none",
        ),
        (
            response(m.Category.INPUT, msgspec.structs.replace(ANSWER, confirmed=None)),
            "expected ConfirmedFlag",
        ),
        (
            response(
                m.Category.PRINT,
                m.PrintResponse(qualifier="Document", response=m.Response(result="Maybe")),
            ),
            "Response Result: found 'Maybe'",
        ),
        (
            response(
                m.Category.PRINT,
                m.PrintResponse(
                    qualifier="Document",
                    response=m.Response(result="Failure", error_condition="Tired"),
                ),
            ),
            "ErrorCondition: found 'Tired'",
        ),
        (request(m.Category.PRINT, m.UnknownBody("PrintRequest")), "found UnknownBody"),
        (
            m.Message(HEADER, m.EventNotification(event="Shutdown", timestamp="")),
            "found EventNotification",
        ),
    ],
)
def test_bodies_are_checked(message: m.Message, says: str) -> None:
    with pytest.raises(NexoError) as refused:
        encode(message)
    assert says in str(refused.value)


def test_what_the_terminal_said_is_echoed_as_it_came() -> None:
    body = m.DisplayResponse(
        results=(m.OutputResult(device="PumpDisplay", info_qualify="Fuel", response=OK),)
    )
    assert b'Device="PumpDisplay" InfoQualify="Fuel"' in encode(response(m.Category.DISPLAY, body))


def test_headers_of_requests_and_responses() -> None:
    asked = m.request_header(m.Category.PAYMENT, service_id="5", sale_id="s", poi_id="p")
    assert (asked.message_class, asked.type, asked.protocol_version) == (
        "Service",
        "Request",
        "3.1",
    )
    assert m.response_header(asked) == m.Header(
        message_class="Service",
        category="Payment",
        type="Response",
        sale_id="s",
        poi_id="p",
        service_id="5",
    )
    assert asked.body_element == "PaymentRequest"


def test_time_zones_are_written_with_their_offset() -> None:
    body = msgspec.structs.replace(LOGIN, date_time=datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC))
    written = encode(request(m.Category.LOGIN, body))
    assert b"<DateTime>2025-01-02T03:04:05+00:00</DateTime>" in written
