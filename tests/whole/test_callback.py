"""The listener: what the terminal may post, how it is answered, and what has no effect at all."""

import random
from pathlib import Path
from typing import Any

import pytest
import trio
from posts import (
    PATH,
    Untouched,
    display,
    event,
    message,
    output,
    peer,
    print_out,
    question,
    transmit,
)
from trio.testing import MockClock
from wholelane import ADDRESS, POI_ID, lane, world

MAX_BYTES = 256 * 1024
SHOWN = "<DisplayRequest>" + output("Hacked") + "</DisplayRequest>"


# -- Refused --------------------------------------------------------------------------------------


async def test_only_one_path_and_one_method(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path) as rig, peer(rig) as terminal:
        with Untouched(rig):
            for path in ("/", "/EPASSaleToPOI/3.0", PATH + "/", PATH.lower(), "/v1/lane"):
                assert (await terminal.post(display(), path)).status_code == 404
            for method in ("GET", "PUT", "HEAD", "OPTIONS", "DELETE"):
                assert (await terminal.post(display(), method=method)).status_code == 405


async def test_large_bodies(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path) as rig, peer(rig) as terminal:
        with Untouched(rig):
            large = display().ljust(MAX_BYTES + 1)
            assert (await terminal.post(large)).status_code == 413
        fits = display("Fits").ljust(MAX_BYTES)
        assert (await terminal.post(fits)).status_code == 204
        assert (await rig.view())["display"]["lines"] == ["Fits"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"\x00" * 100,
        b"{}",
        b"<SaleToPOIRequest>",
        display()[:-5],
        display() + b"<x/>",
        b"<!DOCTYPE x><SaleToPOIRequest/>",
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' + display("&a;"),
        b'<!DOCTYPE x SYSTEM "http://192.0.2.9/x.dtd">' + display(),
        display("&undefined;"),
        b'<?xml version="1.0" encoding="rot13"?>' + display(),
        b"<x>" * 100 + b"</x>" * 100,
        b"<SaleToPOIRequest>" + b"<x/>" * 5000 + b"</SaleToPOIRequest>",
        b"<html><body/></html>",
        b"<SaleToPOIRequest/>",
        message("Display", SHOWN, POIID="OTHER-1"),
        message("Display", SHOWN, POIID=POI_ID + " "),
        message("Display", SHOWN, POIID=POI_ID.lower()),
        message("Display", SHOWN, POIID=None),
        message("Display", SHOWN, POIID="X" * 100_000),
        message("Display", SHOWN, MessageType="Response"),
        message("Display", SHOWN, MessageType="Bogus"),
        message("Display", SHOWN, MessageCategory="Print"),
        message("Display", SHOWN, MessageCategory=None),
        message("Display", SHOWN + SHOWN),
        message("Display", ""),
        message("Display", "<DisplayResponse/>", kind="Response"),
        message("Input", "<InputRequest/>"),
        message("Event", '<EventNotification TimeStamp="x"/>', kind="Notification"),
    ],
)
async def test_what_is_no_message_for_us(
    tmp_path: Path, autojump_clock: MockClock, content: bytes
) -> None:
    async with lane(tmp_path) as rig, peer(rig) as terminal:
        with Untouched(rig):
            answer = await terminal.post(content)
            assert answer.status_code == 400, answer.status_code
            assert 0 < len(answer.content) < 500


@pytest.mark.parametrize(
    ("listener", "address", "status"),
    [
        ({}, ADDRESS, 204),
        ({}, f"::ffff:{ADDRESS}", 204),
        ({}, "192.0.2.8", 403),
        ({}, "127.0.0.1", 403),
        ({}, "::1", 403),
        ({"allow": ["198.51.100.0/24"]}, "198.51.100.200", 204),
        ({"allow": ["198.51.100.0/24"]}, "198.51.101.1", 403),
        ({"allow": ["2001:db8::/32"]}, "2001:db8::7", 204),
        ({"allow": ["2001:db8::/32", ADDRESS]}, "2001:db9::7", 403),
        ({"allow": ["0.0.0.0/0"]}, "203.0.113.9", 204),
    ],
)
async def test_only_allowed_peers_are_heard(
    tmp_path: Path,
    autojump_clock: MockClock,
    listener: dict[str, Any],
    address: str,
    status: int,
) -> None:
    async with world(tmp_path) as found:
        found.callbacks_may_fail = True
        rig = await found.start(settled=False, listener=listener)
        await rig.lane.watch.until(lambda state: True if state.phase == "ready" else None)
        await trio.sleep(60)
        found.terminal.violations.clear()  # it has noticed that it is not heard
        before = (await rig.view())["display"]["lines"]
        async with peer(rig, address) as stranger:
            answer = await stranger.post(display("From a stranger"))
            assert answer.status_code == status
            lines = (await rig.view())["display"]["lines"]
            assert lines == (["From a stranger"] if status == 204 else before)


async def test_a_terminal_that_is_given_by_name_does_not_open_the_door_to_everybody(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """`allow = []` stands for the terminal's present address, not for everybody."""
    async with world(tmp_path) as found:
        rig = await found.start(settled=False, terminal={"address": "terminal.lan:11000"})
        async with peer(rig, "203.0.113.9") as stranger:
            for content in (display(), event("CardInserted"), question(), print_out()):
                assert (await stranger.post(content)).status_code == 403


async def test_a_stopped_lane_answers_503(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path) as rig, peer(rig) as terminal:
        async with trio.open_nursery() as nursery:
            statuses: list[int] = []

            async def post() -> None:
                statuses.append((await terminal.post(display("Late"))).status_code)

            nursery.start_soon(rig.stop)
            for _ in range(30):
                await trio.lowlevel.checkpoint()
                if not rig.lane.ended.is_set():
                    nursery.start_soon(post)
        assert set(statuses) <= {204, 503}


# -- Displays -------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["", "false", "0"])
async def test_a_display_is_answered_with_204(
    tmp_path: Path, autojump_clock: MockClock, flag: str
) -> None:
    async with lane(tmp_path) as rig, peer(rig) as terminal, rig.stream() as stream:
        await terminal.tell(display('9202,"Godkänt"', flag))
        told = await stream.until("display", code=9202)
        assert told.data == {"lines": ["Godkänt"], "code": 9202, "source": "terminal"}


@pytest.mark.parametrize("flag", ["true", "1"])
async def test_a_display_that_wants_a_response_gets_one_for_each_output(
    tmp_path: Path, autojump_clock: MockClock, flag: str
) -> None:
    async with lane(tmp_path) as rig, peer(rig) as terminal:
        outputs = output("One", flag) + output("Two", "false", "CustomerDisplay")
        body = await terminal.ask(message("Display", f"<DisplayRequest>{outputs}</DisplayRequest>"))
        assert body.tag == "DisplayResponse"
        assert [(one.get("Device"), one.get("InfoQualify")) for one in body] == [
            ("CashierDisplay", "Status"),
            ("CustomerDisplay", "Status"),
        ]
        assert [one[0].get("Result") for one in body] == ["Success", "Success"]
        assert (await rig.view())["display"]["lines"] == ["One", "Two"]


async def test_texts_as_live_terminals_may_write_them(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig, peer(rig) as terminal:
        for written, lines, code in (
            ("Plain &amp; simple", ["Plain & simple"], None),
            ('9101,"Visa kort"', ["Visa kort"], 9101),
            ("9101,Visa kort", ["Visa kort"], 9101),
            ("550,00 SEK", ["550,00 SEK"], None),
            ("one\ntwo", ["one", "two"], None),
            ("€ åäöÅÄÖ", ["€ åäöÅÄÖ"], None),
        ):
            await terminal.tell(display(written))
            shown = (await rig.view())["display"]
            assert (shown["lines"], shown["code"]) == (lines, code)


async def test_the_same_display_twice_is_one_event(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig, peer(rig) as terminal, rig.stream() as stream:
        for _ in range(3):
            await terminal.tell(display("Twice"))
        assert [shown["lines"] for shown in stream.of("display")] == [["Twice"]]


# -- Prints and events ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "answered"), [("NotRequired", False), ("Immediate", True), ("PrintEnd", True)]
)
async def test_prints(tmp_path: Path, autojump_clock: MockClock, mode: str, answered: bool) -> None:
    async with lane(tmp_path) as rig, peer(rig) as terminal, rig.stream() as stream:
        if answered:
            body = await terminal.ask(print_out(mode))
            assert (body.tag, body.get("DocumentQualifier")) == ("PrintResponse", "CashierReceipt")
            assert body[0].get("Result") == "Success"
        else:
            await terminal.tell(print_out(mode))
        printed = (await stream.until("print")).data
        assert printed["lines"] == ["Kiosk Blåbär", "38,00 SEK"]
        assert (printed["document"], printed["payment"]) == ("merchant", None)


async def test_events(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path) as rig, peer(rig) as terminal, rig.stream() as stream:
        for name in ("CardInserted", "CardRemoved", "Completed", "SomethingNew"):
            await terminal.tell(event(name, "why" if name == "SomethingNew" else ""))
        assert stream.of("card") == [{"action": "inserted"}, {"action": "removed"}]
        assert stream.of("terminal") == [
            {"event": "Completed", "details": ""},
            {"event": "SomethingNew", "details": "why"},
        ]


async def test_the_terminals_address_and_messages_without_use_are_answered_with_204(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig, peer(rig) as terminal:
        with Untouched(rig):
            await terminal.tell(transmit())
            await terminal.tell(message("Sound", "<SoundRequest/>"))


# -- Anything, at any time ------------------------------------------------------------------------


async def test_posts_outside_of_a_session_and_duplicates_are_harmless(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    posts = [display(), event("CardInserted"), event("Shutdown"), print_out(), transmit()]
    async with lane(tmp_path) as rig, peer(rig) as terminal:
        for content in posts * 2:
            await terminal.tell(content)
        assert (await rig.pay("a"))["state"] == "approved"
        for content in posts * 2:
            await terminal.tell(content)
        await rig.post("/v1/session/logout")
        for content in posts * 2:
            await terminal.tell(content)
        assert (await rig.view())["session"]["state"] == "logged_out"
        assert (await rig.post("/v1/session/login")).status_code == 200
        await rig.settled()
        assert (await rig.pay("b"))["state"] == "approved"


@pytest.mark.parametrize("seed", range(3))
async def test_mutated_messages_never_break_anything(
    tmp_path: Path, autojump_clock: MockClock, seed: int
) -> None:
    rng = random.Random(seed)
    bases = [display(flag="true"), question(), print_out("PrintEnd"), event("Abort"), transmit()]
    async with lane(tmp_path) as rig, peer(rig) as terminal:
        for _ in range(300):
            content = bytearray(rng.choice(bases))
            for _ in range(rng.randrange(1, 6)):
                place = rng.randrange(len(content))
                match rng.randrange(3):
                    case 0:
                        content[place] = rng.randrange(256)
                    case 1:
                        del content[place : place + rng.randrange(1, 20)]
                    case _:
                        content[place:place] = rng.choice([b"<", b"&", b'"', b"\x00", b" ", b"9"])
                if not content:
                    break
            answer = await terminal.post(bytes(content))
            assert answer.status_code in (200, 204, 400), bytes(content)
        assert (await rig.pay())["state"] == "approved"
