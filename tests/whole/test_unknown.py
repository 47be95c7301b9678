"""Outcomes that are not known: what laned asks, what it tells meanwhile, and who settles them."""

import logging
from pathlib import Path
from typing import Any

import pytest
import trio
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families
from tillstream import Stream
from trio.testing import MockClock
from wholelane import TILL, Rig, World, lane, refused, world

from laned.simulator import SCENARIOS, Settings, State, StatusAnswer

CHECKING = ["Checking last payment"]
NOTE = "the acquirer's portal lists it, 11:42"


def states(stream: Stream) -> list[str]:
    """The states that the till was told, each once."""
    return list(dict.fromkeys(payment["state"] for payment in stream.of("payment")))


def after(found: World, sent: int) -> list[str]:
    """The categories sent since the first `sent`."""
    return found.categories()[sent:]


async def resolved(rig: Rig, state: str = "approved", payment_id: str = "p-1") -> Any:
    """The payment after a person's verdict."""
    path = f"/v1/payments/{payment_id}/resolve"
    answer = await rig.post(path, {"state": state, "note": NOTE})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def not_resolved(rig: Rig, code: str, payment_id: str = "p-1") -> None:
    """A verdict that is refused changes nothing."""
    before = await rig.payment(payment_id)
    content = b'{"state": "failed", "note": "x"}'
    await refused(rig, "POST", f"/v1/payments/{payment_id}/resolve", 409, code, content=content)
    assert await rig.payment(payment_id) == before


async def blocked(rig: Rig) -> None:
    """Nothing else is begun, the same payment again is only told, and the display says why."""
    sent = rig.world.categories()
    problem = await refused(
        rig, "PUT", "/v1/payments/other", 409, "outcome_unknown", content=b'{"amount": "1"}'
    )
    assert problem["active"] == "p-1"
    assert (await rig.get("/v1/payments/other")).status_code == 404
    again = await rig.put()
    assert (again.status_code, again.json()["state"]) == (200, "unknown")
    await refused(
        rig, "PUT", "/v1/payments/p-1", 409, "payment_conflict", content=b'{"amount":"1"}'
    )
    for path in ("session/login", "session/logout"):
        await refused(rig, "POST", f"/v1/{path}", 409, "lane_busy")
    view = await rig.view()
    assert view["payment"] == "p-1"
    assert view["session"]["state"] == "offline"
    assert view["display"] == {"lines": CHECKING, "code": None, "source": "lane"}
    assert rig.world.categories() == sent


async def set_aside(rig: Rig, payment: Any) -> None:
    """It is not decided, the lane lists it as such, and is ready for the next."""
    assert payment["state"] == "unknown"
    assert payment["set_aside_at"] == payment["updated_at"]
    assert payment["error"]["condition"] == "NotFound"
    await rig.settled()
    view = await rig.view()
    assert (view["payment"], view["set_aside"]) == (None, [payment["id"]])
    assert (view["session"]["state"], view["session"]["reason"]) == ("ready", "")
    assert (view["display"]["lines"], view["display"]["source"]) == (["Welcome"], "terminal")


# -- Found again ----------------------------------------------------------------------------------


async def test_a_lost_response_is_found(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path, "lost-response") as rig, rig.stream() as stream:
        sent = len(rig.world.categories())
        payment = await rig.pay()
        assert payment["state"] == "approved"
        assert payment["error"] is None
        assert payment["receipts"]["merchant"] is not None
        assert after(rig.world, sent) == ["Payment", "TransactionStatus"]
        (attempt,) = payment["attempts"]
        assert rig.terminal.requests[-1].reference == attempt["service_id"]
        assert states(stream) == ["processing", "approved"]
        await rig.settled()
        rig.terminal.next_scenarios.append(SCENARIOS["happy"])
        assert (await rig.pay("next"))["state"] == "approved"


async def test_a_terminal_that_restarts_is_asked_and_only_then_logged_in_to(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path, "reboot") as rig, rig.stream() as stream:
        sent = len(rig.world.categories())
        await rig.put()
        await stream.until("payment", state="unknown")
        await blocked(rig)
        payment = await rig.payment(wait=60)
        assert (payment["state"], payment["error"]) == ("approved", None)
        assert payment["card"]["masked_pan"] == "535312******4478"
        assert after(rig.world, sent) == [
            "Payment",
            "TransactionStatus",
            "Login",
            "TransactionStatus",
        ]
        assert states(stream) == ["processing", "unknown", "approved"]
        assert CHECKING in [display["lines"] for display in stream.of("display")]
        await rig.settled()
        assert (await rig.view())["session"]["state"] == "ready"
        again = await rig.put()
        assert (again.status_code, again.json()) == (200, payment)


@pytest.mark.parametrize("away", [0.0, 5.0, 60.0])
@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_laned_and_the_terminal_restart_in_the_same_payment(
    tmp_path: Path, autojump_clock: MockClock, how: str, away: float
) -> None:
    async with world(tmp_path, "reboot") as found:
        found.callbacks_may_fail = True
        rig = await found.start()
        await rig.put()
        await found.terminal.until(lambda: not found.terminal.powered)
        sent = len(found.categories())
        await (rig.kill() if how == "kill" else rig.stop())
        await trio.sleep(away)
        rig = await found.start(settled=False)
        payment = await rig.payment(wait=120)
        assert payment["state"] == "approved"
        assert after(found, sent) == ["TransactionStatus", "Login", "TransactionStatus"]


async def test_a_terminal_that_restarts_before_it_charged_is_not_guessed_at_either(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """NotFound from a terminal that lost its session proves nothing (money rule 4)."""
    async with lane(tmp_path) as rig, rig.stream() as stream:
        await rig.put()
        await stream.until("display", lines=["Present card"])
        await rig.terminal.reboot()
        await trio.sleep(600)
        assert (await rig.payment())["state"] == "unknown"
        assert rig.world.categories().count("Payment") == 1
        payment = await resolved(rig, "failed")
        assert payment["state"] == "failed"
        (entry,) = rig.terminal.ledger
        assert entry.state is State.ABORTED


async def test_an_older_payment_as_the_terminals_last_decides_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """Money rule 4: the terminal restarts before it has read it, and repeats the one before."""
    async with lane(tmp_path, settings=Settings(boot_time=0.0)) as rig:
        await rig.pay("older")
        await rig.settled()
        rig.world.network.unread = rig.terminal.reboot
        rig.world.unknown.add("p-1")
        await rig.put()
        await set_aside(rig, await rig.payment(wait=15))
        assert (await rig.pay("newer"))["state"] == "approved"


@pytest.mark.parametrize("charged", [False, True])
async def test_an_older_payment_tells_nothing_of_one_that_the_terminal_was_at_work_on(
    tmp_path: Path, autojump_clock: MockClock, charged: bool
) -> None:
    """Money rule 4: it may have charged, and lost power before that was stored."""
    at = "Authorizing" if charged else "Present card"
    async with lane(tmp_path) as rig:
        await rig.pay("older")
        await rig.settled()
        await rig.put()
        await rig.terminal.until(lambda: at in rig.terminal.display)
        await rig.terminal.reboot()
        await trio.sleep(600)
        assert (await rig.payment())["state"] == "unknown"
        assert len(rig.terminal.ledger.charged()) == 1 + charged
        await resolved(rig, "approved" if charged else "failed")


# -- Forgotten ------------------------------------------------------------------------------------


async def test_what_the_terminal_has_forgotten_is_set_aside_until_a_person_says(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path, "reboot-forgets") as rig, rig.stream() as stream:
        begun = len(rig.world.categories())
        await rig.put()
        payment = await rig.payment(wait=60)
        await set_aside(rig, payment)
        await trio.sleep(3600)
        assert await rig.payment() == payment
        assert states(stream) == ["processing", "unknown"]
        assert stream.of("payment")[-1] == payment
        sent = rig.world.categories()
        questions = ["TransactionStatus", "Login", "TransactionStatus"]
        assert sent[begun:] == ["Payment", *questions]
        (entry,) = rig.terminal.ledger.charged()

        rig.terminal.next_scenarios.append(SCENARIOS["happy"])
        assert (await rig.pay("next"))["state"] == "approved"
        assert after(rig.world, len(sent)) == ["TransactionStatus", "Payment"]
        assert rig.terminal.requests[-2].reference == payment["attempts"][0]["service_id"]
        await rig.settled()
        assert (await rig.view())["set_aside"] == ["p-1"]

        verdict = await resolved(rig)
        assert verdict["state"] == "approved"
        assert verdict["resolved"] == {
            "by": TILL.uid,
            "note": NOTE,
            "at": verdict["updated_at"],
        }
        assert verdict["error"] == payment["error"]  # what the terminal last said
        assert verdict["poi_transaction"] is None
        assert (await stream.until("payment", id="p-1", state="approved")).data == verdict
        await not_resolved(rig, "not_unknown")
        again = await rig.put()
        assert (again.status_code, again.json()) == (200, verdict)
        assert (await rig.view())["set_aside"] == []
        assert entry in rig.terminal.ledger.charged()


@pytest.mark.parametrize("state", ["approved", "failed"])
@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_it_stays_set_aside_from_life_to_life_and_so_does_the_verdict(
    tmp_path: Path, autojump_clock: MockClock, how: str, state: str
) -> None:
    async with world(tmp_path, "reboot-forgets") as found:
        found.callbacks_may_fail = True
        rig = await found.start()
        await rig.put()
        unknown = await rig.payment(wait=100)
        await set_aside(rig, unknown)
        await rig.settled()
        await (rig.kill() if how == "kill" else rig.stop())
        sent = len(found.categories())
        rig = await found.start()
        assert after(found, sent)[:1] == ["TransactionStatus"]  # before the Login
        await set_aside(rig, await rig.payment())
        assert await rig.payment() == unknown
        verdict = await resolved(rig, state)
        await rig.settled()
        await (rig.kill() if how == "kill" else rig.stop())
        rig = await found.start()
        assert await rig.payment() == verdict
        again = await rig.put()
        assert (again.status_code, again.json()) == (200, verdict)
        assert found.categories().count("Payment") == 1


async def test_a_till_that_waits_is_answered_when_it_is_set_aside(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path, "reboot-forgets") as rig:
        rig.world.unknown.add("p-1")
        began = trio.current_time()
        told = (await rig.put(wait=600)).json()
        assert trio.current_time() - began < 60
        await set_aside(rig, told)
        began = trio.current_time()
        assert (await rig.put(wait=600)).json() == told
        assert await rig.payment(wait=600) == told
        assert trio.current_time() == began


# -- Told after all -------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", [None, "failed", "approved"])
async def test_what_the_terminal_tells_later_is_told_shouted_and_counted(
    tmp_path: Path,
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
    verdict: str | None,
) -> None:
    """Set aside or resolved: asked after before the next payment, the terminal knows it again."""
    caplog.set_level(logging.INFO, "laned.lane")
    denies = Settings(status=StatusAnswer.NOT_FOUND)
    async with lane(tmp_path, "reboot", settings=denies) as rig, rig.stream() as stream:
        await rig.put()
        await set_aside(rig, await rig.payment(wait=60))
        assert await figures(rig) == {"set aside": 1, "set_aside": 1}
        assert caplog.records[-2].levelname == "WARNING"
        assert caplog.records[-2].message == "payment p-1 38.00 SEK unknown NotFound, set aside"
        if verdict is not None:
            await resolved(rig, verdict)
            assert await figures(rig) == {verdict: 1, "set_aside": 1, "resolved": 1}
        await rig.settled()

        rig.terminal.settings = replace(rig.terminal.settings, status=StatusAnswer.HONEST)
        rig.terminal.next_scenarios.append(SCENARIOS["happy"])
        caplog.clear()
        assert (await rig.pay("next"))["state"] == "approved"
        payment = await rig.payment()
        assert payment["state"] == "approved"
        assert (await rig.view())["set_aside"] == []
        shouted = [record.message for record in caplog.records if record.levelname == "ERROR"]
        if verdict == "approved":  # it says the same: nothing changes
            assert shouted == []
            return
        assert [told for told in stream.of("payment") if told["id"] == "p-1"][-1] == payment
        (line,) = shouted
        assert line.startswith("payment p-1 38.00 SEK approved")
        assert line.endswith("as the terminal itself says now; it was set aside or resolved")
        counted = {"set_aside": 1, "decided_later": 1}
        if verdict is None:
            assert payment["poi_transaction"] is not None
            assert await figures(rig) == counted | {"approved": 2}
        else:
            assert payment["error"]["condition"] == "LateAnswer"
            assert await figures(rig) == counted | {"resolved": 1, "failed": 1, "approved": 1}


async def figures(rig: Rig) -> dict[str, float]:
    """What the metrics say of outcomes and doubts, where it is not 0."""
    text = (await rig.get("/metrics")).text
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "laned_payments_set_aside":
                found["set aside"] = sample.value
            elif sample.name in ("laned_payments_total", "laned_doubts_total"):
                name = sample.labels.get("outcome") or sample.labels["what"]
                found[name] = found.get(name, 0) + sample.value
    return {name: value for name, value in found.items() if value}


# -- What a person may not say --------------------------------------------------------------------


async def test_what_is_known_or_runs_is_not_a_persons_to_say(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    scenario = replace(SCENARIOS["happy"], host_time=60.0)
    async with lane(tmp_path, scenario, payment={"confirm": "button"}) as rig:
        await refused(
            rig,
            "POST",
            "/v1/payments/none/resolve",
            404,
            "not_found",
            content=b'{"state": "failed", "note": "x"}',
        )
        await rig.put()
        await not_resolved(rig, "not_unknown")
        await rig.post("/v1/payments/p-1/confirm")
        await rig.terminal.until(lambda: rig.terminal.display == ("Authorizing",))
        await not_resolved(rig, "lane_busy")
        rig.world.network.cut()
        await trio.sleep(10)  # the terminal says that it still runs
        assert (await rig.payment())["state"] == "processing"
        await not_resolved(rig, "lane_busy")
        payment = await rig.payment(wait=120)
        assert payment["state"] == "approved"
        await not_resolved(rig, "not_unknown")


# -- The terminal has the last word ---------------------------------------------------------------


@pytest.mark.parametrize(("verdict", "condition"), [("failed", "LateAnswer"), ("approved", None)])
async def test_an_answer_that_comes_after_the_verdict_wins(
    tmp_path: Path, autojump_clock: MockClock, verdict: str, condition: str | None
) -> None:
    """The payment's own connection holds, while no new one can be made."""
    scenario = replace(SCENARIOS["happy"], card_time=120.0)
    async with lane(tmp_path, scenario) as rig, rig.stream() as stream:
        await rig.put()
        await stream.until("display", lines=["Present card"])
        rig.world.network.unplugged = True
        await stream.until("payment", state="unknown")
        said = await resolved(rig, verdict)
        assert said["state"] == verdict
        await rig.terminal.until(lambda: rig.terminal.display == ("Welcome",))
        payment = await rig.payment()
        assert payment["state"] == "approved"
        assert payment["resolved"] == said["resolved"]
        if condition is None:
            assert payment == said  # it says the same: nothing changes
        else:
            assert payment["error"]["condition"] == condition
            assert "failed" in payment["error"]["message"]
            assert payment["poi_transaction"] is not None
            assert stream.of("payment")[-1] == payment
        rig.world.network.unplugged = False
