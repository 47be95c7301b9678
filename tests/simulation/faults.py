"""The network between lane and terminal, and everything that can go wrong on it.

One `Fault` is chosen for each exchange, by the seed. The lane's requests reach the terminal's own
`handle`, the terminal's posts reach the lane's callback app: only the sockets are missing.
"""

import random
import re
from collections.abc import Awaitable, Callable, MutableMapping
from enum import StrEnum
from typing import Any, Protocol

import httpx
import trio
from exchanges import Exchange, Fault, value

from laned.simulator import Terminal
from laned.terminal.client import FIRST_BYTE, LAST_BYTE

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]
ADDRESS = "192.0.2.7"
CONNECT_TIMEOUT = 3.0
READ_LATE = 1.5
"""Seconds by which the terminal may read a request late, even when its sender is gone; what comes
later than money rule 4 waits cannot be told from what never comes."""


class PostFault(StrEnum):
    """What happens to one message that the terminal posts."""

    NONE = "none"
    REFUSED = "refused"
    CUT = "answer lost"
    TWICE = "twice"
    LATE = "late"


class Wires(Protocol):
    """What the network needs to know of the world around it."""

    @property
    def connected(self) -> Terminal: ...

    nursery: trio.Nursery
    boots: int

    @property
    def unplugged(self) -> bool: ...

    ignores_reference: bool
    lies: set[str]
    open: set[Exchange]

    def reaches(self, address: str) -> bool: ...
    def choose(self, category: str) -> Fault: ...
    def choose_post(self, category: str) -> PostFault: ...
    def leaves(self, exchange: Exchange) -> None: ...
    def latency(self) -> float: ...
    def reached(self, exchange: Exchange, terminal: Terminal) -> None: ...
    def delivered(self, exchange: Exchange) -> None: ...
    def turned_away(self) -> None: ...
    def too_late(self) -> None: ...


class Network(httpx.AsyncBaseTransport):
    """Carries one life's requests; `point` is where that life may crash."""

    def __init__(
        self,
        world: Wires,
        rng: random.Random,
        point: Callable[[str], None],
        older: dict[str, bytes],
    ) -> None:
        self._world = world
        self._rng = rng
        self._point = point
        self._older = older

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        world = self._world
        exchange = Exchange(await request.aread(), trio.current_time())
        self._point(f"before {exchange.category} is sent")
        exchange.fault = world.choose(exchange.category)
        await trio.sleep(world.latency())
        address = f"{request.url.host}:{request.url.port}"
        if exchange.fault is Fault.REFUSED or not world.reaches(address):
            await trio.sleep(self._rng.choice((0.0, 0.0, CONNECT_TIMEOUT)))
            raise httpx.ConnectError("all attempts to connect failed", request=request)
        trace = request.extensions["trace"]
        terminal, boots = world.connected, world.boots
        world.leaves(exchange)
        await trace(FIRST_BYTE, {})
        self._point(f"while {exchange.category} is sent")
        if exchange.fault is Fault.RESET_BEFORE:
            raise httpx.WriteError("broken pipe", request=request)
        world.open.add(exchange)
        try:
            if exchange.fault is Fault.STALLED:
                await trio.sleep(self._rng.choice((0.5, 20.0, 200.0)))
            if exchange.cut or boots != world.boots:  # nobody knows this connection any more
                raise httpx.WriteError("broken pipe", request=request)
            world.nursery.start_soon(self._carry, exchange, terminal)
            await trace(LAST_BYTE, {})
            self._point(f"after {exchange.category} is sent")
            await self._answered(exchange, request)
        finally:
            world.open.discard(exchange)
        self._point(f"before {exchange.category} is answered")
        return self._response(exchange)

    async def _carry(self, exchange: Exchange, terminal: Terminal) -> None:
        """The terminal's side; the lane may have gone meanwhile."""
        if exchange.fault is Fault.SLOW_REQUEST:
            await trio.sleep(self._rng.uniform(0, READ_LATE))
        if exchange.cut:
            return
        await trio.sleep(self._world.latency())
        raw = exchange.raw
        if self._world.ignores_reference and exchange.category == "TransactionStatus":
            raw = re.sub(rb"<MessageReference[^>]*/>", b"", raw)
        self._world.reached(exchange, terminal)
        if exchange.fault is Fault.RESET_AFTER:
            self._world.nursery.start_soon(self._reset, exchange)
        reply = await terminal.handle(raw)
        if exchange.fault is Fault.SLOW_ANSWER:
            await trio.sleep(self._rng.choice((0.5, 5.0, 15.0, 90.0, 400.0)))
        await trio.sleep(self._world.latency())
        if reply.cut:
            exchange.reset()
        else:
            exchange.status, exchange.answer = reply.status, reply.body
            exchange.over.set()

    async def _reset(self, exchange: Exchange) -> None:
        """After a while in which the terminal works on it."""
        await trio.sleep(self._rng.choice((0.01, 1.0, 4.0, 8.0)))
        exchange.reset()

    async def _answered(self, exchange: Exchange, request: httpx.Request) -> None:
        await exchange.over.wait()
        if exchange.fault is Fault.SILENT:
            await exchange.broken.wait()
        if exchange.cut or exchange.fault is Fault.RESET_AFTER:
            raise httpx.ReadError("connection reset by peer", request=request)

    def _response(self, exchange: Exchange) -> httpx.Response:
        status, body, category = exchange.status, exchange.answer or b"", exchange.category
        older = self._older.get(category)
        if status == 200:
            self._older[category] = body
        match exchange.fault:
            case Fault.TRUNCATED:
                body = body[: self._rng.randrange(len(body) or 1)]
            case Fault.GARBAGE:
                body = self._rng.choice((b"\x00\xff" * 40, b"<html></html>", b"<a>" * 50))
            case Fault.FOREIGN:
                body = body.replace(b'ServiceID="', b'ServiceID="9')
            case Fault.STALE if older is not None and status == 200:
                body = older
            case Fault.ERROR:
                status, body = 500, b""
            case Fault.EMPTY:
                status, body = 204, b""
            case _:
                for service_id in self._world.lies:
                    if f'ServiceID="{service_id}"'.encode() in body:
                        body = body.replace(b'AuthorizedAmount="', b'AuthorizedAmount="1')
                exchange.status, exchange.answer = status, body
                self._world.delivered(exchange)
                return _response(status, body)
        return _response(status, body)


def _response(status: int, body: bytes) -> httpx.Response:
    headers = {"content-type": "application/xml; charset=utf-8"}
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))


class Door(httpx.AsyncBaseTransport):
    """Where terminals post to: the callback app of whichever lane is alive, or nobody's."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None
        self.apps: trio.Nursery | None = None

    def opened(self, world: Wires, rng: random.Random) -> None:
        self._world = world
        self._rng = rng

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        raw = await request.aread()
        fault = self._world.choose_post(value(raw, "MessageCategory"))
        if fault is PostFault.LATE:
            await trio.sleep(self._rng.choice((0.3, 3.0, 20.0)))
        client = self._world.connected.address.rpartition(":")[0]
        post = Post(raw, request, client)
        gone = fault is PostFault.REFUSED or self._world.unplugged
        if gone or not self._begin(post):
            raise httpx.ConnectError("all attempts to connect failed", request=request)
        if fault is PostFault.TWICE:
            self._world.nursery.start_soon(self._again, Post(raw, request, client))
        answer = await post.answered()
        if answer is not None and answer.status_code == 403:
            self._world.turned_away()
        if answer is not None and answer.status_code == 503:
            self._world.too_late()
        if fault is PostFault.CUT or answer is None:
            raise httpx.ReadError("connection reset by peer", request=request)
        return answer

    def _begin(self, post: "Post") -> bool:
        """Connect to the life that runs, if there is one."""
        if self.app is None or self.apps is None:
            return False
        try:
            self.apps.start_soon(post.serve, self.app)
        except RuntimeError:
            return False  # it is ending just now
        return True

    async def _again(self, post: "Post") -> None:
        """The same message once more, at whatever time, for a while."""
        await trio.sleep(self._rng.choice((0.0, 0.5, 3.0, 20.0, 60.0)))
        if self._begin(post):
            await trio.sleep(10.0)
            post.hung_up.set()


class Post:
    """One connection to the callback app."""

    def __init__(self, raw: bytes, request: httpx.Request, client: str) -> None:
        self.hung_up = trio.Event()
        self._over = trio.Event()
        self._raw: bytes | None = raw
        self._request = request
        self._client = client
        self._status: int | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = b""

    async def serve(self, app: ASGIApp) -> None:
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "path": self._request.url.path,
            "headers": [],
            "client": (self._client, 40123),
            "extensions": {},
        }
        try:
            await app(scope, self._receive, self._send)
        finally:
            self._over.set()

    async def answered(self) -> httpx.Response | None:
        try:
            await self._over.wait()
        except trio.Cancelled:
            self.hung_up.set()
            raise
        if self._status is None:
            return None
        stream = httpx.ByteStream(self._body)
        return httpx.Response(self._status, headers=self._headers, stream=stream)

    async def _receive(self) -> MutableMapping[str, Any]:
        await trio.lowlevel.checkpoint()
        if self._raw is not None:
            raw, self._raw = self._raw, None
            return {"type": "http.request", "body": raw, "more_body": False}
        await self.hung_up.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        await trio.lowlevel.checkpoint()
        if message["type"] == "http.response.start":
            self._status, self._headers = message["status"], list(message["headers"])
        else:
            self._body += message.get("body", b"")
