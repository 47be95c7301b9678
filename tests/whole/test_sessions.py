"""The session as tills and people see it: maintenance, updates, addresses, light integration."""

from pathlib import Path
from typing import Any

import pytest
import trio
from posts import Untouched, event, message, peer, transmit
from trio.testing import MockClock
from wholelane import ADDRESS, POI_ID, Rig, lane, refused, world

from laned.simulator import SCENARIOS, Settings
from laned.terminal.callback import MAX_STRANGERS, STRANGERS, STRANGERS_WITHIN

HOUR = 3600.0
MOVED = "192.0.2.55"
ELSEWHERE = "192.0.2.99"
REQUIRED = message(
    "Event",
    '<EventNotification TimeStamp="2025-03-04T12:30:00Z" EventToNotify="SaleAdmin"'
    ' MaintenanceRequiredFlag="true"/>',
    kind="Notification",
)


async def state(rig: Rig) -> tuple[str, str]:
    session = (await rig.view())["session"]
    return session["state"], session["reason"]


# -- Maintenance ----------------------------------------------------------------------------------


async def test_the_window_of_the_day(tmp_path: Path, autojump_clock: MockClock) -> None:
    night = {"window": "12:00-13:10"}  # the test begins at 11:30
    async with lane(tmp_path, maintenance=night) as rig, rig.stream() as stream:
        await stream.until("session", state="maintenance")
        assert trio.current_time() == pytest.approx(0.5 * HOUR, abs=5)
        assert rig.terminal.maintenance_allowed
        await stream.until("display", lines=["Maintenance"])
        await refused(
            rig, "PUT", "/v1/payments/p-1", 503, "terminal_unavailable", content='{"amount": "1"}'
        )
        await trio.sleep(HOUR)
        await stream.until("session", state="ready")
        assert trio.current_time() == pytest.approx(HOUR * 100 / 60, abs=5)
        await rig.settled()
        assert (await rig.pay())["state"] == "approved"


async def test_what_the_terminal_asks_for_comes_after_ten_quiet_minutes(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig, peer(rig) as terminal, rig.stream() as stream:
        await terminal.tell(REQUIRED)
        await trio.sleep(500)
        await rig.pay()
        began = trio.current_time()
        await stream.until("session", state="maintenance")
        assert trio.current_time() - began == pytest.approx(600, abs=10)
        assert stream.of("terminal")[0]["event"] == "SaleAdmin"
        await terminal.tell(event("BeginMaintenance"))
        await trio.sleep(300)
        assert (await state(rig))[0] == "maintenance"
        await terminal.tell(event("EndMaintenance"))
        await stream.until("session", state="ready")
        await rig.settled()


async def test_by_hand(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path) as rig:
        answer = await rig.post("/v1/session/logout", {"maintenance": True})
        assert (answer.status_code, answer.json()["state"]) == (200, "maintenance")
        await trio.sleep(HOUR - 10)
        assert (await state(rig))[0] == "maintenance"
        await trio.sleep(20)
        assert (await state(rig))[0] == "ready"
        await rig.settled()
        answer = await rig.post("/v1/session/logout", {"maintenance": False})
        assert answer.json()["state"] == "logged_out"
        await trio.sleep(30 * HOUR / 2)
        assert (await state(rig))[0] == "logged_out"
        answer = await rig.post("/v1/session/login")
        assert (answer.status_code, answer.json()["state"]) == (200, "ready")


async def test_a_logout_just_after_a_payment_waits_for_the_busy_terminal(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig:
        await rig.pay()
        answer = await rig.post("/v1/session/logout", {"maintenance": True})
        assert answer.json()["state"] == "maintenance"
        assert rig.terminal.maintenance_allowed
        assert rig.world.categories().count("Logout") > 1


async def test_the_orderly_stop_just_after_a_payment_too(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig:
        await rig.pay()
        await rig.stop()
        assert rig.terminal.session is None


# -- Updates --------------------------------------------------------------------------------------


async def test_the_terminal_is_asked_to_look_for_updates(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig:
        answer = await rig.post("/v1/terminal/update")
        assert (answer.status_code, answer.json()["state"]) == (200, "ready")
        assert rig.world.categories()[-1] == "Admin"
        await rig.pay()
        await refused(rig, "POST", "/v1/terminal/update", 409, "terminal_refused")  # Busy
        rig.world.network.unplugged = True
        await refused(rig, "POST", "/v1/terminal/update", 503, "terminal_unavailable")


async def test_not_without_a_session_nor_beside_a_payment(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path, "aborted") as rig:
        await rig.put()
        await refused(rig, "POST", "/v1/terminal/update", 409, "lane_busy")
        await rig.post("/v1/payments/p-1/abort")
        await rig.payment(wait=60)
        await rig.settled()
        await rig.post("/v1/session/logout", {"maintenance": False})
        await refused(rig, "POST", "/v1/terminal/update", 503, "terminal_unavailable")


# -- Addresses ------------------------------------------------------------------------------------


async def test_auto_takes_the_first_terminal_that_a_person_lets_it_learn(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with world(tmp_path) as found:
        rig = await found.start(settled=False, terminal={"address": "auto"})
        await trio.sleep(60)
        assert await state(rig) == ("offline", "no_address")
        await refused(rig, "POST", "/v1/session/login", 503, "terminal_unavailable")
        async with peer(rig) as terminal:
            await terminal.tell(transmit())
            await trio.sleep(60)
            assert await state(rig) == ("offline", "no_address")
            answer = await rig.post("/v1/session/learn")
            assert (answer.status_code, answer.json()) == (200, {"seconds": 600.0})
            await terminal.tell(transmit())
        await rig.settled()
        assert (await rig.view())["session"]["terminal"]["address"] == f"{ADDRESS}:11000"
        assert (await rig.pay())["state"] == "approved"
        await rig.stop()
        again = await found.start(terminal={"address": "auto"})  # remembered
        assert (await again.pay("p-2"))["state"] == "approved"


async def test_a_terminal_that_moves_is_followed(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path) as rig:
        rig.world.move(MOVED)
        async with peer(rig, MOVED) as terminal:
            await terminal.tell(transmit(MOVED))
            await rig.settled()
            assert (await rig.view())["session"]["terminal"]["address"] == f"{MOVED}:11000"
            assert (await rig.pay())["state"] == "approved"
            await rig.stop()
        again = await rig.world.start()
        assert (await again.view())["session"]["terminal"]["address"] == f"{MOVED}:11000"


async def test_a_stranger_may_only_announce_itself(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig, peer(rig, MOVED) as stranger:
        with Untouched(rig):
            for content in (
                event("Shutdown"),
                transmit(ADDRESS),  # not its own
                transmit(MOVED).replace(POI_ID.encode(), b"OTHER"),
                b"<nonsense",
            ):
                assert (await stranger.post(content)).status_code == 403
        await stranger.tell(transmit(MOVED))
        await trio.sleep(HOUR)
        assert (await state(rig))[0] == "ready"
        assert (await rig.view())["session"]["terminal"]["address"] == f"{ADDRESS}:11000"


async def test_and_not_too_often(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path) as rig, peer(rig, MOVED) as stranger:
        statuses = [(await stranger.post(transmit(MOVED))).status_code for _ in range(20)]
        assert statuses == [204] * STRANGERS + [403] * (20 - STRANGERS)
        async with peer(rig, ELSEWHERE) as other:  # nobody can use up another's
            assert (await other.post(transmit(ELSEWHERE))).status_code == 204
        await trio.sleep(STRANGERS_WITHIN)
        assert (await stranger.post(transmit(MOVED))).status_code == 204


async def test_strangers_without_end_are_not_remembered_without_end(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig, peer(rig, MOVED) as first:
        for _ in range(STRANGERS + 1):
            last = await first.post(transmit(MOVED))
        assert last.status_code == 403
        for number in range(MAX_STRANGERS):
            async with peer(rig, f"198.51.100.{number}") as other:
                assert (await other.post(b"<nonsense")).status_code == 403
        assert (await first.post(transmit(MOVED))).status_code == 204


# -- Light integration ----------------------------------------------------------------------------

LIGHT = {"mode": "light"}
SIGNED = SCENARIOS["signature-approved"]


async def test_light_integration(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path, lane=LIGHT) as rig, rig.stream() as stream:
        assert (await rig.view())["mode"] == "light"
        payment = await rig.pay()
        assert payment["state"] == "approved"
        shown = [display["lines"] for display in stream.of("display")]
        assert shown == [["Follow the card terminal"], ["Welcome"]]


@pytest.mark.parametrize("answer", ["approved", "declined"])
@pytest.mark.parametrize("by", ["button", "till"])
async def test_light_signatures_look_as_in_default_integration(
    tmp_path: Path, autojump_clock: MockClock, answer: str, by: str
) -> None:
    told: dict[str, Any] = {}
    for mode in ("default", "light"):
        folder = tmp_path / mode
        folder.mkdir()
        settings: dict[str, Any] = {"lane": {"mode": mode}, "payment": {"signature": by}}
        async with lane(folder, SIGNED, **settings) as rig, rig.stream() as stream:
            await rig.put()
            prompt = (await stream.until("prompt")).data
            if by == "button":
                await rig.press("confirm" if answer == "approved" else "abort")
            else:
                confirmed = {"confirmed": answer == "approved"}
                await rig.post(f"/v1/prompts/{prompt['id']}", confirmed)
            payment = await rig.payment(wait=600)
            prompts = [(p["kind"], p.get("answer"), p.get("by")) for p in stream.of("prompt")]
            prints = [(p["document"], bool(p["lines"]), p["payment"]) for p in stream.of("print")]
            told[mode] = payment["state"], payment["signature"], prompts, prints
            if mode == "light" and answer == "declined":
                assert payment["reversal"]["state"] == "done"
                assert [entry.state for entry in rig.terminal.ledger] == ["reversed"]
    assert told["light"] == told["default"]
    assert told["light"][:2] == (answer, answer)


async def test_light_a_power_cut_while_it_is_signed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    changes: dict[str, Any] = {"lane": LIGHT, "payment": {"signature": "till"}}
    async with world(tmp_path, SIGNED) as found:
        rig = await found.start(**changes)
        async with rig.stream() as stream:
            await rig.put()
            await stream.until("prompt")
        await rig.kill()
        rig = await found.start(settled=False, **changes)
        await trio.sleep(30)
        payment = await rig.payment()
        assert (payment["state"], payment["signature"]) == ("processing", None)
        assert (await rig.view())["prompt"]["kind"] == "signature"
        payment = await rig.payment(wait=600)
        assert (payment["state"], payment["signature"]) == ("declined", "declined")
        assert [entry.state for entry in rig.terminal.ledger] == ["reversed"]


async def test_light_a_reversal_that_is_refused_is_shouted_about(
    tmp_path: Path, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    refuses = Settings(refuse_reversals=True)
    async with lane(tmp_path, SIGNED, refuses, lane=LIGHT) as rig:
        payment = await rig.pay()
        assert (payment["state"], payment["signature"]) == ("approved", "declined")
        assert payment["error"]["condition"] == "ReversalRefused"
    shouted = [r for r in caplog.records if r.levelname == "ERROR"]
    assert len(shouted) == 1
    assert "ReversalRefused" in shouted[0].getMessage()
