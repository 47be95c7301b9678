"""A terminal's life apart from payments: restarts, outages, addresses, maintenance, its count."""

import base64
import json
from datetime import datetime, time
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from zoneinfo import ZoneInfo

import pytest
import trio
from msgspec.structs import replace
from shared import SAMPLES, needs_shared
from simtill import (
    DEFAULT,
    LIGHT,
    OK,
    Answer,
    Bench,
    bench,
    get,
    login_body,
    payment_body,
    receipts,
    request,
    result,
)
from trio.testing import MockClock

from laned.simulator import (
    SCENARIOS,
    Condition,
    Link,
    Mishap,
    Settings,
    State,
    Terminal,
    compose,
)
from laned.simulator.device import MAINTENANCE_AFTER
from laned.simulator.scenarios import Ending

BUSY = ("Failure", "Busy")
NOT_ALLOWED = ("Failure", "NotAllowed")
HOUR, DAY = 3600.0, 86400.0
SHORT = Settings(maintenance_time=60, boot_time=20)


async def log_out(b: Bench, *, maintenance: bool) -> None:
    body = f'<LogoutRequest MaintenanceAllowed="{str(maintenance).lower()}"/>'
    assert result(await b.send("Logout", body)) == OK


# -- Restarts


async def test_a_restart_in_good_order_tells_of_itself_and_ends_the_session(
    autojump_clock: MockClock,
) -> None:
    async with bench(settings=SHORT) as b:
        await b.login()
        b.listener.posts.clear()
        before = trio.current_time()
        await b.terminal.restart()
        assert trio.current_time() - before == pytest.approx(20)
        assert b.listener.names() == ["Shutdown", "Initialised"]
        assert b.listener.posts[1][0].attrib.items() >= {"POIID": "LANE-7", "SaleID": "1"}.items()
        assert result(await b.pay()) == NOT_ALLOWED
        assert b.terminal.violations == []


async def test_a_restart_waits_for_the_payment_and_no_other_begins(
    autojump_clock: MockClock,
) -> None:
    async with bench(settings=Settings(busy_after_payment=0)) as b:
        await b.login()

        async def slowly(post: Element) -> Answer | None:
            if post[1].get("EventToNotify") == "Shutdown":
                await trio.sleep(3)
            return None

        b.listener.answer = slowly
        service_id = await b.start_payment()
        b.nursery.start_soon(b.terminal.restart)
        await b.terminal.until(lambda: "event: Shutdown" in b.lines)
        await trio.sleep(1)
        assert result(b.answers[service_id]) == OK
        assert result(await b.pay()) == BUSY
        await b.terminal.until(lambda: not b.terminal.powered)
        assert b.terminal.ledger.balance() == 38
        assert len(b.terminal.ledger) == 1


async def test_a_loss_of_power_tells_nothing(autojump_clock: MockClock) -> None:
    async with bench() as b:
        await b.login()
        b.listener.posts.clear()
        await b.terminal.reboot()
        assert b.listener.posts == []


async def test_power_lost_again_while_it_starts_begins_the_start_anew(
    autojump_clock: MockClock,
) -> None:
    async with bench(settings=SHORT) as b:
        b.nursery.start_soon(b.terminal.reboot)
        await trio.sleep(15)
        b.nursery.start_soon(b.terminal.reboot)
        await trio.sleep(10)
        assert not b.terminal.powered
        await trio.sleep(11)
        assert b.terminal.powered


async def test_it_restarts_every_day_at_its_hour_by_the_clock_on_the_wall(
    autojump_clock: MockClock,
) -> None:
    """Also on the day on which the clocks go forward."""
    stockholm = ZoneInfo("Europe/Stockholm")
    start = datetime(2025, 3, 29, 12, 0, tzinfo=stockholm).timestamp()
    hours: list[str] = []

    def now() -> datetime:
        return datetime.fromtimestamp(start + trio.current_time(), stockholm)

    def hear(line: str) -> None:
        if line == "power off":
            hours.append(f"{now():%d %H:%M}")

    async with trio.open_nursery() as nursery:
        settings = Settings(daily_reboot=time(4, 0))
        await nursery.start(Terminal(settings=settings, now=now, on_event=hear).run)
        await trio.sleep(3 * DAY)
        nursery.cancel_scope.cancel()
    assert hours == ["30 04:00", "31 04:00", "01 04:00"]


async def test_another_terminal_knows_nothing_of_the_first(autojump_clock: MockClock) -> None:
    async with bench(settings=Settings(serial="1", new_poi_busy=5)) as b:
        assert result(await b.send("Login", login_body())) == BUSY
        await trio.sleep(6)
        await b.login()
        payment = await b.pay()
        b.terminal.require_maintenance()
        await b.terminal.swap("2")
        assert result(await b.status()) == NOT_ALLOWED
        assert result(await b.send("Login", login_body())) == BUSY
        await trio.sleep(6)
        b.listener.posts.clear()
        answer = await b.login()
        assert get(answer, "POITerminalData", "POISerialNumber") == "2"
        assert "SaleAdmin" not in b.listener.names()
        assert result(await b.status()) == ("Failure", "NotFound")
        assert result(await b.reverse(payment)) == ("Failure", "Refusal")
        assert b.terminal.ledger.balance() == 38  # it is the bank's


async def test_at_work_on_its_own_it_refuses_even_a_login(autojump_clock: MockClock) -> None:
    async with bench() as b:
        b.nursery.start_soon(b.terminal.work, 30.0)
        await trio.sleep(1)
        assert result(await b.send("Login", login_body())) == BUSY
        await trio.sleep(30)
        await b.login()
        b.nursery.start_soon(b.terminal.work, 30.0)
        await trio.sleep(1)
        assert result(await b.pay()) == BUSY
        assert result(await b.send("Logout", "<LogoutRequest/>")) == BUSY
        assert result(await b.status()) == ("Failure", "NotFound")
        await trio.sleep(30)
        assert result(await b.pay()) == OK
        assert b.terminal.violations == []


# -- Network and address


async def test_connections_are_refused_in_an_outage_and_nothing_can_be_posted(
    autojump_clock: MockClock,
) -> None:
    async with bench() as b:
        await b.login()
        b.listener.posts.clear()
        b.nursery.start_soon(b.terminal.outage, 60.0)
        await trio.sleep(1)
        assert b.terminal.link is Link.REFUSED
        assert not b.terminal.reachable
        asked = len(b.terminal.requests)
        assert (await b.terminal.handle(request("Payment", "70", payment_body()))).cut
        assert len(b.terminal.requests) == asked
        await b.terminal.save()
        assert b.listener.posts == []
        assert b.terminal.callback_errors == ["TransmitRequest: no network"]
        await trio.sleep(60)
        assert result(await b.pay()) == OK  # in the same session


async def test_in_a_silent_outage_nothing_comes_back(autojump_clock: MockClock) -> None:
    async with bench() as b:
        await b.login()
        b.terminal.unplug(silent=True)
        with trio.move_on_after(HOUR) as patience:
            await b.post(request("Payment", "70", payment_body()))
        assert patience.cancelled_caught
        b.terminal.plug()
        assert b.terminal.requests[-1].category == "Login"


@pytest.mark.parametrize("silent", [False, True])
async def test_an_outage_in_a_payment_loses_its_answer_but_not_the_payment(
    silent: bool, autojump_clock: MockClock
) -> None:
    async with bench() as b:
        await b.login()
        broken: list[bool] = []

        async def pay() -> None:
            with trio.move_on_after(60):
                reply = await b.terminal.handle(request("Payment", "70", payment_body()))
                broken.append(reply.cut)

        b.nursery.start_soon(pay)
        await b.shown("Present card")
        await b.terminal.outage(30, silent=silent)
        assert b.terminal.ledger.balance() == 38
        await trio.sleep(60)
        assert broken == ([] if silent else [True])
        assert result(await b.status("70")) == OK


async def test_an_outage_that_ends_before_the_payment_is_not_noticed(
    autojump_clock: MockClock,
) -> None:
    async with bench() as b:
        await b.login()
        service_id = await b.start_payment()
        await b.terminal.outage(1)
        await trio.sleep(15)
        assert result(b.answers[service_id]) == OK


async def test_it_announces_its_address_as_the_samples_do(autojump_clock: MockClock) -> None:
    async with bench(settings=Settings(address="192.168.78.15:11000", poi_id="SHOP")) as b:
        await b.terminal.save()  # nobody has logged in yet
        await b.login()
        await b.terminal.move("192.168.78.77:11002")
        posts = [post for post in b.listener.posts if post[1].tag == "TransmitRequest"]
        assert [post[0].get("POIID") for post in posts] == ["SHOP", "LANE-7"]
        for post, host, port in zip(
            posts, ("192.168.78.15", "192.168.78.77"), ("11000", "11002"), strict=True
        ):
            assert post[0].get("SaleID") == ""
            assert post[0].get("DeviceID") is None
            assert post[1].get("DestinationAddress", "").endswith(":15022")
            message = json.loads(base64.b64decode(post.findtext(".//Message") or ""))
            assert message == {
                "saleTerminalconfiguration": {
                    "messageVersion": "1.0.0",
                    "ipEndPoint": {"ipV4Address": host, "ipPort": port},
                }
            }
        assert b.terminal.address == "192.168.78.77:11002"
        assert result(await b.pay()) == OK  # the session moves with it
        assert b.terminal.violations == []


def check_same_message(folder: Path) -> None:
    wanted = ElementTree.parse(folder / "TransmitRequest.xml").getroot()[1]
    message = json.loads(base64.b64decode(wanted[0].text or ""))
    endpoint = message["saleTerminalconfiguration"]["ipEndPoint"]
    written = compose.transmit_request(f"{endpoint['ipV4Address']}:{endpoint['ipPort']}")
    assert written.attrib == wanted.attrib
    assert json.loads(base64.b64decode(written[0].text or "")) == message


def test_our_sample_has_the_same_message() -> None:
    check_same_message(Path(__file__).parents[1] / "nexo" / "samples")


@needs_shared
def test_the_sample_beside_the_repository_has_the_same_message() -> None:
    check_same_message(SAMPLES)


async def test_an_announcement_that_is_not_taken_is_a_violation(autojump_clock: MockClock) -> None:
    async def no(post: Element) -> Answer | None:
        return 403, b""

    async with bench() as b:
        b.listener.answer = no
        await b.terminal.save()
        assert b.terminal.violations == ["TransmitRequest: answered with 403, expected 204"]


# -- Maintenance


async def test_maintenance_from_the_asking_to_the_next_login(autojump_clock: MockClock) -> None:
    async with bench("maintenance", settings=SHORT) as b:
        await b.login()
        asked = b.listener.only("SaleAdmin")[1]
        assert asked.get("MaintenanceRequiredFlag") == "true"
        assert result(await b.pay()) == OK  # it can wait
        await b.settle()
        await log_out(b, maintenance=True)
        await trio.sleep(MAINTENANCE_AFTER + 1)
        assert b.listener.names()[-1] == "BeginMaintenance"
        assert b.terminal.in_maintenance
        await b.terminal.until(lambda: not b.terminal.powered)
        await b.terminal.until(lambda: b.terminal.maintenances == 1)
        await trio.sleep(1)
        assert b.listener.names()[-2:] == ["BeginMaintenance", "EndMaintenance"]
        await b.login()
        assert b.listener.names().count("SaleAdmin") == 1
        assert result(await b.pay()) == OK
        assert b.terminal.violations == []


async def test_it_asks_in_every_session_until_it_was_allowed(autojump_clock: MockClock) -> None:
    async with bench(settings=SHORT) as b:
        await b.login()
        assert "SaleAdmin" not in b.listener.names()
        b.terminal.require_maintenance()
        await trio.sleep(1)
        await b.login()
        await log_out(b, maintenance=False)
        await trio.sleep(HOUR)
        assert not b.terminal.maintenances
        await b.login()
        assert b.listener.names().count("SaleAdmin") == 3
        await log_out(b, maintenance=True)
        await b.login()  # before it could begin
        await trio.sleep(HOUR)
        assert "BeginMaintenance" not in b.listener.names()
        await log_out(b, maintenance=True)
        await b.terminal.until(lambda: b.terminal.maintenances == 1)


async def test_maintenance_wanted_while_it_is_allowed_begins_unasked(
    autojump_clock: MockClock,
) -> None:
    async with bench(settings=SHORT) as b:
        await b.login()
        await log_out(b, maintenance=True)
        await trio.sleep(HOUR)
        b.terminal.require_maintenance()
        b.terminal.require_maintenance()
        await trio.sleep(HOUR)
        assert b.terminal.maintenances == 1
        assert b.listener.names().count("BeginMaintenance") == 1
        assert "SaleAdmin" not in b.listener.names()


async def test_requests_in_maintenance_are_refused_and_break_a_rule_if_the_till_was_told(
    autojump_clock: MockClock,
) -> None:
    async with bench("maintenance", settings=SHORT) as b:
        await b.login()
        await log_out(b, maintenance=True)
        await b.terminal.until(lambda: b.terminal.in_maintenance)
        await trio.sleep(1)
        for category, body in (("Login", login_body()), ("Payment", payment_body())):
            assert result(await b.send(category, body)) == NOT_ALLOWED
        assert await b.abort("1") == 204
        assert b.terminal.session is None
        assert b.terminal.violations == [
            "Login in maintenance",
            "Payment in maintenance",
            "Abort in maintenance",
        ]


@pytest.mark.parametrize("capabilities", [LIGHT, DEFAULT])
async def test_a_till_that_was_not_told_breaks_no_rule(
    capabilities: str, autojump_clock: MockClock
) -> None:
    """In light integration nothing is told at all; else the listener may have been down."""
    async with bench("maintenance", settings=SHORT) as b:
        await b.login(capabilities)
        await log_out(b, maintenance=True)
        b.listener.down = True
        await b.terminal.until(lambda: b.terminal.in_maintenance)
        await trio.sleep(1)
        assert result(await b.send("Login", login_body(capabilities))) == NOT_ALLOWED
        await b.terminal.until(lambda: b.terminal.maintenances == 1)
        await b.login(capabilities)
        assert b.terminal.violations == []
        assert ("SaleAdmin" in b.listener.names()) is (capabilities == DEFAULT)


async def test_a_terminal_that_is_taken_away_in_maintenance_does_not_end_it(
    autojump_clock: MockClock,
) -> None:
    async with bench("maintenance", settings=SHORT) as b:
        await b.login()
        await log_out(b, maintenance=True)
        await b.terminal.until(lambda: b.terminal.in_maintenance and not b.terminal.powered)
        await b.terminal.swap("2")
        await b.login()
        await trio.sleep(HOUR)
        assert b.terminal.maintenances == 0
        assert "EndMaintenance" not in b.listener.names()


async def test_requests_to_look_for_updates_are_counted(autojump_clock: MockClock) -> None:
    async with bench() as b:
        assert result(await b.send("Admin", "<AdminRequest/>")) == NOT_ALLOWED
        await b.login()
        assert result(await b.send("Admin", "<AdminRequest/>")) == OK
        assert b.terminal.admin_requests == 1


# -- Availability


async def test_every_second_is_counted_in_one_condition(autojump_clock: MockClock) -> None:
    async with bench(settings=SHORT) as b:
        available = b.terminal.availability
        await trio.sleep(10)
        await b.login()  # and 4 s more
        await trio.sleep(96)
        await b.terminal.outage(600)
        await b.terminal.reboot()
        await trio.sleep(30)
        await b.login()
        await log_out(b, maintenance=True)
        await trio.sleep(HOUR)
        b.terminal.require_maintenance()
        await b.terminal.until(lambda: b.terminal.maintenances == 1)
        await b.login()
        seconds = {condition: available.seconds(condition) for condition in Condition}
        assert seconds == {
            Condition.OFF: pytest.approx(40),
            Condition.UNREACHABLE: pytest.approx(600),
            Condition.MAINTENANCE: pytest.approx(60),
            Condition.OPEN: pytest.approx(100 + 4 + 4),
            Condition.RESTING: pytest.approx(HOUR + MAINTENANCE_AFTER),
            Condition.CLOSED: pytest.approx(10 + 30),
        }
        assert sum(seconds.values()) == pytest.approx(trio.current_time())
        assert available.up == seconds[Condition.OPEN]
        assert available.allowed == pytest.approx(148)
        assert [condition for _, condition in available.changes][:3] == [
            Condition.CLOSED,
            Condition.OPEN,
            Condition.UNREACHABLE,
        ]


async def test_a_till_that_stays_away_for_ten_minutes_shows(autojump_clock: MockClock) -> None:
    async with bench() as b:
        await b.login()
        await trio.sleep(DAY - 4)
        assert b.terminal.availability.up / b.terminal.availability.allowed == pytest.approx(1)
        await log_out(b, maintenance=False)
        await trio.sleep(600)
        await b.login()
        missed = b.terminal.availability.allowed - b.terminal.availability.up
        assert missed == pytest.approx(600)


async def test_time_before_it_runs_is_not_counted(autojump_clock: MockClock) -> None:
    terminal = Terminal()
    terminal.record.say("nobody listens")
    await trio.sleep(100)
    async with trio.open_nursery() as nursery:
        await nursery.start(terminal.run)
        await trio.sleep(50)
        assert terminal.availability.seconds(Condition.CLOSED) == 50
        nursery.cancel_scope.cancel()


# -- Rules


async def test_a_login_while_a_payment_runs_is_a_violation(autojump_clock: MockClock) -> None:
    async with bench() as b:
        await b.login()
        service_id = await b.start_payment()
        await b.login()
        (violation,) = b.terminal.violations
        assert violation.startswith("Login ")
        assert violation.endswith(f" while Payment {service_id} runs")
        assert result(b.answers[service_id]) == ("Failure", "Aborted")


# -- Scenarios


async def test_busy_takes_the_payment_a_while_later(autojump_clock: MockClock) -> None:
    async with bench("busy") as b:
        await b.login()
        for number in (1, 2):  # each payment finds it so
            assert result(await b.pay()) == BUSY
            await trio.sleep(5.9)
            assert result(await b.pay()) == BUSY
            await trio.sleep(0.2)
            assert result(await b.pay()) == OK
            assert len(b.terminal.ledger) == number
            await b.settle()
        assert b.terminal.violations == []


async def test_a_busy_scenario_is_the_one_that_is_taken_in_the_end(
    autojump_clock: MockClock,
) -> None:
    async with bench() as b:
        await b.login()
        busy = replace(SCENARIOS["busy"], ending=Ending.DECLINED)
        b.terminal.next_scenarios.extend((busy, SCENARIOS["customer-cancel"]))
        assert result(await b.pay()) == BUSY
        await trio.sleep(7)
        assert result(await b.pay()) == ("Failure", "Refusal")
        await b.settle()
        assert result(await b.pay()) == ("Failure", "Cancel")


async def test_light_posts_nothing_at_all(autojump_clock: MockClock) -> None:
    async with bench("light") as b:
        await b.login(LIGHT)
        payment = await b.pay()
        assert result(payment) == OK
        await b.terminal.restart()
        await b.terminal.save()
        await b.login(LIGHT)
        b.terminal.require_maintenance()
        await log_out(b, maintenance=True)
        await b.terminal.until(lambda: b.terminal.maintenances == 1)
        assert b.listener.posts == []
        assert not [line for line in b.lines if line.startswith("event: ")]
        assert b.terminal.callback_errors == []
        assert b.terminal.violations == []


async def test_light_signature_declined_is_approved_until_it_is_reversed(
    autojump_clock: MockClock,
) -> None:
    """Also when the answer was lost: what is repeated says as well that a signature is needed."""
    scenario = replace(SCENARIOS["light-signature-declined"], mishap=Mishap.CUT)
    async with bench(scenario) as b:
        await b.login(LIGHT)
        assert (await b.terminal.handle(request("Payment", "70", payment_body()))).cut
        payment = await b.status("70")
        assert b.terminal.ledger.balance() == 38
        merchant = receipts(payment)["CashierReceipt"]["Merchant"]["Mandatory"]
        assert merchant["Payment"]["SignatureBlock"] is True
        assert result(await b.reverse(payment)) == BUSY  # as after every payment
        await b.settle()
        answer = await b.reverse(payment)
        assert result(answer) == OK
        reversed_ = receipts(answer)["CashierReceipt"]["Merchant"]["Mandatory"]
        assert reversed_["Payment"]["SignatureBlock"] is False
        assert [entry.state for entry in b.terminal.ledger] == [State.REVERSED]
        assert b.listener.posts == []
        assert b.terminal.violations == []
