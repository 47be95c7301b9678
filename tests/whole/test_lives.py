"""Sessions, terminals that go away, stops, crashes, and what the next life makes of them."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock
from wholelane import START, Rig, World, lane, world

from laned.simulator import Settings


def after(found: World, count: int) -> list[str]:
    """The categories sent since the first `count`."""
    return found.categories()[count:]


# -- Sessions -------------------------------------------------------------------------------------


async def test_right_after_the_login_the_terminal_is_busy_and_the_payment_is_tried_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(tmp_path) as found:
        rig = await found.start(settled=False)
        await rig.lane.watch.until(lambda state: True if state.phase == "ready" else None)
        payment = await rig.pay()
        assert payment["state"] == "approved"
        assert len(payment["attempts"]) == 3
        assert len({a["service_id"] for a in payment["attempts"]}) == 3
        assert len({a["transaction_id"] for a in payment["attempts"]}) == 3
        survey, *sent = found.categories()
        assert survey == "TransactionStatus"  # of a new journal
        assert sent == ["Login", "Payment", "Payment", "Payment"]


async def test_a_terminal_that_stays_busy_ends_the_payment_as_failed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(tmp_path, settings=Settings(busy_after_login=100)) as found:
        rig = await found.start(settled=False)
        await rig.lane.watch.until(lambda state: True if state.phase == "ready" else None)
        begun = trio.current_time()
        payment = await rig.pay()
        assert (payment["state"], payment["error"]["condition"]) == ("failed", "Busy")
        assert 30 <= trio.current_time() - begun < 35


async def test_between_two_attempts_the_abort_button_ends_the_payment(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(tmp_path, settings=Settings(busy_after_login=100)) as found:
        rig = await found.start(settled=False)
        await rig.lane.watch.until(lambda state: True if state.phase == "ready" else None)
        await rig.put()
        await trio.sleep(1)
        await rig.press("abort")
        assert (await rig.payment(wait=10))["state"] == "aborted"
        assert "Abort" not in found.categories()


async def test_a_terminal_that_has_rebooted_is_logged_in_to_again_and_the_payment_made(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig:
        await rig.terminal.reboot()
        sent = len(rig.world.categories())
        payment = await rig.pay()
        assert payment["state"] == "approved"
        sequence = after(rig.world, sent)
        assert sequence[:3] == ["Payment", "TransactionStatus", "Login"]
        assert set(sequence[3:]) == {"Payment"}
        assert (await rig.view())["session"]["state"] == "ready"


async def test_without_a_terminal_payments_are_refused_until_it_is_back(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(tmp_path) as found:
        found.network.unplugged = True
        rig = await found.start(settled=False)
        await trio.sleep(10)
        answer = await rig.put()
        assert (answer.status_code, answer.json()["code"]) == (503, "terminal_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert (await rig.get("/v1/payments/p-1")).status_code == 404
        session = (await rig.view())["session"]
        assert (session["state"], session["reason"]) == ("offline", "unreachable")
        assert (await rig.view())["display"]["lines"] == ["Card terminal offline"]
        refused = await rig.post("/v1/session/login")
        assert (refused.status_code, refused.json()["code"]) == (503, "terminal_unavailable")
        found.network.unplugged = False
        await rig.settled()
        assert (await rig.pay())["state"] == "approved"


async def test_a_payment_whose_connection_is_refused_has_failed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig:
        rig.world.network.unplugged = True
        payment = await rig.pay()
        assert (payment["state"], payment["error"]["condition"]) == ("failed", "NotSent")
        rig.world.network.unplugged = False
        await rig.lane.watch.until(lambda state: True if state.phase == "ready" else None)
        assert len(rig.terminal.ledger) == 0


def maintenance_allowed(rig: Rig) -> bool:
    return rig.terminal.maintenance_allowed


async def test_login_and_logout_by_hand(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path) as rig, rig.stream() as stream:
        out = await rig.post("/v1/session/logout")
        assert (out.status_code, out.json()["state"]) == (200, "logged_out")
        assert not maintenance_allowed(rig)
        refused = await rig.put()
        assert (refused.status_code, refused.json()["code"]) == (503, "terminal_unavailable")
        again = await rig.post("/v1/session/login")
        assert (again.status_code, again.json()["state"]) == (200, "ready")
        await rig.settled()
        out = await rig.post("/v1/session/logout", {"maintenance": True})
        assert out.json()["state"] == "maintenance"
        assert maintenance_allowed(rig)
        await trio.sleep(3000)
        assert (await rig.view())["session"]["state"] == "maintenance"
        assert (await rig.post("/v1/session/login")).json()["state"] == "ready"
        states = [session["state"] for session in stream.of("session")]
        assert "logged_out" in states
        assert "maintenance" in states


# -- Answers that are lost ------------------------------------------------------------------------


@pytest.mark.parametrize(("scenario", "outcome"), [("happy", "approved"), ("declined", "declined")])
async def test_an_answer_that_is_lost_is_asked_for(
    tmp_path: Path, autojump_clock: MockClock, scenario: str, outcome: str
) -> None:
    async with lane(tmp_path, scenario) as rig, rig.stream() as stream:
        sent = len(rig.world.categories())
        await rig.put()
        await stream.until("display", lines=["Authorizing"])
        rig.world.network.cut()
        payment = await rig.payment(wait=60)
        assert payment["state"] == outcome
        assert payment["receipts"]["customer"] is not None
        assert set(after(rig.world, sent)) == {"Payment", "TransactionStatus"}
        assert after(rig.world, sent).count("Payment") == 1


async def test_an_unknown_outcome_blocks_the_lane_until_the_terminal_is_back(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig, rig.stream() as stream:
        await rig.put()
        await stream.until("display", lines=["Authorizing"])
        rig.world.network.unplugged = True
        rig.world.network.cut()
        unknown = await stream.until("payment", state="unknown")
        assert unknown.data["id"] == "p-1"
        answer = await rig.put("other")
        assert (answer.status_code, answer.json()["code"]) == (409, "outcome_unknown")
        assert answer.json()["active"] == "p-1"
        repeated = await rig.put()
        assert (repeated.status_code, repeated.json()["state"]) == (200, "unknown")
        await trio.sleep(100)
        assert (await rig.view())["display"]["lines"] == ["Checking last payment"]
        rig.world.network.unplugged = False
        assert (await rig.payment(wait=60))["state"] == "approved"
        await rig.settled()
        assert (await rig.pay("other"))["state"] == "approved"


# -- Stops ----------------------------------------------------------------------------------------


async def test_an_idle_lane_logs_out_when_it_stops(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig, rig.stream() as stream:
        begun = trio.current_time()
        await rig.stop()
        assert trio.current_time() - begun < 1
        await stream.ended.wait()
        assert not stream.cut
        assert rig.world.categories()[-1] == "Logout"
        assert rig.terminal.session is None
        assert rig.terminal.maintenance_allowed is False


async def test_a_stop_in_the_middle_of_a_payment_sends_nothing_and_the_next_life_finds_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(tmp_path) as found:
        found.callbacks_may_fail = True
        rig = await found.start()
        async with rig.stream() as stream:
            await rig.put()
            await stream.until("display", lines=["Enter PIN: *"])
            sent = len(found.categories())
            await rig.stop()
            await stream.ended.wait()
            assert not stream.cut
        assert after(found, sent) == []
        await found.terminal.until(lambda: not found.terminal.running)
        (entry,) = found.terminal.ledger
        assert entry.state == "charged"
        rig = await found.start(settled=False)
        repeated = await rig.put(wait=60)
        assert (repeated.status_code, repeated.json()["state"]) == (200, "approved")
        await rig.settled()
        assert after(found, sent) == ["TransactionStatus", "Login"]
        assert repeated.json()["card"]["masked_pan"] == "535312******4478"


async def test_a_till_that_waits_gets_its_answer_at_the_stop(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(tmp_path) as found:
        found.callbacks_may_fail = True
        rig = await found.start()
        states: list[str] = []

        async def wait() -> None:
            states.append((await rig.put(wait=600)).json()["state"])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.sleep(2)
            await rig.stop()
        assert states == ["processing"]
        await found.terminal.until(lambda: not found.terminal.running)
        rig = await found.start()
        assert (await rig.payment(wait=60))["state"] == "approved"


async def test_a_pending_payment_ends_with_the_stop_and_with_the_crash(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(tmp_path) as found:
        rig = await found.start(payment={"confirm": "button"})
        await rig.put("a")
        await rig.stop()
        rig = await found.start(payment={"confirm": "button"})
        assert (await rig.payment("a"))["state"] == "aborted"
        await rig.put("b")
        await rig.kill()
        rig = await found.start()
        payment = await rig.payment("b")
        assert (payment["state"], payment["error"]["condition"]) == ("aborted", "Restarted")
        assert len(found.terminal.ledger) == 0


# -- Crashes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("away", [0.0, 1.0, 60.0])
@pytest.mark.parametrize(
    ("scenario", "outcome"),
    [("happy", "approved"), ("declined", "declined"), ("customer-cancel", "aborted")],
)
async def test_a_crash_in_the_middle_of_a_payment(
    tmp_path: Path, autojump_clock: MockClock, scenario: str, outcome: str, away: float
) -> None:
    async with world(tmp_path, scenario) as found:
        found.callbacks_may_fail = True
        rig = await found.start()
        await rig.put()
        await trio.sleep(1.5)
        sent = len(found.categories())
        await rig.kill()
        await trio.sleep(away)
        rig = await found.start(settled=False)
        assert (await rig.view())["payment"] == "p-1"
        assert (await rig.payment(wait=120))["state"] == outcome
        await rig.settled()
        sequence = after(found, sent)
        assert sequence[-1] == "Login"
        assert set(sequence[:-1]) == {"TransactionStatus"}


async def test_a_crash_between_two_attempts(tmp_path: Path, autojump_clock: MockClock) -> None:
    """The only attempt was refused by the terminal: nothing was charged, and the lane goes on."""
    async with world(tmp_path, settings=Settings(busy_after_login=10)) as found:
        rig = await found.start(settled=False)
        await rig.lane.watch.until(lambda state: True if state.phase == "ready" else None)
        await rig.put()
        await rig.lane.watch.until(lambda state: True if state.phase == "retrying" else None)
        await rig.kill()
        rig = await found.start(settled=False)
        payment = await rig.payment(wait=120)
        assert payment["state"] in ("failed", "approved")
        await rig.settled()


async def test_a_crash_while_the_signature_is_asked_for_approves_nothing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(tmp_path, "signature-approved") as found:
        found.callbacks_may_fail = True
        rig = await found.start(payment={"signature": "button"})
        async with rig.stream() as stream:
            await rig.put()
            await stream.until("prompt", kind="signature")
            await rig.kill()
        rig = await found.start(settled=False, payment={"signature": "button"})
        assert (await rig.payment(wait=120))["state"] == "declined"
        await rig.settled()


async def test_service_ids_and_event_ids_grow_from_life_to_life(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(tmp_path) as found:
        found.callbacks_may_fail = True
        service_ids: list[int] = []
        last = 0
        for life in range(3):
            rig = await found.start()
            async with rig.stream() as stream:
                payment = await rig.pay(f"p-{life}")
                service_ids += [int(attempt["service_id"]) for attempt in payment["attempts"]]
                ids = [told.id or 0 for told in stream.told[1:]]
                assert ids == sorted(ids)
                assert ids[0] > last
                last = ids[-1]
            await rig.kill()
            await trio.sleep(10)
        assert service_ids == sorted(set(service_ids))


async def test_the_next_life_tells_the_time_by_the_wall(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(tmp_path) as found:
        rig = await found.start()
        created = (await rig.put(wait=60)).json()["created_at"]
        await rig.settled()
        await rig.stop()
        rig = await found.start()
        assert (await rig.payment())["created_at"] == created
        assert created.startswith(f"{START:%Y-%m-%dT%H:%M:}")


@pytest.mark.parametrize("forget", [False, True])
async def test_a_reboot_in_the_middle_of_a_payment_is_never_guessed_at(
    tmp_path: Path, autojump_clock: MockClock, forget: bool
) -> None:
    """Power lost while the bank is asked: charged, and perhaps the terminal does not know."""
    async with world(tmp_path) as found:
        rig = await found.start()
        found.callbacks_may_fail = True
        async with rig.stream() as stream:
            await rig.put()
            await stream.until("display", lines=["Authorizing"])
            await found.terminal.reboot(forget=forget)
        await trio.sleep(300)
        payment = await rig.payment()
        assert payment["state"] == "unknown"
        assert found.terminal.ledger.charged() != []
        await rig.kill()
        found.unknown.add("p-1")


# -- Journal trouble ------------------------------------------------------------------------------


async def test_what_cannot_be_recorded_is_refused_and_not_sent(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig, rig.stream() as stream:
        rig.db.execute("PRAGMA query_only = ON")
        for _ in range(2):
            answer = await rig.put()
            assert (answer.status_code, answer.json()["code"]) == (503, "journal_unavailable")
        assert "Payment" not in rig.world.categories()
        assert stream.of("payment") == []
        assert (await rig.view())["session"]["state"] == "ready"
        rig.db.execute("PRAGMA query_only = OFF")
        assert (await rig.pay())["state"] == "approved"
