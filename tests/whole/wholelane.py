"""A whole lane beside a simulated terminal, in one trio run under virtual time.

Everything is real but the sockets, the pins and the panel: configuration, journal on disk, machine,
both apps, the terminal client with its decoder, the simulator with its own.
"""

import errno
import json
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import trio
from asgiwire import Wire
from contract import undocumented
from tillstream import Stream
from wholebooks import compare

from laned.config.file import parse
from laned.config.schema import Config
from laned.daemon import Lane, assemble
from laned.http.serve import PEER, Peer
from laned.journal.store import AnyJournal, Journal, JournalError
from laned.lane import events as ev
from laned.lane.payment import Payment
from laned.offload import in_line
from laned.simulator import SCENARIOS, Scenario, Settings, Terminal, simulator_app
from laned.terminal.client import FIRST_BYTE, LAST_BYTE, TerminalClient
from laned.terminal.names import LookUp, Names

START = datetime(2025, 3, 4, 11, 30, tzinfo=UTC)
ADDRESS = "192.0.2.7"
POI_ID = "LANE-7"
TILL = Peer(pid=4711, uid=1000, gid=1000)

LONGEST_TEST = 24 * 3600.0
"""Virtual seconds; what still waits then would wait for ever."""

T = TypeVar("T")
Tables = dict[str, dict[str, Any]]


def wall() -> datetime:
    """The wall clock that belongs to the virtual one."""
    return START + timedelta(seconds=trio.current_time())


class Moments:
    """The lane's moments: virtual time, and tokens that come one after the other."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self) -> ev.Moment:
        self._count += 1
        return ev.Moment(trio.current_time(), wall(), f"t{self._count:07d}")


def configured(folder: Path, changes: Tables) -> Config:
    """The configuration of a lane in `folder`, read from TOML as the daemon's is."""
    tables: Tables = {
        "lane": {"language": "sv"},
        "terminal": {"address": f"{ADDRESS}:11000", "poi_id": POI_ID},
        "payment": {},
        "maintenance": {"window": ""},
        "display": {"driver": "virtual", "language": "en"},
        "buttons": {"driver": "virtual"},
        "journal": {"path": str(folder / "journal.sqlite3")},
        "listener": {},
    }
    for name, table in changes.items():
        tables[name] = tables[name] | table
    lines = []
    for name, table in tables.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return parse("\n".join(lines), "lane.toml", {})


def first_service_id_1001(config: Config) -> Journal:
    """Open the configured journal; a new one gives out 1001 first."""
    return Journal(Path(config.journal.path), 1000)


async def no_name_server(name: str) -> list[str]:
    """Find nothing."""
    await trio.lowlevel.checkpoint()
    raise OSError(errno.ENOENT, f"{name} is not known")


class Network(httpx.AsyncBaseTransport):
    """The network between lane and terminal: traced as httpcore does it, and it can fail."""

    def __init__(self, terminal: Terminal, nursery: trio.Nursery) -> None:
        self.unplugged = False
        self.address = ADDRESS
        """Where the terminal is."""
        self.posts: list[str] = []
        """Paths asked for at hosts that are not the terminal's."""
        self.unread: Callable[[], Awaitable[object]] | None = None
        """What happens when the next request has come and is not read any more."""
        self._terminal = terminal
        self._wire = Wire(simulator_app(terminal), nursery)
        self._cut = trio.Event()

    def cut(self) -> None:
        """Reset the connections that are open now; the terminal goes on."""
        cut, self._cut = self._cut, trio.Event()
        cut.set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        if request.url.host != self.address or self.unplugged or not self._terminal.powered:
            raise httpx.ConnectError("all attempts to connect failed", request=request)
        trace = request.extensions["trace"]
        await trace(FIRST_BYTE, {})
        await trace(LAST_BYTE, {})
        unread, self.unread = self.unread, None
        if unread is not None:
            await unread()
            raise httpx.ReadError("connection reset by peer", request=request)
        found: list[httpx.Response] = []
        async with trio.open_nursery() as nursery:
            for broken in (self._cut.wait, self._power_cut):
                nursery.start_soon(self._until, broken, nursery.cancel_scope)
            found.append(await self._wire.handle_async_request(request))
            nursery.cancel_scope.cancel()
        if not found:
            raise httpx.ReadError("connection reset by peer", request=request)
        return found[0]

    async def probe(self, address: str) -> bool:
        """Whether a connection could be made."""
        await trio.lowlevel.checkpoint()
        reachable = self._terminal.powered and not self.unplugged
        return reachable and address.rpartition(":")[0] == self.address

    async def _power_cut(self) -> None:
        await self._terminal.until(lambda: not self._terminal.powered)

    async def _until(self, broken: Callable[[], Any], scope: trio.CancelScope) -> None:
        await broken()
        scope.cancel()


class Door(httpx.AsyncBaseTransport):
    """Where the terminal posts to: whichever lane is alive, or nobody."""

    def __init__(self) -> None:
        self.wire: Wire | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        if self.wire is None:
            raise httpx.ConnectError("all attempts to connect failed", request=request)
        return await self.wire.handle_async_request(request)


class Rig:
    """One life of a lane, and its till."""

    def __init__(self, world: "World", config: Config, journal: AnyJournal, lane: Lane) -> None:
        self.world = world
        self.config = config
        self.journal = journal
        self.lane = lane
        self.terminal = world.terminal
        self.scope = trio.CancelScope()
        self.done = trio.Event()
        self.nursery: trio.Nursery
        self.till: httpx.AsyncClient

    @property
    def db(self) -> sqlite3.Connection:
        """The journal's own connection, to make trouble on."""
        assert isinstance(self.journal, Journal)
        return self.journal._db

    # -- The till

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.till.get(path, headers=headers)

    async def post(self, path: str, body: Any = None) -> httpx.Response:
        return await self.till.post(path, content=None if body is None else json.dumps(body))

    async def put(
        self, payment_id: str = "p-1", amount: str = "38.00", *, wait: int = 0, **more: Any
    ) -> httpx.Response:
        headers = {"Prefer": f"wait={wait}"} if wait else {}
        content = json.dumps({"amount": amount} | more)
        return await self.till.put(f"/v1/payments/{payment_id}", content=content, headers=headers)

    async def pay(self, payment_id: str = "p-1", amount: str = "38.00", **more: Any) -> Any:
        """A payment to its end; the final object."""
        answer = await self.put(payment_id, amount, wait=600, **more)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    async def payment(self, payment_id: str = "p-1", wait: int = 0) -> Any:
        headers = {"Prefer": f"wait={wait}"} if wait else {}
        answer = await self.till.get(f"/v1/payments/{payment_id}", headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def view(self) -> Any:
        """`GET /v1/lane`."""
        return (await self.till.get("/v1/lane")).json()

    @asynccontextmanager
    async def stream(self, last: int | str | None = None) -> AsyncIterator[Stream]:
        """An open event stream; its first event has come."""
        headers = {} if last is None else {"Last-Event-ID": str(last)}
        stream = Stream()
        async with (
            self.till.stream("GET", "/v1/events", headers=headers) as answer,
            trio.open_nursery() as nursery,
        ):
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "text/event-stream"
            nursery.start_soon(stream.read, answer.aiter_lines())
            await stream.until("lane")
            yield stream
            nursery.cancel_scope.cancel()

    # -- The customer

    async def press(self, name: str) -> None:
        answer = await self.post(f"/v1/buttons/{name}/press", {"seconds": 0.1})
        assert answer.status_code == 202, answer.text

    # -- Life

    async def settled(self) -> None:
        """Wait until the lane is ready, and the terminal idle and no longer busy."""
        await self.lane.watch.until(lambda state: True if state.phase == "ready" else None)
        terminal = self.terminal
        await terminal.until(lambda: not terminal.running and terminal.display == ("Welcome",))
        await trio.sleep(terminal.settings.busy_after_payment)

    async def stop(self) -> None:
        """The orderly stop."""
        await self.lane.runner.handle(ev.StopAsked())
        await self.done.wait()

    async def kill(self) -> None:
        """End at once, as a power cut does; what is on disk stays."""
        self.world.door.wire = None
        self.scope.cancel()
        await self.done.wait()


class World:
    """A terminal that stays, and the lives of a lane beside it."""

    def __init__(self, folder: Path, nursery: trio.Nursery, terminal: Terminal, door: Door) -> None:
        self.folder = folder
        self.terminal = terminal
        self.network = Network(terminal, nursery)
        self.rig: Rig | None = None
        self.callbacks_may_fail = False
        """Whether the lane was away while the terminal posted."""
        self.unknown: set[str] = set()
        """Payments whose outcome is not known at the end, rightly."""
        self.lost: set[str] = set()
        """Payments that were in a journal which is lost or cannot be read."""
        self.journal_may_fail = False
        """Whether a life may end because the journal takes no more."""
        self.open_journal: Callable[[Config], AnyJournal] = first_service_id_1001
        self.look_up: LookUp = no_name_server
        self.undocumented: list[str] = []
        self.trips = 0
        """How often work was given to the journal's thread."""
        self.gate: trio.Event | None = None
        """What the journal's thread waits for, at work on something that takes long."""
        self._nursery = nursery
        self.door = door
        self._moments = Moments()

    async def start(self, *, settled: bool = True, **changes: Any) -> Rig:
        """Begin a life with these changes to the configuration's tables."""
        config = configured(self.folder, changes)
        rig: Rig = await self._nursery.start(self._live, config)
        if settled:
            await rig.settled()
        return rig

    def move(self, address: str) -> None:
        """The terminal is at another address from now on, and posts from there."""
        self.network.address = address
        if self.rig is not None:
            client = (address, 40123)
            self.door.wire = Wire(self.rig.lane.callback, self.rig.nursery, client=client)

    async def _live(self, config: Config, *, task_status: trio.TaskStatus[Rig]) -> None:
        journal = self.open_journal(config)
        names = Names(self.look_up)
        client = TerminalClient(config.terminal.connect_timeout, self.network, names)
        life = partial(
            assemble,
            config,
            journal,
            client,
            journal_offload=self._offload,
            display_offload=in_line,
            names=names,
            moment=self._moments,
        )
        try:
            async with trio.open_nursery() as nursery:
                lane: Lane = await nursery.start(life)
                rig = self.rig = Rig(self, config, journal, lane)
                with rig.scope:
                    async with trio.open_nursery() as apps:
                        rig.nursery = apps
                        posting = (self.network.address, 40123)
                        self.door.wire = Wire(lane.callback, apps, client=posting)
                        wire = Wire(lane.till, apps, extensions={PEER: TILL})
                        base = "http://lane"
                        async with httpx.AsyncClient(transport=wire, base_url=base) as rig.till:
                            rig.till.timeout = httpx.Timeout(None)
                            rig.till.event_hooks = {"response": [self._compare]}
                            task_status.started(rig)
                            await lane.ended.wait()
                            self.door.wire = None
                            apps.cancel_scope.deadline = trio.current_time() + 1
                            await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
        except* JournalError:
            if not self.journal_may_fail:
                raise
        finally:
            self.door.wire = None
            journal.close()
            await client.aclose()
        rig.done.set()

    async def _offload(self, work: Callable[[], T], /) -> T:
        self.trips += 1
        if self.gate is not None:
            await self.gate.wait()
        return await in_line(work)

    async def _compare(self, response: httpx.Response) -> None:
        """Compare every answer that a till gets with the OpenAPI document."""
        if response.headers.get("content-type") != "text/event-stream":
            await response.aread()
        self.undocumented += undocumented(response)

    def categories(self) -> list[str]:
        """What the till sent to the terminal, in order."""
        return [request.category for request in self.terminal.requests]

    # -- The books

    def payments(self) -> list[Payment]:
        """All payments of the journal; none if it cannot be read."""
        if self.rig is not None and not self.rig.done.is_set():
            try:
                return self.rig.journal.payments(None, 1000, None) or []
            except JournalError:
                return []
        journal = Journal(self.folder / "journal.sqlite3", 1000)
        try:
            return journal.payments(None, 1000, None) or []
        finally:
            journal.close()

    def lose_journal(self) -> None:
        """Let the journal vanish between two lives; what lies beside it stays."""
        self.lost |= {payment.id for payment in self.payments()}
        for suffix in ("", "-wal", "-shm"):
            (self.folder / f"journal.sqlite3{suffix}").unlink(missing_ok=True)

    def check(self) -> None:
        """What holds after every test: no rule broken, and the books agree."""
        # With texts of their own: pytest explains only the assertions in test modules.
        assert not self.terminal.violations, self.terminal.violations
        assert not self.undocumented, self.undocumented
        errors = self.terminal.callback_errors
        assert self.callbacks_may_fail or not errors, errors
        compare(self.terminal, self.payments(), unknown=self.unknown, lost=self.lost)


@asynccontextmanager
async def world(
    folder: Path, scenario: str | Scenario = "happy", settings: Settings | None = None
) -> AsyncIterator[World]:
    """A terminal without a lane as yet; the books are checked at the end."""
    door = Door()
    async with (
        httpx.AsyncClient(transport=door, timeout=None) as posts,
        trio.open_nursery() as nursery,
    ):
        terminal = Terminal(
            scenario=SCENARIOS[scenario] if isinstance(scenario, str) else scenario,
            settings=settings,
            callback="http://lane:11000",
            callback_client=posts,
            rng=random.Random(1),
            now=wall,
        )
        await nursery.start(terminal.run)
        found = World(folder, nursery, terminal, door)
        with trio.fail_after(LONGEST_TEST):
            yield found
        found.check()
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def lane(
    folder: Path,
    scenario: str | Scenario = "happy",
    settings: Settings | None = None,
    **changes: Any,
) -> AsyncIterator[Rig]:
    """A lane that is ready, at a terminal that is; the books are checked at the end."""
    async with world(folder, scenario, settings) as found:
        yield await found.start(**changes)


async def refused(rig: Rig, method: str, path: str, status: int, code: str, **more: Any) -> Any:
    """The problem that a request is refused with, after a look at its shape."""
    answer = await rig.till.request(method, path, **more)
    assert answer.status_code == status, f"{method} {path} {more}: {answer.text[:300]}"
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) <= {"title", "status", "code", "detail", "active", "field"}
    assert set(problem) >= {"title", "status", "code", "detail"}
    assert (problem["status"], problem["code"]) == (status, code)
    assert isinstance(problem["detail"], str)
    assert problem["detail"]
    assert len(answer.content) < 2000, "an answer repeats what was asked at any length"
    return problem
