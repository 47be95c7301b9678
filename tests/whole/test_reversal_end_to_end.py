"""Reversals, from the till's POST to the terminal's books (money rule 10)."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import trio
from trio.testing import MockClock
from wholelane import Rig, World, lane, refused, world

from laned.simulator import SCENARIOS, Settings, State

CANCEL = {"reason": "MerchantCancel"}
MALFUNCTION = {"reason": "Malfunction"}
REVERSING = "Cancelling last payment"


async def paid(rig: Rig, payment_id: str = "p-1") -> Any:
    """An approved payment, and a terminal that is no longer busy."""
    payment = await rig.pay(payment_id)
    assert payment["state"] == "approved"
    await rig.settled()
    return payment


async def reverse(rig: Rig, payment_id: str = "p-1", body: Any = CANCEL) -> Any:
    """A reversal that has begun."""
    answer = await rig.post(f"/v1/payments/{payment_id}/reversal", body)
    assert answer.status_code == 202, answer.text
    return answer.json()


def reversals(found: World) -> list[dict[str, str]]:
    """What each ReversalRequest named, and why."""
    asked = []
    for request in found.terminal.requests:
        if request.category == "Reversal":
            body = ElementTree.fromstring(request.raw)[1]
            original = body.find("OriginalPOITransaction")
            assert original is not None
            asked.append(dict(body.attrib) | dict(original.attrib) | dict(original[0].attrib))
    return asked


def after(found: World, sent: int) -> list[str]:
    """The categories sent since the first `sent`."""
    return found.categories()[sent:]


@pytest.mark.parametrize("body", [CANCEL, MALFUNCTION])
async def test_an_approved_payment_is_taken_back(
    tmp_path: Path, autojump_clock: MockClock, body: dict[str, str]
) -> None:
    async with lane(tmp_path) as rig, rig.stream() as stream:
        payment = await paid(rig)
        begun = await reverse(rig, body=body)
        assert begun["state"] == "approved"
        processing = {"state": "processing", "error": None} | body
        assert begun["reversal"] == processing | {"receipts": begun["reversal"]["receipts"]}
        assert begun["reversal"]["receipts"] == {"customer": None, "merchant": None}

        reversed_ = await rig.payment(wait=60)
        assert reversed_["state"] == "reversed"
        assert reversed_["reversal"]["state"] == "done"
        for document in ("customer", "merchant"):
            lines = reversed_["reversal"]["receipts"][document]["lines"]
            assert lines != payment["receipts"][document]["lines"]
            assert any("38,00 SEK" in line for line in lines)
        kept = ("amount", "card", "poi_transaction", "receipts", "approval_code", "attempts")
        assert {name: reversed_[name] for name in kept} == {name: payment[name] for name in kept}

        (entry,) = rig.terminal.ledger
        assert entry.state is State.REVERSED
        (asked,) = reversals(rig.world)
        assert asked == {
            "ReversalReason": body["reason"],
            "SaleID": "1",
            "POIID": "LANE-7",
            "TransactionID": entry.poi_transaction_id,
            "TimeStamp": entry.timestamp,
        }
        told = [(p["state"], (p["reversal"] or {}).get("state")) for p in stream.of("payment")]
        assert list(dict.fromkeys(told)) == [
            ("processing", None),
            ("approved", None),
            ("approved", "processing"),
            ("reversed", "done"),
        ]
        again = await rig.put()
        assert (again.status_code, again.json()) == (200, reversed_)


async def test_while_it_runs_the_lane_is_busy(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path, settings=Settings(reversal_time=20)) as rig, rig.stream() as stream:
        await paid(rig)
        await reverse(rig)
        await stream.until("display", source="terminal", lines=[REVERSING])
        sent = rig.world.categories()
        view = await rig.view()
        assert (view["payment"], view["session"]["state"]) == ("p-1", "busy")
        other = await refused(
            rig, "PUT", "/v1/payments/other", 409, "lane_busy", content=b'{"amount": "1"}'
        )
        assert other["active"] == "p-1"
        for path, code in (
            ("payments/p-1/reversal", "lane_busy"),
            ("payments/p-1/abort", "not_abortable"),
            ("payments/p-1/confirm", "not_pending"),
            ("session/login", "lane_busy"),
            ("session/logout", "lane_busy"),
        ):
            content = b'{"reason": "Malfunction"}' if "reversal" in path else b""
            await refused(rig, "POST", f"/v1/{path}", 409, code, content=content)
        for button in ("confirm", "abort"):
            await rig.press(button)
        await trio.sleep(1)
        assert rig.world.categories() == sent
        assert not rig.lane.buttons.led("abort")
        assert (await rig.payment(wait=60))["state"] == "reversed"
        await rig.settled()
        assert (await rig.pay("next"))["state"] == "approved"


async def test_one_that_the_terminal_refuses_leaves_the_payment_approved(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path, settings=Settings(refuse_reversals=True)) as rig:
        payment = await paid(rig)
        for _ in range(2):  # it may be tried again
            await reverse(rig)
            told = await rig.payment(wait=60)
            assert (told["state"], told["reversal"]["state"]) == ("approved", "refused")
            assert told["reversal"]["error"] == {
                "condition": "Refusal",
                "message": "Reversal refused by the issuer",
            }
            assert told["receipts"] == payment["receipts"]
            await rig.settled()
        assert rig.terminal.ledger.balance() == 38


async def test_what_cannot_be_reversed(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path) as rig:
        path = "/v1/payments/{}/reversal"
        nobody = b'{"reason": "MerchantCancel"}'
        await refused(rig, "POST", path.format("none"), 404, "not_found", content=nobody)
        rig.terminal.next_scenarios.extend(
            SCENARIOS[name] for name in ("declined", "happy", "happy")
        )
        await rig.pay("declined")
        await rig.settled()
        await paid(rig, "older")
        await paid(rig, "newer")
        sent = rig.world.categories()
        problems = {
            name: await refused(
                rig, "POST", path.format(name), 409, "not_reversible", content=nobody
            )
            for name in ("declined", "older")
        }
        assert "declined" in problems["declined"]["detail"]
        assert "newer" in problems["older"]["detail"]
        assert rig.world.categories() == sent
        await reverse(rig, "newer")
        assert (await rig.payment("newer", wait=60))["state"] == "reversed"
        await rig.settled()
        await refused(rig, "POST", path.format("newer"), 409, "not_reversible", content=nobody)


async def test_one_that_is_not_the_terminals_last_is_the_terminals_to_refuse(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig:
        await paid(rig)
        rig.terminal.next_scenarios.append(SCENARIOS["declined"])
        await rig.pay("declined")
        await rig.settled()
        await reverse(rig)
        told = await rig.payment(wait=60)
        assert (told["state"], told["reversal"]["error"]["condition"]) == ("approved", "Refusal")


async def test_right_after_a_payment_the_terminal_is_busy_and_it_is_tried_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig:
        await rig.pay()
        await reverse(rig)
        assert (await rig.payment(wait=60))["state"] == "reversed"
        asked = [r.service_id for r in rig.terminal.requests if r.category == "Reversal"]
        assert len(asked) == len(set(asked)) == 3


async def test_a_terminal_that_stays_busy_has_not_reversed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path, settings=Settings(busy_after_payment=100)) as rig:
        await rig.pay()
        await reverse(rig)
        told = await rig.payment(wait=60)
        assert (told["state"], told["reversal"]["state"]) == ("approved", "refused")
        assert told["reversal"]["error"]["condition"] == "Busy"


async def test_without_a_session_it_is_made_after_a_login(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig:
        await paid(rig)
        await rig.terminal.reboot()
        sent = len(rig.world.categories())
        await reverse(rig)
        assert (await rig.payment(wait=60))["state"] == "reversed"
        sequence = after(rig.world, sent)
        assert sequence[:3] == ["Reversal", "TransactionStatus", "Login"]
        assert set(sequence[3:]) == {"Reversal"}


# -- In doubt -------------------------------------------------------------------------------------


async def test_an_answer_that_is_lost_is_asked_for(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig, rig.stream() as stream:
        await paid(rig)
        sent = len(rig.terminal.requests)
        await reverse(rig)
        await stream.until("display", source="terminal", lines=[REVERSING])
        rig.world.network.cut()
        reversed_ = await rig.payment(wait=60)
        assert reversed_["state"] == "reversed"
        assert reversed_["reversal"]["receipts"]["customer"] is not None
        reversal, *asked = list(rig.terminal.requests)[sent:]
        assert reversal.category == "Reversal"
        assert {request.category for request in asked} == {"TransactionStatus"}
        assert {request.reference for request in asked} == {reversal.service_id}
        assert all(b'MessageCategory="Reversal"' in request.raw for request in asked)


async def test_one_whose_connection_is_refused_did_not_happen(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig:
        await paid(rig)
        rig.world.network.unplugged = True
        await reverse(rig)
        told = await rig.payment(wait=60)
        assert (told["state"], told["reversal"]["state"]) == ("approved", "refused")
        assert told["reversal"]["error"]["condition"] == "NotSent"
        rig.world.network.unplugged = False
        await rig.lane.watch.until(lambda state: True if state.phase == "ready" else None)


@pytest.mark.parametrize("how", ["kill", "stop"])
async def test_one_that_a_life_leaves_behind_is_found_by_the_next(
    tmp_path: Path, autojump_clock: MockClock, how: str
) -> None:
    async with world(tmp_path) as found:
        found.callbacks_may_fail = True
        rig = await found.start()
        async with rig.stream() as stream:
            await paid(rig)
            await reverse(rig)
            await stream.until("display", source="terminal", lines=[REVERSING])
            sent = len(found.categories())
            await (rig.kill() if how == "kill" else rig.stop())
        rig = await found.start(settled=False)
        assert (await rig.view())["payment"] == "p-1"
        reversed_ = await rig.payment(wait=60)
        assert (reversed_["state"], reversed_["reversal"]["state"]) == ("reversed", "done")
        await rig.settled()
        sequence = after(found, sent)
        assert sequence[-1] == "Login"
        assert set(sequence[:-1]) == {"TransactionStatus"}


async def test_one_that_nobody_knows_of_is_set_aside_and_the_lane_goes_on(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(tmp_path) as found:
        found.callbacks_may_fail = True
        rig = await found.start()
        async with rig.stream() as stream:
            await paid(rig)
            await reverse(rig)
            await stream.until("display", source="terminal", lines=[REVERSING])
            await found.terminal.reboot(forget=True)
        told = await rig.payment(wait=600)
        assert (told["state"], told["reversal"]["state"]) == ("approved", "unknown")
        assert told["reversal"]["error"] is not None
        assert told["set_aside_at"] is not None
        await rig.settled()
        view = await rig.view()
        assert (view["payment"], view["set_aside"]) == (None, ["p-1"])
        assert view["display"]["lines"] == ["Welcome"]
        assert (await rig.put()).json() == told
        await rig.kill()
        rig = await found.start()
        assert await rig.payment() == told
        assert (await rig.view())["set_aside"] == ["p-1"]
        assert found.categories().count("Reversal") == 1
        found.unknown.add("p-1")
        await paid(rig, "other")


async def test_one_that_was_set_aside_is_waited_for_when_it_is_asked_for_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The terminal restarted before it had reversed anything, and knows nothing of the request."""
    async with lane(tmp_path) as rig:
        async with rig.stream() as stream:
            await paid(rig)
            await reverse(rig)
            await stream.until("display", source="terminal", lines=[REVERSING])
            await rig.terminal.reboot(forget=True)
        assert (await rig.payment(wait=600))["set_aside_at"] is not None
        await rig.settled()
        verdict = {"state": "approved", "note": "the payment stands"}
        assert (await rig.post("/v1/payments/p-1/resolve", verdict)).status_code == 200
        again = await reverse(rig)
        assert (again["reversal"]["state"], again["set_aside_at"]) == ("processing", None)
        told = await rig.payment(wait=60)
        assert (told["state"], told["reversal"]["state"]) == ("approved", "refused")
