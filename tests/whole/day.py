"""One day over real sockets, faster: python tests/whole/day.py [--speed 1000] [--seed 1].

Listeners on loopback and on a unix socket, httpx, the journal on disk, the worker threads, the
liveness probe, the simulated terminal at its own port: all of it as `laned run` has it, in one
process whose clock goes so many times faster. Only while a payment runs it goes `SLOWER`.

What takes a machine a few milliseconds takes seconds then. So the configured time-outs are the
longest that are allowed, and those that are constants are `PATIENCE` times as long.
"""

import argparse
import logging
import random
import secrets
import sys
import tempfile
import time as real
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import msgspec
import trio
import trio.testing
from msgspec import Struct
from wholebooks import compare

from laned import daemon
from laned.config.file import parse
from laned.http.listen import listen_tcp
from laned.lane.events import Moment
from laned.simulator import (
    SCENARIOS,
    Condition,
    Settings,
    Terminal,
    callback_client,
    listener,
    port,
)
from laned.simulator.port import serve_terminal
from laned.terminal import callback
from laned.terminal import probe as liveness

ZONE = ZoneInfo("Europe/Stockholm")
BEGIN = datetime(2025, 3, 29, 12, 0, tzinfo=ZONE)
"""The night in which summer time begins."""
DAY = 24 * 3600.0
CUSTOMERS = 24
SLOWER = 20.0
PATIENCE = 20.0
POI_ID = "LANE-7"
REPEATS = 10
AT_LEAST = 0.95
"""Of the time that the terminal allowed: a second of this machine is a quarter of an hour here."""


def patient() -> None:
    """Make the constants of both sides longer."""
    slow = {
        name: getattr(daemon.TERMINAL_LIMITS, name) * PATIENCE
        for name in ("head_timeout", "write_timeout", "linger_timeout", "graceful_timeout")
    }
    for module, name in ((daemon, "TERMINAL_LIMITS"), (daemon, "TILL_LIMITS"), (port, "LIMITS")):
        setattr(module, name, msgspec.structs.replace(getattr(module, name), **slow))
    for module, name in (
        (callback, "BODY_WITHIN"),
        (daemon, "STOP_WITHIN"),
        (liveness, "LONGEST_PROBE"),
        (listener, "CONNECT_TIMEOUT"),
    ):
        setattr(module, name, getattr(module, name) * PATIENCE)
    post = listener.Listener._post
    post.__defaults__ = (listener.POST_TIMEOUT * PATIENCE,)


class Counted(Struct):
    """What the customers were told."""

    states: dict[str, int] = {}
    refused: int = 0


class Day:
    """The clock, the terminal and the lane of one day."""

    def __init__(self, clock: trio.testing.MockClock, speed: float, seed: int) -> None:
        self.clock = clock
        self.speed = speed
        self.draw = random.Random(seed)
        self.counted = Counted()
        self.figure = 0.0
        self.ready = trio.Event()
        self.stop = trio.Event()
        self.terminal: Terminal
        self._zero = trio.current_time()

    def wall(self) -> datetime:
        gone = timedelta(seconds=trio.current_time() - self._zero)
        return (BEGIN.astimezone(UTC) + gone).astimezone(ZONE)

    def moment(self) -> Moment:
        return Moment(trio.current_time(), self.wall(), secrets.token_hex(4))

    async def run(self, folder: Path) -> None:
        """Live through it, tell of it, and compare the books."""
        (here,) = await listen_tcp("127.0.0.1:0")
        address = f"127.0.0.1:{here.socket.getsockname()[1]}"
        (free,) = await listen_tcp("127.0.0.1:0")
        bind = f"127.0.0.1:{free.socket.getsockname()[1]}"
        await free.aclose()
        config = parse(
            f"""
            [terminal]
            address = "{address}"
            poi_id = "{POI_ID}"
            connect_timeout = 60.0
            status_timeout = 120.0
            [listener]
            bind = "{bind}"
            [till]
            socket = "{folder / "till.sock"}"
            [display]
            driver = "virtual"
            [buttons]
            driver = "virtual"
            [journal]
            path = "{folder / "journal.sqlite3"}"
            """,
            "lane.toml",
            {},
        )
        journal = daemon.open_journal(config)

        async def lane() -> None:
            await daemon.serve_lane(
                config,
                journal,
                stop=self.stop,
                on_ready=lambda _: self.ready.set(),
                moment=self.moment,
            )

        async with callback_client() as client, trio.open_nursery() as nursery:
            nursery.start_soon(lane)
            await self.ready.wait()
            self.terminal = Terminal(
                settings=Settings(
                    address=address, poi_id=POI_ID, boot_time=60.0, daily_reboot=time(5, 10)
                ),
                callback=f"http://{bind}",
                callback_client=client,
                rng=self.draw,
                now=self.wall,
            )
            await nursery.start(self.terminal.run)
            nursery.start_soon(serve_terminal, self.terminal, [here])
            nursery.start_soon(self._weather)
            await self._customers(str(folder / "till.sock"))
            await self.terminal.until(lambda: not self.terminal.running)
            found = self.terminal.availability
            told, self.figure = self._told(), found.up / found.allowed
            self.stop.set()
            with trio.move_on_after(3600.0):
                await self.terminal.until(lambda: self.terminal.session is None)
            nursery.cancel_scope.cancel()
        payments = journal.payments(None, 1000, None) or []
        print(told)
        for payment in payments:
            if not payment.final:
                print(f"{payment.id} is {payment.state}: {payment.error}")
        compare(self.terminal, payments, unknown=set(), lost=set())
        journal.close()

    async def _weather(self) -> None:
        """An outage, a power cut, and a wish for maintenance."""
        terminal = self.terminal
        await trio.sleep(3 * 3600)
        await terminal.outage(600.0)
        await trio.sleep(2 * 3600)
        await terminal.reboot()
        await trio.sleep(3 * 3600)
        terminal.require_maintenance()

    async def _customers(self, socket: str) -> None:
        limits = httpx.Limits(max_keepalive_connections=0)
        transport = httpx.AsyncHTTPTransport(uds=socket, limits=limits)
        names = ("happy", "happy", "happy", "declined", "lost-response", "customer-cancel")
        async with httpx.AsyncClient(
            transport=transport, base_url="http://lane", timeout=None
        ) as till:
            times = sorted(self.draw.uniform(0, DAY) for _ in range(CUSTOMERS))
            for number, at in enumerate([*times, DAY]):
                await trio.sleep(max(0.0, self._zero + at - trio.current_time()))
                if number < CUSTOMERS:
                    self.terminal.next_scenarios.append(SCENARIOS[self.draw.choice(names)])
                    await self._slowly(lambda n=number: self._pay(till, f"c-{n}"))  # type: ignore[misc]

    async def _slowly(self, work: Callable[[], Awaitable[None]]) -> None:
        self.clock.rate = self.speed / SLOWER
        try:
            await work()
        finally:
            self.clock.rate = self.speed

    async def _pay(self, till: httpx.AsyncClient, payment_id: str) -> None:
        path, content = f"/v1/payments/{payment_id}", '{"amount": "38.00"}'
        for _ in range(REPEATS):  # as a till does that has lost its connection
            with suppress(httpx.TransportError):
                answer = await till.put(path, content=content, headers={"Prefer": "wait=600"})
                break
            await trio.sleep(1.0)
        else:
            raise AssertionError(f"{payment_id}: the till's socket cannot be reached")
        if answer.is_success:
            state = answer.json()["state"]
            self.counted.states[state] = self.counted.states.get(state, 0) + 1
        else:
            self.counted.refused += 1
            self.terminal.next_scenarios.clear()

    def _told(self) -> str:
        found = self.terminal.availability
        kinds = ", ".join(f"{kind} {found.seconds(kind):.0f} s" for kind in Condition)
        violations = self.terminal.violations
        return "\n".join(
            [
                f"customers: {self.counted.states}, {self.counted.refused} refused",
                f"charged: {len(self.terminal.ledger.charged())}, of {len(self.terminal.ledger)}",
                f"the terminal: {kinds}",
                f"up {found.up / found.allowed:.3%} of the time that the terminal allowed",
                f"maintenances: {self.terminal.maintenances}",
                f"not posted: {self.terminal.callback_errors}",
                f"complaints: {violations}",
            ]
        )


def main() -> int:
    """The command; its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speed", type=float, default=1000.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log", action="store_true")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO if args.log else logging.CRITICAL, stream=sys.stderr)
    patient()
    began = real.monotonic()
    clock = trio.testing.MockClock(rate=args.speed)
    days: list[Day] = []

    async def live() -> None:
        days.append(Day(clock, args.speed, args.seed))
        with tempfile.TemporaryDirectory(prefix="laned-day-") as folder:
            await days[0].run(Path(folder))

    trio.run(live, clock=clock)
    wrong = bool(days[0].terminal.violations) or days[0].figure < AT_LEAST
    print(f"a day in {real.monotonic() - began:.0f} s")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
