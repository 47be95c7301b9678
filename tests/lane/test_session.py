"""The session while nothing is unfinished: Logins, liveness, what the terminal says of itself."""

import lanes
import pytest
from lanes import configuration, replace

from laned.lane import events as ev
from laned.lane.session import BACKOFF_LIMIT, JITTER
from laned.lane.state import Phase, SessionState
from laned.nexo import messages as m
from laned.views import lane as views
from laned.views.till_events import till_events

HERE = "192.0.2.15:11000"
GONE = ev.LoginFailed("no answer")
UPDATED = ev.UpdateAnswered(m.AdminResponse(response=m.Response(result="Success")))


def notified(name: str) -> ev.TerminalNotified:
    return ev.TerminalNotified(event=name)


# -- Login ------------------------------------------------------------------------------------


def test_an_outage_is_told_once_and_not_with_every_try() -> None:
    lane, told = lanes.logging_in(), []
    lane.do(GONE)
    while lane.now < 10_000:
        assert lane.state.wake_at is not None
        lane.now = lane.state.wake_at
        for event in (ev.TimePassed(), GONE):
            before = lane.state
            lane.do(event)
            told += till_events(before, event, lane.state)
            assert lane.state.session is SessionState.OFFLINE
            assert views.display(lane.state).lines == ("Kortterminalen saknar kontakt",)
    assert told == []
    assert len(lane.sent(m.LoginRequest)) > 9_000 / BACKOFF_LIMIT


def test_the_back_off_begins_anew_after_a_session() -> None:
    lane = lanes.logging_in().then(GONE)
    first = lane.state.login_at
    assert first is not None
    assert (1 - JITTER) * 2 <= first - lane.now <= 2
    for _ in range(8):
        lane.now = lane.state.wake_at or lane.now
        lane.do(ev.TimePassed(), GONE)
    assert lane.state.login_at is not None
    assert lane.state.login_at - lane.now > 20
    lane.now = lane.state.login_at
    lane.do(ev.TimePassed(), lanes.login(), ev.TerminalProbed(HERE, reached=False))
    assert lane.state.login_at is not None
    assert lane.state.login_at - lane.now <= 2


@pytest.mark.parametrize("make", [lanes.logging_in, lanes.unreachable])
def test_a_terminal_that_is_busy_with_a_new_poiid_is_waited_for(make: lanes.Make) -> None:
    lane = make()
    if lane.phase is Phase.OFFLINE:
        lane.now = lane.state.wake_at or lane.now
        lane.do(ev.TimePassed())
    lane.do(lanes.login(condition="Busy"))
    assert (lane.phase, lane.state.session) == (Phase.OFFLINE, SessionState.BUSY)
    assert views.display(lane.state).lines == ("Vänta",)
    lane.wait(30.0)
    assert lane.state.session is SessionState.BUSY
    assert lane.then(lanes.login()).phase is Phase.READY


# -- Liveness ---------------------------------------------------------------------------------


def test_a_terminal_that_is_gone_is_logged_in_again_when_it_is_back() -> None:
    lane = lanes.ready().then(ev.TerminalProbed(HERE, reached=False))
    assert (lane.state.session, lane.state.reason) == (SessionState.OFFLINE, "unreachable")
    lane.wait(2)
    lane.do(GONE)
    lane.wait(4)
    assert lane.then(lanes.login()).phase is Phase.READY


def test_one_that_was_gone_for_a_moment_may_have_lost_the_session() -> None:
    lane = lanes.ready().then(ev.TerminalProbed(HERE, reached=True))
    assert len(lane.sent_now(m.TransactionStatusRequest)) == 1
    assert lane.asks_for_last
    lane.do(lane.status("NotAllowed"))
    assert lane.phase is Phase.LOGGING_IN


@pytest.mark.parametrize("condition", ["NotFound", "Busy", "SomethingNew"])
def test_any_other_answer_says_that_the_session_stands(condition: str) -> None:
    lane = lanes.checking()
    lane.do(lane.status(condition))
    assert (lane.phase, lane.state.asking) == (Phase.READY, None)


def test_a_question_that_nobody_answers_says_that_it_is_gone() -> None:
    lane = lanes.checking()
    lane.do(lane.silent())
    assert (lane.phase, lane.state.reason) == (Phase.OFFLINE, "unreachable")


def test_a_probe_of_another_address_says_nothing() -> None:
    lane = lanes.ready()
    before = lane.state
    lane.do(ev.TerminalProbed("192.0.2.99:11000", reached=False))
    assert lane.state is before


# -- Events -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Initialised", "Shutdown", "EndMaintenance"])
def test_events_of_an_idle_terminal_only_make_laned_ask(name: str) -> None:
    lane = lanes.ready().then(notified(name))
    assert len(lane.sent_now(m.TransactionStatusRequest)) == 1
    lane.do(notified(name))
    assert lane.last.effects == (), "one question at a time"


@pytest.mark.parametrize("name", ["OutOfOrder", "Completed", "Reject", "Anything", ""])
def test_other_events_are_only_told(name: str) -> None:
    lane = lanes.ready()
    before, event = lane.state, notified(name)
    lane.do(event)
    assert lane.state is before
    assert [told.name for told in till_events(before, event, lane.state)] == ["terminal"]


def test_the_answer_to_that_question_means_nothing_to_a_payment_that_has_begun() -> None:
    lane = lanes.checking()
    question = lane.asking()
    lane.do(ev.PaymentAsked(lanes.order()))
    before = lane.state
    response = m.Response(result="Failure", error_condition="NotAllowed")
    answer = m.TransactionStatusResponse(response=response)
    lane.do(ev.StatusAnswered(service_id=question, response=answer))
    assert lane.state is before
    assert len(lane.sent(m.LoginRequest)) == 1


def test_a_terminal_that_has_started_again_is_called_at_once() -> None:
    lane = lanes.unreachable()
    for _ in range(6):
        lane.now = lane.state.wake_at or lane.now
        lane.do(ev.TimePassed(), GONE)
    lane.do(notified("Initialised"))
    assert lane.state.wake_at == lane.now


# -- Updates ----------------------------------------------------------------------------------


def test_the_terminal_is_asked_to_look_for_updates() -> None:
    lane = lanes.ready().then(ev.UpdateAsked())
    assert (lane.phase, lane.state.session) == (Phase.UPDATING, SessionState.BUSY)
    refusal = lane.do(ev.PaymentAsked(lanes.order())).refusal
    assert refusal is not None
    assert refusal.code == "lane_busy", "one request at a time"
    assert len(lane.sent(m.AdminRequest)) == 1
    lane.do(UPDATED)
    assert (lane.phase, lane.state.updated) == (Phase.READY, "")


def test_what_it_says_against_it_is_kept() -> None:
    busy = m.AdminResponse(response=m.Response(result="Failure", error_condition="Busy"))
    lane = lanes.updating().then(ev.UpdateAnswered(busy))
    assert (lane.phase, lane.state.updated) == (Phase.READY, "Busy")
    lane = lanes.updating().then(ev.UpdateAnswered(None))
    assert (lane.phase, lane.state.updated) == (Phase.READY, "unreachable")
    gone = m.AdminResponse(response=m.Response(result="Failure", error_condition="NotAllowed"))
    lane = lanes.updating().then(ev.UpdateAnswered(gone))
    assert (lane.phase, lane.state.updated) == (Phase.LOGGING_IN, "NotAllowed")


def test_the_stop_waits_for_that_answer() -> None:
    lane = lanes.updating().then(ev.StopAsked())
    assert lane.sent_now(m.LogoutRequest) == []
    lane.do(UPDATED)
    assert len(lane.sent_now(m.LogoutRequest)) == 1


# -- Another configuration --------------------------------------------------------------------


def test_a_running_payment_goes_on_under_another_configuration() -> None:
    lane = lanes.paying()
    config = configuration(signature="till")
    config = replace(config, terminal=replace(config.terminal, retry_interval=7.0))
    lane.do(ev.ConfigChanged(config), lanes.asks())
    assert lane.state.prompt is not None, "what is asked from now on is asked as it says"
    lane.do(lane.answered())
    assert lane.payment.state == "approved"
