"""The client side of the terminal: one request, one connection, one of three outcomes.

Whether a request may have reached the terminal decides about money (money rule 3), so it is not
guessed from the kind of exception but watched: nothing has left before httpcore starts to write the
request's headers. Source: protocol, section Transport.
"""

import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Final

import httpx
import trio
from msgspec import Struct

from laned.config.schema import host_port
from laned.lane.exchanges import Answered, Exchange, Lost, NotSent
from laned.nexo import NexoError, decode, encode
from laned.nexo.messages import CONTENT_TYPE, PATH, Category, Message
from laned.nexo.xml import MAX_BYTES
from laned.terminal.names import Names

Sent = Callable[[], Awaitable[None]]

# A payment's connection is silent for minutes. A peer that has gone without a word is noticed after
# a minute: 30 s idle, then three probes 10 s apart.
KEEP_ALIVE: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)
FIRST_BYTE: Final = "http11.send_request_headers.started"
LAST_BYTE: Final = "http11.send_request_body.complete"


class TerminalClient:
    """Speaks to terminals. `connect_timeout` in seconds; `transport` stands in for the network."""

    def __init__(
        self,
        connect_timeout: float,
        transport: httpx.AsyncBaseTransport | None = None,
        names: Names | None = None,
    ) -> None:
        self._names = names or Names()
        self._http = httpx.AsyncClient(
            transport=transport or _transport(),
            trust_env=False,
            timeout=httpx.Timeout(None, connect=connect_timeout),
            headers={
                "Content-Type": CONTENT_TYPE,
                "Accept": "*/*",
                "Accept-Encoding": "identity",
                "Connection": "close",
            },
        )

    async def aclose(self) -> None:
        """Close what is open."""
        await self._http.aclose()

    async def exchange(self, message: Message, address: str, within: float, sent: Sent) -> Exchange:
        """Send `message` to `address` ("host:port") and wait `within` seconds for the answer.

        `sent` is awaited when the request's last byte has left. Never raises for anything that the
        network or the terminal does.
        """
        try:
            content = encode(message)
            host, port = host_port(address)
        except (NexoError, ValueError) as error:  # a value that no check in front has caught
            return NotSent(f"cannot be written: {error}")
        find = self._names.for_login if _begins_a_session(message) else self._names.in_session
        exchange: Exchange = NotSent(f"no address of {host} is known")
        began = trio.current_time()
        for place in await find(host):
            to = _Destination(place, host, port)
            exchange = await self._exchange(to, content, (began, within), sent)
            if not isinstance(exchange, NotSent):
                break
        return exchange

    async def _exchange(
        self, to: "_Destination", content: bytes, time: tuple[float, float], sent: Sent
    ) -> Exchange:
        """Try one address; `time` is when the first was tried, and the seconds for all of them."""
        began, within = time
        left = False

        async def trace(name: str, info: dict[str, Any]) -> None:
            nonlocal left
            if name == FIRST_BYTE:
                left = True
                self._names.connected(to.host, to.address)
            elif name == LAST_BYTE:
                await sent()

        try:
            with trio.fail_at(began + within):
                return await self._post(to, content, trace)
        except trio.TooSlowError:
            reason = f"no answer within {within:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            reason = f"{type(error).__name__} {error}".strip()
        except NexoError as error:
            return Lost(f"not a nexo answer: {error}", answered=True)
        return Lost(reason) if left else NotSent(reason)

    async def _post(self, to: "_Destination", content: bytes, trace: Any) -> Exchange:
        request = self._http.build_request("POST", to.url, content=content, headers=to.headers)
        request.extensions["trace"] = trace
        response = await self._http.send(request, stream=True)
        try:
            body = await _read(response)
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                await response.aclose()
        if response.status_code == 204:
            return Answered(None)
        if response.status_code != 200:
            return Lost(f"HTTP status {response.status_code}", answered=True)
        return Answered(decode(body))


class _Destination(Struct, frozen=True):
    """One of the addresses of `host`, which is a name or an address itself."""

    address: str
    host: str
    port: int

    @property
    def url(self) -> str:
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{address}:{self.port}{PATH}"

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.address == self.host else {"Host": f"{self.host}:{self.port}"}


def _begins_a_session(message: Message) -> bool:
    return message.header.category is Category.LOGIN


def _transport() -> httpx.AsyncBaseTransport:
    """One connection per request, which notices a terminal that lost its power."""
    return httpx.AsyncHTTPTransport(
        # A bare context: the terminal speaks plain HTTP, and loading the CA bundle takes long.
        verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        limits=httpx.Limits(max_keepalive_connections=0),
        socket_options=KEEP_ALIVE,
    )


async def _read(response: httpx.Response) -> bytes:
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > MAX_BYTES:
            raise NexoError(f"more than {MAX_BYTES} bytes")
    return bytes(body)
