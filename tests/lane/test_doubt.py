"""When the answer is lost: sent or not, asking, the next life (money rules 3 and 11)."""

import lanes
import pytest
from lanes import Lane, configuration, replace

from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.payment import PaymentState
from laned.lane.start import JournalSnapshot
from laned.lane.state import Phase
from laned.nexo import messages as m

ASK = m.TransactionStatusRequest


def elsewhere() -> lanes.Config:
    """The configuration after somebody has changed all that names the terminal."""
    config = configuration()
    terminal = replace(config.terminal, address="192.0.2.99:1", poi_id="new", sale_id="new")
    return replace(config, terminal=terminal)


# -- Rule 3: sent or not --------------------------------------------------------------------------


def test_rule_3_not_sent_is_failed() -> None:
    lane = lanes.just_asked()
    lane.do(lane.not_sent())
    assert lane.ended() == ("failed", "NotSent")
    assert lane.phase is Phase.OFFLINE
    assert not lane.sent(ASK)


def test_rule_3_not_sent_ends_the_payment_also_when_it_was_asked_after() -> None:
    lane = lanes.just_asked()
    lane.do(ev.TerminalNotified(event="Shutdown"))
    lane.wait(0.0)
    lane.do(lane.status("NotAllowed"), lanes.login())
    lane.do(lane.not_sent())
    assert lane.ended() == ("failed", "NotSent")


def test_rule_3_lost_is_asked_after_at_once() -> None:
    lane = lanes.paying()
    lane.do(lane.lost())
    (asked,) = lane.sent_now(ASK)
    attempt = lane.request().message.header
    body = asked.message.body
    assert isinstance(body, ASK)
    assert body.reference == m.MessageReference(
        category="Payment",
        service_id=attempt.service_id,
        sale_id=attempt.sale_id,
        poi_id=attempt.poi_id,
    )
    assert asked.message.header.service_id != attempt.service_id
    assert (lane.phase, lane.payment.state) == (Phase.DOUBT, PaymentState.PROCESSING)


def test_rule_3_asks_as_it_was_sent_whatever_the_configuration_says_now() -> None:
    before = lanes.paying()
    lane = lanes.restarted(before, elsewhere()).wait(0.0)
    (asked,) = lane.sent_now(ASK)
    sent, header = before.request(), asked.message.header
    assert asked.address == sent.address == "192.0.2.15:11000"
    assert (header.sale_id, header.poi_id) == ("kassa-2", "kiosk-7")
    lane.do(lane.repeated())
    assert lane.ended() == ("approved", None)


def test_rule_3_asks_after_30_seconds_without_a_callback() -> None:
    lane = lanes.paying()
    for _ in range(5):
        lane.wait(29.0)
        lane.do(lanes.shows())
    lane.wait(29.9)
    assert not lane.sent(ASK)
    lane.wait(0.1)
    assert len(lane.sent(ASK)) == 1
    assert lane.phase is Phase.PAYING, "the POST is kept"


@pytest.mark.parametrize(
    "callback",
    [
        lanes.shows(),
        lanes.asks(),
        ev.TerminalNotified(event="CardInserted"),
        ev.Printed(m.Receipt(qualifier="CashierReceipt", lines=())),
    ],
)
def test_rule_3_every_callback_is_a_sign_of_life(callback: ev.Event) -> None:
    lane = lanes.paying().wait(20.0)
    lane.do(callback)
    lane.wait(29.0)
    assert not lane.sent(ASK)


def test_rule_3_asks_at_response_timeout_whatever_is_shown() -> None:
    lane = lanes.paying()
    began = lane.now
    while not lane.sent(ASK):
        lane.wait(10.0)
        lane.do(lanes.shows())
        assert lane.now - began <= 300.0
    assert lane.now - began == 300.0


def test_rule_3_the_post_is_kept_while_the_terminal_says_busy() -> None:
    lane = lanes.quiet()
    for _ in range(200):
        lane.do(lane.status("Busy"))
        assert (lane.phase, lane.payment.state) == (Phase.PAYING, PaymentState.PROCESSING)
        lane.wait(2.0)
    lane.do(lane.answered())
    assert lane.ended() == ("approved", None)
    assert lane.request().timeout == 3600.0


def test_rule_3_the_first_conclusive_answer_wins() -> None:
    lane = lanes.quiet()
    late = lane.answered("Refusal")
    lane.do(lane.repeated())
    before = lane.state
    lane.do(late)
    assert lane.ended() == ("approved", None)
    assert lane.state is before


def test_rule_3_silence_makes_it_unknown_and_laned_keeps_asking() -> None:
    lane = lanes.doubt()
    for asked in range(1, 20):
        assert len(lane.sent(ASK)) == asked
        lane.do(lane.silent())
        assert lane.payment.state is PaymentState.UNKNOWN
        lane.wait(2.0)
    changes = [e for e in lane.entries if isinstance(e, fx.PaymentChanged)]
    assert [change.payment.state for change in changes] == ["processing", "unknown"]


def test_rule_3_an_unknown_payment_is_asked_after_also_while_the_terminal_shows_something() -> None:
    lane = lanes.quiet()
    lane.do(lane.silent())
    before = len(lane.sent(ASK))
    for _ in range(6):
        lane.do(lanes.shows())
        lane.wait(10.0)
        lane.do(lane.silent())
    assert len(lane.sent(ASK)) > before + 3


def asked_twice() -> Lane:
    """A second question is out because the terminal said that it goes down; the first one too."""
    lane = lanes.quiet()
    lane.do(ev.TerminalNotified(event="Shutdown"))
    return lane.wait(0.0)


@pytest.mark.parametrize("condition", ["NotFound", "Busy", "NotAllowed"])
def test_rule_3_what_an_older_question_brings_is_nothing(condition: str) -> None:
    lane = asked_twice()
    older = lane.sent(ASK)[0].message.header.service_id or ""
    before = lane.state
    lane.do(replace(lane.status(condition), service_id=older))
    assert lane.state is before


@pytest.mark.parametrize("relogin", [False, True])
def test_rule_3_unless_it_is_conclusive(relogin: bool) -> None:
    lane = asked_twice()
    older = lane.sent(ASK)[0].message.header.service_id or ""
    if relogin:
        lane.do(lane.status("NotAllowed"))
    lane.do(replace(lane.repeated(), service_id=older))
    assert lane.ended() == ("approved", None)


def test_rule_3_or_is_about_something_else() -> None:
    lane = asked_twice()
    older = lane.sent(ASK)[0].message.header.service_id or ""
    foreign = lane.repeated(header=lane.header(service_id="77"))
    before = lane.state
    lane.do(replace(foreign, service_id=older))
    assert lane.state is before


def test_rule_3_another_terminal_is_not_asked_for_what_the_first_has_turned_away() -> None:
    """A late Busy of a terminal that was swapped meanwhile; the new one gives this lane no session.

    What it would be asked is on record as the first one's, and so would be what it charges.
    """
    lane = lanes.relogin_with_open_post()
    lane.do(lanes.login("another"))
    lane.do(lane.answered("Busy"))
    for _ in range(20):
        if lane.state.asking is not None:
            lane.do(lane.status("Busy"))
        lane.wait(2.0)
    assert len(lane.sent(m.PaymentRequest)) == 1
    assert lane.payment.state is PaymentState.FAILED


def test_rule_3_without_a_session_the_next_attempt_waits_for_a_question() -> None:
    """A late Busy after a Login without an answer: who is there now, is not known."""
    lane = lanes.relogin_with_open_post()
    lane.do(ev.LoginFailed("no answer"))
    lane.do(lane.answered("Busy"))
    assert lane.state.asking is not None
    assert lane.state.pursuit is not None
    assert lane.state.pursuit.retry_at is None
    for _ in range(30):
        lane.wait(2.0)
    assert len(lane.sent(m.PaymentRequest)) == 1


@pytest.mark.parametrize("left", [True, False])
def test_rule_3_what_has_not_left_yet_does_not_reach_another_terminal(*, left: bool) -> None:
    lane = lanes.just_asked()
    if left:
        lane.do(lane.left())
    lane.wait(30.0)
    lane.do(lane.status("NotAllowed"))
    assert lane.state.waits_for(lane.service_id())
    lane.do(lanes.login("another"))
    assert lane.state.waits_for(lane.service_id()) is left
    assert lane.payment.state is PaymentState.UNKNOWN


def test_rule_3_it_is_logged_in_for_as_it_was_asked_for() -> None:
    """A session under another POIID does not help, and makes the terminal another one's."""
    life = lanes.restarted(lanes.doubt(), elsewhere()).wait(0.0)
    asked = life.sent_now(ASK)[0]
    life.do(life.status("NotAllowed"))
    login = life.sent(m.LoginRequest)[-1]
    assert login.address == asked.address
    of, about = login.message.header, asked.message.header
    assert (of.sale_id, of.poi_id) == (about.sale_id, about.poi_id)


@pytest.mark.parametrize("answers", [True, False])
def test_rule_3_afterwards_the_lane_goes_where_the_file_says(answers: bool) -> None:
    life = lanes.restarted(lanes.doubt(), elsewhere()).wait(0.0)
    life.do(life.status("NotAllowed"), lanes.login() if answers else ev.LoginFailed("no answer"))
    life.wait(2.0)
    life.do(life.repeated())
    assert life.payment.state is PaymentState.APPROVED
    life.wait(0.0)
    login = life.sent(m.LoginRequest)[-1]
    assert (login.address, login.message.header.poi_id) == ("192.0.2.99:1", "new")


@pytest.mark.parametrize("event", ["Shutdown", "Initialised"])
def test_rule_5_events_only_trigger_a_question(event: str) -> None:
    lane = lanes.paying()
    lane.do(ev.TerminalNotified(event=event))
    assert lane.payment.state is PaymentState.PROCESSING
    lane.wait(0.0)
    assert [type(send.message.body) for send in lane.sends[-2:]] == [m.PaymentRequest, ASK]


# -- Rule 11: start -------------------------------------------------------------------------------


def test_rule_11_pending_found_is_aborted_and_then_a_session_made() -> None:
    lane = lanes.restarted(lanes.pending())
    assert lane.ended() == ("aborted", "Restarted")
    assert lane.entries[-1] == fx.PaymentChanged(lane.payment)
    lane.wait(0.0)
    assert lane.phase is Phase.LOGGING_IN


@pytest.mark.parametrize("make", [lanes.just_asked, lanes.paying, lanes.doubt, lanes.unknown])
def test_rule_11_processing_found_is_asked_after_before_any_login(make: lanes.Make) -> None:
    before = make()
    lane = lanes.restarted(before)
    assert (lane.phase, lane.payment) == (Phase.DOUBT, before.payment)
    sends = len(lane.sends)
    lane.wait(0.0)
    assert [type(send.message.body) for send in lane.sends[sends:]] == [ASK]
    lane.do(lane.repeated())
    assert lane.ended() == ("approved", None)
    lane.wait(0.0)
    assert lane.phase is Phase.LOGGING_IN


@pytest.mark.parametrize("answer", ["NotFound", "Busy", "NotAllowed", "silent"])
@pytest.mark.parametrize("make", [lanes.retrying, lanes.relogin_between])
def test_rule_11_found_between_two_attempts_nothing_happened(make: lanes.Make, answer: str) -> None:
    lane = lanes.restarted(make())
    for _ in range(6):
        if lane.state.payment is None:
            break
        lane.wait(2.0)
        if lane.phase is Phase.RELOGIN:
            lane.do(lanes.login())
        elif lane.state.payment is not None:
            lane.do(lane.silent() if answer == "silent" else lane.status(answer))
    assert lane.ended()[0] == "failed"


def test_rule_11_service_ids_go_on_above_all_that_may_have_been_used() -> None:
    before = lanes.paying()
    lane = lanes.restarted(before).wait(0.0)
    used = {send.message.header.service_id for send in before.sends}
    assert lane.asking() not in used
    assert int(lane.asking()) >= lanes.past_of(before).next_service_id


def test_start_without_a_past_logs_in() -> None:
    lane = Lane(past=JournalSnapshot(next_service_id=7))
    assert (lane.phase, lane.state.reason) == (Phase.OFFLINE, "starting")
    lane.wait(0.0)
    assert lane.sends[0].message.header.service_id == "7"
