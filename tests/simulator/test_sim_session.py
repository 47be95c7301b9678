"""Sessions of the simulated terminal, one request at a time, aborts, status, reversals, power."""

import base64
from xml.etree.ElementTree import Element

import httpx
import pytest
import trio
from simtill import (
    BASE,
    LIGHT,
    OK,
    PATH,
    XML,
    Answer,
    Bench,
    bench,
    confirmation,
    get,
    login_body,
    payment_body,
    receipts,
    request,
    result,
    reversal_body,
)
from trio.testing import MockClock

from laned.simulator import SCENARIOS, Settings, State, Terminal, simulator_app

BUSY = ("Failure", "Busy")
NOT_ALLOWED = ("Failure", "NotAllowed")
NOT_FOUND = ("Failure", "NotFound")


async def test_login_answers_like_these_terminals(autojump_clock: MockClock) -> None:
    async with bench(settings=Settings(serial="2290000001")) as b:
        answer = await b.login()
        assert answer[0].get("ProtocolVersion") == "3.1"
        assert get(answer, "POITerminalData", "POISerialNumber") == "2290000001"
        assert get(answer, "POITerminalData", "TerminalEnvironment") == "Attended"
        assert get(answer, "POIStatus", "GlobalStatus") == "OK"
        assert b.terminal.session is not None
        assert b.terminal.session.posts


@pytest.mark.parametrize(
    "category", ["Payment", "Reversal", "TransactionStatus", "Logout", "Admin"]
)
async def test_nothing_works_without_a_session(category: str, autojump_clock: MockClock) -> None:
    bodies = {
        "Payment": payment_body(),
        "Reversal": reversal_body("6", "2025-03-04T11:30:00.000Z"),
    }
    async with bench() as b:
        body = bodies.get(category, f"<{category}Request/>")
        answer = await b.send(category, body)
        assert result(answer) == NOT_ALLOWED
        assert answer[0].get("ProtocolVersion") is None
        assert len(b.terminal.ledger) == 0
        assert b.terminal.violations == []


async def test_logout_ends_the_session_and_keeps_whether_maintenance_may_begin(
    autojump_clock: MockClock,
) -> None:
    async with bench() as b:
        for flag in (True, False):
            await b.login()
            assert not b.terminal.maintenance_allowed
            body = f'<LogoutRequest MaintenanceAllowed="{str(flag).lower()}"/>'
            assert result(await b.send("Logout", body)) == OK
            assert b.terminal.maintenance_allowed is flag
            assert b.terminal.session is None
            assert result(await b.pay()) == NOT_ALLOWED


async def test_busy_for_a_while_after_login(autojump_clock: MockClock) -> None:
    async with bench() as b:
        assert result(await b.send("Login", login_body())) == OK
        await trio.sleep(2.9)
        assert result(await b.pay()) == BUSY
        await trio.sleep(0.2)
        assert result(await b.pay()) == OK
        assert len(b.terminal.ledger) == 1
        assert b.terminal.violations == []


async def test_busy_for_a_while_after_a_payment_but_not_for_status(
    autojump_clock: MockClock,
) -> None:
    async with bench(settings=Settings(busy_after_payment=5)) as b:
        await b.login()
        await b.pay()
        await trio.sleep(4.9)
        assert result(await b.pay()) == BUSY
        assert result(await b.status()) == OK
        await trio.sleep(0.2)
        assert result(await b.pay()) == OK
        assert b.terminal.violations == []


async def test_first_login_with_a_new_poi_id_can_be_busy(autojump_clock: MockClock) -> None:
    async with bench(settings=Settings(new_poi_busy=30)) as b:
        assert result(await b.send("Login", login_body())) == BUSY
        await trio.sleep(29)
        assert result(await b.send("Login", login_body())) == BUSY
        await trio.sleep(2)
        assert result(await b.send("Login", login_body())) == OK
        assert result(await b.send("Login", login_body(), POIID="OTHER")) == BUSY


async def test_two_payments_at_once_are_a_violation_and_busy(autojump_clock: MockClock) -> None:
    async with bench() as b:
        await b.login()
        service_id = await b.start_payment()
        assert result(await b.pay()) == BUSY
        assert [text.split()[0] for text in b.terminal.violations] == ["Payment"]
        await b.terminal.until(lambda: not b.terminal.running)
        await b.settle()
        assert result(b.answers[service_id]) == OK
        assert len(b.terminal.ledger) == 1


async def test_logout_during_a_payment_is_busy(autojump_clock: MockClock) -> None:
    async with bench() as b:
        await b.login()
        await b.start_payment()
        assert result(await b.send("Logout", "<LogoutRequest/>")) == BUSY
        assert b.terminal.session is not None
        assert len(b.terminal.violations) == 1


@pytest.mark.parametrize("changes", [{"SaleID": "2"}, {"POIID": "OTHER"}])
async def test_poi_id_and_sale_id_stay_through_a_session(
    changes: dict[str, str], autojump_clock: MockClock
) -> None:
    async with bench() as b:
        await b.login()
        assert result(await b.pay(**changes)) == NOT_ALLOWED
        assert result(await b.status(**changes)) == NOT_ALLOWED
        assert len(b.terminal.violations) == 2
        assert len(b.terminal.ledger) == 0


async def test_welcome_is_shown_only_to_the_latest_session_and_only_when_idle(
    autojump_clock: MockClock,
) -> None:
    async with bench(settings=Settings(busy_after_payment=0)) as b:
        await b.send("Login", login_body())
        await trio.sleep(1)
        await b.login()
        assert [text[5:] for text in b.listener.texts()] == [
            '"Please wait"',
            '"Please wait"',
            '"Welcome"',
        ]
        await b.pay()
        await b.pay()
        await b.settle()
        texts = b.listener.texts()
        assert texts[texts.index('9202,"Approved"') + 1] == '9101,"Present card"'
        assert texts[-2:] == ['9202,"Approved"', '9000,"Welcome"']


async def test_login_ends_a_payment_that_waits_for_the_card(autojump_clock: MockClock) -> None:
    async with bench("aborted") as b:
        await b.login()
        service_id = await b.start_payment()
        await b.login()
        assert result(b.answers[service_id]) == ("Failure", "Aborted")
        assert [entry.state for entry in b.terminal.ledger] == [State.ABORTED]
        assert result(await b.status(service_id)) == NOT_FOUND
        assert b.terminal.display == ("Welcome",)


async def test_login_while_the_bank_is_asked_loses_the_answer_of_a_charged_payment(
    autojump_clock: MockClock,
) -> None:
    async with bench() as b:
        await b.login()
        service_id = await b.start_payment()
        await b.shown("Authorizing")
        await b.login()
        assert b.terminal.ledger.balance() == 38
        assert service_id not in b.answers
        assert result(await b.status(service_id)) == NOT_FOUND


async def test_login_when_the_payment_is_decided_gives_its_answer(
    autojump_clock: MockClock,
) -> None:
    async with bench() as b:
        await b.login()
        service_id = await b.start_payment()
        await b.shown("Approved")
        await b.login()
        assert result(b.answers[service_id]) == OK
        assert result(await b.status(service_id)) == OK
        assert b.terminal.ledger.balance() == 38
        assert result(await b.reverse(b.answers[service_id])) == OK


async def test_abort_while_pin_is_entered(autojump_clock: MockClock) -> None:
    async with bench() as b:
        await b.login()
        service_id = await b.start_payment()
        await b.shown("Enter PIN: **")
        assert await b.abort(service_id) == 204
        await b.settle()
        assert result(b.answers[service_id]) == ("Failure", "Aborted")
        assert '9210,"Cancelled"' in b.listener.texts()
        assert b.terminal.ledger.balance() == 0


async def test_abort_too_late_leaves_the_payment_standing(autojump_clock: MockClock) -> None:
    async with bench() as b:
        await b.login()
        service_id = await b.start_payment()
        await b.shown("Authorizing")
        assert await b.abort(service_id) == 204
        await b.settle()
        assert result(b.answers[service_id]) == OK
        assert b.terminal.ledger.balance() == 38
        assert "Reject" not in b.listener.names()
        assert f"abort of {service_id}: too late" in b.lines
        assert b.terminal.violations == []


@pytest.mark.parametrize("capabilities", [None, LIGHT])
async def test_abort_of_something_else_is_ignored_and_rejected(
    capabilities: str | None, autojump_clock: MockClock
) -> None:
    async with bench("customer-cancel") as b:
        await (b.login(capabilities) if capabilities else b.login())
        service_id = await b.start_payment()
        assert await b.abort("77") == 204
        assert await b.abort(service_id, SaleID="9") == 204
        unnamed = '<AbortRequest><MessageReference MessageCategory="Payment"/>'
        unnamed += "<AbortReason>b</AbortReason></AbortRequest>"
        assert (await b.post(request("Abort", b.new_id(), unnamed))).status_code == 204
        await b.settle()
        assert result(b.answers[service_id]) == ("Failure", "Cancel")
        rejects = [p for p in b.listener.posts if p[1].get("EventToNotify") == "Reject"]
        assert len(rejects) == (0 if capabilities else 3)
        assert b.lines.count("event: Reject") == len(rejects)
        if rejects:
            sent = base64.b64decode(rejects[0].findtext(".//RejectedMessage") or "")
            assert sent == b.terminal.requests[2].raw
            assert rejects[0][0].get("MessageType") == "Notification"
        assert b.terminal.requests[2].reference == "77"


async def test_abort_without_a_session_is_ignored(autojump_clock: MockClock) -> None:
    async with bench() as b:
        assert await b.abort("1") == 204
        await trio.sleep(1)
        assert b.listener.posts == []


async def test_abort_while_the_signature_is_asked_is_forbidden(autojump_clock: MockClock) -> None:
    async def yes(post: Element) -> Answer | None:
        if post[1].tag != "InputRequest":
            return None
        await trio.sleep(10)
        return 200, confirmation(post)

    async with bench("signature-approved") as b:
        await b.login()
        b.listener.answer = yes
        service_id = await b.start_payment()
        await b.terminal.until(lambda: b.lines[-1] == "asks whether the signature is good")
        assert await b.abort(service_id) == 204
        assert b.terminal.violations == ["Abort while the signature question is open"]
        await trio.sleep(15)
        assert result(b.answers[service_id]) == OK


async def test_status_repeats_the_last_response_of_this_sale_id(autojump_clock: MockClock) -> None:
    async with bench() as b:
        await b.login()
        assert result(await b.status()) == NOT_FOUND
        first = await b.pay("10")
        await b.settle()
        second = await b.pay("20")
        found = await b.status()
        repeated = found.find(".//RepeatedMessageResponse")
        assert repeated is not None
        assert repeated[0].attrib == second[0].attrib
        assert get(repeated, "AmountsResp", "AuthorizedAmount") == "20"
        assert receipts(repeated) == receipts(second)
        older = await b.status(first[0].get("ServiceID", ""))
        assert get(older, "AmountsResp", "AuthorizedAmount") == "10"
        assert get(older, "MessageReference", "ServiceID") == first[0].get("ServiceID")
        await b.settle()
        await b.login(SaleID="2")
        assert result(await b.status(SaleID="2")) == NOT_FOUND
        assert b.terminal.violations == []


async def test_status_is_busy_while_the_payment_runs(autojump_clock: MockClock) -> None:
    async with bench() as b:
        await b.login()
        first = await b.pay()
        await b.settle()
        service_id = await b.start_payment()
        assert result(await b.status()) == BUSY
        assert result(await b.status(service_id)) == BUSY
        assert result(await b.status(first[0].get("ServiceID", ""))) == OK
        assert result(await b.status("4711")) == NOT_FOUND
        assert b.terminal.violations == []


async def test_status_finds_only_what_is_still_in_memory(autojump_clock: MockClock) -> None:
    async with bench("customer-cancel", settings=Settings(memory=1)) as b:
        await b.login()
        first = await b.pay()
        await b.settle()
        second = await b.pay()
        assert result(await b.status(first[0].get("ServiceID", ""))) == NOT_FOUND
        assert get(await b.status(second[0].get("ServiceID", "")), "MessageReference", "ServiceID")


@pytest.mark.parametrize("remembers", [False, True])
async def test_refusals_are_remembered_only_if_set(
    remembers: bool, autojump_clock: MockClock
) -> None:
    async with bench(settings=Settings(remembers_refusals=remembers)) as b:
        await b.send("Login", login_body())
        refused = await b.pay()
        assert result(refused) == BUSY
        found = await b.status(refused[0].get("ServiceID", ""))
        if remembers:
            repeated = found.find(".//PaymentResponse/Response")
            assert repeated is not None
            assert repeated.get("ErrorCondition") == "Busy"
        else:
            assert result(found) == NOT_FOUND


async def test_a_payment_survives_the_till_hanging_up(autojump_clock: MockClock) -> None:
    async with bench() as b:
        await b.login()
        with trio.move_on_after(3):
            await b.pay(ServiceID="55")
        assert b.terminal.running == "55"
        assert result(await b.status("55")) == BUSY
        await b.terminal.until(lambda: not b.terminal.running)
        assert b.terminal.ledger.balance() == 38
        assert get(await b.status("55"), "AmountsResp", "AuthorizedAmount") == "38"


async def test_reversal_of_the_last_payment(autojump_clock: MockClock) -> None:
    async with bench() as b:
        await b.login()
        payment = await b.pay()
        await b.settle()
        answer = await b.reverse(payment)
        assert result(answer) == OK
        papers = receipts(answer)
        assert set(papers) == {"CashierReceipt", "CustomerReceipt"}
        lines = papers["CustomerReceipt"]["Cardholder"]["Optional"]["ReceiptString"]
        assert "MAKULERAT KÖP" in lines
        name = "POITransactionID"
        assert get(answer, name, "TransactionID") == get(payment, name, "TransactionID")
        assert [entry.state for entry in b.terminal.ledger] == [State.REVERSED]
        assert b.terminal.ledger.balance() == 0
        assert get(await b.status(), "MessageReference", "MessageCategory") == "Reversal"
        assert result(await b.reverse(payment)) == BUSY
        await b.settle()
        assert result(await b.reverse(payment)) == ("Failure", "Refusal")
        assert b.terminal.violations == []


async def test_reversal_runs_on_when_the_till_hangs_up(autojump_clock: MockClock) -> None:
    async with bench() as b:
        await b.login()
        payment = await b.pay()
        await b.settle()
        with trio.move_on_after(1):
            await b.reverse(payment)
        service_id = b.terminal.running
        assert result(await b.status(service_id, "Reversal")) == BUSY
        assert await b.abort(service_id, MessageCategory="Reversal") == 204
        await b.terminal.until(lambda: not b.terminal.running)
        assert result(await b.status(service_id, "Reversal")) == OK
        assert result(await b.status(service_id, "Payment")) == NOT_FOUND
        assert b.terminal.ledger.balance() == 0


async def test_reversal_only_of_the_last_and_only_if_approved(autojump_clock: MockClock) -> None:
    async with bench() as b:
        await b.login()
        first = await b.pay()
        await b.settle()
        second = await b.pay()
        await b.settle()
        assert result(await b.reverse(first)) == ("Failure", "Refusal")
        assert b.terminal.ledger.balance() == 76
        b.terminal.next_scenarios.append(SCENARIOS["declined"])
        declined = await b.pay()
        await b.settle()
        assert result(await b.reverse(declined)) == ("Failure", "Refusal")
        assert result(await b.reverse(second)) == ("Failure", "Refusal")
        assert result(await b.send("Reversal", reversal_body("1", "2025-03-04T11:30:00Z"))) == (
            NOT_FOUND
        )
        assert b.terminal.ledger.balance() == 76
        assert b.terminal.violations == []


async def test_reversal_wants_the_timestamp_and_owner_word_for_word(
    autojump_clock: MockClock,
) -> None:
    async with bench() as b:
        await b.login()
        payment = await b.pay()
        await b.settle()
        stamp = get(payment, "POITransactionID", "TimeStamp") or ""
        assert result(await b.reverse(payment, timestamp=stamp.replace("Z", "+00:00"))) == NOT_FOUND
        number = get(payment, "POITransactionID", "TransactionID") or ""
        wrong = reversal_body(number, stamp, owner='SaleID="2"')
        assert result(await b.send("Reversal", wrong)) == NOT_FOUND
        assert len(b.terminal.violations) == 2
        assert b.terminal.ledger.balance() == 38


async def test_reversals_can_be_set_to_be_refused(autojump_clock: MockClock) -> None:
    async with bench(settings=Settings(refuse_reversals=True)) as b:
        await b.login()
        payment = await b.pay()
        await b.settle()
        assert result(await b.reverse(payment)) == ("Failure", "Refusal")
        assert b.terminal.ledger.balance() == 38


async def _hold(b: Bench, ended: list[str], service_id: str = "70") -> None:
    """Post a payment that is never answered, until the bench ends."""
    try:
        await b.post(request("Payment", service_id, payment_body()))
        ended.append("answered")
    finally:
        ended.append("over")


@pytest.mark.parametrize("forget", [False, True])
async def test_reboot_loses_the_session_and_perhaps_the_memory_but_not_the_books(
    forget: bool, autojump_clock: MockClock
) -> None:
    ended: list[str] = []
    async with bench() as b:
        await b.login()
        b.nursery.start_soon(_hold, b, ended)
        await b.shown("Approved")
        b.nursery.start_soon(lambda: b.terminal.reboot(forget=forget))
        await trio.sleep(1)
        assert (await b.post(request("TransactionStatus", "71", ""))).status_code == 503
        await b.terminal.until(lambda: b.terminal.powered)
        assert result(await b.status("70")) == NOT_ALLOWED
        await b.login()
        assert result(await b.status("70")) == (NOT_FOUND if forget else OK)
        assert b.terminal.ledger.balance() == 38
        assert ended == []
    assert ended == ["over"]


@pytest.mark.parametrize("interrupted", ["nothing", "Authorizing", "Approved"])
async def test_a_terminal_that_keeps_all_but_the_newest(
    interrupted: str, autojump_clock: MockClock
) -> None:
    async with bench(settings=Settings(keeps_newest=False)) as b:
        await b.login()
        await b.pay(ServiceID="70")
        if interrupted != "nothing":
            await trio.sleep(5)
            b.nursery.start_soon(_hold, b, [], "71")
            await b.terminal.until(lambda: b.terminal.running == "71")
            await b.shown(interrupted)
        await b.terminal.reboot()
        await b.login()
        kept = OK if interrupted != "nothing" else NOT_FOUND
        assert result(await b.status("70")) == kept
        assert result(await b.status("71")) == NOT_FOUND
        assert b.terminal.ledger.balance() == (76 if interrupted != "nothing" else 38)


async def test_what_is_not_simulated_says_so(autojump_clock: MockClock) -> None:
    content = '<OutputContent OutputFormat="Text"><OutputText>x</OutputText></OutputContent>'
    shown = f'<DisplayOutput Device="CustomerDisplay" InfoQualify="Display">{content}'
    asked = '<InputData Device="CustomerInput" InfoQualify="Input" InputCommand="DigitString"/>'
    printed = '<PrintOutput DocumentQualifier="SaleReceipt" ResponseMode="PrintEnd">'
    bodies = {
        "Display": f"<DisplayRequest>{shown}</DisplayOutput></DisplayRequest>",
        "Input": f"<InputRequest>{asked}</InputRequest>",
        "Print": f"<PrintRequest>{printed}{content}</PrintOutput></PrintRequest>",
    }
    async with bench() as b:
        await b.login()
        for category, body in bodies.items():
            answer = await b.send(category, body, MessageClass="Device", DeviceID="3")
            assert result(answer) == ("Failure", "UnavailableService")
            assert answer[0].get("DeviceID") == "3"
        service = '<EnableServiceRequest TransactionAction="StartTransaction"/>'
        assert result(await b.send("EnableService", service))[1] == "UnavailableService"
        assert result(await b.send("Admin", "<AdminRequest/>")) == OK
        kind = payment_body(kind="OneTimeReservation")
        assert result(await b.send("Payment", kind))[1] == "UnavailableService"
        assert b.terminal.violations == []


async def test_until_misses_nothing_however_short(autojump_clock: MockClock) -> None:
    seen: list[str] = []

    async def wait(b: Bench, text: str) -> None:
        await b.shown(text)
        seen.append(text)

    async with bench(settings=Settings(speed=1e6)) as b:
        await b.login(LIGHT)
        for text in ("Approved", "Enter PIN: ***", "Authorizing"):
            b.nursery.start_soon(wait, b, text)
        await trio.testing.wait_all_tasks_blocked()
        await b.pay()
        await b.settle()
    assert seen == ["Enter PIN: ***", "Authorizing", "Approved"]


async def test_not_running_is_503(autojump_clock: MockClock) -> None:
    transport = httpx.ASGITransport(app=simulator_app(Terminal()))
    async with httpx.AsyncClient(transport=transport) as client:
        answer = await client.post(BASE + PATH, content=b"<a/>", headers=XML)
        assert answer.status_code == 503
