"""What is told to the tills, in which order, and that nothing is told when nothing happened."""

from typing import Any

import lanes
import msgspec
import pytest
from lanes import Lane, configuration

from laned.lane import events as ev
from laned.lane.payment import Payment
from laned.nexo import messages as m
from laned.views.lane import ClosedPromptView
from laned.views.till_events import TillEvent, till_events


def told(lane: Lane, *events: ev.Event) -> list[TillEvent]:
    """The till events of these events."""
    found: list[TillEvent] = []
    for event in events:
        before = lane.state
        lane.do(event)
        found += till_events(before, event, lane.state)
    return found


def names(found: list[TillEvent]) -> list[str]:
    return [item.name for item in found]


def data(found: list[TillEvent], name: str) -> list[Any]:
    return [item.data for item in found if item.name == name]


def states(found: list[TillEvent]) -> list[str]:
    return [str(payment.state) for payment in data(found, "payment")]


def test_a_session_begins() -> None:
    lane = Lane()
    assert names(told(lane, ev.TimePassed())) == ["session"]
    found = told(lane, lanes.login())
    assert names(found) == ["display", "session"]
    (session,) = data(found, "session")
    assert (session.state, session.terminal.serial_number) == ("ready", lanes.SERIAL)


def test_a_payment_from_end_to_end() -> None:
    lane = lanes.ready()
    found = told(lane, ev.PaymentAsked(lanes.order()))
    assert names(found) == ["payment", "display", "session"]
    assert states(found) == ["processing"]
    assert told(lane, lane.left()) == []
    (display,) = told(lane, lanes.shows("Insert card", 9202))
    assert (display.name, display.data.lines, display.data.code) == (
        "display",
        ("Insert card",),
        9202,
    )
    assert told(lane, lanes.shows("Insert card", 9202)) == []
    found = told(lane, lane.answered())
    assert names(found) == ["payment", "session"]
    assert states(found) == ["approved"]
    (payment,) = data(found, "payment")
    assert payment is lane.state.settled
    assert isinstance(payment, Payment)


def test_a_pending_payment_and_its_prompt() -> None:
    lane = lanes.ready()
    found = told(lane, ev.PaymentAsked(lanes.order(confirm="button")))
    assert names(found) == ["payment", "prompt", "display"]
    (opened,) = data(found, "prompt")
    assert not isinstance(opened, ClosedPromptView)
    found = told(lane, ev.ButtonPressed("confirm"))
    assert names(found) == ["button", "payment", "prompt", "display", "session"]
    (closed,) = data(found, "prompt")
    assert (closed.id, closed.answer, closed.by) == (opened.id, True, "button")
    assert states(found) == ["processing"]


def test_a_prompt_is_told_as_the_contract_writes_it() -> None:
    lane = lanes.pending(configuration(confirm_timeout=20.0))
    opened = msgspec.json.decode(
        msgspec.json.encode(till_events(lanes.ready().state, None, lane.state)[1].data)
    )
    assert set(opened) == {"id", "kind", "text", "expires_at"}
    before = lane.state
    lane.wait(20.0)
    (prompt,) = data(till_events(before, None, lane.state), "prompt")
    closed = msgspec.json.decode(msgspec.json.encode(prompt))
    assert closed == opened | {"answer": False, "by": "timeout"}


@pytest.mark.parametrize(
    ("how", "answer", "by"),
    [("till", True, "till"), ("button", False, "button"), ("terminal", None, "terminal")],
)
def test_a_signature_prompt_opens_and_closes(how: str, answer: bool | None, by: str) -> None:
    lane = lanes.paying(configuration(signature="button"))
    found = told(lane, lanes.asks("k1"))
    assert names(found) == ["prompt", "display"]
    assert lane.state.prompt is not None
    close = {
        "till": ev.PromptAnswered(lane.state.prompt.id, confirmed=True),
        "button": ev.ButtonPressed("abort"),
        "terminal": ev.InputWithdrawn("k1"),
    }[how]
    (closed,) = data(told(lane, close), "prompt")
    assert isinstance(closed, ClosedPromptView)
    assert (closed.answer, closed.by) == (answer, by)
    assert b'"answer":' in msgspec.json.encode(closed), "also null is said"


def test_a_newer_question_closes_the_older_first() -> None:
    lane = lanes.paying(configuration(signature="till"))
    lane.do(lanes.asks("k1"))
    older, newer = data(told(lane, lanes.asks("k2", "Again?")), "prompt")
    assert (older.answer, older.by, newer.text) == (None, "terminal", "Again?")


def test_nobody_is_told_of_a_question_that_nobody_was_asked() -> None:
    lane = lanes.paying(configuration(signature="decline"))
    found = told(lane, lanes.asks("k1"))
    assert names(found) == ["payment"]
    assert data(found, "payment")[0].signature == "declined"
    assert told(lanes.ready(), lanes.asks("k1")) == []


def test_doubt_and_its_end() -> None:
    lane = lanes.paying()
    assert names(told(lane, lane.lost())) == ["display"]
    found = told(lane, lane.silent())
    assert names(found) == ["payment", "session"]
    assert states(found) == ["unknown"]
    lane.wait(2.0)
    assert told(lane, lane.silent()) == [], "still unknown"
    lane.wait(2.0)
    found = told(lane, lane.repeated("Refusal"))
    assert states(found) == ["declined"]
    assert names(found) == ["payment", "display", "session"]


def test_a_payment_is_told_at_every_change_and_only_then() -> None:
    lane = lanes.paying()
    assert [p.abort_requested for p in data(told(lane, ev.AbortAsked("a")), "payment")] == [True]
    assert data(told(lane, ev.AbortAsked("a")), "payment") == []


@pytest.mark.parametrize(
    ("event", "name", "expected"),
    [
        (ev.TerminalNotified(event="CardInserted"), "card", {"action": "inserted"}),
        (ev.TerminalNotified(event="CardRemoved"), "card", {"action": "removed"}),
        (
            ev.TerminalNotified(event="Shutdown", details="now"),
            "terminal",
            {"event": "Shutdown", "details": "now"},
        ),
        (ev.ButtonPressed("abort"), "button", {"name": "abort", "action": "pressed"}),
        (ev.ButtonReleased("abort"), "button", {"name": "abort", "action": "released"}),
        (
            ev.HardwareReported("buttons", "failing"),
            "hardware",
            {"display": "starting", "buttons": "failing"},
        ),
    ],
)
def test_what_is_told_as_it_comes(event: ev.Event, name: str, expected: dict[str, str]) -> None:
    for make in (lanes.ready, lanes.offline):
        (item,) = told(make(), event)
        assert item.name == name
        assert msgspec.to_builtins(item.data) == expected


@pytest.mark.parametrize(
    ("qualifier", "document"), [("CustomerReceipt", "customer"), ("CashierReceipt", "merchant")]
)
def test_a_document_to_print_names_its_payment(qualifier: str, document: str) -> None:
    receipt = m.Receipt(qualifier=qualifier, lines=("Total 100",), data={"a": 1})
    for lane, payment in ((lanes.paying(), "a"), (lanes.ready(), None)):
        (item,) = told(lane, ev.Printed(receipt))
        assert msgspec.to_builtins(item.data) == {
            "document": document,
            "lines": ("Total 100",),
            "data": {"a": 1},
            "payment": payment,
        }


@pytest.mark.parametrize("phase", lanes.Phase)
def test_no_news_for_nothing(phase: lanes.Phase) -> None:
    for make in lanes.MAKERS[phase]:
        lane = make()
        assert till_events(lane.state, None, lane.state) == []
        assert told(lane, ev.TimePassed(), ev.LogoutEnded(None)) == [] or phase in (
            lanes.Phase.OFFLINE,
            lanes.Phase.LOGGING_OUT,
        )


def test_the_journals_condition_is_told() -> None:
    lane = lanes.ready()
    after = lanes.replace(lane.state, journal="full")
    (item,) = till_events(lane.state, None, after)
    assert (item.name, msgspec.to_builtins(item.data)) == ("journal", {"journal": "full"})
