"""A terminal as money rule 14 fears it: late, silent, dishonest, forgetful, restarting."""

from xml.etree.ElementTree import ParseError, fromstring

import pytest
import trio
from msgspec.structs import replace
from simtill import (
    OK,
    Bench,
    answer_to_payment,
    bench,
    get,
    login_body,
    payment_body,
    request,
    result,
    reversal_body,
)
from trio.testing import MockClock

from laned.simulator import SCENARIOS, Mishap, Moment, Scenario, Settings, State, StatusAnswer
from laned.simulator.scenarios import Ending

BUSY = ("Failure", "Busy")
NOT_FOUND = ("Failure", "NotFound")
NOT_ALLOWED = ("Failure", "NotAllowed")
SLOW = replace(SCENARIOS["happy"], card_time=60.0)


def settings(**changes: object) -> Settings:
    return replace(Settings(busy_after_payment=0.0, boot_time=5.0), **changes)


async def pay_and_lose(b: Bench, service_id: str, after: float = 0.01) -> None:
    """Send a PaymentRequest and hang up."""
    with trio.move_on_after(after):
        await b.post(request("Payment", service_id, payment_body()))


def states(b: Bench) -> list[State]:
    return [entry.state for entry in b.terminal.ledger]


# -- Late


async def test_a_request_is_taken_up_late_though_its_sender_is_gone(
    autojump_clock: MockClock,
) -> None:
    async with bench(settings=settings(taken_up_late=20.0)) as b:
        await b.login()
        await pay_and_lose(b, "70")
        assert result(await b.status("70")) == NOT_FOUND
        await trio.sleep(19)
        assert result(await b.status("70")) == NOT_FOUND
        assert states(b) == []
        await trio.sleep(2)
        assert result(await b.status("70")) == BUSY
        assert b.terminal.taking_up == "70"
        await trio.sleep(20)
        assert result(await b.status("70")) == OK
        assert b.terminal.ledger.balance() == 38
        assert b.terminal.violations == []


async def test_before_it_is_taken_up_the_last_is_an_older_one(autojump_clock: MockClock) -> None:
    async with bench(settings=settings()) as b:
        await b.login()
        await b.pay(ServiceID="60")
        b.terminal.settings = settings(taken_up_late=20.0)
        await pay_and_lose(b, "70")
        assert get(await b.status(), "RepeatedMessageResponse/MessageHeader", "ServiceID") == "60"
        await trio.sleep(60)
        assert get(await b.status(), "RepeatedMessageResponse/MessageHeader", "ServiceID") == "70"
        assert b.terminal.ledger.balance() == 76


async def test_who_waits_gets_the_answer_of_a_late_request(autojump_clock: MockClock) -> None:
    async with bench(settings=settings(taken_up_late=20.0)) as b:
        await b.login()
        began = trio.current_time()
        assert result(await b.pay()) == OK
        assert trio.current_time() - began > 20


async def test_a_late_request_finds_the_terminal_as_it_is_then(autojump_clock: MockClock) -> None:
    """A Login in between does not keep it away; with the power it is lost."""
    async with bench(settings=settings(taken_up_late=20.0)) as b:
        await b.login()
        await pay_and_lose(b, "70")
        assert result(await b.send("Login", login_body())) == OK
        await trio.sleep(60)
        assert states(b) == [State.CHARGED]
        await pay_and_lose(b, "71")
        await b.terminal.reboot()
        await b.login()
        await trio.sleep(60)
        assert states(b) == [State.CHARGED]
        assert result(await b.status("71")) == NOT_FOUND


async def test_a_reversal_is_taken_up_late_too(autojump_clock: MockClock) -> None:
    async with bench(settings=settings()) as b:
        await b.login()
        payment = await b.pay()
        b.terminal.settings = settings(taken_up_late=20.0)
        number = get(payment, "POITransactionID", "TransactionID") or ""
        body = reversal_body(number, get(payment, "POITransactionID", "TimeStamp") or "")
        with trio.move_on_after(0.01):
            await b.post(request("Reversal", "80", body))
        assert result(await b.status("80", category="Reversal")) == NOT_FOUND
        assert b.terminal.ledger.balance() == 38
        await trio.sleep(30)
        assert result(await b.status("80", category="Reversal")) == OK
        assert b.terminal.ledger.balance() == 0


# -- Silent


async def test_one_that_works_silently_posts_nothing_about_a_payment(
    autojump_clock: MockClock,
) -> None:
    async with bench(settings=settings(works_silently=True)) as b:
        await b.login()
        before = b.listener.names()
        assert "DisplayRequest" in before  # the welcome: it is silent only while it works
        assert result(await b.pay()) == OK
        assert b.listener.names() == before
        assert "display: Present card" in b.lines
        assert b.terminal.callback_errors == []


async def test_a_signature_that_is_not_asked_for_is_a_no(autojump_clock: MockClock) -> None:
    async with bench("signature-approved", settings=settings(works_silently=True)) as b:
        await b.login()
        assert result(await b.pay()) == ("Failure", "Refusal")
        assert "InputRequest" not in b.listener.names()
        assert states(b) == [State.DECLINED]


# -- Restarts by itself


@pytest.mark.parametrize("ending", [Ending.APPROVED, Ending.DECLINED])
@pytest.mark.parametrize("mishap", [Mishap.REBOOT, Mishap.AMNESIA])
@pytest.mark.parametrize("at", Moment)
async def test_it_restarts_by_itself_in_the_middle(
    at: Moment, mishap: Mishap, ending: Ending, autojump_clock: MockClock
) -> None:
    scenario = Scenario("-", mishap=mishap, mishap_at=at, ending=ending)
    async with bench(scenario, settings=settings()) as b:
        await b.login()
        b.terminal.next_scenarios.append(SCENARIOS["declined"])
        await b.pay(ServiceID="60")
        b.nursery.start_soon(answer_to_payment, b, "70")
        await b.terminal.until(lambda: not b.terminal.powered)
        last = next(line for line in reversed(b.lines) if line.startswith("display"))
        assert last == {
            Moment.CARD: "display: Present card",
            Moment.BANK: "display: Enter PIN: ****",
        }.get(at, "display: Authorizing")
        await b.terminal.until(lambda: b.terminal.powered)
        charged = ending is Ending.APPROVED and at in (Moment.CHARGE, Moment.BOOKED)
        declined = State.DECLINED if at is Moment.BOOKED else State.ABORTED
        assert states(b)[1:] == [State.CHARGED if charged else declined]
        assert result(await b.status("70")) == NOT_ALLOWED
        await b.login()
        knows = at is Moment.BOOKED and mishap is Mishap.REBOOT
        answer = await b.status("70")
        assert (result(answer) == NOT_FOUND) is not knows
        older = await b.status("60")
        assert (result(older) == NOT_FOUND) is (mishap is Mishap.AMNESIA)
        assert not b.terminal.running


async def test_it_forgets_only_what_it_charged_last(autojump_clock: MockClock) -> None:
    async with bench("reboot", settings=settings(keeps_newest=False)) as b:
        await b.login()
        b.terminal.next_scenarios.append(SCENARIOS["happy"])
        await b.pay(ServiceID="60")
        b.nursery.start_soon(answer_to_payment, b, "70")
        await b.terminal.until(lambda: not b.terminal.powered)
        await b.terminal.until(lambda: b.terminal.powered)
        await b.login()
        assert result(await b.status("70")) == NOT_FOUND
        assert get(await b.status(), "RepeatedMessageResponse/MessageHeader", "ServiceID") == "60"
        assert b.terminal.ledger.balance() == 76


@pytest.mark.parametrize("at", [Moment.CARD, Moment.BANK, Moment.CHARGE])
async def test_a_connection_that_breaks_in_the_middle_ends_nothing(
    at: Moment, autojump_clock: MockClock
) -> None:
    async with bench(
        replace(SLOW, mishap=Mishap.CUT, mishap_at=at, host_time=60.0), settings=settings()
    ) as b:
        await b.login()
        (start,) = await answer_to_payment(b, "70")  # and no body
        assert start["type"] == "http.response.start"
        assert b.terminal.running == "70"
        assert states(b) == [State.RUNNING]
        assert result(await b.status("70")) == BUSY
        await trio.sleep(200)
        assert result(await b.status("70")) == OK
        assert b.terminal.display == ("Welcome",)


# -- Dishonest


async def test_it_denies_what_it_works_on(autojump_clock: MockClock) -> None:
    async with bench(settings=settings(denies_work=True)) as b:
        await b.login()
        await b.pay(ServiceID="60")
        b.terminal.next_scenarios.append(SLOW)
        await pay_and_lose(b, "70", 5.0)
        assert b.terminal.running == "70"
        assert result(await b.status("70")) == NOT_FOUND
        assert get(await b.status(), "RepeatedMessageResponse/MessageHeader", "ServiceID") == "60"
        await trio.sleep(100)
        assert result(await b.status("70")) == OK


@pytest.mark.parametrize(
    ("way", "said"), [(StatusAnswer.NOT_FOUND, NOT_FOUND), (StatusAnswer.BUSY, BUSY)]
)
async def test_it_always_says_the_same(
    way: StatusAnswer, said: tuple[str, str], autojump_clock: MockClock
) -> None:
    async with bench(settings=settings(status=way)) as b:
        assert result(await b.status("60")) == NOT_ALLOWED
        await b.login()
        assert result(await b.status("60")) == said
        b.terminal.next_scenarios.append(SLOW)
        await pay_and_lose(b, "70", 5.0)
        assert result(await b.status("70")) == said
        await trio.sleep(100)
        assert result(await b.status("70")) == said


async def test_a_foreign_repeat_is_well_formed_and_nobodys(autojump_clock: MockClock) -> None:
    async with bench(settings=settings(status=StatusAnswer.FOREIGN)) as b:
        await b.login()
        assert result(await b.status("60")) == NOT_FOUND
        await b.pay(ServiceID="60")
        b.terminal.next_scenarios.append(SLOW)
        await pay_and_lose(b, "70", 5.0)
        for service_id in ("60", "70", ""):
            answer = await b.status(service_id)
            assert result(answer) == OK
            found = get(answer, "RepeatedMessageResponse/MessageHeader", "ServiceID")
            assert found == "9999999999"


async def test_an_unreadable_repeat_is_a_whole_http_answer(autojump_clock: MockClock) -> None:
    async with bench(settings=settings(status=StatusAnswer.UNREADABLE)) as b:
        await b.login()
        await b.pay(ServiceID="60")
        body = "<TransactionStatusRequest/>"
        answer = await b.post(request("TransactionStatus", "61", body))
        assert answer.status_code == 200
        assert answer.content.startswith(b"<")
        with pytest.raises(ParseError):
            fromstring(answer.content)


async def test_an_http_error_and_silence_are_about_the_status_only(
    autojump_clock: MockClock,
) -> None:
    body = "<TransactionStatusRequest/>"
    async with bench(settings=settings(status=StatusAnswer.HTTP_ERROR)) as b:
        assert (await b.post(request("TransactionStatus", "61", body))).status_code == 500
        await b.login()
        assert (await b.post(request("TransactionStatus", "62", body))).status_code == 500
        assert result(await b.pay()) == OK
        b.terminal.settings = settings(status=StatusAnswer.MUTE)
        with trio.move_on_after(3600) as patience:
            await b.post(request("TransactionStatus", "63", body))
        assert patience.cancelled_caught
        assert result(await b.pay()) == OK
