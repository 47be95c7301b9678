"""The terminal client against real sockets that misbehave: answered, certainly not sent, or lost.

What left is decided by what was seen to leave, not by the kind of error (money rule 3).
"""

import gzip
import socket
import struct
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import partial

import pytest
import trio

from laned.lane.exchanges import Answered, Exchange, Lost, NotSent
from laned.nexo import encode
from laned.nexo.messages import Category, LogoutRequest, LogoutResponse, Message, request_header
from laned.terminal.client import TerminalClient
from laned.terminal.names import Names
from laned.terminal.probe import tcp_probe

# httpx does not close its generators one by one when a body is given up half-way.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator 'http(x|core):ResourceWarning")

PATIENCE = 5.0
"""Seconds after which a test that waits on a real socket has failed."""
CONNECT = 0.5
MANY = 20
HEADER = request_header(Category.LOGOUT, service_id="4711", sale_id="1", poi_id="LANE-7")
REQUEST = Message(HEADER, LogoutRequest(maintenance_allowed=False))
OK = (
    b'<SaleToPOIResponse><MessageHeader MessageClass="Service" MessageCategory="Logout"'
    b' MessageType="Response" ServiceID="4711" SaleID="1" POIID="LANE-7"/>'
    b'<LogoutResponse><Response Result="Success"/></LogoutResponse></SaleToPOIResponse>'
)

Behaviour = Callable[[trio.SocketStream], Awaitable[None]]


def http(body: bytes, status: str = "200 OK", *fields: str) -> bytes:
    head = [f"HTTP/1.1 {status}", "Content-Type: application/xml", *fields]
    if not any(field.startswith(("Content-Length", "Transfer")) for field in fields):
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


async def read_request(stream: trio.SocketStream) -> bytes:
    """The whole request: head and body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += await stream.receive_some()
    head, _, body = data.partition(b"\r\n\r\n")
    (length,) = (
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    )
    while len(body) < length:
        body += await stream.receive_some()
    return head + b"\r\n\r\n" + body


def reset(stream: trio.SocketStream) -> None:
    """Close with RST."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.socket.close()


def answers(*parts: bytes, then: str = "close") -> Behaviour:
    """Reads the request, writes the parts, and closes, resets or stays silent."""

    async def behave(stream: trio.SocketStream) -> None:
        await read_request(stream)
        for part in parts:
            await stream.send_all(part)
            await trio.sleep(0.01)
        if then == "silence":
            await trio.sleep_forever()
        if then == "reset":
            reset(stream)

    return behave


class Terminal:
    """A TCP server with one behaviour, and a client for it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.client = TerminalClient(CONNECT)
        self.sent = 0
        self.sent_often = trio.Event()

    async def exchange(self, within: float = 2.0, message: Message = REQUEST) -> Exchange:
        async def sent() -> None:
            self.sent += 1
            if self.sent == MANY:
                self.sent_often.set()

        with trio.fail_after(PATIENCE):
            return await self.client.exchange(message, self.address, within, sent)


@asynccontextmanager
async def terminal(behaviour: Behaviour) -> AsyncIterator[Terminal]:
    async with trio.open_nursery() as nursery:
        found = Terminal(f"127.0.0.1:{await _listen(nursery, behaviour)}")
        try:
            yield found
        finally:
            await found.client.aclose()
        nursery.cancel_scope.cancel()


async def _listen(nursery: trio.Nursery, behaviour: Behaviour) -> int:
    async def handler(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):  # a client hangs up
            await behaviour(stream)

    (listener,) = await nursery.start(partial(trio.serve_tcp, handler, 0, host="127.0.0.1"))
    port: int = listener.socket.getsockname()[1]
    return port


# -- Answered -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "behaviour",
    [
        answers(http(OK)),
        answers(http(OK, "200 ")),
        answers(*(bytes([byte]) for byte in http(OK)[:40]), http(OK)[40:]),
        answers(http(OK), then="silence"),
        answers(http(OK, "200 OK", "Connection: keep-alive"), then="silence"),
        answers(b"HTTP/1.0 200 OK\r\n\r\n" + OK),
        answers(
            http(b"%x\r\n%s\r\n0\r\n\r\n" % (len(OK), OK), "200 OK", "Transfer-Encoding: chunked")
        ),
        answers(b"HTTP/1.1 100 Continue\r\n\r\n" + http(OK)),
    ],
)
async def test_an_answer_is_taken_however_it_is_sent(behaviour: Behaviour) -> None:
    async with terminal(behaviour) as there:
        exchange = await there.exchange()
        assert isinstance(exchange, Answered), exchange
        assert exchange.message is not None
        assert isinstance(exchange.message.body, LogoutResponse)
        assert exchange.message.body.response.success
        assert there.sent == 1


async def test_what_is_sent() -> None:
    received: list[bytes] = []

    async def behave(stream: trio.SocketStream) -> None:
        received.append(await read_request(stream))
        await stream.send_all(http(OK))

    async with terminal(behave) as there:
        for _ in range(2):
            assert isinstance(await there.exchange(), Answered)
    assert len(received) == 2  # a connection each
    head, _, body = received[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /EPASSaleToPOI/3.1 HTTP/1.1"
    fields = {line.partition(b": ")[0].lower(): line.partition(b": ")[2] for line in lines[1:]}
    assert fields[b"content-type"] == b"application/xml; charset=utf-8"
    assert fields[b"accept"] == b"*/*"
    assert fields[b"connection"] == b"close"
    assert fields[b"host"] == there.address.encode()
    assert body == encode(REQUEST)


async def test_a_compressed_answer_is_neither_asked_for_nor_blown_up() -> None:
    received: list[bytes] = []
    bomb = gzip.compress(bytes(64 * 1024 * 1024))

    async def behave(stream: trio.SocketStream) -> None:
        received.append(await read_request(stream))
        await stream.send_all(http(bomb, "200 OK", "Content-Encoding: gzip"))

    async with terminal(behave) as there:
        tracemalloc.start()
        try:
            exchange = await there.exchange()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert isinstance(exchange, Lost)
    assert peak < 4 * 1024 * 1024
    assert b"gzip" not in received[0]


async def test_204_is_an_answer_without_a_message() -> None:
    async with terminal(answers(b"HTTP/1.1 204 No Content\r\n\r\n")) as there:
        assert await there.exchange() == Answered(None)
        assert there.sent == 1


async def test_an_answer_to_another_request_is_handed_on_with_its_header() -> None:
    foreign = OK.replace(b'ServiceID="4711"', b'ServiceID="9999"')
    async with terminal(answers(http(foreign))) as there:
        exchange = await there.exchange()
        assert isinstance(exchange, Answered)
        assert exchange.message is not None
        assert exchange.message.header.service_id == "9999"


# -- Certainly not sent ---------------------------------------------------------------------------


async def test_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        there = Terminal(f"127.0.0.1:{taken.getsockname()[1]}")
        exchange = await there.exchange()
        assert isinstance(exchange, NotSent)
        assert "ConnectError" in exchange.reason
        assert there.sent == 0
        await there.client.aclose()


async def test_a_connection_that_is_not_taken_up_in_time() -> None:
    with ExitStack() as open_sockets:
        full, *fillers = (open_sockets.enter_context(socket.socket()) for _ in range(9))
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filler in fillers:  # fill the backlog, so that the kernel drops what follows
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        there = Terminal(f"127.0.0.1:{full.getsockname()[1]}")
        exchange = await there.exchange()
        assert isinstance(exchange, NotSent)
        assert "ConnectTimeout" in exchange.reason
        assert there.sent == 0
        await there.client.aclose()


@pytest.mark.parametrize(
    "address", ["no-such-host.invalid:11000", "127.0.0.1:99999", "[::1", "", "a b:1", "[::g]:1"]
)
async def test_an_address_that_is_none(address: str) -> None:
    there = Terminal(address)
    exchange = await there.exchange()
    assert isinstance(exchange, NotSent), exchange
    assert exchange.reason
    assert there.sent == 0
    await there.client.aclose()


# -- Lost: it may have been done ------------------------------------------------------------------


async def reset_at_once(stream: trio.SocketStream) -> None:
    reset(stream)


async def reset_after_the_head(stream: trio.SocketStream) -> None:
    await stream.receive_some(1)
    reset(stream)


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(reset_after_the_head, id="reset before the body is read"),
        pytest.param(answers(), id="closed without an answer"),
        pytest.param(answers(then="reset"), id="reset after the request"),
        pytest.param(answers(http(OK)[:30]), id="half a head"),
        pytest.param(answers(http(OK)[:-20]), id="half a body, closed"),
        pytest.param(answers(http(OK)[:-20], then="reset"), id="half a body, reset"),
        pytest.param(answers(b"\x00\xff garbage\r\n\r\n"), id="garbage"),
        pytest.param(answers(b"SSH-2.0-OpenSSH\r\n"), id="another protocol"),
        pytest.param(answers(http(b"")), id="an empty 200"),
        pytest.param(answers(http(b"<html>hello</html>")), id="no nexo"),
        pytest.param(answers(http(OK[:-30])), id="half an XML document"),
        pytest.param(answers(http(b"<!DOCTYPE x>" + OK)), id="a DOCTYPE"),
        pytest.param(answers(http(OK, "500 Oops")), id="500"),
        pytest.param(answers(http(OK, "404 Not Found")), id="404"),
        pytest.param(answers(http(OK, "503 Busy")), id="503"),
        pytest.param(
            answers(http(b"", "307 Moved", "Location: http://127.0.0.1:1/")), id="a redirect"
        ),
        pytest.param(answers(http(OK.ljust(256 * 1024 + 1))), id="too large"),
        pytest.param(answers(http(b"x", "200 OK", "Content-Encoding: gzip")), id="not gzip"),
        pytest.param(answers(http(OK, "200 OK", "Content-Length: -1")), id="a negative length"),
        pytest.param(
            answers(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000 + b"\r\n"), id="endless head"
        ),
    ],
)
async def test_without_a_usable_answer_it_may_have_been_done(behaviour: Behaviour) -> None:
    async with terminal(behaviour) as there:
        exchange = await there.exchange()
        assert isinstance(exchange, Lost), exchange
        assert exchange.reason
        assert there.sent <= 1


@pytest.mark.parametrize("behaviour", [trio.SocketStream.aclose, reset_at_once])
async def test_a_connection_that_is_made_and_closed_is_not_called_not_sent(
    behaviour: Behaviour,
) -> None:
    """The first byte may have left before the end was noticed; only a failed connect is sure."""
    async with terminal(behaviour) as there:
        exchange = await there.exchange()
        assert isinstance(exchange, Lost), exchange


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(answers(then="silence"), id="silence"),
        pytest.param(answers(http(OK)[:30], then="silence"), id="half a head"),
        pytest.param(answers(http(OK)[:-1], then="silence"), id="all but a byte"),
        pytest.param(answers(*[bytes([byte]) for byte in http(OK)], then="silence"), id="drip"),
        pytest.param(answers(b"HTTP/1.1 100 Continue\r\n\r\n", then="silence"), id="continue"),
    ],
)
async def test_the_whole_exchange_has_one_deadline(behaviour: Behaviour) -> None:
    async with terminal(behaviour) as there:
        begun = trio.current_time()
        exchange = await there.exchange(0.3)
        assert trio.current_time() - begun < 1.5
        assert isinstance(exchange, Lost)
        assert exchange.reason == "no answer within 0.3 s"
        assert there.sent == 1


async def test_an_endless_body_is_not_read_to_its_end() -> None:
    wrote = 0

    async def behave(stream: trio.SocketStream) -> None:
        nonlocal wrote
        await read_request(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await stream.send_all(b" " * 65_536)
            wrote += 65_536

    async with terminal(behave) as there:
        exchange = await there.exchange()
        assert isinstance(exchange, Lost)
        assert str(256 * 1024) in exchange.reason
    assert wrote < 32 * 1024 * 1024  # what fits into the sockets' buffers


# -- Sent -----------------------------------------------------------------------------------------


async def test_sent_is_told_while_the_answer_is_still_out() -> None:
    got, told = trio.Event(), trio.Event()

    async def behave(stream: trio.SocketStream) -> None:
        await read_request(stream)
        got.set()
        await told.wait()
        await stream.send_all(http(OK))

    async def sent() -> None:
        with trio.fail_after(PATIENCE):
            await got.wait()  # the last byte has really left
        told.set()

    async with terminal(behave) as there:
        with trio.fail_after(PATIENCE):
            exchange = await there.client.exchange(REQUEST, there.address, 3.0, sent)
    assert isinstance(exchange, Answered)


@pytest.mark.parametrize("after", [0.0, 0.05, 0.2])
async def test_cancelling_leaves_a_client_that_works(after: float) -> None:
    silent = True

    async def behave(stream: trio.SocketStream) -> None:
        await read_request(stream)
        if silent:
            await trio.sleep_forever()
        await stream.send_all(http(OK))

    async with terminal(behave) as there:
        with trio.move_on_after(after) as scope:
            await there.exchange()
        assert scope.cancelled_caught
        silent = False
        assert isinstance(await there.exchange(), Answered)


async def test_many_exchanges_at_once_do_not_wait_for_each_other() -> None:
    """An Abort or TransactionStatus must not queue behind the payment that it is about."""
    async with terminal(answers(then="silence")) as there, trio.open_nursery() as nursery:
        for _ in range(MANY):
            nursery.start_soon(there.exchange, 4.0)
        with trio.fail_after(PATIENCE):
            await there.sent_often.wait()
        nursery.cancel_scope.cancel()


# -- Names ----------------------------------------------------------------------------------------


async def test_the_addresses_of_a_name_are_tried_in_turn_and_the_one_that_took_it_is_kept() -> None:
    requests: list[bytes] = []

    async def behave(stream: trio.SocketStream) -> None:
        requests.append(await read_request(stream))
        await stream.send_all(http(OK))

    async def look_up(name: str) -> list[str]:
        await trio.lowlevel.checkpoint()
        return ["127.0.0.9", "127.0.0.1"]  # nobody listens at the first

    async with terminal(behave) as found:
        port = found.address.rpartition(":")[2]
        found.address, names = f"terminal.lan:{port}", Names(look_up)
        found.client = TerminalClient(CONNECT, names=names)
        for _ in range(2):
            assert isinstance(await found.exchange(), Answered)
        assert f"\r\nHost: terminal.lan:{port}\r\n".encode() in requests[0]
        assert names.known("terminal.lan") == ("127.0.0.1", "127.0.0.9")
        assert await tcp_probe(CONNECT, names)(found.address)
        await found.client.aclose()


async def test_what_one_address_of_a_name_has_taken_is_not_sent_to_the_next() -> None:
    async def look_up(name: str) -> list[str]:
        await trio.lowlevel.checkpoint()
        return ["127.0.0.1", "::ffff:127.0.0.1"]

    connections = 0

    async def behave(stream: trio.SocketStream) -> None:
        nonlocal connections
        connections += 1
        await read_request(stream)
        reset(stream)

    async with terminal(behave) as found:
        found.address = f"terminal.lan:{found.address.rpartition(':')[2]}"
        found.client = TerminalClient(CONNECT, names=Names(look_up))
        assert isinstance(await found.exchange(), Lost)
        assert connections == 1
        await found.client.aclose()


async def test_a_name_that_means_nothing_is_not_sent_to() -> None:
    async def look_up(name: str) -> list[str]:
        await trio.lowlevel.checkpoint()
        raise OSError("no such name")

    client = TerminalClient(CONNECT, names=Names(look_up))

    async def sent() -> None:
        raise AssertionError

    exchange = await client.exchange(REQUEST, "terminal.lan:11000", 2.0, sent)
    assert exchange == NotSent("no address of terminal.lan is known")
    await client.aclose()
