"""What laned sends: the schema's order, and nothing that the schema would refuse."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from golden_messages import ANSWER, GOLDEN, LOGIN, OK, PAYMENT, RUNNING, SALE, request, response

from laned.nexo import NexoError, decode, encode
from laned.nexo import messages as m


@pytest.mark.parametrize("name", GOLDEN)
def test_written_exactly(name: str) -> None:
    message, expected = GOLDEN[name]
    assert encode(message) == expected.encode()


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
