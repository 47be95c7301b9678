"""A till written by hand for the simulator's tests: raw XML out, a small listener, one clock."""

import base64
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import httpx
import trio
from lxml import etree
from shared import schema
from terminal_grammar import terminal_faults

from laned.simulator import Scenario, Settings, Terminal, simulator_app
from laned.simulator.scenarios import SCENARIOS

PATH = "/EPASSaleToPOI/3.1"
BASE = "http://terminal:11001"
XML = {"Content-Type": "application/xml; charset=utf-8"}
START = datetime(2025, 3, 4, 11, 30, tzinfo=UTC)
DEFAULT = (
    "CashierStatus CashierError CashierDisplay POIReplication CustomerAssistance CashierInput "
    "PrinterReceipt"
)
LIGHT = "PrinterReceipt"
TIME = "2025-03-04T12:30:00+01:00"
LONGEST_TEST = 7 * 24 * 3600.0
"""Virtual seconds; what still waits then would wait for ever."""


def now() -> datetime:
    return START + timedelta(seconds=trio.current_time())


def valid(data: bytes) -> Element:
    """The message, after the grammar and the schema (where there is one) have accepted it."""
    root = ElementTree.fromstring(data)
    assert terminal_faults(root) == []
    if (judge := schema()) is not None:
        judge.assertValid(etree.fromstring(data))
    return root


def header(category: str, service_id: str, **changes: str | None) -> str:
    fields: dict[str, str | None] = {
        "ProtocolVersion": "3.1",
        "MessageClass": "Service",
        "MessageCategory": category,
        "MessageType": "Request",
        "ServiceID": service_id,
        "SaleID": "1",
        "POIID": "LANE-7",
    }
    fields |= changes
    written = " ".join(f'{k}="{v}"' for k, v in fields.items() if v is not None)
    return f"<MessageHeader {written}/>"


def request(category: str, service_id: str, body: str, **changes: str | None) -> bytes:
    head = header(category, service_id, **changes)
    return f"<SaleToPOIRequest>{head}{body}</SaleToPOIRequest>".encode()


def login_body(capabilities: str = DEFAULT, language: str = "sv", where: str = "Attended") -> str:
    return (
        f'<LoginRequest OperatorLanguage="{language}"><DateTime>{TIME}</DateTime>'
        '<SaleSoftware ProviderIdentification="T" ApplicationName="till" SoftwareVersion="1"/>'
        f'<SaleTerminalData TerminalEnvironment="{where}">'
        f"<SaleCapabilities>{capabilities}</SaleCapabilities>"
        "</SaleTerminalData></LoginRequest>"
    )


def payment_body(
    amount: str = "38.00", sale_id: str = "s-1", kind: str = "Normal", more: str = ""
) -> str:
    return (
        '<PaymentRequest><SaleData TokenRequestedType="Customer">'
        f'<SaleTransactionID TransactionID="{sale_id}" TimeStamp="{TIME}"/></SaleData>'
        f'<PaymentTransaction><AmountsReq Currency="SEK" RequestedAmount="{amount}"{more}/>'
        f'</PaymentTransaction><PaymentData PaymentType="{kind}"/></PaymentRequest>'
    )


def reversal_body(transaction_id: str, timestamp: str, owner: str = 'SaleID="1"') -> str:
    return (
        f'<ReversalRequest ReversalReason="MerchantCancel"><OriginalPOITransaction {owner}>'
        f'<POITransactionID TransactionID="{transaction_id}" TimeStamp="{timestamp}"/>'
        "</OriginalPOITransaction></ReversalRequest>"
    )


def reference(service_id: str, **more: str) -> str:
    fields = {"MessageCategory": "Payment", "ServiceID": service_id} | more
    return "<MessageReference " + " ".join(f'{k}="{v}"' for k, v in fields.items()) + "/>"


def result(message: Element) -> tuple[str, str]:
    """Result and ErrorCondition of a response."""
    found = message[1].find(".//Response")
    assert found is not None
    return found.get("Result", ""), found.get("ErrorCondition", "")


OK = ("Success", "")


def get(message: Element, path: str, attribute: str) -> str | None:
    found = message.find(f".//{path}")
    return None if found is None else found.get(attribute)


def receipts(message: Element) -> dict[str, Any]:
    """The receipts of a response by DocumentQualifier, decoded."""
    return {
        paper.get("DocumentQualifier", ""): json.loads(
            base64.b64decode(paper.findtext("OutputContent/OutputText") or "")
        )
        for paper in message.iter("PaymentReceipt")
    }


Answer = tuple[int, bytes]


class FakeListener:
    """The till's listener: keeps what comes, answers 204 unless `answer` says otherwise."""

    def __init__(self) -> None:
        self.posts: list[Element] = []
        self.open = 0
        self.most_open = 0
        self.headers: list[dict[bytes, bytes]] = []
        self.down = False
        self.answer: Callable[[Element], Awaitable[Answer | None]] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            event = await receive()
            body += event.get("body", b"")
            if not event.get("more_body"):
                break
        assert (scope["method"], scope["path"]) == ("POST", PATH)
        self.headers.append(dict(scope["headers"]))
        post = valid(body)
        self.posts.append(post)
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        try:
            answer = await self.answer(post) if self.answer else None
        finally:
            self.open -= 1
        status, content = answer or (204, b"")
        headers = [(b"content-type", b"application/xml; charset=utf-8")] if content else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def texts(self) -> list[str]:
        return [
            post.findtext(".//OutputText") or ""
            for post in self.posts
            if post[1].tag == "DisplayRequest"
        ]

    def names(self) -> list[str]:
        """Body elements, or the event's name, in order."""
        return [post[1].get("EventToNotify") or post[1].tag for post in self.posts]

    def only(self, name: str) -> Element:
        found = [post for post in self.posts if name in (post[1].tag, post[1].get("EventToNotify"))]
        assert len(found) == 1, self.names()
        return found[0]


class _Transport(httpx.AsyncBaseTransport):
    def __init__(self, listener: FakeListener) -> None:
        self._listener = listener
        self._asgi = httpx.ASGITransport(app=listener)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._listener.down:
            raise httpx.ConnectError("refused")
        return await self._asgi.handle_async_request(request)


def response(post: Element, name: str, body: str, **changes: str | None) -> bytes:
    """An answer to a callback: its header turned round, and a body."""
    fields = dict(post[0].attrib) | {"MessageType": "Response"} | changes
    head = " ".join(f'{k}="{v}"' for k, v in fields.items() if v is not None)
    return (
        f"<SaleToPOIResponse><MessageHeader {head}/><{name}>{body}</{name}></SaleToPOIResponse>"
    ).encode()


def confirmation(post: Element, confirmed: str = "true", /, **changes: str | None) -> bytes:
    return response(
        post,
        "InputResponse",
        '<OutputResult Device="CashierDisplay" InfoQualify="Display"><Response Result="Success"/>'
        '</OutputResult><InputResult Device="CashierInput" InfoQualify="Input">'
        '<Response Result="Success"/><Input InputCommand="GetConfirmation">'
        f"<ConfirmedFlag>{confirmed}</ConfirmedFlag></Input></InputResult>",
        **changes,
    )


class Bench:
    """A terminal, a till that posts to it, and the till's listener."""

    def __init__(
        self,
        terminal: Terminal,
        listener: FakeListener,
        client: httpx.AsyncClient,
        nursery: trio.Nursery,
        lines: list[str],
    ) -> None:
        self.terminal = terminal
        self.listener = listener
        self.client = client
        self.nursery = nursery
        self.lines = lines
        self.answers: dict[str, Element] = {}
        self._service_id = 100

    def new_id(self) -> str:
        self._service_id += 1
        return str(self._service_id)

    async def post(self, data: bytes) -> httpx.Response:
        return await self.client.post(f"{BASE}{PATH}", content=data, headers=XML)

    async def send(self, category: str, body: str, **changes: str | None) -> Element:
        changes.setdefault("ServiceID", self.new_id())
        answer = await self.post(request(category, "", body, **changes))
        assert answer.status_code == 200
        message = valid(answer.content)
        assert message[0].get("ServiceID") == changes["ServiceID"]
        assert message[0].get("MessageCategory") == category
        assert message[0].get("MessageType") == "Response"
        assert message[1].tag == f"{category}Response"
        return message

    async def login(self, capabilities: str = DEFAULT, **changes: str | None) -> Element:
        """Log in and wait until the terminal is no longer busy."""
        answer = await self.send("Login", login_body(capabilities), **changes)
        assert result(answer) == OK
        await self.settle()
        return answer

    async def settle(self) -> None:
        """Wait until the terminal is idle and no longer busy after what it did."""
        await trio.sleep(4)
        assert not self.terminal.running

    async def pay(self, amount: str = "38.00", **changes: str | None) -> Element:
        return await self.send("Payment", payment_body(amount), **changes)

    async def start_payment(self, amount: str = "38.00") -> str:
        """Begin a payment in the background; its answer comes into `answers`."""
        service_id = self.new_id()

        async def pay() -> None:
            self.answers[service_id] = await self.pay(amount, ServiceID=service_id)

        self.nursery.start_soon(pay)
        await self.terminal.until(lambda: self.terminal.running == service_id)
        return service_id

    async def shown(self, text: str) -> None:
        await self.terminal.until(lambda: self.terminal.display == (text,))

    async def abort(self, service_id: str, **more: str) -> int:
        body = f"<AbortRequest>{reference(service_id, **more)}<AbortReason>b</AbortReason>"
        answer = await self.post(request("Abort", self.new_id(), body + "</AbortRequest>"))
        assert answer.content == b""
        return answer.status_code

    async def status(
        self, service_id: str = "", category: str = "Payment", **changes: str | None
    ) -> Element:
        asked = reference(service_id, MessageCategory=category) if service_id else ""
        body = f"<TransactionStatusRequest>{asked}</TransactionStatusRequest>"
        return await self.send("TransactionStatus", body, **changes)

    async def reverse(self, payment: Element, **changes: str) -> Element:
        found = payment.find(".//POITransactionID")
        assert found is not None
        body = reversal_body(
            found.get("TransactionID", ""), changes.get("timestamp", found.get("TimeStamp", ""))
        )
        return await self.send("Reversal", body)


async def answer_to_payment(b: Bench, service_id: str) -> list[dict[str, Any]]:
    """What the application sends in answer to a payment, message by message."""
    sent: list[dict[str, Any]] = []
    body = [request("Payment", service_id, payment_body())]

    async def receive() -> Any:
        if not body:
            await trio.sleep_forever()
        return {"type": "http.request", "body": body.pop()}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "headers": [(b"content-type", b"application/xml")],
    }
    await simulator_app(b.terminal)(scope, receive, send)
    return sent


@asynccontextmanager
async def bench(
    scenario: str | Scenario = "happy", *, settings: Settings | None = None, seed: int = 1
) -> AsyncIterator[Bench]:
    listener, lines = FakeListener(), list[str]()
    async with (
        httpx.AsyncClient(transport=_Transport(listener)) as callback_client,
        trio.open_nursery() as nursery,
    ):
        terminal = Terminal(
            scenario=SCENARIOS[scenario] if isinstance(scenario, str) else scenario,
            settings=settings,
            callback="http://till:11000/",
            callback_client=callback_client,
            rng=random.Random(seed),
            now=now,
            on_event=lines.append,
        )
        await nursery.start(terminal.run)
        transport = httpx.ASGITransport(app=simulator_app(terminal))
        async with httpx.AsyncClient(transport=transport) as client:
            with trio.fail_after(LONGEST_TEST):
                yield Bench(terminal, listener, client, nursery, lines)
        nursery.cancel_scope.cancel()
