"""The contract's table of the buttons; an LED is lit exactly while a press does something."""

from collections.abc import Callable

import lanes
import pytest
from lanes import Lane, configuration, with_approve_button, with_till_button
from reversals import UNDER_WAY

from laned.config.schema import Config
from laned.lane import events as ev
from laned.lane.buttons import Meaning, lit, meaning
from laned.lane.payment import PaymentState
from laned.lane.state import Phase
from laned.nexo import messages as m
from laned.views.till_events import ButtonEvent, TillEvent, till_events

NAMES = ("confirm", "abort", "approve")
POLICIES = ("decline", "button", "till")
CONFIGS = {
    f"{policy}{'-approve' if approve else ''}": (
        with_approve_button(configuration(signature=policy))
        if approve
        else configuration(signature=policy)
    )
    for policy in POLICIES
    for approve in (False, True)
}


def doubt_running(config: Config) -> Lane:
    lane = lanes.doubt(config)
    lane.do(lane.status("Busy"))
    return lane


def running_again(config: Config) -> Lane:
    lane = lanes.unknown(config).wait(2.0)
    lane.do(lane.status("Busy"))
    return lane


def mismatched(config: Config) -> Lane:
    lane = lanes.paying(config)
    lane.do(lane.answered(amounts=None))
    return lane


def aborted(config: Config) -> Lane:
    lane = lanes.paying(config)
    lane.do(ev.AbortAsked("a"))
    return lane


def other_terminal(config: Config) -> Lane:
    lane = lanes.relogin(config)
    lane.do(lanes.login("serial-2"))
    return lane


def signature_asked(make: Callable[[Config], Lane]) -> Callable[[Config], Lane]:
    def asked(config: Config) -> Lane:
        lane = make(config)
        lane.do(lanes.asks())
        return lane

    asked.__name__ = f"{getattr(make, '__name__', 'lane')}_asked"
    return asked


NOTHING: dict[str, Meaning] = {}
TABLE: list[tuple[Callable[[Config], Lane], dict[str, Meaning]]] = [
    # idle, offline, maintenance
    (lanes.offline, NOTHING),
    (lanes.logging_in, NOTHING),
    (lanes.ready, NOTHING),
    (lanes.logging_out, NOTHING),
    (lanes.logged_out, NOTHING),
    (lanes.stopped, NOTHING),
    (lanes.stopped_paying, NOTHING),
    (lanes.survey, NOTHING),
    (lanes.broken, NOTHING),
    # reversal running
    *((make, NOTHING) for make in UNDER_WAY),
    # payment pending
    (lanes.pending, {"confirm": Meaning.START, "abort": Meaning.CANCEL}),
    # processing, between two attempts
    (lanes.retrying, {"abort": Meaning.CANCEL}),
    (lanes.refused_early, {"abort": Meaning.CANCEL}),
    (lanes.asking_for_session, {"abort": Meaning.CANCEL}),
    (lanes.relogin_between, {"abort": Meaning.CANCEL}),
    # processing, also in doubt while the terminal says it runs
    (lanes.just_asked, {"abort": Meaning.ABORT}),
    (lanes.paying, {"abort": Meaning.ABORT}),
    (lanes.quiet, {"abort": Meaning.ABORT}),
    (lanes.doubt, {"abort": Meaning.ABORT}),
    (doubt_running, {"abort": Meaning.ABORT}),
    (running_again, {"abort": Meaning.ABORT}),
    (aborted, NOTHING),
    # unknown, terminal silent
    (lanes.unknown, NOTHING),
    (mismatched, NOTHING),
    (lanes.relogin, NOTHING),
    (other_terminal, NOTHING),
]
PROMPTED = [lanes.paying, lanes.doubt, lanes.unknown, lanes.relogin, doubt_running]


def means(lane: Lane) -> dict[str, Meaning]:
    return {name: found for name in NAMES if (found := meaning(lane.state, name)) is not None}


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize(("make", "expected"), TABLE, ids=[make.__name__ for make, _ in TABLE])
def test_what_each_button_means(
    make: Callable[[Config], Lane], expected: dict[str, Meaning], config: str
) -> None:
    assert means(make(CONFIGS[config])) == expected


@pytest.mark.parametrize("make", PROMPTED, ids=lambda make: make.__name__)
@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("button", {"confirm": Meaning.APPROVE, "abort": Meaning.DECLINE}),
        ("button-approve", {"approve": Meaning.APPROVE, "abort": Meaning.DECLINE}),
        ("till", NOTHING),
        ("till-approve", NOTHING),
    ],
)
def test_what_they_mean_while_a_signature_is_asked_for(
    make: Callable[[Config], Lane], config: str, expected: dict[str, Meaning]
) -> None:
    assert means(signature_asked(make)(CONFIGS[config])) == expected


EVERYWHERE = [make for make, _ in TABLE]
EVERYWHERE += [signature_asked(make) for make in EVERYWHERE]


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("make", EVERYWHERE, ids=lambda make: make.__name__)
def test_an_led_is_lit_exactly_while_a_press_does_something(
    make: Callable[[Config], Lane], config: str
) -> None:
    for name in (*NAMES, "another"):
        lane = make(CONFIGS[config])
        before = lane.state
        step = lane.do(ev.ButtonPressed(name))
        acted = (step.state, step.effects) != (before, ())
        assert acted is (name in lit(before))
        assert step.refusal is None


@pytest.mark.parametrize("make", EVERYWHERE, ids=lambda make: make.__name__)
def test_a_button_of_the_tills_own_only_tells_the_till(make: Callable[[Config], Lane]) -> None:
    lane = make(with_till_button(CONFIGS["button"]))
    before = lane.state
    assert "help" in lit(before)
    step = lane.do(ev.ButtonPressed("help"))
    assert (step.state, step.effects, step.refusal) == (before, (), None)
    told = till_events(before, ev.ButtonPressed("help"), step.state)
    assert told == [TillEvent("button", ButtonEvent("help", "pressed"))]


# -- What a press then does -----------------------------------------------------------------------


def pressed(lane: Lane, name: str) -> Lane:
    lane.do(ev.ButtonPressed(name))
    return lane


def test_confirm_starts_a_pending_payment() -> None:
    lane = pressed(lanes.pending(), "confirm")
    assert lane.phase is Phase.PAYING
    assert len(lane.sent(m.PaymentRequest)) == 1


def test_abort_ends_a_pending_payment_and_the_terminal_is_never_asked() -> None:
    lane = pressed(lanes.pending(), "abort")
    assert lane.ended()[0] == PaymentState.ABORTED
    assert not lane.sent(m.PaymentRequest)


@pytest.mark.parametrize("make", [lanes.retrying, lanes.asking_for_session, lanes.relogin_between])
def test_abort_between_two_attempts_ends_it(make: lanes.Make) -> None:
    lane = make()
    pressed(lane, "abort")
    assert lane.ended()[0] == PaymentState.ABORTED
    lane.wait(60.0)
    assert len(lane.sent(m.PaymentRequest)) == 1
    assert not lane.sent(m.AbortRequest)


def test_abort_between_two_attempts_says_so() -> None:
    lane = pressed(lanes.retrying(), "abort")
    assert lane.payment.error is not None
    assert "before the terminal was asked" not in lane.payment.error.message


@pytest.mark.parametrize("make", [lanes.paying, doubt_running, running_again])
def test_abort_while_it_runs_is_an_abort_request(make: lanes.Make) -> None:
    lane = pressed(make(configuration()), "abort")
    assert len(lane.sent_now(m.AbortRequest)) == 1
    assert lane.payment.abort_requested


@pytest.mark.parametrize("make", PROMPTED, ids=lambda make: make.__name__)
@pytest.mark.parametrize(("name", "signature"), [("confirm", "approved"), ("abort", "declined")])
def test_a_signature_is_answered_and_never_aborted(
    make: Callable[[Config], Lane], name: str, signature: str
) -> None:
    lane = pressed(signature_asked(make)(CONFIGS["button"]), name)
    assert lane.payment.signature == signature
    assert not lane.sent(m.AbortRequest)
    assert lane.state.closed is not None
    assert lane.state.closed.by == "button"


def test_only_the_approve_button_approves_where_there_is_one() -> None:
    lane = signature_asked(lanes.paying)(CONFIGS["button-approve"])
    pressed(lane, "confirm")
    assert lane.payment.signature is None
    pressed(lane, "approve")
    assert lane.payment.signature == "approved"


def test_a_release_means_nothing() -> None:
    lane = lanes.pending()
    before = lane.state
    lane.do(ev.ButtonReleased("confirm"))
    assert lane.state is before


# -- Held buttons ---------------------------------------------------------------------------------


def asked_at(lane: Lane, later: float) -> tuple[Lane, float]:
    """A payment that waits for its confirmation since some time after `lane` was made."""
    lane.wait(later)
    lane.do(ev.PaymentAsked(lanes.order(confirm="button")))
    return lane, lane.now


@pytest.mark.parametrize(
    ("down", "acts"), [(-5.0, False), (-0.01, False), (0.0, True), (1.0, True)]
)
@pytest.mark.parametrize("name", ["confirm", "abort"])
def test_a_button_that_was_down_when_its_meaning_changed_must_be_released_first(
    name: str, down: float, acts: bool
) -> None:
    lane, changed = asked_at(lanes.ready(), 10.0)
    lane.wait(2.0)
    before = lane.state
    lane.do(ev.ButtonPressed(name, since=changed + down))
    assert (lane.state is not before) is acts


def test_held_through_a_start_it_does_not_abort() -> None:
    lane, _ = asked_at(lanes.ready(), 10.0)
    lane.wait(1.0)
    pressed_at = lane.now
    lane.wait(1.0)
    lane.do(ev.ConfirmAsked("a"))
    lane.do(lane.left())
    lane.do(ev.ButtonPressed("abort", since=pressed_at))
    assert not lane.payment.abort_requested
    lane.wait(1.0)
    lane.do(ev.ButtonPressed("abort", since=lane.now))
    assert lane.payment.abort_requested


def test_held_since_an_older_question_it_does_not_answer_the_newer() -> None:
    lane = signature_asked(lanes.paying)(CONFIGS["button"])
    lane.wait(1.0)
    pressed_at = lane.now
    lane.wait(1.0)
    lane.do(lanes.asks("k2"))
    lane.do(ev.ButtonPressed("confirm", since=pressed_at))
    assert lane.payment.signature is None
