"""Reading: what terminals send, how they deviate from the schema, and what must be refused."""

import re
from decimal import Decimal

import msgspec
import pytest
from nexo_wire import (
    CARDHOLDER,
    FROM_TERMINAL,
    INPUT_REQUEST,
    MERCHANT,
    PAYMENT_RESPONSE,
    REVERSAL_RESPONSE,
    SUCCESS,
    display,
    message,
    repeated,
)

from laned.nexo import NexoError, decode
from laned.nexo import messages as m
from laned.nexo.decode_device import parse_text

OK = m.Response(result="Success")
SALE = m.TransactionID("glass-1.k3jx90ab", "2025-02-03T10:20:30+01:00")
POI = m.TransactionID("990017", "2025-02-03T09:20:44.120Z")
TO_SIGN = m.Receipt(
    qualifier="CashierReceipt",
    lines=("Fjällboden", "KÖP 120,00 SEK", "", "Underskrift"),
    data=MERCHANT,
    signature_block=True,
)
THANKS = m.Receipt(qualifier="CustomerReceipt", lines=("Fjällboden", "Tack!"), data=CARDHOLDER)
PAYMENT = m.PaymentResponse(
    response=OK,
    sale_transaction=SALE,
    poi_transaction=POI,
    payment_type="Normal",
    instrument="Card",
    card=m.CardData(
        brand="04,Visa", masked_pan="457199******0042", entry_mode="Magstripe", token="CNA55"
    ),
    amounts=m.AmountsResp(
        authorized_amount=Decimal("120.00"),
        currency="SEK",
        cash_back_amount=Decimal(0),
        tip_amount=Decimal("10.5"),
    ),
    approval_code="A1B2C3",
    receipts=(TO_SIGN, THANKS),
)
EXPECTED: dict[str, m.Body] = {
    "login": m.LoginResponse(
        response=OK, serial_number="2290000123", software="Kassan 4.5", global_status="OK"
    ),
    "logout": m.LogoutResponse(response=OK),
    "payment": PAYMENT,
    "reversal": m.ReversalResponse(response=OK, poi_transaction=POI, receipts=(THANKS,)),
    "status": m.TransactionStatusResponse(
        response=OK,
        reference=m.MessageReference(category="Payment", service_id="9", sale_id="kassa-2"),
        repeated=m.RepeatedMessage(
            header=m.Header(
                message_class="Service",
                category="Payment",
                type="Response",
                sale_id="kassa-2",
                poi_id="kiosk-7",
                service_id="9",
            ),
            body=PAYMENT,
        ),
    ),
    "admin": m.AdminResponse(response=OK),
    "display": m.DisplayRequest(
        outputs=(
            m.DisplayOutput(
                device="CashierDisplay",
                info_qualify="Status",
                texts=(m.OutputText("Approved", 9202), m.OutputText("Take the card")),
            ),
        )
    ),
    "input": m.InputRequest(
        device="CashierInput",
        info_qualify="Input",
        command="GetConfirmation",
        display=m.DisplayOutput(
            device="CashierDisplay",
            info_qualify="Display",
            texts=(m.OutputText("Signature ok?", 41),),
        ),
        max_input_time=45,
    ),
    "print": m.PrintRequest(response_mode="Immediate", receipt=TO_SIGN),
    "event": m.EventNotification(
        event="Reject",
        timestamp="2025-02-03T03:00:00+01:00",
        details="No thanks",
        maintenance_required=True,
        rejected="<smörgås/>",
    ),
    "transmit": m.TransmitRequest(destination="127.0.0.1:15022", message=b"{}"),
}


def read(category: str, kind: str, body: str) -> m.Body:
    return decode(message(category, kind, body)).body


def payment(change: str, to: str) -> m.PaymentResponse:
    """The PaymentResponse with `change` (a regular expression) replaced once."""
    changed, count = re.subn(change, to, PAYMENT_RESPONSE, count=1)
    assert count == 1
    body = read("Payment", "Response", changed)
    assert isinstance(body, m.PaymentResponse)
    return body


@pytest.mark.parametrize("name", FROM_TERMINAL)
def test_one_of_everything(name: str) -> None:
    assert decode(FROM_TERMINAL[name]).body == EXPECTED[name]


def test_header() -> None:
    ids = 'DeviceID="4" ServiceID="0017" ProtocolVersion="3.1" Weather="mild"'
    header = decode(message("Logout", "Request", "<LogoutRequest/>", ids=ids)).header
    assert header == m.Header(
        message_class="Service",
        category="Logout",
        type="Request",
        sale_id="kassa-2",
        poi_id="kiosk-7",
        service_id="0017",
        device_id="4",
        protocol_version="3.1",
    )
    bare = decode(FROM_TERMINAL["transmit"].replace(b'"kassa-2"', b'""')).header
    assert (bare.sale_id, bare.service_id, bare.device_id, bare.protocol_version) == (
        ("", None, None, None)
    )


# -- Tolerated ------------------------------------------------------------------------------------


def test_prefixes_and_namespaces_on_elements() -> None:
    plain = FROM_TERMINAL["payment"].decode()
    prefixed = re.sub(r"<(/?)(\w+)", r"<\1epas:\2", plain)
    prefixed = prefixed.replace("<epas:SaleToPOIResponse", '<epas:SaleToPOIResponse xmlns:epas="u"')
    assert decode(prefixed.encode()) == decode(plain.encode())
    assert decode(plain.replace(">", ' xmlns="u:e">', 1).encode()) == decode(plain.encode())


def test_unknown_elements_and_attributes_are_ignored() -> None:
    text = FROM_TERMINAL["payment"].decode()
    text = re.sub(r"<(\w+) (?=\w+=)", r'<\1 Weather="mild" ', text)
    text = re.sub(r"<(SaleData|POIData|PaymentResult)\b[^>]*>", r"\g<0><Mood>good</Mood>", text)
    text = text.replace("<MessageHeader", "<Stamp/><MessageHeader")
    assert decode(text.encode()).body == PAYMENT


def test_unknown_enumeration_values_are_kept() -> None:
    body = payment(
        '<Response Result="Success"/>',
        '<Response Result="Undecided" ErrorCondition="OutOfPaper">'
        "<AdditionalResponse> Byt rulle </AdditionalResponse></Response>",
    )
    assert body.response == m.Response(
        result="Undecided", error_condition="OutOfPaper", additional_response=" Byt rulle "
    )
    assert payment('EntryMode="Magstripe"', 'EntryMode="MagStripe"').card == m.CardData(
        brand="04,Visa", masked_pan="457199******0042", entry_mode="MagStripe", token="CNA55"
    )
    event = read("Event", "Notification", '<EventNotification EventToNotify="Yawned"/>')
    assert event == m.EventNotification(event="Yawned", timestamp="")


def test_a_failure_may_have_nothing_but_its_response() -> None:
    failure = '<Response Result="Failure" ErrorCondition="Busy"/>'
    body = read("Payment", "Response", f"<PaymentResponse>{failure}</PaymentResponse>")
    assert body == m.PaymentResponse(response=m.Response(result="Failure", error_condition="Busy"))


def test_blank_transactions_are_none() -> None:
    assert payment('TransactionID="990017"', 'TransactionID=" "').poi_transaction is None
    assert payment('TransactionID="glass-1.k3jx90ab"', "").sale_transaction is None
    without_time = payment(r'(TransactionID="990017") TimeStamp="[^"]*"', r"\1")
    assert without_time.poi_transaction == m.TransactionID("990017", "")


def test_timestamps_are_kept_verbatim() -> None:
    body = payment("2025-02-03T09:20:44.120Z", "2025-02-03T09:20:44.1200000+00:00")
    assert body.poi_transaction == m.TransactionID("990017", "2025-02-03T09:20:44.1200000+00:00")


@pytest.mark.parametrize(
    ("came", "kept"),
    [
        ("457199******0042", "457199******0042"),
        ("************0042", "************0042"),
        ("4571990000000042", "457199******0042"),
        ("457199000000042", "457199*****0042"),
        ("457199000042", "457199**0042"),
        ("45719900004", "45719900004"),
        ("4571 9900 0000 0042", "4571 99** **** 0042"),
        ("45719900****0042", "457199******0042"),
        ("4571990000000042*", "457199******0042*"),
        ("4571990000000042123", "457199*********2123"),
        ("", ""),
    ],
)
def test_a_card_number_is_never_kept_unmasked(came: str, kept: str) -> None:
    card = payment("457199[*]{6}0042", came).card
    assert card is not None
    assert card.masked_pan == kept


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("120", "120"),
        ("120.00", "120.00"),
        (" 120.5 ", "120.5"),
        ("+7", "7"),
        (".5", "0.5"),
        ("5.", "5"),
        ("0", "0"),
        ("999999999999.999999", "999999999999.999999"),
    ],
)
def test_amounts(written: str, value: str) -> None:
    amounts = payment('"120.00"', f'"{written}"').amounts
    assert amounts is not None
    assert amounts.authorized_amount == Decimal(value)


def test_optional_amounts_are_none() -> None:
    body = payment('Currency="SEK" (A[^ ]*) .*? TipAmount="10.5"', r"\1")
    assert body.amounts == m.AmountsResp(authorized_amount=Decimal(120))


@pytest.mark.parametrize(
    ("attributes", "required", "seconds"),
    [
        ("", None, 0),
        ('ResponseRequiredFlag="true"', True, 0),
        ('ResponseRequiredFlag="1" MinimumDisplayTime="7"', True, 7),
        ('ResponseRequiredFlag="FALSE" MinimumDisplayTime="-3"', False, 0),
        ('ResponseRequiredFlag="perhaps" MinimumDisplayTime="5000"', None, 999),
        ('MinimumDisplayTime="soon"', None, 0),
        (f'MinimumDisplayTime="{"9" * 5000}"', None, 0),
    ],
)
def test_display_attributes(attributes: str, required: bool | None, seconds: int) -> None:
    body = read("Display", "Request", display("x", attributes=attributes))
    assert isinstance(body, m.DisplayRequest)
    (output,) = body.outputs
    assert (output.response_required, output.minimum_display_time) == (required, seconds)


def test_display_with_one_many_and_no_texts() -> None:
    for texts in (["one"], ["one", "two", "three"], []):
        body = read("Display", "Request", display(*texts))
        assert isinstance(body, m.DisplayRequest)
        assert [text.text for text in body.outputs[0].texts] == texts


def test_several_outputs_stay_in_order() -> None:
    one = display("x").removeprefix("<DisplayRequest>").removesuffix("</DisplayRequest>")
    two = one.replace("CashierDisplay", "CustomerDisplay").replace("InfoQualify", "InfoQuality")
    body = read("Display", "Request", f"<DisplayRequest>{one}{two}</DisplayRequest>")
    assert isinstance(body, m.DisplayRequest)
    assert [(output.device, output.info_qualify) for output in body.outputs] == [
        ("CashierDisplay", "Status"),
        ("CustomerDisplay", "Status"),
    ]


def test_input_and_print_with_as_little_as_possible() -> None:
    bare = '<InputRequest><InputData InputCommand="GetAnyKey" MaxInputTime="0"/></InputRequest>'
    assert read("Input", "Request", bare) == m.InputRequest(
        device="CashierInput", info_qualify="Input", command="GetAnyKey"
    )
    assert read("Print", "Request", "<PrintRequest><PrintOutput/></PrintRequest>") == (
        m.PrintRequest(
            response_mode="NotRequired", receipt=m.Receipt(qualifier="Document", lines=())
        )
    )


def test_what_was_rejected_may_be_no_base64() -> None:
    body = read(
        "Event",
        "Notification",
        '<EventNotification EventToNotify="Reject"><RejectedMessage>a &lt; b</RejectedMessage>'
        "</EventNotification>",
    )
    assert body == m.EventNotification(event="Reject", timestamp="", rejected="a < b")


def test_bodies_without_use_are_named() -> None:
    body = f"<GetTotalsResponse>{SUCCESS}</GetTotalsResponse>"
    assert read("GetTotals", "Response", body) == m.UnknownBody("GetTotalsResponse", OK)
    assert read("InputUpdate", "Notification", "<InputUpdate/>") == m.UnknownBody("InputUpdate")


def test_repeated_reversals_and_others() -> None:
    for category, body, expected in (
        ("Reversal", REVERSAL_RESPONSE, EXPECTED["reversal"]),
        (
            "CardAcquisition",
            f"<CardAcquisitionResponse>{SUCCESS}</CardAcquisitionResponse>",
            m.UnknownBody("CardAcquisitionResponse", OK),
        ),
    ):
        status = read("TransactionStatus", "Response", repeated(body, category=category))
        assert isinstance(status, m.TransactionStatusResponse)
        assert status.repeated is not None
        assert status.repeated.header.category == category
        assert status.repeated.body == expected


def test_a_status_without_repeated_message() -> None:
    busy = '<Response Result="Failure" ErrorCondition="Busy"/>'
    body = f"<TransactionStatusResponse>{busy}</TransactionStatusResponse>"
    assert read("TransactionStatus", "Response", body) == m.TransactionStatusResponse(
        response=m.Response(result="Failure", error_condition="Busy")
    )


# -- Texts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "code", "text"),
    [
        ('9202,"Approved"', 9202, "Approved"),
        (' 11 , "Welcome" ', 11, "Welcome"),
        ("9202,Approved", 9202, "Approved"),
        ('9202,"Say ""hi"""', 9202, 'Say "hi"'),
        ('9202,"Total","120,00 SEK"', 9202, "Total 120,00 SEK"),
        ('9202,"Total" , "120,00 SEK"', 9202, "Total 120,00 SEK"),
        ('9202,"two\nlines"', 9202, "two\nlines"),
        ('9202,""', 9202, ""),
        ("9202,", 9202, ""),
        ('"Approved"', None, "Approved"),
        ('"a","b"', None, "a b"),
        ("Approved", None, "Approved"),
        ("Enter PIN: **", None, "Enter PIN: **"),
        ("120,00 SEK", None, "120,00 SEK"),
        ("120, 00 SEK", None, "120, 00 SEK"),
        ("9202", None, "9202"),
        ('x,"y"', None, 'x,"y"'),
        ('1234567890,"y"', None, '1234567890,"y"'),
        ('9202,"open', 9202, '"open'),
        ('9202,"a" b', 9202, '"a" b'),
        ("٣,x", None, "٣,x"),
        ("  spaced", None, "  spaced"),
        ("", None, ""),
    ],
)
def test_codes_and_texts(written: str, code: int | None, text: str) -> None:
    assert parse_text(written) == m.OutputText(text, code)


@pytest.mark.parametrize("part", ['"', '""', '","', ' "', ",", "1", " ", '"a",'])
def test_long_texts_do_not_take_long(part: str) -> None:
    text = "9," + part * (200_000 // len(part)) + "!"
    assert parse_text(text).text


# -- Refused --------------------------------------------------------------------------------------


def changed(name: str, change: str, to: str) -> bytes:
    text, count = re.subn(change, to, FROM_TERMINAL[name].decode(), count=1)
    assert count == 1
    return text.encode()


NO_HEADER = "<SaleToPOIResponse><LogoutResponse/></SaleToPOIResponse>"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"<html/>", "root element: found 'html', expected SaleToPOIRequest or SaleToPOIResponse"),
        (NO_HEADER.encode(), "SaleToPOIResponse/MessageHeader: found none"),
        (changed("logout", "<MessageHeader[^>]*/>", r"\g<0>\g<0>"), "MessageHeader: found 2 of"),
        (changed("logout", 'MessageCategory="Logout"', ""), "@MessageCategory: found no attribute"),
        (changed("logout", 'MessageClass="Service"', ""), "@MessageClass: found no attribute"),
        (changed("logout", 'MessageType="Response"', ""), "@MessageType: found no attribute"),
        (changed("logout", "kiosk-7", " "), "MessageHeader/@POIID: found a blank one"),
        (changed("logout", 'SaleID="kassa-2"', ""), "MessageHeader/@SaleID: found no attribute"),
        (changed("logout", '"Response"', '"Answer"'), "@MessageType: found 'Answer', expected one"),
        (changed("logout", '"Response"', '"Request"'), "expected SaleToPOIRequest"),
        (changed("display", '"Request"', '"Response"'), "expected SaleToPOIResponse"),
        (
            changed("logout", '"Logout"', '"Login"'),
            "found 'LogoutResponse', expected one 'LoginRes",
        ),
        (changed("logout", "<LogoutResponse>.*</LogoutResponse>", ""), "body: found none"),
        (
            changed("logout", "<LogoutResponse>.*</LogoutResponse>", r"\g<0>\g<0>"),
            "found 'LogoutResponse', 'LogoutResponse', expected one",
        ),
        (changed("payment", SUCCESS, ""), "PaymentResponse/Response: found none"),
        (changed("payment", SUCCESS, SUCCESS * 2), "PaymentResponse/Response: found 2 of them"),
        (changed("payment", ' Result="Success"', ""), "Response/@Result: found no attribute"),
        (changed("payment", ' Result="Success"', ' Result=""'), "@Result: found a blank one"),
        (changed("payment", "<POIData>.*</POIData>", r"\g<0>\g<0>"), "POIData: found 2 of them"),
        (changed("payment", "<AmountsResp[^>]*/>", r"\g<0>\g<0>"), "AmountsResp: found 2 of them"),
        (
            changed("payment", 'AuthorizedAmount="120.00"', ""),
            "AmountsResp/@AuthorizedAmount: found no attribute",
        ),
        (changed("transmit", "<Message>", "<Message>!"), "Message: found '!e30=', expected base64"),
        (changed("transmit", "<Message>.*</Message>", ""), "Message: found none"),
        (changed("transmit", 'DestinationAddress="[^"]*"', ""), "@DestinationAddress"),
        (changed("event", 'EventToNotify="Reject"', ""), "@EventToNotify: found no attribute"),
        (changed("input", "<InputData[^>]*/>", ""), "InputRequest/InputData: found none"),
        (changed("input", 'InputCommand="GetConfirmation"', ""), "@InputCommand"),
        (changed("print", "<PrintOutput.*</PrintOutput>", ""), "PrintOutput: found none"),
        (
            message("Login", "Request", "<LoginRequest><DateTime>no</DateTime></LoginRequest>"),
            "SaleSoftware: found none",
        ),
        (
            message(
                "Login",
                "Request",
                "<LoginRequest><DateTime>now</DateTime><SaleSoftware/></LoginRequest>",
            ),
            "DateTime: found 'now', expected a time such as",
        ),
        (message("Abort", "Request", "<AbortRequest/>"), "MessageReference: found none"),
    ],
)
def test_refused(data: bytes, says: str) -> None:
    with pytest.raises(NexoError) as refused:
        decode(data)
    assert says in str(refused.value)
    assert ", expected" in str(refused.value)


@pytest.mark.parametrize(
    "written",
    [
        "", " ", "1,5", "1 000", "-1", "1e3", "NaN", "Infinity", "0x10", "SEK", "1.2.3",
        ".", "+", "٣", "1_000", "1" * 13, "1.0000001", "9" * 100_000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["AuthorizedAmount", "TipAmount", "CashBackAmount"])
def test_what_is_no_amount_is_refused(name: str, written: str) -> None:
    with pytest.raises(NexoError) as refused:
        payment(f'{name}="[^"]*"', f'{name}="{written}"')
    assert f"AmountsResp/@{name}: found" in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("ids", ["", 'ServiceID=""', 'ServiceID="  "', 'DeviceID="9"'])
def test_a_repeated_message_without_service_id_is_refused(ids: str) -> None:
    body = repeated(PAYMENT_RESPONSE, ids=ids)
    with pytest.raises(NexoError, match="RepeatedMessageResponse/MessageHeader/@ServiceID"):
        read("TransactionStatus", "Response", body)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (repeated(PAYMENT_RESPONSE, category="Reversal"), "found 'PaymentResponse', expected one"),
        (repeated(PAYMENT_RESPONSE + REVERSAL_RESPONSE), "'PaymentResponse', 'ReversalResponse'"),
        (repeated(""), "RepeatedMessageResponse body: found none"),
        (repeated(PAYMENT_RESPONSE.replace(SUCCESS, "")), "PaymentResponse/Response: found none"),
        (re.sub('MessageType="Response"', 'MessageType="Request"', repeated("")), "@MessageType"),
        (re.sub("<MessageHeader[^>]*/>", "", repeated("")), "MessageHeader: found none"),
        (
            re.sub("<Repeated.*</Repeated[^>]*>", r"\g<0>\g<0>", repeated(PAYMENT_RESPONSE)),
            "RepeatedMessageResponse: found 2 of them",
        ),
    ],
)
def test_other_repeated_messages_are_refused(body: str, says: str) -> None:
    with pytest.raises(NexoError) as refused:
        read("TransactionStatus", "Response", body)
    assert says in str(refused.value)


def test_values_can_be_written_as_json() -> None:
    assert msgspec.json.encode(decode(FROM_TERMINAL["status"]).body)


def test_input_request_without_display() -> None:
    alone = re.sub("<DisplayOutput.*</DisplayOutput>", "", INPUT_REQUEST)
    body = read("Input", "Request", alone)
    assert isinstance(body, m.InputRequest)
    assert body.display is None
