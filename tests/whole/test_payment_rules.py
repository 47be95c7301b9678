"""What a till may rely on around a payment: confirmation, repetition, one at a time, waiting."""

from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock
from wholelane import Rig, lane, world

from laned.simulator import SCENARIOS

CONFIRM = {"confirm": "button"}


# -- Confirmation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["button", "confirm", "prompt"])
async def test_a_pending_payment_starts_when_it_is_confirmed(
    tmp_path: Path, autojump_clock: MockClock, by: str
) -> None:
    async with lane(tmp_path, payment=CONFIRM) as rig, rig.stream() as stream:
        answer = await rig.put()
        assert (answer.status_code, answer.json()["state"]) == (201, "pending")
        prompt = (await stream.until("prompt", kind="payment")).data
        assert prompt["text"] == "38.00 SEK"
        view = await rig.view()
        assert view["display"] == {"lines": ["Pay?"], "code": None, "source": "lane"}
        assert "Payment" not in rig.world.categories()
        if by == "button":
            await rig.press("confirm")
        elif by == "confirm":
            assert (await rig.post("/v1/payments/p-1/confirm")).status_code == 202
        else:
            reply = await rig.post(f"/v1/prompts/{prompt['id']}", {"confirmed": True})
            assert reply.status_code == 200
        payment = await rig.payment(wait=60)
        assert payment["state"] == "approved"
        closed = await stream.until("prompt", by="button" if by == "button" else "till")
        assert closed.data == prompt | {"answer": True, "by": closed.data["by"]}
        assert [p["state"] for p in stream.of("payment")] == ["pending", "processing", "approved"]
        late = await rig.post("/v1/payments/p-1/confirm")
        assert (late.status_code, late.json()["code"]) == (409, "not_pending")


@pytest.mark.parametrize("by", ["button", "abort", "prompt", "timeout"])
async def test_a_pending_payment_that_is_not_confirmed_never_reaches_the_terminal(
    tmp_path: Path, autojump_clock: MockClock, by: str
) -> None:
    async with lane(tmp_path, payment=CONFIRM | {"confirm_timeout": 15.0}) as rig:
        async with rig.stream() as stream:
            await rig.put()
            opened = await stream.until("prompt", kind="payment")
            if by == "button":
                await rig.press("abort")
            elif by == "abort":
                assert (await rig.post("/v1/payments/p-1/abort")).status_code == 202
            elif by == "prompt":
                await rig.post(f"/v1/prompts/{opened.data['id']}", {"confirmed": False})
            payment = await rig.payment(wait=60)
            assert payment["state"] == "aborted"
            assert payment["attempts"] == []
            who = {"button": "button", "timeout": "timeout"}.get(by, "till")
            closed = await stream.until("prompt", by=who, answer=False)
            if by == "timeout":
                assert closed.at - opened.at == pytest.approx(15.0, abs=0.01)
                assert payment["error"]["condition"] == "ConfirmTimeout"
        assert len(rig.terminal.ledger) == 0
        assert "Payment" not in rig.world.categories()
        assert (await rig.view())["session"]["state"] == "ready"


async def test_the_body_decides_about_confirmation(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path, payment=CONFIRM) as rig:
        answer = await rig.put("a", confirm="none")
        assert answer.json()["state"] == "processing"
        await rig.payment("a", wait=60)
        await rig.settled()
        answer = await rig.put("b", confirm="button", type="refund")
        assert answer.json()["state"] == "pending"
        assert (await rig.view())["display"]["lines"] == ["Refund?"]
        await rig.press("abort")
        assert (await rig.payment("b", wait=60))["state"] == "aborted"


# -- The same again -------------------------------------------------------------------------------


async def test_put_twice_charges_once(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path) as rig:
        first = await rig.put("p-1", "10")
        again = await rig.put("p-1", "10.00", currency="SEK", type="payment", token=False)
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()
        done = await rig.put("p-1", "10.0", wait=60)
        assert (done.status_code, done.json()["state"]) == (200, "approved")
        await rig.settled()
        late = await rig.put("p-1", "10")
        assert (late.status_code, late.json()) == (200, done.json())
        assert rig.world.categories().count("Payment") == 1


async def test_ten_puts_at_once_charge_once(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path) as rig:
        statuses: list[int] = []

        async def put() -> None:
            answer = await rig.put(wait=60)
            assert answer.json()["state"] == "approved"
            statuses.append(answer.status_code)

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(put)
        assert sorted(statuses) == [200] * 9 + [201]
        assert rig.world.categories().count("Payment") == 1


@pytest.mark.parametrize(
    "change",
    [
        {"amount": "10.01"},
        {"currency": "NOK"},
        {"type": "refund"},
        {"cash_back": "1"},
        {"confirm": "button"},
        {"reference": "7"},
        {"token": True},
    ],
)
async def test_other_content_under_the_same_id_is_refused(
    tmp_path: Path, autojump_clock: MockClock, change: dict[str, object]
) -> None:
    async with lane(tmp_path) as rig:
        before = await rig.pay("p-1", "10")
        other = {"amount": "10", **change}
        answer = await rig.till.put("/v1/payments/p-1", json=other)
        assert (answer.status_code, answer.json()["code"]) == (409, "payment_conflict")
        assert await rig.payment() == before
        assert rig.world.categories().count("Payment") == 1


async def test_the_same_again_is_understood_when_the_defaults_have_changed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(tmp_path) as found:
        rig = await found.start()
        before = await rig.pay("p-1", "10")
        await rig.settled()
        await rig.stop()
        rig = await found.start(payment=CONFIRM, terminal={"currency": "NOK"})
        again = await rig.put("p-1", "10")
        assert (again.status_code, again.json()) == (200, before)


async def test_the_same_again_is_understood_when_it_would_be_too_much_today(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """A refusal of what was done already reads as "it did not happen"."""
    async with world(tmp_path) as found:
        rig = await found.start()
        before = await rig.pay("p-1", "900")
        await rig.settled()
        await rig.stop()
        rig = await found.start(payment={"max_amount": "500"})
        again = await rig.put("p-1", "900")
        assert (again.status_code, again.json()) == (200, before)


# -- One at a time --------------------------------------------------------------------------------


async def test_another_payment_meanwhile_is_refused_and_not_recorded(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig, rig.stream() as stream:
        await rig.put("a")
        refused = await rig.put("b")
        assert refused.status_code == 409
        assert refused.headers["content-type"] == "application/problem+json"
        assert {k: refused.json()[k] for k in ("code", "active", "status")} == {
            "code": "lane_busy",
            "active": "a",
            "status": 409,
        }
        assert (await rig.get("/v1/payments/b")).status_code == 404
        for path, body in (
            ("/v1/session/login", None),
            ("/v1/session/logout", {"maintenance": False}),
        ):
            answer = await rig.post(path, body)
            assert (answer.status_code, answer.json()["code"]) == (409, "lane_busy")
        elsewhere = await rig.post("/v1/payments/b/abort")
        assert (elsewhere.status_code, elsewhere.json()["code"]) == (404, "not_found")
        await rig.payment("a", wait=60)
        assert {payment["id"] for payment in stream.of("payment")} == {"a"}
        await rig.settled()
        assert (await rig.put("b", wait=60)).status_code == 201


async def test_payments_are_listed_newest_first(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path) as rig:
        rig.terminal.next_scenarios.extend(
            SCENARIOS[name] for name in ("happy", "declined", "happy")
        )
        for name in ("a", "b", "c"):
            await rig.pay(name)
            await rig.settled()

        async def listed(query: str = "") -> list[str]:
            answer = await rig.get(f"/v1/payments{query}")
            assert answer.status_code == 200
            return [payment["id"] for payment in answer.json()["payments"]]

        assert await listed() == ["c", "b", "a"]
        assert await listed("?limit=2") == ["c", "b"]
        assert await listed("?before=c") == ["b", "a"]
        assert await listed("?before=c&limit=1") == ["b"]
        assert await listed("?state=approved") == ["c", "a"]
        assert await listed("?state=approved&before=c") == ["a"]
        assert await listed("?state=unknown") == []


# -- Waiting --------------------------------------------------------------------------------------


async def test_waiting_ends_with_the_outcome_or_with_the_time(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path, "aborted") as rig:
        begun = trio.current_time()
        answer = await rig.put(wait=5)
        assert (answer.status_code, answer.json()["state"]) == (201, "processing")
        assert trio.current_time() - begun == pytest.approx(5.0)
        assert (await rig.payment(wait=7))["state"] == "processing"
        assert trio.current_time() - begun == pytest.approx(12.0)
        assert (await rig.payment())["state"] == "processing"
        assert trio.current_time() - begun == pytest.approx(12.0)
        await rig.press("abort")
        assert (await rig.payment(wait=600))["state"] == "aborted"
        assert trio.current_time() - begun < 20


@pytest.mark.parametrize("method", ["PUT", "GET"])
async def test_a_till_that_hangs_up_while_it_waits_changes_nothing(
    tmp_path: Path, autojump_clock: MockClock, method: str
) -> None:
    async with lane(tmp_path) as rig:
        if method == "GET":
            await rig.put()
        with trio.move_on_after(3):
            await (rig.put(wait=600) if method == "PUT" else rig.payment(wait=600))
            raise AssertionError("the payment cannot be over yet")
        assert (await rig.payment())["state"] == "processing"
        assert (await rig.payment(wait=600))["state"] == "approved"
        assert rig.world.categories().count("Payment") == 1
        assert "Abort" not in rig.world.categories()
        assert await idle(rig)


async def test_a_till_that_hangs_up_at_once_has_put_or_has_not(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """However early the till goes: the payment is there and runs, or there is none."""
    async with lane(tmp_path) as rig:
        for steps in range(8):
            payment_id = f"early-{steps}"
            async with trio.open_nursery() as nursery:
                nursery.start_soon(partial(rig.put, payment_id, wait=600))
                for _ in range(steps):
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
            await trio.testing.wait_all_tasks_blocked()
            answer = await rig.get(f"/v1/payments/{payment_id}", Prefer="wait=60")
            assert answer.status_code in (200, 404)
            if answer.status_code == 200:
                assert answer.json()["state"] == "approved"
            await rig.settled()


async def idle(rig: Rig) -> bool:
    view = await rig.view()
    return view["payment"] is None and view["session"]["state"] == "ready"
