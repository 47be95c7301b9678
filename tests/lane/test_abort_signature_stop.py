"""What people want of a payment, and the end: abort, signature, stop (money rules 8, 9 and 12)."""

from datetime import timedelta

import lanes
import pytest
from lanes import Lane, configuration, replace

from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.payment import PaymentState
from laned.lane.state import Phase
from laned.lane.table import NOT_YET_ASKED
from laned.nexo import messages as m

ABORT, CONFIRM = ev.ButtonPressed("abort"), ev.ButtonPressed("confirm")


def aborts(lane: Lane) -> list[fx.Send]:
    return lane.sent(m.AbortRequest)


# -- Rule 8: abort --------------------------------------------------------------------------------


@pytest.mark.parametrize("wish", [ABORT, ev.AbortAsked("a")])
def test_rule_8_an_abort_names_the_attempt_and_does_not_decide(wish: ev.Event) -> None:
    lane = lanes.paying()
    lane.do(wish)
    (sent,) = lane.sent_now(m.AbortRequest)
    payment = lane.request().message.header
    body = sent.message.body
    assert isinstance(body, m.AbortRequest)
    assert body.reference == m.MessageReference(
        category="Payment",
        service_id=payment.service_id,
        sale_id=payment.sale_id,
        poi_id=payment.poi_id,
    )
    header = sent.message.header
    assert (header.sale_id, header.poi_id) == (payment.sale_id, payment.poi_id)
    assert header.service_id != payment.service_id
    assert (lane.payment.state, lane.payment.abort_requested) == (PaymentState.PROCESSING, True)
    assert fx.PaymentChanged(lane.payment) in lane.entries


def test_rule_8_only_after_the_request_has_left() -> None:
    lane = lanes.just_asked()
    lane.do(ev.AbortAsked("a"))
    lane.wait(20.0)
    assert aborts(lane) == []
    lane.do(lane.left())
    assert len(aborts(lane)) == 1


def test_rule_8_every_5_seconds_and_at_most_6_times() -> None:
    lane = lanes.paying()
    lane.do(ev.AbortAsked("a"))
    for sent in range(1, 7):
        assert len(aborts(lane)) == sent
        lane.wait(4.9)
        assert len(aborts(lane)) == sent
        lane.wait(0.1)
    lane.wait(600.0)
    assert len(aborts(lane)) == 6
    assert len({send.message.header.service_id for send in aborts(lane)}) == 6


def test_rule_8_wanting_it_twice_makes_no_more_of_them() -> None:
    lane = lanes.paying()
    lane.do(ABORT)
    before = lane.state
    lane.do(ABORT, ev.AbortAsked("a"), ABORT)
    assert lane.last.refusal is None
    assert (lane.state, len(aborts(lane))) == (before, 1)


def test_rule_8_no_more_once_the_payment_has_answered() -> None:
    lane = lanes.paying()
    lane.do(ABORT)
    lane.do(lane.answered("Aborted"))
    assert lane.ended() == ("aborted", "Aborted")
    lane.wait(60.0)
    assert len(aborts(lane)) == 1


@pytest.mark.parametrize("way", ["direct", "repeated"])
def test_rule_8_approved_stays_approved(way: str) -> None:
    lane = lanes.paying()
    lane.do(ABORT)
    if way == "repeated":
        lane.do(lane.lost())
    lane.do(lane.answered() if way == "direct" else lane.repeated())
    assert lane.ended() == ("approved", None)
    assert lane.payment.abort_requested is True


def test_rule_8_goes_on_in_doubt_and_begins_when_the_terminal_says_that_it_runs() -> None:
    lane = lanes.unknown()
    lane.do(ev.AbortAsked("a"))
    assert aborts(lane) == [], "the terminal is silent"
    lane.wait(2.0)
    lane.do(lane.status("Busy"))
    assert len(aborts(lane)) == 1
    lane.wait(5.0)
    assert len(aborts(lane)) == 2


@pytest.mark.parametrize("signature", ["button", "till"])
def test_rule_8_never_while_a_signature_prompt_is_open(signature: str) -> None:
    lane = lanes.paying(configuration(signature=signature))
    lane.do(lanes.asks())
    assert lane.state.prompt is not None
    lane.do(ev.AbortAsked("a"))
    assert (lane.payment.signature, lane.payment.abort_requested) == ("declined", False)
    lane.wait(20.0)
    assert aborts(lane) == []


@pytest.mark.parametrize("signature", ["decline", "button", "till"])
def test_rule_8_a_signature_asked_for_after_an_abort_is_declined(signature: str) -> None:
    lane = lanes.paying(configuration(signature=signature))
    lane.do(ABORT, lanes.asks())
    assert lane.state.prompt is None
    assert lane.payment.signature == "declined"


def test_rule_8_refused_for_another_payment_and_for_none() -> None:
    for lane, active in ((lanes.paying(), "a"), (lanes.ready(), None)):
        refusal = lane.do(ev.AbortAsked("z")).refusal
        assert refusal is not None
        assert (refusal.code, refusal.active) == ("not_abortable", active)


@pytest.mark.parametrize("wish", [ABORT, ev.AbortAsked("a")])
def test_abort_while_pending_asks_nobody(wish: ev.Event) -> None:
    lane = lanes.pending()
    lane.do(wish)
    assert (lane.ended(), lane.phase) == (("aborted", "Aborted"), Phase.READY)
    assert lane.sent(m.PaymentRequest) == []


# -- Confirm --------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["button", "till", "prompt"])
def test_confirm_starts_a_pending_payment(by: str) -> None:
    lane = lanes.pending()
    assert (lane.payment.state, lane.sent(m.PaymentRequest)) == (PaymentState.PENDING, [])
    assert lane.state.prompt is not None
    assert (lane.state.prompt.kind, lane.state.prompt.text) == ("payment", "100.00 SEK")
    prompt = ev.PromptAnswered(lane.state.prompt.id, confirmed=True)
    lane.do({"button": CONFIRM, "till": ev.ConfirmAsked("a"), "prompt": prompt}[by])
    assert (lane.phase, len(lane.sent(m.PaymentRequest))) == (Phase.PAYING, 1)
    assert lane.state.closed is not None
    expected = "button" if by == "button" else "till"
    assert (lane.state.closed.answer, lane.state.closed.by) == (True, expected)
    refusal = lane.do(ev.ConfirmAsked("a")).refusal
    assert refusal is not None
    assert refusal.code == "not_pending"


def test_confirm_times_out() -> None:
    lane = lanes.pending(configuration(confirm_timeout=20.0)).wait(19.9)
    assert lane.phase is Phase.PENDING
    lane.wait(0.1)
    assert lane.ended() == ("aborted", "ConfirmTimeout")
    assert lane.state.closed is not None
    assert (lane.state.closed.answer, lane.state.closed.by) == (False, "timeout")


# -- Rule 9: signature ----------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lanes.paying, lanes.doubt, lanes.unknown, lanes.relogin])
def test_rule_9_a_question_opens_a_prompt_also_in_doubt(make: lanes.Make) -> None:
    lane = make(configuration(signature="till"))
    lane.do(lanes.asks("k1", "Godkänd?"))
    prompt = lane.state.prompt
    assert prompt is not None
    assert (prompt.kind, prompt.text, prompt.key) == ("signature", "Godkänd?", "k1")
    assert prompt.deadline == lane.now + 60.0
    assert prompt.expires_at == lanes.BEGIN + timedelta(seconds=lane.now + 60.0)


@pytest.mark.parametrize(
    "make",
    [
        lanes.offline,
        lanes.logging_in,
        lanes.ready,
        lanes.logging_out,
        lanes.logged_out,
        lanes.stopped,
    ],
)
def test_rule_9_answered_false_when_nothing_is_unfinished(make: lanes.Make) -> None:
    lane = make(configuration(signature="till"))
    lane.do(lanes.asks("k1"))
    closed = lane.state.closed
    assert closed is not None
    assert (lane.state.prompt, closed.key, closed.answer) == (None, "k1", False)


def test_rule_9_declined_by_policy_at_once() -> None:
    lane = lanes.paying(configuration(signature="decline"))
    lane.do(lanes.asks("k1"))
    closed = lane.state.closed
    assert closed is not None
    assert (lane.state.prompt, closed.key, closed.answer) == (None, "k1", False)
    assert lane.payment.signature == "declined"
    lane.do(lane.answered("Refusal"))
    assert lane.ended()[0] == "declined"
    assert lane.payment.signature == "declined"


@pytest.mark.parametrize("good", [True, False])
@pytest.mark.parametrize("by", ["button", "till"])
def test_rule_9_the_first_answer_wins(by: str, good: bool) -> None:
    lane = lanes.paying(configuration(signature="button"))
    lane.do(lanes.asks("k1"))
    assert lane.state.prompt is not None
    prompt_id = lane.state.prompt.id
    first = {"button": CONFIRM if good else ABORT, "till": ev.PromptAnswered(prompt_id, good)}[by]
    lane.do(first)
    closed = lane.state.closed
    assert closed is not None
    assert (closed.key, closed.answer, closed.by) == ("k1", good, by)
    signature = "approved" if good else "declined"
    assert lane.payment.signature == signature
    assert lane.entries[-1] == fx.PaymentChanged(lane.payment)
    assert aborts(lane) == []
    refusal = lane.do(ev.PromptAnswered(prompt_id, not good)).refusal
    assert refusal is not None
    assert refusal.code == "prompt_closed"
    lane.wait(90.0)
    assert lane.payment.signature == signature


def test_rule_9_with_the_till_policy_buttons_do_not_answer() -> None:
    lane = lanes.paying(configuration(signature="till"))
    lane.do(lanes.asks())
    before = lane.state
    lane.do(CONFIRM, ABORT, ev.ButtonPressed("approve"))
    assert lane.state is before
    assert lane.state.prompt is not None
    lane.do(ev.PromptAnswered(lane.state.prompt.id, confirmed=True))
    assert lane.payment.signature == "approved"


@pytest.mark.parametrize(
    ("max_time", "timeout", "after"),
    [(None, 60.0, 60.0), (30, 60.0, 29.0), (300, 60.0, 60.0), (0, 60.0, 0.0), (30, 10.0, 10.0)],
)
def test_rule_9_the_time_out_declines_before_the_terminals_own(
    max_time: int | None, timeout: float, after: float
) -> None:
    lane = lanes.paying(configuration(signature="till", signature_timeout=timeout))
    lane.do(lanes.asks("k1", max_time=max_time))
    if after:
        lane.wait(after - 0.1)
        assert lane.state.prompt is not None
    lane.wait(0.1)
    closed = lane.state.closed
    assert closed is not None
    assert (lane.state.prompt, closed.answer, closed.by) == (None, False, "timeout")
    assert lane.payment.signature == "declined"


def test_rule_8_between_two_attempts_it_ends_also_while_a_stray_question_is_open() -> None:
    lane = lanes.retrying(configuration(signature="till"))
    lane.do(lanes.asks(), ev.AbortAsked("a"))
    assert lane.payment.state is PaymentState.ABORTED
    lane.wait(30.0)
    assert len(lane.sent(m.PaymentRequest)) == 1


@pytest.mark.parametrize("how", ["hung up", "Abort", "payment ended"])
def test_rule_9_withdrawn(how: str) -> None:
    lane = lanes.paying(configuration(signature="till"))
    lane.do(lanes.asks("k1"))
    before = lane.state
    lane.do(ev.InputWithdrawn("k9"))
    assert lane.state is before
    abort = ev.TerminalNotified(event="Abort")
    withdrawn = {"hung up": ev.InputWithdrawn("k1"), "Abort": abort}
    lane.do(withdrawn.get(how) or lane.answered("Cancel"))
    closed = lane.state.closed
    assert closed is not None
    assert (closed.key, closed.answer, closed.by) == ("k1", None, "terminal")
    assert lane.state.prompt is None
    assert lane.payment.signature is None


def test_rule_9_a_newer_question_takes_the_place_of_the_older() -> None:
    lane = lanes.paying(configuration(signature="till"))
    lane.do(lanes.asks("k1"))
    older = lane.state.prompt
    lane.do(lanes.asks("k2"))
    newer, closed = lane.state.prompt, lane.state.closed
    assert older is not None
    assert newer is not None
    assert closed == replace(older, answer=None, by="terminal")
    assert newer.key == "k2"
    refusal = lane.do(ev.PromptAnswered(older.id, confirmed=True)).refusal
    assert refusal is not None
    assert refusal.code == "prompt_closed"
    lane.do(ev.InputWithdrawn("k1"))
    assert lane.state.prompt is newer


def test_rule_9_nothing_is_approved_after_a_crash() -> None:
    before = lanes.paying(configuration(signature="till"))
    before.do(lanes.asks())
    lane = lanes.restarted(before)
    assert lane.state.prompt is None
    assert lane.payment.signature is None


# -- Rule 12: stop --------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.STOPPED])
def test_rule_12_stop(phase: Phase) -> None:
    for make in lanes.MAKERS[phase]:
        lane = make()
        had_session = lane.state.logged_in
        sends, payment = len(lane.sends), lane.state.payment
        lane.do(ev.StopAsked())
        sent = [send.message.body for send in lane.sends[sends:]]
        assert sent in ([], [m.LogoutRequest(maintenance_allowed=False)])
        if payment is not None and phase not in (*NOT_YET_ASKED, Phase.RETRYING):
            assert (lane.phase, lane.state.payment, sent) == (Phase.STOPPED, payment, [])
            assert lanes.past_of(lane).payment == payment
            continue
        assert lane.state.payment is None
        if phase is Phase.UPDATING:
            lane.do(ev.UpdateAnswered(None))
            sent = [send.message.body for send in lane.sent_now(m.LogoutRequest)]
        assert bool(sent) is had_session
        if phase in NOT_YET_ASKED:
            assert lane.ended()[0] == "aborted"
        if phase is Phase.RETRYING:
            reversed_ = lane.payment.reversal is not None
            assert lane.ended()[0] == ("approved" if reversed_ else "failed")
        if lane.phase is Phase.LOGGING_IN:  # the session that may be there is ended in good order
            lane.do(lanes.login())
            assert lane.sent_now(m.LogoutRequest)
        if lane.phase is Phase.LOGGING_OUT:
            refusal = lane.do(ev.PaymentAsked(lanes.order("n"))).refusal
            assert refusal is not None
            lane.do(ev.LogoutEnded(None))
        assert lane.phase is Phase.STOPPED


def test_rule_12_nothing_is_started_after_the_stop() -> None:
    lane = lanes.stopped_paying()
    lane.do(ABORT, lane.lost(), lane.answered(), lane.silent(), lanes.login(), ev.TimePassed())
    assert lane.phase is Phase.STOPPED
    assert lane.state.payment is not None
    refusal = lane.do(ev.PaymentAsked(lanes.order("n"))).refusal
    assert refusal is not None
    assert refusal.code == "terminal_unavailable"


def test_rule_12_stop_while_a_login_is_out_that_fails() -> None:
    lane = lanes.logging_in()
    lane.do(ev.StopAsked(), ev.LoginFailed("no answer"))
    assert (lane.phase, lane.sent(m.LogoutRequest)) == (Phase.STOPPED, [])
