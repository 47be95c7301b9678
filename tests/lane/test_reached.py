"""Money rule 4: what shows that the terminal has the attempt, and what it proves nothing after."""

from collections.abc import Callable

import lanes
import pytest
from lanes import Lane, configuration, replace

from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.payment import PaymentState
from laned.lane.state import Phase
from laned.nexo import messages as m

Sign = Callable[[Lane], ev.Event]
RECEIPT = m.Receipt(qualifier="CustomerReceipt", lines=("38.00",))


def marks(lane: Lane) -> int:
    """How often it was recorded that the terminal has the attempt."""
    changed = [entry for entry in lane.entries if isinstance(entry, fx.AttemptChanged)]
    return sum(entry.attempt.reached for entry in changed)


def forgotten(lane: Lane) -> Lane:
    """The answer is lost, and the terminal says that it knows of nothing, twice."""
    if lane.phase is Phase.PAYING:
        lane.do(lane.lost())
    for _ in range(2):
        lane.do(lane.status("NotFound"))
        if lane.state.payment is not None:
            lane.wait(2.0)
    return lane


def only_older(lane: Lane) -> Lane:
    """The terminal has lost its session, and whatever it is asked, only older ones are there."""
    if lane.phase is Phase.PAYING:
        lane.do(lane.lost())
    lane.do(lane.status("NotAllowed"), lanes.login(), lanes.shows("Welcome"))
    for _ in range(6):
        if lane.state.payment is not None:
            lane.wait(30.0)
            lane.do(lane.last_was("older") if lane.asks_for_last else lane.status("NotFound"))
    return lane


def _posted(event: ev.Event) -> Sign:
    return lambda lane: event


POSTED: dict[str, Sign] = {
    "a display": _posted(lanes.shows("Present card")),
    "a question": _posted(lanes.asks()),
    "a receipt": _posted(ev.Printed(RECEIPT)),
    "a card": _posted(ev.TerminalNotified(event="CardInserted")),
}
ANSWERED: dict[str, Sign] = {
    "Busy": lambda lane: lane.status("Busy"),
    "InProgress": lambda lane: lane.status("InProgress"),
    "InProgress repeated": lambda lane: lane.repeated("InProgress"),
    "a wrong amount": lambda lane: lane.repeated(amounts=None),
    "somebody else's": lambda lane: lane.repeated(header=lane.header(service_id="77")),
}
SIGNS = POSTED | ANSWERED


def with_sign(name: str, make: lanes.Make | None = None) -> Lane:
    lane = (make or (lanes.paying if name in POSTED else lanes.doubt))()
    before = marks(lane)
    lane.do(SIGNS[name](lane))
    assert marks(lane) == before + 1
    lane.wait(2.0)
    return lane


@pytest.mark.parametrize("later", [forgotten, only_older])
@pytest.mark.parametrize("life", ["this life", "the next life"])
@pytest.mark.parametrize("name", SIGNS)
def test_rule_4_not_believed_of_what_the_terminal_has_shown_it_had(
    name: str, life: str, later: Callable[[Lane], Lane]
) -> None:
    lane = with_sign(name)
    if life == "the next life":
        lane = lanes.restarted(lane).wait(0.0)
    later(lane)
    assert lane.payment.state is PaymentState.UNKNOWN
    lane.wait(30.0)
    lane.do(lane.repeated())
    assert lane.ended() == ("approved", None)


@pytest.mark.parametrize("later", [forgotten, only_older])
def test_rule_4_without_a_sign_both_are_believed(later: Callable[[Lane], Lane]) -> None:
    assert later(lanes.paying()).ended() == ("failed", "NotFound")


@pytest.mark.parametrize("name", POSTED)
@pytest.mark.parametrize("make", [lanes.paying, lanes.doubt])
def test_rule_4_it_is_recorded_once_for_each_attempt(make: lanes.Make, name: str) -> None:
    lane = with_sign(name, make)
    for posted in POSTED.values():
        lane.do(posted(lane))
    assert marks(lane) == 1
    if lane.phase is Phase.PAYING:
        lane.do(lane.answered("Busy"))
        lane.do(lanes.shows("Welcome"))
        lane.wait(2.0)
        assert lane.state.attempt is not None
        assert not lane.state.attempt.reached
        lane.do(lane.left(), lanes.shows("Present card"))
        assert lane.state.attempt.reached


@pytest.mark.parametrize(
    "event",
    [
        ev.TerminalNotified(event="Reject"),
        ev.TerminalNotified(event="Shutdown"),
        ev.TerminalNotified(event="Initialised"),
        ev.InputWithdrawn("none"),
    ],
)
def test_rule_4_what_says_the_contrary_is_no_sign(event: ev.Event) -> None:
    lane = lanes.paying().then(event)
    assert marks(lane) == 0


def test_rule_4_what_comes_before_the_last_byte_has_left_is_no_sign() -> None:
    lane = lanes.just_asked().then(lanes.shows("Welcome"))
    assert marks(lane) == 0
    assert forgotten(lane).ended() == ("failed", "NotFound")


@pytest.mark.parametrize("make", [lanes.ready, lanes.pending, lanes.retrying, lanes.relogin])
def test_rule_4_what_is_shown_while_no_attempt_is_out_is_no_sign(make: lanes.Make) -> None:
    lane = make().then(lanes.shows("Welcome"))
    assert marks(lane) == 0


def test_rule_4_what_is_shown_after_a_login_is_no_sign() -> None:
    lane = lanes.relogin().then(lanes.shows("Please wait")).then(lanes.login())
    lane.do(lanes.shows("Welcome"))
    assert marks(lane) == 0


def quiet() -> Lane:
    """Nothing came for 30 s, so it was asked."""
    lane = lanes.quiet()
    lane.do(lane.lost())
    return lane


def another_life() -> Lane:
    return lanes.restarted(lanes.paying()).wait(0.0)


def a_silent_terminal() -> Lane:
    return lanes.unknown().wait(2.0)


def light_integration() -> Lane:
    config = configuration()
    return lanes.doubt(replace(config, lane=replace(config.lane, mode="light")))


UNWATCHED = [quiet, another_life, a_silent_terminal, light_integration]


@pytest.mark.parametrize("make", UNWATCHED)
def test_rule_4_older_ones_prove_nothing_where_nobody_watched_the_terminal(
    make: Callable[[], Lane],
) -> None:
    assert only_older(make()).payment.state is PaymentState.UNKNOWN


@pytest.mark.parametrize("make", UNWATCHED)
def test_rule_4_but_not_found_twice_does_while_the_session_lasts(
    make: Callable[[], Lane],
) -> None:
    assert forgotten(make()).ended() == ("failed", "NotFound")


def test_rule_4_a_reversal_that_the_terminal_has_shown_is_not_refused() -> None:
    lane = lanes.reversing().then(lanes.shows("Reversing"))
    lane.do(lane.lost(), lane.status("NotAllowed"), lanes.login())
    stands = m.PaymentResponse(response=m.Response(result="Success"))
    for _ in range(6):
        lane.wait(30.0)
        last = lane.last_was("a", stands)
        lane.do(last if lane.asks_for_last else lane.status("NotFound"))
    assert lane.payment.reversal is not None
    assert lane.payment.reversal.state == "unknown"
