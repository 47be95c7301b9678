"""The listener: what the terminal may post, how it is answered, and what has no effect at all."""

import random
from pathlib import Path
from typing import Any

import pytest
import trio
from lanes import ADDRESS, POI_ID, Rig, lane, world
from posts import PATH, Peer, display, event, message, output, peer, print_out, question, transmit
from trio.testing import MockClock

MAX_BYTES = 256 * 1024
SHOWN = "<DisplayRequest>" + output("Hacked") + "</DisplayRequest>"


class Untouched:
    """Nothing may have happened to the lane in between."""

    def __init__(self, rig: Rig) -> None:
        self._runner = rig.lane.runner
        self._before = self._runner.state, self._runner.position(None)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        assert (self._runner.state, self._runner.position(None)) == self._before
        assert self._runner.state is self._before[0]


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
        b'<!DOCTYPE x><SaleToPOIRequest/>',
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
        message("Event", f'<EventNotification TimeStamp="x"/>', kind="Notification"),
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
        await rig.lane.runner.until(lambda state: True if state.phase == "ready" else None)
        await trio.sleep(60)
        found.terminal.violations.clear()  # it has noticed that it is not heard
        before = (await rig.view())["display"]["lines"]
        async with peer(rig, address) as stranger:
            answer = await stranger.post(display("From a stranger"))
            assert answer.status_code == status
            lines = (await rig.view())["display"]["lines"]
            assert lines == (["From a stranger"] if status == 204 else before)


async def test_while_the_terminals_address_is_not_known_nobody_is_heard(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """`allow = []` stands for the terminal's present address, not for everybody."""
    async with world(tmp_path) as found:
        rig = await found.start(settled=False, terminal={"address": "auto"})
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
async def test_prints(
    tmp_path: Path, autojump_clock: MockClock, mode: str, answered: bool
) -> None:
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


# -- Questions ------------------------------------------------------------------------------------


class Question:
    """An InputRequest that is held open."""

    def __init__(self, terminal: Peer, nursery: trio.Nursery) -> None:
        self.confirmed: str | None = None
        self.done = trio.Event()
        self.scope = trio.CancelScope()
        nursery.start_soon(self._ask, terminal)

    async def _ask(self, terminal: Peer) -> None:
        with self.scope:
            body = await terminal.ask(question("Godkänns signaturen?"))
            assert [part.tag for part in body] == ["OutputResult", "InputResult"]
            self.confirmed = body.findtext("InputResult/Input/ConfirmedFlag")
        self.done.set()


TILL = {"signature": "till"}


@pytest.mark.parametrize("confirmed", [True, False])
async def test_a_question_is_held_until_it_is_answered(
    tmp_path: Path, autojump_clock: MockClock, confirmed: bool
) -> None:
    async with (
        lane(tmp_path, "aborted", payment=TILL) as rig,
        peer(rig) as terminal,
        rig.stream() as stream,
        trio.open_nursery() as nursery,
    ):
        await rig.put()
        asked = Question(terminal, nursery)
        prompt = (await stream.until("prompt", kind="signature")).data
        assert prompt["text"] == "Godkänns signaturen?"
        await trio.sleep(20)
        assert not asked.done.is_set()
        await rig.post(f"/v1/prompts/{prompt['id']}", {"confirmed": confirmed})
        await asked.done.wait()
        assert asked.confirmed == str(confirmed).lower()
        await rig.post("/v1/payments/p-1/abort")
        await rig.payment(wait=60)


async def test_a_question_is_withdrawn_when_the_terminal_hangs_up(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with (
        lane(tmp_path, "aborted", payment=TILL) as rig,
        peer(rig) as terminal,
        rig.stream() as stream,
        trio.open_nursery() as nursery,
    ):
        await rig.put()
        asked = Question(terminal, nursery)
        prompt = (await stream.until("prompt", kind="signature")).data
        asked.scope.cancel()
        closed = await stream.until("prompt", by="terminal")
        assert closed.data == prompt | {"answer": None, "by": "terminal"}
        assert (await rig.view())["prompt"] is None
        late = await rig.post(f"/v1/prompts/{prompt['id']}", {"confirmed": True})
        assert late.json()["code"] == "prompt_closed"
        assert (await rig.payment())["signature"] is None
        await rig.post("/v1/payments/p-1/abort")
        await rig.payment(wait=60)


async def test_a_newer_question_withdraws_the_older_which_is_answered_no(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with (
        lane(tmp_path, "aborted", payment=TILL) as rig,
        peer(rig) as terminal,
        rig.stream() as stream,
        trio.open_nursery() as nursery,
    ):
        await rig.put()
        first = Question(terminal, nursery)
        older = (await stream.until("prompt", kind="signature")).data
        second = Question(terminal, nursery)
        await first.done.wait()
        assert first.confirmed == "false"
        newer = (await rig.view())["prompt"]
        assert newer["id"] != older["id"]
        await rig.post(f"/v1/prompts/{newer['id']}", {"confirmed": True})
        await second.done.wait()
        assert second.confirmed == "true"
        await rig.post("/v1/payments/p-1/abort")
        await rig.payment(wait=60)


@pytest.mark.parametrize("command", ["GetAnyKey", "DigitString", "Password", "NoSuchThing"])
async def test_other_questions_are_refused_at_once(
    tmp_path: Path, autojump_clock: MockClock, command: str
) -> None:
    async with lane(tmp_path, "aborted", payment=TILL) as rig, peer(rig) as terminal:
        await rig.put()
        with Untouched(rig):
            body = await terminal.ask(question(command=command))
        response = body.find("InputResult/Response")
        assert response is not None
        assert response.get("Result") == "Failure"
        assert response.get("ErrorCondition") == "UnavailableService"
        assert body.find("InputResult/Input") is None
        await rig.post("/v1/payments/p-1/abort")
        await rig.payment(wait=60)


@pytest.mark.parametrize("policy", ["decline", "button", "till"])
async def test_a_question_without_a_payment_is_answered_no_and_nobody_is_asked(
    tmp_path: Path, autojump_clock: MockClock, policy: str
) -> None:
    async with (
        lane(tmp_path, payment={"signature": policy}) as rig,
        peer(rig) as terminal,
        rig.stream() as stream,
    ):
        for _ in range(2):
            body = await terminal.ask(question())
            assert body.findtext("InputResult/Input/ConfirmedFlag") == "false"
        assert stream.of("prompt") == []
        assert (await rig.pay())["state"] == "approved"


async def test_the_terminals_time_limit_is_kept(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path, "aborted", payment=TILL) as rig, peer(rig) as terminal:
        await rig.put()
        begun = trio.current_time()
        body = await terminal.ask(question(seconds=10))
        assert body.findtext("InputResult/Input/ConfirmedFlag") == "false"
        assert 8 <= trio.current_time() - begun < 10
        await rig.post("/v1/payments/p-1/abort")
        await rig.payment(wait=60)


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
