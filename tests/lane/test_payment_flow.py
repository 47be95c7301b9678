"""A payment at the terminal, rule by rule: attempts, answers, amounts (money rules 2, 6 and 7)."""

from decimal import Decimal
from typing import Any

import lanes
import pytest
from lanes import Lane, replace

from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.payment import PaymentState
from laned.lane.state import Phase
from laned.nexo import messages as m


def attempts_of(lane: Lane) -> list[m.Header]:
    return [send.message.header for send in lane.sent(m.PaymentRequest)]


# -- The way it should go -------------------------------------------------------------------------


def test_happy() -> None:
    lane = lanes.ready()
    step = lane.do(ev.PaymentAsked(lanes.order(amount="38.00", reference="PO 7", token=True)))
    assert (lane.phase, lane.payment.state) == (Phase.PAYING, PaymentState.PROCESSING)
    assert [type(entry) for entry in lane.entries[-3:]] == [
        fx.PaymentOpened,
        fx.PaymentChanged,
        fx.AttemptOpened,
    ]
    (send,) = lane.sent_now(m.PaymentRequest)
    assert step.effects[-1] is send, "recorded first, then sent"
    body = send.message.body
    assert isinstance(body, m.PaymentRequest)
    assert (body.requested_amount, body.currency) == (Decimal("38.00"), "SEK")
    assert (body.reference, body.token, body.payment_type) == ("PO 7", True, "Normal")
    header = send.message.header
    assert (header.sale_id, header.poi_id, send.address) == (
        "kassa-2",
        "kiosk-7",
        "192.0.2.15:11000",
    )
    assert body.transaction.transaction_id.startswith("a.")
    assert len(body.transaction.transaction_id) == len("a.") + 8
    lane.do(lane.left())
    lane.do(lanes.shows(), lane.answered())
    assert (lane.phase, lane.ended()) == (Phase.READY, ("approved", None))
    payment = lane.payment
    assert payment.authorized_amount == Decimal("38.00")
    assert (payment.approval_code, payment.abort_requested) == ("A1", False)
    assert payment.poi_transaction is not None
    assert payment.poi_transaction.id == "poi-1"
    assert lane.entries[-1] == fx.PaymentChanged(payment)


def test_a_refund_is_asked_as_one() -> None:
    lane = lanes.ready()
    lane.do(ev.PaymentAsked(lanes.order(type="refund")))
    body = lane.request().message.body
    assert isinstance(body, m.PaymentRequest)
    assert (body.payment_type, body.cash_back_amount) == ("Refund", None)


def test_cash_back_is_a_part_of_what_is_requested() -> None:
    lane = lanes.ready()
    lane.do(ev.PaymentAsked(lanes.order(amount="100.00", cash_back=Decimal("20.00"))))
    body = lane.request().message.body
    assert isinstance(body, m.PaymentRequest)
    assert (body.requested_amount, body.cash_back_amount) == (Decimal("100.00"), Decimal("20.00"))


# -- Rule 7: conditions ---------------------------------------------------------------------------

FINAL_OF = {
    "Aborted": PaymentState.ABORTED,
    "Cancel": PaymentState.ABORTED,
    "Refusal": PaymentState.DECLINED,
    "InvalidCard": PaymentState.DECLINED,
    "WrongPIN": PaymentState.DECLINED,
    "PaymentRestriction": PaymentState.DECLINED,
    "UnreachableHost": PaymentState.DECLINED,
    "MessageFormat": PaymentState.FAILED,
    "UnavailableService": PaymentState.FAILED,
    "UnavailableDevice": PaymentState.FAILED,
    "DeviceOut": PaymentState.FAILED,
}
OTHERS = ("", "InsertedCard", "NotFound", "SomethingNew")
NOT_FINAL = {"Busy", "NotAllowed", "LoggedOut", "InProgress"}


def test_every_condition_is_spoken_of() -> None:
    assert set(m.ErrorCondition) == {*FINAL_OF, *OTHERS[1:3], *NOT_FINAL}


@pytest.mark.parametrize("way", ["direct", "repeated"])
@pytest.mark.parametrize("abort", [False, True])
@pytest.mark.parametrize("condition", [*FINAL_OF, *OTHERS])
def test_rule_7_what_a_condition_means(condition: str, abort: bool, way: str) -> None:
    lane = lanes.paying() if way == "direct" else lanes.doubt()
    if abort:
        lane.do(ev.AbortAsked("a"))
    lane.do(lane.answered(condition) if way == "direct" else lane.repeated(condition))
    other = PaymentState.ABORTED if abort else PaymentState.DECLINED
    assert lane.ended() == (FINAL_OF.get(condition, other), condition)
    assert lane.payment.abort_requested is abort


@pytest.mark.parametrize("condition", ["Busy", "NotAllowed", "LoggedOut"])
def test_rule_7_a_refused_attempt_is_followed_by_another(condition: str) -> None:
    lane = lanes.paying()
    lane.do(lane.answered(condition))
    assert lane.phase is Phase.RETRYING
    assert lane.payment.state is PaymentState.PROCESSING


def test_rule_7_in_progress_is_asked_after() -> None:
    lane = lanes.paying()
    lane.do(lane.answered("InProgress"))
    assert lane.phase is Phase.DOUBT
    assert len(lane.sent_now(m.TransactionStatusRequest)) == 1


def test_rule_7_in_progress_repeated_is_asked_after_in_a_while() -> None:
    lane = lanes.doubt()
    lane.do(lane.repeated("InProgress"))
    assert lane.payment.state is PaymentState.PROCESSING
    assert not lane.sent_now(m.TransactionStatusRequest), "questions are retry_interval apart"
    lane.wait(2.0)
    assert len(lane.sent_now(m.TransactionStatusRequest)) == 1


@pytest.mark.parametrize("condition", ["Busy", "InProgress"])
def test_rule_7_a_busy_of_the_status_itself_means_running(condition: str) -> None:
    lane = lanes.unknown().wait(2.0)
    assert lane.payment.state is PaymentState.UNKNOWN
    lane.do(lane.status(condition))
    assert (lane.phase, lane.payment.state) == (Phase.DOUBT, PaymentState.PROCESSING)
    assert len(attempts_of(lane)) == 1


def test_rule_7_a_busy_inside_the_repeated_answer_means_refused() -> None:
    lane = lanes.doubt()
    lane.do(lane.repeated("Busy"))
    assert lane.phase is Phase.RETRYING
    lane.wait(2.0)
    assert len(attempts_of(lane)) == 2


# -- Rule 2: attempts -----------------------------------------------------------------------------


def test_rule_2_busy_is_tried_again_for_30_seconds() -> None:
    lane = lanes.paying()
    began = lane.now
    while lane.state.payment is not None:
        refused = lane.answered("Busy")
        lane.do(refused)
        assert fx.AttemptChanged in {type(entry) for entry in lane.entries[-2:]}
        if lane.state.payment is not None:
            assert lane.payment.state is PaymentState.PROCESSING
            assert not lane.sent_now(m.PaymentRequest), "first the refusal is on disk"
            lane.wait(2.0)
    assert lane.ended() == ("failed", "Busy")
    assert 30.0 <= lane.now - began < 32.0
    sends = lane.sent(m.PaymentRequest)
    bodies = [send.message.body for send in sends]
    transactions = [
        body.transaction.transaction_id for body in bodies if isinstance(body, m.PaymentRequest)
    ]
    assert len(sends) == 16
    assert len({header.service_id for header in attempts_of(lane)}) == 16
    assert len(set(transactions)) == 16
    assert [ids.transaction_id for ids in lane.payment.attempts] == transactions
    assert lane.phase is Phase.READY


def test_rule_2_a_later_attempt_may_succeed() -> None:
    lane = lanes.retrying().wait(2.0)
    lane.do(lane.answered())
    assert lane.ended() == ("approved", None)
    assert len(lane.payment.attempts) == 2


@pytest.mark.parametrize("condition", ["NotAllowed", "LoggedOut"])
def test_rule_2_a_missing_session_is_asked_about_then_made(condition: str) -> None:
    lane = lanes.paying()
    lane.do(lane.answered(condition))
    assert (len(lane.sent_now(m.TransactionStatusRequest)), lane.sent_now(m.LoginRequest)) == (
        1,
        [],
    )
    lane.do(lane.status(condition))
    assert (lane.phase, len(lane.sent_now(m.LoginRequest))) == (Phase.RELOGIN, 1)
    lane.do(lanes.login())
    assert (lane.phase, len(attempts_of(lane))) == (Phase.PAYING, 2)
    lane.do(lane.answered())
    assert (lane.phase, lane.ended()) == (Phase.READY, ("approved", None))


def test_rule_2_at_most_two_logins_for_one_payment() -> None:
    lane = lanes.paying()
    before = len(lane.sent(m.LoginRequest))
    for _ in range(2):
        lane.do(lane.answered("NotAllowed"))
        lane.do(lane.status("NotAllowed"))
        lane.do(lanes.login())
        assert lane.phase is Phase.PAYING
    lane.do(lane.answered("NotAllowed"))
    assert lane.ended() == ("failed", "NotAllowed")
    assert len(lane.sent(m.LoginRequest)) - before == 2
    assert lane.phase is Phase.OFFLINE, "there is no session"


def test_rule_2_a_session_that_is_there_after_all_needs_no_login() -> None:
    lane = lanes.asking_for_session()
    lane.do(lane.status("NotFound"))
    lane.wait(2.0)
    assert len(attempts_of(lane)) == 2
    assert len(lane.sent(m.LoginRequest)) == 1


@pytest.mark.parametrize("refusal", [lanes.login(condition="Busy"), ev.LoginFailed("no answer")])
def test_rule_2_a_login_that_fails_is_asked_for_again_and_not_for_ever(refusal: ev.Event) -> None:
    lane = lanes.relogin_between()
    before = lane.now
    while lane.state.payment is not None:
        assert lane.now - before < 60.0
        lane.wait(10.0)
        lane.do(refusal)
        if lane.state.payment is not None:
            lane.wait(2.0)
            lane.do(lane.status("NotAllowed"))
    assert lane.ended() == ("failed", "NotAllowed")
    lane.wait(60.0)
    assert lane.phase in (Phase.OFFLINE, Phase.LOGGING_IN)
    assert len(lane.sent_now(m.LoginRequest)) == 1, "the lane goes on without a person's help"


def test_rule_2_no_attempt_at_another_terminal() -> None:
    lane = lanes.relogin_between()
    lane.do(lanes.login("serial-2"))
    assert len(attempts_of(lane)) == 1
    assert lane.ended() == ("failed", "OtherTerminal")
    assert (lane.phase, lane.state.terminal.serial_number) == (Phase.READY, "serial-2")


@pytest.mark.parametrize("how", ["direct", "waiting"])
def test_rule_2_an_abort_forbids_further_attempts(how: str) -> None:
    lane = lanes.paying() if how == "direct" else lanes.retrying()
    lane.do(ev.AbortAsked("a"))
    if how == "direct":
        lane.do(lane.answered("Busy"))
    assert lane.ended() == ("aborted", "Aborted")
    assert len(attempts_of(lane)) == 1


# -- Rule 2: whose answer it is -------------------------------------------------------------------

FOREIGN: dict[str, dict[str, Any]] = {
    "service_id": {"header": {"service_id": "77"}},
    "sale_id": {"header": {"sale_id": "kassa-9"}},
    "poi_id": {"header": {"poi_id": "kiosk-9"}},
    "transaction_id": {"sale_transaction": m.TransactionID("a.zzzzzzzz", "t")},
}


def made(lane: Lane, way: str, condition: str | None, changes: dict[str, Any]) -> ev.Event:
    given = dict(changes)
    if "header" in given:
        given["header"] = lane.header(**given["header"])
    make = lane.answered if way == "direct" else lane.repeated
    return make(condition, **given)


@pytest.mark.parametrize("way", ["direct", "repeated"])
@pytest.mark.parametrize("what", FOREIGN)
def test_rule_2_a_foreign_success_is_not_believed(what: str, way: str) -> None:
    lane = lanes.paying() if way == "direct" else lanes.doubt()
    lane.do(made(lane, way, None, FOREIGN[what]))
    assert (lane.phase, lane.payment.state) == (Phase.DOUBT, PaymentState.UNKNOWN)
    assert lane.payment.error is not None
    assert lane.payment.error.condition == "ForeignAnswer"
    assert lane.payment.authorized_amount is None
    lane.wait(10.0)
    assert lane.sent(m.TransactionStatusRequest), "and asked after"
    lane.do(lane.repeated())
    assert lane.ended() == ("approved", None)


@pytest.mark.parametrize("way", ["direct", "repeated"])
@pytest.mark.parametrize("what", FOREIGN)
def test_rule_2_a_foreign_failure_is_not_believed(what: str, way: str) -> None:
    lane = lanes.paying() if way == "direct" else lanes.doubt()
    lane.do(made(lane, way, "Refusal", FOREIGN[what]))
    assert lane.payment.state is PaymentState.UNKNOWN


@pytest.mark.parametrize("way", ["direct", "repeated"])
def test_rule_2_the_transaction_id_may_be_left_out(way: str) -> None:
    lane = lanes.paying() if way == "direct" else lanes.doubt()
    lane.do(made(lane, way, None, {"sale_transaction": None}))
    assert lane.ended() == ("approved", None)


@pytest.mark.parametrize("way", ["direct", "repeated"])
def test_rule_2_a_success_with_the_poi_transaction_of_another_payment(way: str) -> None:
    lane = lanes.paying() if way == "direct" else lanes.doubt()
    lane.do(made(lane, way, None, {"poi_owner": "b"}))
    assert lane.ended() == ("unknown", "ForeignTransaction")
    assert lane.payment.set_aside_at is not None
    assert lane.payment.poi_transaction is not None, "what it told can be looked up"


@pytest.mark.parametrize("way", ["direct", "repeated"])
def test_rule_2_a_failure_may_carry_anything(way: str) -> None:
    lane = lanes.paying() if way == "direct" else lanes.doubt()
    lane.do(made(lane, way, "Refusal", {"poi_owner": "b"}))
    assert lane.ended() == ("declined", "Refusal")


def test_rule_2_a_foreign_busy_makes_no_further_attempt() -> None:
    lane = lanes.doubt()
    lane.do(lane.repeated("Busy", header=lane.header(service_id="77")))
    lane.wait(60.0)
    assert len(attempts_of(lane)) == 1
    assert lane.payment.state is PaymentState.UNKNOWN


def test_rule_2_the_answer_to_an_attempt_that_was_refused_is_nothing() -> None:
    lane = lanes.doubt()
    late = lane.answered()
    lane.do(lane.repeated("Busy"))
    lane.wait(2.0)
    before = lane.state
    lane.do(late)
    assert lane.state is before


def test_rule_2_nor_is_what_the_terminal_repeats_of_it() -> None:
    lane = lanes.quiet()
    late = lane.repeated("Busy")
    lane.do(lane.answered("Busy"))
    lane.wait(2.0)
    before = lane.state
    lane.do(late)
    assert lane.state is before


def test_rule_2_its_own_poi_transaction_is_no_other_payments() -> None:
    lane = lanes.paying()
    lane.do(lane.answered(poi_owner="a"))
    assert lane.ended() == ("approved", None)


# -- Rule 6: amounts ------------------------------------------------------------------------------

AMOUNTS: dict[str, tuple[str, str | None, str | None, bool]] = {
    "equal": ("100.00", None, "SEK", True),
    "equal as decimals": ("100", None, "SEK", True),
    "a tip on top": ("110.00", "10", "SEK", True),
    "less": ("99.99", None, "SEK", False),
    "more": ("100.01", None, "SEK", False),
    "a tip of it": ("100.00", "10", "SEK", False),
    "another currency": ("100.00", None, "NOK", False),
    "hundredfold": ("10000", None, "SEK", False),
}


@pytest.mark.parametrize("way", ["direct", "repeated"])
@pytest.mark.parametrize("case", AMOUNTS)
def test_rule_6_amounts(case: str, way: str) -> None:
    charged, tip, currency, fits = AMOUNTS[case]
    amounts = m.AmountsResp(
        authorized_amount=Decimal(charged),
        tip_amount=Decimal(tip) if tip else None,
        currency=currency,
    )
    lane = lanes.paying() if way == "direct" else lanes.doubt()
    lane.do(made(lane, way, None, {"amounts": amounts}))
    if fits:
        assert lane.ended() == ("approved", None)
        assert lane.payment.authorized_amount == Decimal(charged)
        assert str(lane.payment.authorized_amount)[-3] == "."
        assert lane.payment.tip_amount == (Decimal(tip) if tip else None)
    else:
        assert lane.payment.state is PaymentState.UNKNOWN
        assert lane.payment.error is not None
        assert lane.payment.error.condition == "AmountMismatch"
        assert charged in lane.payment.error.message


def test_rule_6_a_success_without_amounts_is_of_what_was_asked() -> None:
    lane = lanes.paying()
    lane.do(lane.answered(amounts=None))
    assert lane.ended() == ("approved", None)
    assert lane.payment.authorized_amount is None


@pytest.mark.parametrize("echo", [True, False])
@pytest.mark.parametrize("result", ["Partial", "Succes", ""])
def test_rule_6_only_a_success_approves(result: str, echo: bool) -> None:
    lane = lanes.paying()
    answer = lane.answered()
    response = replace(answer.response, response=m.Response(result=result))
    if not echo:
        response = replace(response, sale_transaction=None)
    lane.do(replace(answer, response=response))
    assert lane.payment.state is not PaymentState.APPROVED
