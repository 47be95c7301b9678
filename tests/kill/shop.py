"""A shop on real sockets: the simulated terminal in this process, a till, and the daemon between.

The till does what a till must: it repeats its PUT until it has an answer.
"""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import httpx
import trio

from kill.victim import Victim, victim
from laned.http.listen import listen_tcp
from laned.http.serve import serve
from laned.simulator import SCENARIOS, Settings, Terminal, callback_client, simulator_app

SPEED = 100.0
"""How many times faster than a person the terminal and its customers are."""
AGAIN = 0.02
"""Seconds until the till repeats what was not answered."""
PATIENCE = 60.0
"""Seconds after which a payment that has no outcome is a failure of the test."""
NOT_NOW = frozenset({"lane_busy", "outcome_unknown", "terminal_unavailable"})
FINAL = frozenset({"approved", "declined", "aborted", "failed", "reversed"})

Payment = dict[str, Any]


def is_final(payment: Payment) -> bool:
    """Whether nothing of a payment, as the till sees it, runs any more."""
    reversal = payment["reversal"]
    settled = reversal is None or reversal["state"] in ("done", "refused")
    return payment["state"] in FINAL and settled


class Till:
    """A till that never gives up, and notes what it was told."""

    def __init__(self, daemon: Victim) -> None:
        self.asked: dict[str, Payment] = {}
        """What each payment was asked with."""
        self.told: dict[str, Payment] = {}
        """Each payment as the daemon told it last."""
        self.http = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(
                uds=str(daemon.socket), limits=httpx.Limits(max_keepalive_connections=0)
            ),
            base_url="http://lane",
            timeout=PATIENCE,
            trust_env=False,
        )

    async def aclose(self) -> None:
        await self.http.aclose()

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """One request; (0, None) when no answer came."""
        headers = {"Prefer": "wait=5"} if method in ("PUT", "GET") else {}
        try:
            reply = await self.http.request(method, path, json=body or {}, headers=headers)
        except httpx.TransportError:
            return 0, None
        return reply.status_code, reply.json()

    async def pay(self, payment_id: str, body: Payment, *, abort: bool = False) -> Payment:
        """Have a payment made, and perhaps change one's mind; its outcome."""
        self.asked[payment_id] = body
        path = f"/v1/payments/{payment_id}"
        hasty = abort or body.get("confirm") == "button"
        with trio.move_on_after(PATIENCE):
            while True:
                if hasty:
                    await self._put_without_waiting(path, body)
                    await self.ask("POST", f"{path}/confirm")
                    if abort:
                        await self.ask("POST", f"{path}/abort")
                if self._outcome(payment_id, await self.ask("PUT", path, body), (200, 201)):
                    return self.told[payment_id]
                await self.ask("POST", "/v1/session/login")  # ends a pause for too many doubts
                await trio.sleep(AGAIN)
        raise AssertionError(self._no_outcome(payment_id))

    async def _put_without_waiting(self, path: str, body: Payment) -> None:
        with suppress(httpx.TransportError):
            await self.http.put(path, json=body)

    async def reverse(self, payment_id: str) -> Payment:
        """Have an approved payment reversed; what became of it."""
        path = f"/v1/payments/{payment_id}"
        with trio.move_on_after(PATIENCE):
            while True:
                if self._outcome(payment_id, await self.ask("GET", path), (200,)):
                    if self.told[payment_id]["reversal"] is not None:
                        return self.told[payment_id]
                    reply = await self.ask("POST", f"{path}/reversal", {"reason": "MerchantCancel"})
                    self._outcome(payment_id, reply, (202,))
                await trio.sleep(AGAIN)
        raise AssertionError(self._no_outcome(payment_id))

    def _no_outcome(self, payment_id: str) -> str:
        told = self.told.get(payment_id)
        return f"{payment_id} has no outcome after {PATIENCE:g} s, it was told as {told}"

    def _outcome(self, payment_id: str, reply: tuple[int, Any], good: tuple[int, ...]) -> bool:
        """Note what was told; whether nothing is waited for any more."""
        status, body = reply
        if status == 0 or (status in (409, 503) and body["code"] in NOT_NOW):
            return False
        assert status in good, f"{payment_id}: {reply}"
        before = self.told.get(payment_id)
        if before is not None and before["state"] in FINAL:
            kept = (before["state"], before["poi_transaction"])
            now = (body["state"], body["poi_transaction"])
            reversing = kept[0] == "approved" and now == ("reversed", kept[1])
            assert now == kept or reversing, f"{payment_id} was told {kept}, then {now}"
            assert body["reversal"] or not before["reversal"], f"{payment_id} forgot its reversal"
        self.told[payment_id] = body
        return is_final(body) or body["set_aside_at"] is not None


class Shop:
    """Terminal, daemon and till; `wrongs` is what broke a rule while it happened."""

    def __init__(self, daemon: Victim, till: Till, terminal: Terminal, wrongs: list[str]) -> None:
        self.daemon = daemon
        self.till = till
        self.terminal = terminal
        self.wrongs = wrongs


@asynccontextmanager
async def shop(seed: int) -> AsyncIterator[Shop]:
    """A shop whose daemon is not started yet."""
    wrongs: list[str] = []

    def watch(line: str) -> None:
        """Money rule 5, looked at when a Login arrives and before the terminal obeys it."""
        if line.startswith(("till: Login", "till: Logout")):
            if terminal.running:
                wrongs.append(f"{line} while {terminal.running} runs")
            # without a session the terminal is at work on nothing
            if (unfinished := daemon.unfinished()) and terminal.session is not None:
                wrongs.append(f"{line} while the journal holds {unfinished}")

    with victim() as daemon:
        listeners = await listen_tcp("127.0.0.1:0")
        daemon.configure(listeners[0].socket.getsockname()[1])
        till = Till(daemon)
        async with callback_client() as client, trio.open_nursery() as nursery:
            terminal = Terminal(
                scenario=SCENARIOS["happy"],
                settings=Settings(speed=SPEED),
                callback=f"http://127.0.0.1:{daemon.listener_port}",
                callback_client=client,
                rng=random.Random(seed),
                on_event=watch,
            )
            await nursery.start(terminal.run)
            stop = trio.Event()
            nursery.start_soon(partial(serve, simulator_app(terminal), listeners, stop=stop))
            try:
                yield Shop(daemon, till, terminal, wrongs)
            finally:
                daemon.close()
                with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                    await till.aclose()
                nursery.cancel_scope.cancel()
