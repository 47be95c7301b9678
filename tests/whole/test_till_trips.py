"""How often a till's request keeps the journal's thread at work: counted, one request at a time."""

from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock
from wholelane import Rig, lane

from laned.journal.store import JournalError

PENDING = {"confirm": "button"}
MALFUNCTION = {"reason": "Malfunction"}
VERDICT = {"state": "failed", "note": "seen"}


async def trips(rig: Rig, request: Awaitable[httpx.Response], status: int) -> int:
    """The trips that a request made until it was answered."""
    before = rig.world.trips
    answer = await request
    assert answer.status_code == status, answer.text
    return rig.world.trips - before


async def test_a_reversal_reads_once_and_writes_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig:
        await rig.pay()
        await rig.settled()
        path = "/v1/payments/p-1/reversal"
        before = rig.world.trips
        answer = await rig.post(path, MALFUNCTION)
        assert answer.status_code == 202
        assert rig.world.trips - before <= 2
        assert answer.json() == await rig.payment(), "the payment as it stands on disk"
        assert (await rig.payment(wait=60))["state"] == "reversed"
        await rig.settled()
        assert await trips(rig, rig.post(path, MALFUNCTION), 409) == 1


async def test_a_payment_looks_once_and_writes_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path, payment=PENDING | {"max_amount": "100.00"}) as rig:
        assert await trips(rig, rig.put(), 201) == 2
        assert await trips(rig, rig.put(), 200) == 1
        assert await trips(rig, rig.put(amount="39.00"), 409) == 1
        assert await trips(rig, rig.put("p-2", amount="100.01"), 422) == 1
        assert await trips(rig, rig.get("/v1/payments/p-1"), 200) == 1
        assert await trips(rig, rig.get("/v1/payments"), 200) == 1
        assert await trips(rig, rig.get("/v1/lane"), 200) == 0
        assert await trips(rig, rig.post("/v1/payments/p-1/abort"), 202) == 1
        assert await trips(rig, rig.post("/v1/payments/p-1/abort"), 409) == 0, "in the lane's hand"


async def test_a_confirmation_writes_once(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path, payment=PENDING) as rig:
        await rig.put()
        assert await trips(rig, rig.post("/v1/payments/p-1/confirm"), 202) == 1
        await rig.payment(wait=60)
        await rig.settled()


async def test_a_verdict_writes_once_and_is_answered_with_the_payment(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path, "reboot-forgets") as rig:
        await rig.put()
        await trio.sleep(3600)
        assert (await rig.payment())["state"] == "unknown"
        before = rig.world.trips
        answer = await rig.post("/v1/payments/p-1/resolve", VERDICT | {"state": "approved"})
        assert (answer.status_code, answer.json()["state"]) == (200, "approved")
        assert rig.world.trips - before == 1
        assert answer.json() == await rig.payment()


COMMANDS: list[Any] = [
    ("abort", None, "not_abortable"),
    ("confirm", None, "not_pending"),
    ("reversal", MALFUNCTION, "not_reversible"),
    ("resolve", VERDICT, "not_unknown"),
]


@pytest.mark.parametrize(("command", "body", "code"), COMMANDS)
async def test_what_is_not_there_is_told_apart_from_what_cannot_be_done(
    tmp_path: Path, autojump_clock: MockClock, command: str, body: Any, code: str
) -> None:
    """Whatever the lane does meanwhile, and after one look into the journal."""
    async with lane(tmp_path, payment=PENDING) as rig:
        await rig.put("old")
        await rig.post("/v1/payments/old/abort")
        for _ in ("idle", "a payment is there"):
            answer = await rig.post(f"/v1/payments/nobody/{command}", body)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
            before = rig.world.trips
            answer = await rig.post(f"/v1/payments/old/{command}", body)
            busy = command in ("reversal", "resolve") and answer.json()["code"] == "lane_busy"
            assert answer.json()["code"] == code or busy
            assert rig.world.trips - before <= 1
            await rig.put("new")
        await rig.post("/v1/payments/new/abort")


@pytest.mark.parametrize(("command", "body", "code"), COMMANDS)
async def test_a_journal_that_cannot_be_read_refuses_and_the_lane_goes_on(
    tmp_path: Path,
    autojump_clock: MockClock,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    body: Any,
    code: str,
) -> None:
    def unreadable(payment_id: str) -> None:
        raise JournalError("journal.sqlite3: cannot read: disk I/O error")

    async with lane(tmp_path) as rig:
        with monkeypatch.context() as disk:
            disk.setattr(rig.journal, "find", unreadable)
            answer = await rig.post(f"/v1/payments/old/{command}", body)
            assert (answer.status_code, answer.json()["code"]) == (503, "journal_unavailable")
        assert (await rig.pay())["state"] == "approved"
