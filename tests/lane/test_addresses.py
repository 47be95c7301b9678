"""Where the terminal is: announced addresses, remembered ones, and other terminals."""

import lanes
import pytest
from lanes import SERIAL, Lane, configuration, replace

from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.addresses import CANDIDATES, LEARN_FOR
from laned.lane.session import OTHER_TERMINAL_INTERVAL
from laned.lane.start import JournalSnapshot
from laned.lane.state import Phase
from laned.nexo import messages as m

HERE = "192.0.2.15:11000"
THERE = "192.0.2.77:11000"
ELSEWHERE = "192.0.2.99:11000"
STRANGER = ev.AddressAnnounced(THERE, admitted=False)
ADMITTED = ev.AddressAnnounced(THERE, admitted=True)
GONE = ev.LoginFailed("no answer")


def auto(serial: str = "") -> lanes.Config:
    config = configuration()
    return replace(config, terminal=replace(config.terminal, address="auto", serial=serial))


def login_to(lane: Lane) -> str:
    """Where the newest Login went."""
    return lane.sent(m.LoginRequest)[-1].address


def gone(lane: Lane | None = None) -> Lane:
    """Logged in once, and now without an answer at the address."""
    lane = lane or lanes.ready()
    lane.do(ev.TerminalProbed(HERE, reached=False))
    assert (lane.phase, lane.state.reason) == (Phase.OFFLINE, "unreachable")
    return lane


def next_login(lane: Lane) -> str:
    """Wait for the next Login; where it went."""
    assert lane.state.wake_at is not None
    lane.wait(lane.state.wake_at - lane.now)
    assert lane.phase is Phase.LOGGING_IN
    return login_to(lane)


def after_a_look(lane: Lane) -> str:
    """Where the Login goes that follows a vain one to where the terminal was."""
    assert next_login(lane) == HERE
    lane.do(GONE)
    return next_login(lane)


# -- A terminal that moves --------------------------------------------------------------------


@pytest.mark.parametrize("announced", [STRANGER, ADMITTED])
def test_a_terminal_that_is_known_may_announce_itself_from_anywhere(
    announced: ev.AddressAnnounced,
) -> None:
    lane = gone().then(announced)
    assert after_a_look(lane) == THERE
    lane.do(lanes.login())
    assert (lane.phase, lane.state.terminal.address) == (Phase.READY, THERE)
    assert fx.TerminalSeen(THERE, SERIAL, HERE) in lane.entries
    lane.do(ev.PaymentAsked(lanes.order()))
    assert lane.request().address == THERE


def test_a_stranger_with_another_serial_number_is_left_alone() -> None:
    lane = gone().then(STRANGER)
    after_a_look(lane)
    lane.do(lanes.login("serial-2"))
    assert (lane.phase, lane.state.reason) == (Phase.OFFLINE, "unreachable")
    assert (lane.state.terminal.address, lane.state.candidates) == (HERE, ())
    assert next_login(lane) == HERE


def test_while_the_terminal_answers_nobody_else_is_asked() -> None:
    lane = lanes.ready().then(STRANGER)
    assert lane.sent_now(m.TransactionStatusRequest)[0].address == HERE
    lane.do(lane.status("NotFound"))
    lane.wait(3600)
    assert (lane.phase, lane.state.terminal.address) == (Phase.READY, HERE)
    assert len(lane.sent(m.LoginRequest)) == 1


def test_one_that_has_moved_is_found_at_once() -> None:
    lane = lanes.ready().then(STRANGER)
    lane.do(lane.silent())
    assert next_login(lane) == THERE


@pytest.mark.parametrize("phase", [Phase.PAYING, Phase.RETRYING, Phase.DOUBT, Phase.SIGNING])
def test_with_a_payment_unfinished_it_is_only_noted(phase: Phase) -> None:
    for make in lanes.MAKERS[phase]:
        lane = make()
        lane.do(STRANGER)
        assert lane.last.effects == ()
        assert lane.state.candidates == (THERE,)
        lane.wait(30)
        addresses = {send.address for send in lane.sends}
        assert addresses == {HERE}


def test_the_address_that_the_file_names_is_the_fall_back() -> None:
    past = JournalSnapshot(next_service_id=1, address=THERE, serial=SERIAL, configured=HERE)
    lane = Lane(past=past).then(ev.TimePassed())
    assert login_to(lane) == THERE
    tried = []
    for _ in range(4):
        lane.do(GONE)
        tried.append(next_login(lane))
    assert tried == [HERE, THERE, HERE, THERE]
    lane.do(GONE)
    assert next_login(lane) == HERE
    lane.do(lanes.login("serial-2"))
    assert (lane.phase, lane.state.terminal.address) == (Phase.READY, HERE), "it was exchanged"


def test_a_file_that_names_another_address_is_believed() -> None:
    past = JournalSnapshot(next_service_id=1, address=THERE, serial=SERIAL, configured=ELSEWHERE)
    assert login_to(Lane(past=past).then(ev.TimePassed())) == HERE


def test_only_so_many_are_kept_and_each_is_tried_in_turn() -> None:
    lane = lanes.logged_out()
    for number in range(CANDIDATES + 3):
        lane.do(ev.AddressAnnounced(f"192.0.2.{100 + number}:11000", admitted=False))
    assert len(lane.state.candidates) == CANDIDATES
    lane.do(ev.LoginAsked(), GONE)
    tried = []
    for _ in range(CANDIDATES + 2):
        tried.append(next_login(lane))
        lane.do(GONE)
    assert len(set(tried)) == CANDIDATES + 1
    assert tried[CANDIDATES : CANDIDATES + 2] == [HERE, tried[0]]


# -- The first address --------------------------------------------------------------------------


def test_auto_waits_for_an_address() -> None:
    lane = Lane(auto()).then(ev.TimePassed())
    assert (lane.phase, lane.state.reason, lane.sends) == (Phase.OFFLINE, "no_address", [])
    lane.wait(3600)
    assert lane.sends == []
    refusal = lane.do(ev.PaymentAsked(lanes.order())).refusal
    assert refusal is not None
    assert refusal.code == "terminal_unavailable"


def test_the_very_first_one_is_not_taken_from_a_stranger() -> None:
    lane = lanes.without_address().then(STRANGER)
    lane.wait(3600)
    assert lane.sends == []


def test_but_from_inside_allow() -> None:
    lane = lanes.without_address().then(ADMITTED)
    assert next_login(lane) == THERE
    lane.do(lanes.login())
    assert (lane.phase, lane.state.terminal.address) == (Phase.READY, THERE)


def test_what_was_announced_while_the_lane_was_logged_out_is_not_forgotten() -> None:
    lane = Lane(auto()).then(ev.TimePassed()).then(ev.LogoutAsked(maintenance=False))
    assert lane.phase is Phase.LOGGED_OUT
    lane.do(ADMITTED, ev.LoginAsked())
    assert login_to(lane) == THERE


def test_or_while_the_lane_learns() -> None:
    lane = lanes.without_address().then(ev.LearnAsked())
    lane.wait(LEARN_FOR - 1)
    lane.do(STRANGER)
    assert next_login(lane) == THERE
    late = lanes.without_address().then(ev.LearnAsked())
    late.wait(LEARN_FOR)
    late.do(STRANGER)
    late.wait(3600)
    assert late.sends == []


def test_a_person_may_let_it_learn_another_terminal() -> None:
    lane = gone()
    lane.do(ev.LearnAsked(), STRANGER)
    assert after_a_look(lane) == THERE
    lane.do(lanes.login("serial-2"))
    assert (lane.phase, lane.state.remembered) == (Phase.READY, "serial-2")


def test_what_was_learnt_is_remembered() -> None:
    lane = lanes.without_address().then(ADMITTED)
    next_login(lane)
    lane.do(lanes.login())
    life = lanes.restarted(lane).then(ev.TimePassed())
    assert login_to(life) == THERE


def test_the_serial_number_of_the_file_counts_from_the_first_on() -> None:
    lane = Lane(auto(serial=SERIAL)).then(ev.TimePassed()).then(STRANGER)
    next_login(lane)
    lane.do(lanes.login("serial-2"))
    assert (lane.phase, lane.state.reason) == (Phase.OFFLINE, "other_terminal")


# -- A new journal --------------------------------------------------------------------------------


def test_a_new_journal_asks_the_first_terminal_that_it_may_take() -> None:
    lane = Lane(auto(), lanes.not_surveyed())
    assert (lane.phase, lane.state.reason, lane.state.wake_at) == (Phase.SURVEY, "no_address", None)
    lane.do(STRANGER)
    assert lane.state.wake_at is None
    lane.do(ADMITTED, ev.TimePassed())
    question = lane.sent_now(m.TransactionStatusRequest)
    assert [send.address for send in question] == [THERE]
    lane.do(lane.status("NotFound"))
    assert login_to(lane) == THERE


def test_one_that_has_moved_meanwhile_is_asked_where_it_is() -> None:
    lane = lanes.survey_unreachable().then(STRANGER)
    assert lane.state.terminal.address == HERE, "nothing says that it is ours"
    lane.do(ADMITTED, ev.TimePassed())
    assert lane.sent_now(m.TransactionStatusRequest)[0].address == THERE


def test_both_places_are_asked_in_turn_until_one_answers() -> None:
    lane = lanes.survey_unreachable().then(ADMITTED)
    asked = []
    for _ in range(4):
        assert lane.state.wake_at is not None
        lane.wait(lane.state.wake_at - lane.now)
        asked.append(lane.sent(m.TransactionStatusRequest)[-1].address)
        lane.do(lane.silent())
    assert asked == [THERE, HERE, THERE, HERE]


# -- Another terminal -------------------------------------------------------------------------


def test_another_terminal_is_not_reset_again_and_again() -> None:
    config = configuration()
    config = replace(config, terminal=replace(config.terminal, serial=SERIAL))
    lane = lanes.logging_in(config).then(lanes.login("serial-2"))
    assert (lane.phase, lane.state.reason) == (Phase.OFFLINE, "other_terminal")
    lane.wait(OTHER_TERMINAL_INTERVAL - 1)
    assert len(lane.sent(m.LoginRequest)) == 1
    lane.wait(1)
    assert len(lane.sent(m.LoginRequest)) == 2


def test_an_announced_one_is_tried_while_another_is_at_the_address() -> None:
    config = configuration()
    config = replace(config, terminal=replace(config.terminal, serial=SERIAL))
    lane = lanes.logging_in(config).then(lanes.login("serial-2")).then(STRANGER)
    assert next_login(lane) == THERE
    assert lane.then(lanes.login()).phase is Phase.READY


def test_a_terminal_that_was_swapped_while_idle_is_taken() -> None:
    lane = gone()
    next_login(lane)
    lane.do(lanes.login("serial-2"))
    assert (lane.phase, lane.state.remembered) == (Phase.READY, "serial-2")
