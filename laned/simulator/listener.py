"""Posting to the till's listener, one message at a time, and judging its answers.

Each message goes over a connection of its own and is answered before the next one is sent. A
listener that cannot be reached is counted in `errors`; one that answers wrongly is a violation.
"""

import random
import ssl
from collections.abc import Callable
from xml.etree.ElementTree import Element

import httpx
import trio
from msgspec import Struct

from laned.simulator import compose, wire
from laned.simulator.receipts import Slip
from laned.simulator.settings import Settings

PATH = "/EPASSaleToPOI/3.1"
HEADERS = {
    "Content-Type": "application/xml; charset=utf-8",
    "Accept": "*/*",
    "Connection": "close",
}
CONNECT_TIMEOUT = 3.0
POST_TIMEOUT = 10.0
"""Seconds for a whole exchange that nobody has to think about."""
LONGEST_QUESTION = 300.0
"""Seconds the signature question is held open when MaxInputTime is not given."""
MAX_ANSWER = 64 * 1024
MAX_ERRORS = 1000


def callback_client() -> httpx.AsyncClient:
    """A client fit for callbacks: no proxies, no kept connections. The caller closes it."""
    return httpx.AsyncClient(
        trust_env=False,
        verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        limits=httpx.Limits(max_keepalive_connections=0),
    )


class Origin(Struct, frozen=True):
    """For whom the terminal posts: the session, and the request it works on, if any."""

    poi_id: str
    sale_id: str
    posts: bool
    """False in light integration: nothing is ever posted."""
    service_id: str = ""
    """The running payment's ServiceID; empty when idle."""


class _Answer(Struct, frozen=True):
    header: Element
    status: int
    content_type: str
    data: bytes


class Listener:
    """The till's listener, as the terminal sees it. ``base`` is its URL without the path."""

    def __init__(
        self,
        client: httpx.AsyncClient | None,
        base: str,
        settings: Settings,
        rng: random.Random,
        violation: Callable[[str], None],
    ) -> None:
        assert client is not None or not base, "callbacks need a client"
        self.errors: list[str] = []
        self.unplugged = False
        """The terminal has no network: nothing can be posted."""
        self._client = client
        self._url = base.rstrip("/") + PATH
        self._settings = settings
        self._violation = violation
        self._turn = trio.Lock()
        self._device_id = rng.randrange(100_000, 900_000)

    async def display(self, origin: Origin, text: str) -> None:
        """Post a display text and check its answer."""
        flag = self._settings.display_flag
        answer = await self._post(origin, compose.display_request(text, flag))
        # Without the flag the schema wants a response and live terminals want none.
        if answer is None or (answer.status == 204 and flag != "true"):
            return
        if answer.status == 200 and flag != "false":
            body = self._body(answer, "DisplayResponse")
            if body is not None:
                self._check_outputs(body, "CashierDisplay", "Status")
        else:
            self._wrong_status(answer, "DisplayRequest", 200 if flag == "true" else 204)

    async def notify(self, origin: Origin, event: Element) -> bool:
        """Post an EventNotification, whose only answer is 204; whether that came."""
        answer = await self._post(origin, event)
        if answer is not None and answer.status != 204:
            self._wrong_status(answer, f"EventNotification {event.get('EventToNotify')}", 204)
        return answer is not None and answer.status == 204

    async def announce(self, origin: Origin, address: str) -> None:
        """Post the terminal's address as a TransmitRequest; 204 is the only answer."""
        answer = await self._post(origin, compose.transmit_request(address))
        if answer is not None and answer.status != 204:
            self._wrong_status(answer, "TransmitRequest", 204)

    async def print_receipt(self, origin: Origin, slip: Slip) -> None:
        """Post the merchant's receipt for printing and check the answer."""
        mode = self._settings.print_mode
        answer = await self._post(origin, compose.print_request(slip, mode))
        if answer is None:
            return
        if mode == "NotRequired":
            if answer.status != 204:
                self._wrong_status(answer, "PrintRequest NotRequired", 204)
        elif answer.status != 200:
            self._wrong_status(answer, f"PrintRequest {mode}", 200)
        else:
            body = self._body(answer, "PrintResponse")
            if body is not None and body.get("DocumentQualifier") != "CashierReceipt":
                self._violation("PrintResponse: DocumentQualifier is not the request's")

    async def confirm(self, origin: Origin, text: str) -> bool:
        """Ask the operator yes or no, held open until answered or MaxInputTime is over.

        Anything but a valid yes in time is a no.
        """
        seconds = self._settings.max_input_time
        question = compose.input_request(text, seconds)
        answer = await self._post(
            origin, question, LONGEST_QUESTION if seconds is None else seconds
        )
        if answer is None:
            return False
        if answer.status != 200:
            self._wrong_status(answer, "InputRequest", 200)
            return False
        body = self._body(answer, "InputResponse")
        if body is None:
            return False
        faults = _confirmation_faults(body)
        for fault in faults:
            self._violation(f"InputResponse: {fault}")
        result = body.find("InputResult/Response")
        flag = (body.findtext("InputResult/Input/ConfirmedFlag") or "").strip()
        succeeded = result is not None and result.get("Result") == "Success"
        return not faults and succeeded and flag in ("true", "1")

    async def _post(
        self, origin: Origin, body: Element, seconds: float = POST_TIMEOUT
    ) -> _Answer | None:
        silent = self._settings.works_silently and origin.service_id != ""
        if self._client is None or not origin.posts or silent:
            return None
        if self.unplugged:
            self._failed(body, "no network")
            return None
        request = compose.envelope("SaleToPOIRequest", self._header(origin, body), body)
        answer = bytearray()
        async with self._turn:
            try:
                with trio.fail_after(seconds):
                    async with self._client.stream(
                        "POST",
                        self._url,
                        content=wire.write(request),
                        headers=HEADERS,
                        timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT),
                    ) as response:
                        async for chunk in response.aiter_bytes():
                            answer += chunk
                            if len(answer) > MAX_ANSWER:
                                self._violation(f"{body.tag}: answer of over {MAX_ANSWER} bytes")
                                return None
            except (httpx.HTTPError, httpx.InvalidURL, trio.TooSlowError) as error:
                self._failed(body, f"{type(error).__name__} {error}")
                return None
        content_type = response.headers.get("content-type", "")
        return _Answer(request[0], response.status_code, content_type, bytes(answer))

    def _failed(self, body: Element, why: str) -> None:
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(f"{body.tag}: {why}".rstrip())

    def _header(self, origin: Origin, body: Element) -> dict[str, str]:
        if body.tag == "TransmitRequest":  # knows of no session, and numbers nothing
            header = {"MessageClass": "Device", "MessageCategory": "Transmit"}
            return header | {"MessageType": "Request", "SaleID": "", "POIID": origin.poi_id}
        event = body.tag == "EventNotification"
        header = {
            "MessageClass": "Event" if event else "Device",
            "MessageCategory": "Event" if event else body.tag.removesuffix("Request"),
            "MessageType": "Notification" if event else "Request",
        }
        if origin.service_id:
            header["ServiceID"] = origin.service_id
        if not event:
            self._device_id += 1
            header["DeviceID"] = str(self._device_id)
        return header | {"SaleID": origin.sale_id, "POIID": origin.poi_id}

    def _wrong_status(self, answer: _Answer, request: str, expected: int) -> None:
        self._violation(f"{request}: answered with {answer.status}, expected {expected}")

    def _body(self, answer: _Answer, name: str) -> Element | None:
        """The body of a 200 answer, or None (and violations) if anything is wrong with it."""
        if answer.content_type.partition(";")[0].strip().lower() != "application/xml":
            self._violation(f"{name}: Content-Type is {answer.content_type!r}")
        body, faults = wire.read_answer(answer.data, answer.header, name)
        for fault in faults:
            self._violation(fault)
        return None if faults else body

    def _check_outputs(self, body: Element, device: str, qualify: str) -> None:
        found = [(output.get("Device"), output.get("InfoQualify")) for output in body]
        if found != [(device, qualify)]:
            self._violation(f"{body.tag}: found {found}, expected one {device} {qualify}")


def _confirmation_faults(body: Element) -> list[str]:
    """What a well-formed InputResponse lacks as an answer to the signature question."""
    output, result = body.find("OutputResult"), body.find("InputResult")
    assert result is not None
    faults = []
    if output is None:
        faults.append("OutputResult is missing although a DisplayOutput was sent")
    elif (output.get("Device"), output.get("InfoQualify")) != ("CashierDisplay", "Display"):
        faults.append("OutputResult does not repeat the request's Device and InfoQualify")
    if (result.get("Device"), result.get("InfoQualify")) != ("CashierInput", "Input"):
        faults.append("InputResult does not repeat the request's Device and InfoQualify")
    response, given = result.find("Response"), result.find("Input")
    if response is not None and response.get("Result") != "Success":
        return faults
    if given is None or given.get("InputCommand") != "GetConfirmation":
        faults.append("Input with InputCommand GetConfirmation is missing")
    elif given.find("ConfirmedFlag") is None:
        faults.append("ConfirmedFlag is missing")
    return faults
