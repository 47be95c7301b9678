"""Money rule 11: a new journal, and what the terminal did last before it."""

from itertools import pairwise

import lanes
import pytest
from lanes import Lane, not_surveyed

from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.session import JITTER
from laned.lane.start import JournalSnapshot
from laned.lane.state import Phase
from laned.nexo import messages as m
from laned.views import lane as views

ASK = m.TransactionStatusRequest


def transaction(reversal: bool = False) -> m.RepeatedMessage:
    """What the terminal did last."""
    ok, poi = m.Response(result="Success"), m.TransactionID("poi-7", "t")
    category = m.Category.REVERSAL if reversal else m.Category.PAYMENT
    asked = m.request_header(category, service_id="5", sale_id="kassa-2", poi_id="kiosk-7")
    body: m.PaymentResponse | m.ReversalResponse = m.PaymentResponse(
        response=ok, poi_transaction=poi, sale_transaction=m.TransactionID("lost.12345678", "t")
    )
    if reversal:
        body = m.ReversalResponse(response=ok, poi_transaction=poi)
    return m.RepeatedMessage(header=m.response_header(asked), body=body)


def answered(lane: Lane, repeated: m.RepeatedMessage) -> ev.StatusAnswered:
    response = m.TransactionStatusResponse(response=m.Response(result="Success"), repeated=repeated)
    return ev.StatusAnswered(service_id=lane.asking(), response=response)


def recorded(lane: Lane) -> list[type]:
    return [type(entry) for entry in lane.entries if not isinstance(entry, fx.ServiceIDsReserved)]


def test_rule_11_no_login_before_the_terminal_has_said_what_it_did_last() -> None:
    lane = lanes.about_to_survey()
    assert (lane.phase, lane.sends) == (Phase.SURVEY, [])
    lane.do(ev.TimePassed())
    assert [send.message.body for send in lane.sends] == [ASK(reference=None)]
    assert lane.sends[0].message.header.poi_id == "kiosk-7"
    lane.do(ev.LoginAsked())
    assert lane.last.refusal is not None
    lane.wait(600.0)
    assert lane.sent(m.LoginRequest) == []


@pytest.mark.parametrize("reversal", [False, True])
def test_rule_11_what_it_did_is_recorded_as_foreign(reversal: bool) -> None:
    lane = lanes.survey()
    repeated = transaction(reversal)
    lane.do(answered(lane, repeated))
    assert recorded(lane) == [fx.ForeignSeen, fx.Surveyed]
    (seen,) = [entry for entry in lane.entries if isinstance(entry, fx.ForeignSeen)]
    assert (seen.service_id, seen.poi_transaction) == ("5", "poi-7")
    assert seen.response == repeated.body
    assert len(lane.sent_now(m.LoginRequest)) == 1
    lane.do(lanes.login())
    assert lane.phase is Phase.READY


@pytest.mark.parametrize("condition", ["NotFound", "NotAllowed", "LoggedOut", "SomethingNew"])
def test_rule_11_nothing_to_tell_and_login(condition: str) -> None:
    lane = lanes.survey()
    lane.do(lane.status(condition))
    assert recorded(lane) == [fx.Surveyed]
    assert (lane.phase, len(lane.sent_now(m.LoginRequest))) == (Phase.LOGGING_IN, 1)


@pytest.mark.parametrize("answer", ["Busy", "InProgress", "silent"])
def test_rule_11_while_it_is_busy_or_silent_laned_waits_ever_longer(answer: str) -> None:
    lane = lanes.survey()
    asked_at = [lane.now]
    for _ in range(7):
        lane.do(lane.silent() if answer == "silent" else lane.status(answer))
        assert lane.state.reason == ("unreachable" if answer == "silent" else "terminal_busy")
        asked = len(lane.sent(ASK))
        while len(lane.sent(ASK)) == asked:
            assert lane.state.wake_at is not None
            lane.wait(lane.state.wake_at - lane.now)
        asked_at.append(lane.now)
    gaps = [later - earlier for earlier, later in pairwise(asked_at)]
    for gap, longest in zip(gaps, [2, 4, 8, 16, 30, 30, 30], strict=True):
        assert (1 - JITTER) * longest <= gap <= longest
    assert lane.sent(m.LoginRequest) == []
    assert recorded(lane) == []
    lane.do(lane.status("NotFound"))
    assert lane.phase is Phase.LOGGING_IN


def test_rule_11_only_the_newest_question_counts() -> None:
    lane = lanes.survey()
    first = lane.status("NotFound")
    lane.do(lane.status("Busy"))
    before = lane.state
    lane.do(first)
    lane.do(ev.StatusFailed("9", "no answer"))
    assert lane.state is before


@pytest.mark.parametrize("make", [lanes.about_to_survey, lanes.survey])
def test_rule_11_a_crash_before_the_answer_asks_again(make: lanes.Make) -> None:
    life = lanes.restarted(make())
    before = len(life.sends)
    life.do(ev.TimePassed())
    assert [send.message.body for send in life.sends[before:]] == [ASK(reference=None)]


def test_rule_11_a_crash_after_the_answer_does_not() -> None:
    lane = lanes.survey()
    lane.do(answered(lane, transaction()))
    assert lanes.restarted(lane).phase is Phase.OFFLINE


@pytest.mark.parametrize("make", [lanes.about_to_survey, lanes.survey])
def test_rule_12_stop_during_the_survey(make: lanes.Make) -> None:
    lane = make()
    before = len(lane.sends)
    lane.do(ev.StopAsked())
    assert (lane.phase, lane.sends[before:]) == (Phase.STOPPED, [])


# -- In place of a lost one -----------------------------------------------------------------------


def new() -> Lane:
    """READY, in a journal that is new in place of a lost one."""
    lane = Lane(past=not_surveyed("new")).then(ev.TimePassed())
    lane.do(answered(lane, transaction()), lanes.login())
    assert lane.phase is Phase.READY
    return lane


def test_rule_11_a_new_journal_takes_no_payment_until_it_is_acknowledged() -> None:
    lane = new()
    for _ in range(2):
        refusal = lane.do(ev.PaymentAsked(lanes.order())).refusal
        assert refusal is not None
        assert refusal.code == "journal_unavailable"
        lane.do(ev.JournalReported("ok"))
        assert lane.state.journal == "new", "only a person can tell"
    lane.do(ev.JournalAcknowledged())
    assert lane.last.effects == (fx.Record(fx.Acknowledged()),)
    assert lane.state.journal == "ok"
    assert lane.do(ev.PaymentAsked(lanes.order())).refusal is None


def test_rule_11_acknowledged_is_for_ever() -> None:
    lane = new()
    assert lanes.restarted(lane).state.journal == "new"
    lane.do(ev.JournalAcknowledged())
    assert lanes.restarted(lane).state.journal == "ok"
    assert lane.do(ev.JournalAcknowledged()).effects == ()


def test_rule_11_the_very_first_journal_needs_no_acknowledgement() -> None:
    lane = lanes.survey()
    lane.do(lane.status("NotFound"), lanes.login())
    assert lane.state.journal == "ok"
    assert lane.do(ev.PaymentAsked(lanes.order())).refusal is None


# -- Rule 13: a journal that cannot be used -------------------------------------------------------


def test_rule_13_nothing_is_sent_and_payments_are_refused() -> None:
    lane = lanes.broken()
    assert lane.state.journal == "corrupt"
    for wish in (
        ev.PaymentAsked(lanes.order()),
        lanes.reversal_of(lanes.approved().payment),
        ev.LoginAsked(),
        ev.LogoutAsked(maintenance=True),
        ev.JournalAcknowledged(),
    ):
        refusal = lane.do(wish).refusal
        assert refusal is not None
        assert refusal.code == "journal_unavailable"
    lane.wait(3600.0)
    lane.do(ev.TimePassed(), lanes.asks(), ev.StopAsked())
    assert (lane.phase, lane.sends, lane.entries) == (Phase.STOPPED, [], [])


def test_the_display_speaks_of_a_last_payment_only_if_there_is_one() -> None:
    lane = Lane(past=JournalSnapshot(next_service_id=7, surveyed=False)).wait(0.0)
    assert views.display(lane.state).lines == ("Vänta",)
    lane.do(lane.status("Busy"))
    assert views.display(lane.state).lines == ("Kontrollerar senaste köpet",)
