"""The daemon's two servers as ordinary clients, forgetful ones and hostile ones meet them."""

import json
import socket
import time
from contextlib import ExitStack, suppress
from typing import Any

from processes import PATIENCE, Site, site, until

HOSTILE = 300
"""Connections that strangers hold open to the listener, or try to."""
AT_ONCE = 1.0
"""Seconds, on a machine that has other work. Who waits for a stranger waits for two at least."""

MESSAGE = (
    '<SaleToPOIRequest><MessageHeader MessageClass="Device" MessageCategory="{category}"'
    ' MessageType="Request" ServiceID="77" DeviceID="7" SaleID="1" POIID="{poi}"/>{body}'
    "</SaleToPOIRequest>"
)
OUTPUT = (
    '<{tag} Device="{device}" InfoQualify="Display"><OutputContent OutputFormat="Text">'
    "<OutputText>{text}</OutputText></OutputContent></{tag}>"
)


def http(method: str, target: str, body: bytes = b"", *fields: str) -> bytes:
    head = [f"{method} {target} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join([*head, "", ""]).encode() + body


def whole(stream: socket.socket) -> bytes:
    """All that comes until the end."""
    answer = b""
    while data := stream.recv(65536):
        answer += data
    return answer


def half_closing(stream: socket.socket, raw: bytes) -> tuple[int, Any]:
    """Ask as `nc -N`, socat and a JDK's shutdownOutput do."""
    with stream:
        stream.sendall(raw)
        stream.shutdown(socket.SHUT_WR)
        head, _, body = whole(stream).partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def post(lane: Site, content: str, source: str = "127.0.0.1") -> socket.socket:
    """Post to the listener from a loopback address."""
    where = ("127.0.0.1", lane.listener_port)
    stream = socket.create_connection(where, PATIENCE, source_address=(source, 0))
    stream.sendall(http("POST", "/EPASSaleToPOI/3.1", content.encode()))
    return stream


def display(lane: Site, text: str) -> str:
    output = OUTPUT.format(tag="DisplayOutput", device="CashierDisplay", text=text)
    body = f"<DisplayRequest>{output}</DisplayRequest>"
    return MESSAGE.format(category="Display", poi=lane.poi_id, body=body)


def question(lane: Site) -> str:
    output = OUTPUT.format(tag="DisplayOutput", device="CashierDisplay", text="Signature?")
    asked = '<InputData Device="CashierInput" InfoQualify="Input" InputCommand="GetConfirmation"/>'
    body = f"<InputRequest>{output}{asked}</InputRequest>"
    return MESSAGE.format(category="Input", poi=lane.poi_id, body=body)


def test_a_till_that_half_closes_gets_the_true_answer() -> None:
    with site("happy") as lane:
        amount = b'{"amount": "38.00"}'
        paid = http("PUT", "/v1/payments/p-1", amount, "Prefer: wait=60")
        status, payment = half_closing(lane.connect(), paid)
        assert (status, payment["state"]) == (201, "approved"), payment
        other = http("PUT", "/v1/payments/p-1", b'{"amount": "39.00"}')
        status, problem = half_closing(lane.connect(), other)
        assert (status, problem["code"]) == (409, "payment_conflict")
        status, problem = half_closing(lane.connect(), http("PUT", "/v1/payments/p-2"))
        assert (status, problem["code"]) == (400, "bad_request")
        status, found = half_closing(lane.connect(), http("GET", "http://lane/v1/lane"))
        assert (status, found["name"]) == (200, "lane1")


def test_a_half_closed_question_is_answered() -> None:
    with site("aborted", payment={"signature": "till"}) as lane:
        pay = lane.background("pay", "38.00", "--id", "p-1")
        pay.says("Present card")
        with post(lane, question(lane)) as asking:
            asking.shutdown(socket.SHUT_WR)
            prompt = until(lambda: lane.lane()["prompt"], "the question")
            time.sleep(0.2)
            assert lane.lane()["prompt"] == prompt, "it is not withdrawn"
            assert lane.command("prompt", prompt["id"], "yes").status == 0
            answer = whole(asking)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nconnection: close\r\n" in answer.lower()
        assert b"<ConfirmedFlag>true</ConfirmedFlag>" in answer
        assert lane.command("abort", "p-1").status == 0
        assert pay.ended() == 1


def test_commands_get_through_whatever_was_forgotten() -> None:
    with site("aborted") as lane, ExitStack() as forgotten:

        def leave(raw: bytes) -> socket.socket:
            stream = forgotten.enter_context(lane.connect())
            stream.sendall(raw)
            return stream

        pay = lane.background("pay", "38.00", "--id", "p-1")
        pay.says("Present card")
        streams = [leave(http("GET", "/v1/events")) for _ in range(64)]
        statuses = [int(stream.recv(12).split()[1]) for stream in streams]
        assert (statuses.count(200), statuses.count(409)) == (7, 57), "and that of `laned pay`"
        for _ in range(100):
            leave(http("GET", "/v1/payments/p-1", b"", "Prefer: wait=600"))
        for _ in range(200):
            leave(b"GET /v1/lane HT")
        assert lane.command("status").status == 0
        other = lane.command("pay", "1.00")
        assert (other.status, other.out) == (1, "")
        assert other.err == "laned: this user has 8 streams open: close one\n"
        said = leave(http("GET", "/v1/lane")).recv(4096)
        assert b"\r\nconnection: keep-alive\r\nkeep-alive: timeout=300\r\n" in said
        assert lane.command("abort", "p-1").status == 0
        assert pay.ended() == 1


def test_strangers_do_not_delay_the_terminal() -> None:
    with site("happy") as lane, ExitStack() as held:

        def attack(index: int) -> None:
            source = (f"127.0.{index // 250}.{2 + index % 250}", 0)
            where = ("127.0.0.1", lane.listener_port)
            stream = socket.create_connection(where, PATIENCE, source_address=source)
            held.enter_context(stream)
            with suppress(OSError):  # closed already
                stream.sendall(http("POST", "/EPASSaleToPOI/3.1", b"123456789")[:-5])

        slowest = 0.0
        for index in range(HOSTILE):
            attack(index)
            if index % 20 == 19:
                began = time.monotonic()
                with post(lane, display(lane, f"Text {index}")) as terminal:
                    answer = whole(terminal)
                assert answer.startswith(b"HTTP/1.1 204 ")
                assert b"\r\nconnection: close\r\n" in answer.lower(), "nothing is kept"
                slowest = max(slowest, time.monotonic() - began)
                assert lane.lane()["display"]["lines"] == [f"Text {index}"]
        assert slowest < AT_ONCE, f"{slowest * 1000:.0f} ms"
        assert lane.command("pay", "38.00").status == 0
