"""What a terminal may post, written by hand, and a client that posts it as any peer."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import httpx
from asgiwire import Wire
from lxml import etree
from shared import schema
from wholelane import ADDRESS, POI_ID, Rig

from laned.simulator import wire

PATH = "/EPASSaleToPOI/3.1"
TIME = "2025-03-04T12:30:00.000Z"


def message(category: str, body: str, kind: str = "Request", **changes: str | None) -> bytes:
    """A whole message; a change of None leaves the header attribute out."""
    fields: dict[str, str | None] = {
        "MessageClass": "Event" if category == "Event" else "Device",
        "MessageCategory": category,
        "MessageType": kind,
        "ServiceID": "1002",
        "DeviceID": None if category == "Event" else "77",
        "SaleID": "1",
        "POIID": POI_ID,
    }
    written = " ".join(f'{k}="{v}"' for k, v in (fields | changes).items() if v is not None)
    root = "SaleToPOIResponse" if kind == "Response" else "SaleToPOIRequest"
    return f"<{root}><MessageHeader {written}/>{body}</{root}>".encode()


def output(text: str, flag: str = "", device: str = "CashierDisplay") -> str:
    required = f' ResponseRequiredFlag="{flag}"' if flag else ""
    return (
        f'<DisplayOutput Device="{device}" InfoQualify="Status"{required}>'
        f'<OutputContent OutputFormat="Text"><OutputText>{text}</OutputText></OutputContent>'
        "</DisplayOutput>"
    )


def display(text: str = "Hello", flag: str = "") -> bytes:
    return message("Display", f"<DisplayRequest>{output(text, flag)}</DisplayRequest>")


def question(
    text: str = "Signature?", command: str = "GetConfirmation", seconds: int | None = None
) -> bytes:
    limit = "" if seconds is None else f' MaxInputTime="{seconds}"'
    shown = output(text).replace("Status", "Display")
    return message(
        "Input",
        f'<InputRequest>{shown}<InputData Device="CashierInput" InfoQualify="Input"'
        f' InputCommand="{command}"{limit}/></InputRequest>',
    )


def print_out(mode: str = "NotRequired", qualifier: str = "CashierReceipt") -> bytes:
    receipt = {"Merchant": {"Optional": {"ReceiptString": ["Kiosk Blåbär", "38,00 SEK"]}}}
    text = base64.b64encode(json.dumps(receipt).encode()).decode()
    return message(
        "Print",
        f'<PrintRequest><PrintOutput DocumentQualifier="{qualifier}" ResponseMode="{mode}">'
        f'<OutputContent OutputFormat="Text"><OutputText>{text}</OutputText></OutputContent>'
        "</PrintOutput></PrintRequest>",
    )


def event(name: str, details: str = "") -> bytes:
    inner = f"<EventDetails>{details}</EventDetails>" if details else ""
    return message(
        "Event",
        f'<EventNotification TimeStamp="{TIME}" EventToNotify="{name}">{inner}</EventNotification>',
        kind="Notification",
    )


def transmit(address: str = ADDRESS) -> bytes:
    endpoint = {"ipV4Address": address, "ipPort": "11000"}
    content = {"saleTerminalconfiguration": {"messageVersion": "1.0.0", "ipEndPoint": endpoint}}
    text = base64.b64encode(json.dumps(content).encode()).decode()
    return message(
        "Transmit",
        '<TransmitRequest MaximumTransmitTime="10" DestinationAddress="192.0.2.1:15022">'
        f"<Message>{text}</Message></TransmitRequest>",
    )


class Peer:
    """Somebody who posts to the lane's listener."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def post(self, content: bytes, path: str = PATH, method: str = "POST") -> httpx.Response:
        headers = {"Content-Type": "application/xml; charset=utf-8"}
        return await self._client.request(method, path, content=content, headers=headers)

    async def tell(self, content: bytes) -> None:
        """Post something that is answered with 204."""
        answer = await self.post(content)
        assert (answer.status_code, answer.content) == (204, b""), answer.text

    async def ask(self, content: bytes) -> Element:
        """Post something that is answered; the body, after the grammar has accepted the whole."""
        answer = await self.post(content)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/xml; charset=utf-8"
        return answered(content, answer.content)


def answered(request: bytes, content: bytes) -> Element:
    asked = ElementTree.fromstring(request)
    body, faults = wire.read_answer(content, asked[0], asked[1].tag.replace("Request", "Response"))
    assert (body is not None, faults) == (True, [])
    assert body is not None
    root = ElementTree.fromstring(content)
    assert root[0].attrib == asked[0].attrib | {"MessageType": "Response"}
    if (judge := schema()) is not None:
        judge.assertValid(etree.fromstring(content))
    return body


@asynccontextmanager
async def peer(rig: Rig, address: str = ADDRESS) -> AsyncIterator[Peer]:
    """A peer with this IP address."""
    wire = Wire(rig.lane.callback, rig.nursery, client=(address, 40999))
    base = "http://lane:11000"
    async with httpx.AsyncClient(transport=wire, base_url=base, timeout=None) as client:
        yield Peer(client)


class Untouched:
    """Nothing may have happened to the lane in between."""

    def __init__(self, rig: Rig) -> None:
        self._lane = rig.lane.watch
        self._before = self._lane.state, self._lane.position(None)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        assert (self._lane.state, self._lane.position(None)) == self._before
        assert self._lane.state is self._before[0]
