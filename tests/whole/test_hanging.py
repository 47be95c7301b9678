"""A connection that stays open and brings nothing, while the terminal answers on others."""

from pathlib import Path

import httpx
import pytest
import trio
from trio.testing import MockClock
from wholelane import Rig, lane

RESPONSE_TIMEOUT = 300.0


class Hangs:
    """Takes the place of a rig's wire: the next exchange never ends, unless laned hangs up."""

    def __init__(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        wire = rig.world.network._wire
        self._carry = wire.handle_async_request
        self._hung = False
        self.open = 0
        monkeypatch.setattr(wire, "handle_async_request", self._next)

    async def _next(self, request: httpx.Request) -> httpx.Response:
        if self._hung:
            return await self._carry(request)
        self._hung = True
        self.open += 1
        try:
            await self.read(request)
            await trio.sleep_forever()
        finally:
            self.open -= 1

    async def read(self, request: httpx.Request) -> None:
        """What the terminal does with the request."""


class Swallows(Hangs):
    """The terminal works on it, and its answer gets lost."""

    async def read(self, request: httpx.Request) -> None:
        await self._carry(request)


async def test_an_answer_that_is_swallowed_is_asked_for(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Money rule 3: the repeated answer ends the payment at once, and its connection with it."""
    async with lane(tmp_path) as rig:
        hanging = Swallows(rig, monkeypatch)
        began = trio.current_time()
        payment = await rig.pay()
        assert (payment["state"], payment["error"]) == ("approved", None)
        assert trio.current_time() - began < 50  # 30 s after the last display
        assert hanging.open == 0
        await rig.settled()
        assert (await rig.pay("next"))["state"] == "approved"


async def test_a_request_that_is_never_read_is_set_aside(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Money rules 3, 4 and 14: after response_timeout it is closed; "not found" decides nothing."""
    async with lane(tmp_path) as rig:
        await trio.sleep(10)  # nothing more comes that was for the session
        hanging = Hangs(rig, monkeypatch)
        began = trio.current_time()
        await rig.put()
        payment = await rig.payment(wait=250)
        assert (payment["state"], hanging.open) == ("processing", 1)
        payment = await rig.payment(wait=250)
        assert (payment["state"], payment["error"]["condition"]) == ("unknown", "NotFound")
        assert payment["set_aside_at"] is not None
        assert 70 <= trio.current_time() - began - RESPONSE_TIMEOUT < 90
        assert hanging.open == 1  # it may yet bring an answer, and keeps nobody waiting
        assert len(rig.terminal.ledger) == 0
        rig.world.unknown.add("p-1")
        assert (await rig.pay("next"))["state"] == "approved"


async def test_a_terminal_that_has_forgotten_what_it_did_leaves_a_person_to_say_so(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own connection is waited for until response_timeout: nothing else will ever tell."""
    async with lane(tmp_path) as rig:
        hanging = Swallows(rig, monkeypatch)
        await rig.put()
        await rig.terminal.until(lambda: len(rig.terminal.ledger.charged()) == 1)
        rig.terminal._memory.forget()
        await trio.sleep(60)
        assert ((await rig.payment())["state"], hanging.open) == ("processing", 1)
        verdict = {"state": "approved", "note": "on its receipt"}
        answer = await rig.post("/v1/payments/p-1/resolve", verdict)
        assert answer.json()["code"] == "lane_busy"
        payment = await rig.payment(wait=400)
        assert payment["state"] == "unknown"
        assert payment["set_aside_at"] is not None
        answer = await rig.post("/v1/payments/p-1/resolve", verdict)
        assert answer.status_code == 200
        assert (await rig.payment())["state"] == "approved"
