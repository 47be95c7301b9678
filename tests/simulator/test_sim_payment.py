"""Payments on the simulated terminal: each scenario, the callbacks, the books."""

from decimal import Decimal
from xml.etree.ElementTree import Element

import pytest
import trio
from msgspec.structs import replace
from simtill import (
    LIGHT,
    OK,
    Answer,
    bench,
    confirmation,
    get,
    login_body,
    payment_body,
    receipts,
    response,
    result,
)
from trio.testing import MockClock

from laned.simulator import SCENARIOS, Settings, State


async def test_happy_shows_the_documented_texts_in_order(autojump_clock: MockClock) -> None:
    async with bench() as b:
        await b.login()
        answer = await b.pay()
        await b.settle()
        assert b.listener.texts() == [
            '9001,"Please wait"',
            '9000,"Welcome"',
            '9101,"Present card"',
            '9110,"Enter PIN"',
            "Enter PIN: *",
            "Enter PIN: **",
            "Enter PIN: ***",
            "Enter PIN: ****",
            '9150,"Authorizing"',
            '9202,"Approved"',
            '9000,"Welcome"',
        ]
        assert result(answer) == OK
        assert b.terminal.violations == []
        assert b.terminal.callback_errors == []
        assert b.terminal.display == ("Welcome",)


async def test_happy_answer_carries_what_a_till_needs(autojump_clock: MockClock) -> None:
    async with bench() as b:
        await b.login()
        answer = await b.pay("38.50")
        assert get(answer, "SaleTransactionID", "TransactionID") == "s-1"
        assert get(answer, "AmountsResp", "AuthorizedAmount") == "38.50"
        assert get(answer, "AmountsResp", "Currency") == "SEK"
        assert get(answer, "CardData", "MaskedPAN") == "535312******4478"
        assert get(answer, "PaymentToken", "TokenValue")
        (entry,) = b.terminal.ledger
        assert entry.state is State.CHARGED
        assert (entry.amount, entry.currency, entry.type) == (Decimal("38.50"), "SEK", "Normal")
        assert entry.sale_transaction_id == "s-1"
        assert entry.service_id == answer[0].get("ServiceID")
        assert get(answer, "POITransactionID", "TransactionID") == entry.poi_transaction_id
        assert get(answer, "POITransactionID", "TimeStamp") == entry.timestamp
        assert b.terminal.ledger.balance() == Decimal("38.50")


async def test_happy_takes_as_long_as_a_person_and_speed_divides_it(
    autojump_clock: MockClock,
) -> None:
    async def seconds(speed: float) -> float:
        async with bench(settings=Settings(speed=speed)) as b:
            await b.login()
            began = trio.current_time()
            await b.pay()
            return trio.current_time() - began

    slow = await seconds(1)
    assert 6 <= slow <= 8
    assert await seconds(10) == pytest.approx(slow / 10)


async def test_callbacks_of_a_payment_have_its_service_id_and_a_fresh_device_id(
    autojump_clock: MockClock,
) -> None:
    async with bench() as b:
        await b.login()
        answer = await b.pay()
        await b.settle()
        heads = [post[0].attrib for post in b.listener.posts]
        service_id = answer[0].get("ServiceID")
        assert [head.get("ServiceID") for head in heads] == [None] * 2 + [service_id] * 8 + [None]
        devices = [head["DeviceID"] for head in heads]
        assert len(set(devices)) == len(devices)
        assert {(head["POIID"], head["SaleID"]) for head in heads} == {("LANE-7", "1")}
        flags = {
            output.get("ResponseRequiredFlag")
            for post in b.listener.posts
            for output in post.iter("DisplayOutput")
        }
        assert flags == {"false"}
        assert {head[b"connection"] for head in b.listener.headers} == {b"close"}
        types = {head[b"content-type"] for head in b.listener.headers}
        assert types == {b"application/xml; charset=utf-8"}


async def test_one_callback_is_answered_before_the_next(autojump_clock: MockClock) -> None:
    async def slowly(_: Element) -> None:
        await trio.sleep(1)

    async with bench() as b:
        await b.login()
        b.listener.answer = slowly
        service_id = await b.start_payment()
        await b.abort("999")
        await b.terminal.until(lambda: not b.terminal.running)
        assert service_id in b.terminal.requests[-2].service_id
        assert b.listener.most_open == 1
        assert "Reject" in b.listener.names()


async def test_declined_has_refusal_and_receipts_and_charges_nothing(
    autojump_clock: MockClock,
) -> None:
    async with bench("declined") as b:
        await b.login()
        answer = await b.pay()
        assert result(answer) == ("Failure", "Refusal")
        papers = receipts(answer)
        assert set(papers) == {"CashierReceipt", "CustomerReceipt"}
        assert "Medges ej" in papers["CustomerReceipt"]["Cardholder"]["Optional"]["ReceiptString"]
        assert answer.find(".//AmountsResp") is None
        assert [entry.state for entry in b.terminal.ledger] == [State.DECLINED]
        assert b.terminal.ledger.balance() == 0
        assert '9203,"Declined"' in b.listener.texts()
        names = b.listener.names()
        assert names.index("CardInserted") < names.index("CardRemoved")


async def test_customer_cancel_has_no_receipt(autojump_clock: MockClock) -> None:
    async with bench("customer-cancel") as b:
        await b.login()
        answer = await b.pay()
        assert result(answer) == ("Failure", "Cancel")
        assert receipts(answer) == {}
        assert answer.find(".//PaymentResult") is None
        assert [entry.state for entry in b.terminal.ledger] == [State.CANCELLED]


async def test_aborted_waits_long_for_the_card_so_that_an_abort_can_come(
    autojump_clock: MockClock,
) -> None:
    async with bench("aborted") as b:
        await b.login()
        service_id = await b.start_payment()
        await trio.sleep(60)
        assert b.terminal.display == ("Present card",)
        assert await b.abort(service_id, SaleID="1", POIID="LANE-7") == 204
        await b.settle()
        assert result(b.answers[service_id]) == ("Failure", "Aborted")
        assert [entry.state for entry in b.terminal.ledger] == [State.ABORTED]
        assert b.terminal.violations == []


async def test_refund_takes_money_off_the_books_without_a_pin(autojump_clock: MockClock) -> None:
    async with bench() as b:
        await b.login()
        answer = await b.send("Payment", payment_body("12", kind="Refund"))
        assert result(answer) == OK
        assert get(answer, "PaymentResult", "PaymentType") == "Refund"
        assert get(answer, "AmountsResp", "AuthorizedAmount") == "12"
        assert b.terminal.ledger.balance() == -12
        lines = receipts(answer)["CashierReceipt"]["Merchant"]["Optional"]["ReceiptString"]
        assert any(line.startswith("RETUR:") and line.endswith("12,00 SEK") for line in lines)
        assert not any("PIN" in text for text in b.listener.texts())


async def test_tip_is_authorized_on_top(autojump_clock: MockClock) -> None:
    async with bench(replace(SCENARIOS["happy"], tip=Decimal("5.00"))) as b:
        await b.login()
        answer = await b.pay("38.00")
        assert get(answer, "AmountsResp", "AuthorizedAmount") == "43"
        assert get(answer, "AmountsResp", "TipAmount") == "5"
        assert b.terminal.ledger.balance() == 43


async def test_next_scenarios_are_taken_before_the_lasting_one(autojump_clock: MockClock) -> None:
    async with bench() as b:
        await b.login()
        b.terminal.next_scenarios.append(SCENARIOS["declined"])
        assert result(await b.pay()) == ("Failure", "Refusal")
        await b.settle()
        assert result(await b.pay()) == OK


async def test_receipts_are_swedish_with_decimal_comma_and_mask_the_card(
    autojump_clock: MockClock,
) -> None:
    async with bench() as b:
        await b.login()
        papers = receipts(await b.pay("1234.50"))
        merchant = papers["CashierReceipt"]["Merchant"]
        customer = papers["CustomerReceipt"]["Cardholder"]
        assert merchant["Mandatory"]["Payment"]["PaymentAmount"] == "1234,50"
        assert merchant["Mandatory"]["Payment"]["SignatureBlock"] is False
        assert merchant["Mandatory"]["TimeStamp"]["DateOfPayment"] == "2025-03-04"
        assert merchant["Optional"]["Payment"]["Reference"] == "s-1"
        lines = merchant["Optional"]["ReceiptString"]
        assert "Godkänt" in lines
        assert any("1234,50 SEK" in line for line in lines)
        assert {"å", "ä", "ö"} <= set("".join(lines).lower())
        assert merchant["Mandatory"]["CardDetails"]["PrimaryAccountNumber"] == "535312******4478"
        assert customer["Mandatory"]["CardDetails"]["PrimaryAccountNumber"] == "************4478"


async def test_language_of_the_operator(autojump_clock: MockClock) -> None:
    async with bench(settings=Settings(language="")) as b:
        await b.login()
        assert b.terminal.operator_language == "sv"
        await b.pay()
        assert '9101,"Visa kort"' in b.listener.texts()
        assert "Ange kod: ****" in b.listener.texts()


async def test_light_integration_never_posts_and_sets_the_signature_block(
    autojump_clock: MockClock,
) -> None:
    async with bench("signature-approved") as b:
        await b.login(LIGHT)
        answer = await b.pay()
        await b.settle()
        assert b.listener.posts == []
        assert result(answer) == OK
        papers = receipts(answer)
        assert (
            papers["CashierReceipt"]["Merchant"]["Mandatory"]["Payment"]["SignatureBlock"] is True
        )
        assert "Kundens underskrift" in str(papers["CashierReceipt"])
        assert b.terminal.display == ("Welcome",)


async def test_signature_approved_prints_asks_and_charges(autojump_clock: MockClock) -> None:
    async def yes(post: Element) -> Answer | None:
        if post[1].tag != "InputRequest":
            return None
        await trio.sleep(20)
        assert b.terminal.ledger.balance() == 0
        return 200, confirmation(post)

    async with bench("signature-approved") as b:
        await b.login()
        b.listener.answer = yes
        answer = await b.pay()
        assert result(answer) == OK
        assert b.listener.names()[2:] == [
            "DisplayRequest",
            "CardInserted",
            "DisplayRequest",
            "PrintRequest",
            "InputRequest",
            "DisplayRequest",
            "CardRemoved",
        ]
        assert b.listener.texts()[-1] == '9202,"Approved"'
        question = b.listener.only("InputRequest")
        asked = question.find(".//InputData")
        assert asked is not None
        assert asked.attrib == {
            "Device": "CashierInput",
            "InfoQualify": "Input",
            "InputCommand": "GetConfirmation",
            "MaxInputTime": "60",
        }
        assert question.findtext(".//OutputText") == '9170,"Signature approved?"'
        assert question[0].get("ServiceID") == answer[0].get("ServiceID")
        paper = b.listener.only("PrintRequest").find(".//PrintOutput")
        assert paper is not None
        assert paper.get("ResponseMode") == "NotRequired"
        assert paper.get("DocumentQualifier") == "CashierReceipt"
        assert b.terminal.ledger.balance() == 38
        assert b.terminal.violations == []


@pytest.mark.parametrize("how", ["no", "silence", "down", "failure", "nonsense", "status"])
async def test_signature_not_confirmed_is_refused(autojump_clock: MockClock, how: str) -> None:
    async def answer(post: Element) -> Answer | None:
        if post[1].tag != "InputRequest":
            return None
        match how:
            case "no":
                return 200, confirmation(post, "false")
            case "silence":
                await trio.sleep_forever()
            case "nonsense":
                return 200, b"<html/>"
            case "failure":
                return 200, confirmation(post).replace(b'"Success"', b'"Failure"')
        return None

    async with bench("signature-declined") as b:
        await b.login()
        b.listener.answer = answer
        if how == "down":
            b.listener.down = True
        began = trio.current_time()
        payment = await b.pay()
        assert result(payment) == ("Failure", "Refusal")
        assert b.terminal.ledger.balance() == 0
        assert [entry.state for entry in b.terminal.ledger] == [State.DECLINED]
        assert (trio.current_time() - began > 60) == (how == "silence")
        assert bool(b.terminal.callback_errors) == (how in ("silence", "down"))
        assert bool(b.terminal.violations) == (how in ("nonsense", "status"))
        if how != "down":
            assert b.listener.texts()[-1] == "Disapproved"


@pytest.mark.parametrize(
    "wrong",
    [
        {"ServiceID": "1"},
        {"DeviceID": None},
        {"MessageCategory": "Display"},
        {"POIID": "OTHER"},
        {"flag": "maybe"},
        {"order": "turned"},
        {"device": "CustomerInput"},
        {"output": "missing"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
async def test_a_wrong_confirmation_is_a_violation_and_no_yes(
    autojump_clock: MockClock, wrong: dict[str, str | None]
) -> None:
    async def answer(post: Element) -> Answer | None:
        if post[1].tag != "InputRequest":
            return None
        right = confirmation(post)
        head, _, rest = right.partition(b"<OutputResult")
        output, _, tail = rest.partition(b"</OutputResult>")
        output = b"<OutputResult" + output + b"</OutputResult>"
        mine, _, end = tail.partition(b"</InputResponse>")
        match next(iter(wrong.items())):
            case "flag", "maybe":
                return 200, confirmation(post, "maybe")
            case "order", _:
                return 200, head + mine + output + b"</InputResponse>" + end
            case "device", _:
                return 200, right.replace(b"CashierInput", b"CustomerInput")
            case "output", _:
                return 200, head + mine + b"</InputResponse>" + end
        return 200, confirmation(post, **wrong)

    async with bench("signature-approved") as b:
        await b.login()
        b.listener.answer = answer
        assert result(await b.pay()) == ("Failure", "Refusal")
        assert len(b.terminal.violations) >= 1
        assert b.terminal.ledger.balance() == 0


async def test_print_end_wants_a_print_response(autojump_clock: MockClock) -> None:
    async def answer(post: Element) -> Answer | None:
        match post[1].tag:
            case "PrintRequest":
                body = response(post, "PrintResponse", '<Response Result="Success"/>')
                body = body.replace(b"<PrintResponse>", b'<PrintResponse DocumentQualifier="Q">')
                return 200, body.replace(b'"Q"', b'"%s"' % qualifier)
            case "InputRequest":
                return 200, confirmation(post)
        return None

    qualifier = b"CashierReceipt"
    async with bench("signature-approved", settings=Settings(print_mode="PrintEnd")) as b:
        await b.login()
        b.listener.answer = answer
        assert result(await b.pay()) == OK
        assert b.terminal.violations == []
        await b.settle()
        qualifier = b"CustomerReceipt"
        assert result(await b.pay()) == OK
        assert [text[:13] for text in b.terminal.violations] == ["PrintResponse"]


DISPLAYED = (
    '<OutputResult Device="{}" InfoQualify="Status"><Response Result="Success"/></OutputResult>'
)


@pytest.mark.parametrize(
    ("flag", "status", "device", "right"),
    [
        ("false", 204, "", True),
        ("false", 200, "CashierDisplay", False),
        ("absent", 204, "", True),
        ("absent", 200, "CashierDisplay", True),
        ("true", 200, "CashierDisplay", True),
        ("true", 200, "CustomerDisplay", False),
        ("true", 204, "", False),
        ("false", 500, "", False),
    ],
)
async def test_display_answers(
    autojump_clock: MockClock, flag: str, status: int, device: str, right: bool
) -> None:
    async def answer(post: Element) -> Answer:
        if status != 200:
            return status, b""
        return 200, response(post, "DisplayResponse", DISPLAYED.format(device))

    async with bench(settings=Settings(display_flag=flag)) as b:  # type: ignore[arg-type]
        b.listener.answer = answer
        await b.login()
        output = b.listener.posts[0].find(".//DisplayOutput")
        assert output is not None
        assert output.get("ResponseRequiredFlag") == (None if flag == "absent" else flag)
        assert bool(b.terminal.violations) != right


async def test_an_unreachable_listener_never_stops_a_payment(autojump_clock: MockClock) -> None:
    async with bench() as b:
        b.listener.down = True
        await b.login()
        assert result(await b.pay()) == OK
        assert len(b.terminal.callback_errors) == 10
        assert "ConnectError" in b.terminal.callback_errors[0]
        assert b.terminal.violations == []


async def test_a_silent_listener_is_given_up_after_a_while(autojump_clock: MockClock) -> None:
    async def never(_: Element) -> None:
        await trio.sleep_forever()

    async with bench() as b:
        b.listener.answer = never
        assert result(await b.send("Login", login_body())) == OK
        await trio.sleep(30)
        assert [error.split()[1] for error in b.terminal.callback_errors] == ["TooSlowError"] * 2


async def test_the_same_seed_gives_the_same_run(autojump_clock: MockClock) -> None:
    async def run(seed: int) -> tuple[list[str], float, list[str]]:
        async with bench(seed=seed) as b:
            await b.login()
            answer = await b.pay()
            numbers = [entry.poi_transaction_id for entry in b.terminal.ledger]
            return b.lines, trio.current_time() - 0, [*numbers, str(receipts(answer))]

    first, second, other = await run(7), await run(7), await run(8)
    assert first[0] == second[0]
    assert first[2][0] == second[2][0]
    assert first[2][0] != other[2][0]
