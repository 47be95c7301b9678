"""Money rule 4: what the terminal's last transaction proves of a payment it does not know."""

from decimal import Decimal

import lanes
import pytest
from lanes import Lane, replace

from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.payment import PaymentState
from laned.lane.session import OTHER_TERMINAL_INTERVAL
from laned.lane.state import Phase
from laned.nexo import messages as m

ASK = m.TransactionStatusRequest


def unbelieved() -> Lane:
    """A NotFound came that proves nothing, because the terminal was started again."""
    lane = lanes.doubt().then(ev.TerminalNotified(event="Initialised")).wait(0.0)
    lane.do(lane.status("NotFound"))
    assert lane.payment.state is PaymentState.UNKNOWN
    return lane


def asked_for_last() -> Lane:
    lane = unbelieved().wait(2.0)
    assert lane.asks_for_last
    return lane


def foreign(lane: Lane) -> list[fx.ForeignSeen]:
    return [entry for entry in lane.entries if isinstance(entry, fx.ForeignSeen)]


def unqualified(lane: Lane) -> int:
    """How often the terminal was asked for its last transaction."""
    return sum(send.message.body == ASK(reference=None) for send in lane.sent(ASK))


def test_rule_4_after_an_unbelieved_not_found_it_is_asked_for() -> None:
    lane = unbelieved()
    assert unqualified(lane) == 0
    lane.wait(1.9)
    assert unqualified(lane) == 0
    lane.wait(0.1)
    (send,) = lane.sent_now(ASK)
    assert send.message.body == ASK(reference=None)
    attempt = lane.request().message.header
    header = send.message.header
    assert (header.sale_id, header.poi_id) == (attempt.sale_id, attempt.poi_id)
    assert send.address == lane.request().address


def test_rule_4_an_older_payment_of_ours_ends_it() -> None:
    lane = asked_for_last()
    lane.do(lane.last_was("older"))
    assert lane.ended() == ("failed", "NotFound")
    assert lane.payment.error is not None
    assert "older" in lane.payment.error.message
    assert foreign(lane) == []


def test_rule_4_an_older_reversal_of_ours_ends_it() -> None:
    lane = asked_for_last()
    reversal = m.ReversalResponse(response=m.Response(result="Success"))
    lane.do(lane.last_was("older", reversal))
    assert lane.ended() == ("failed", "NotFound")


@pytest.mark.parametrize("condition", [None, "Refusal"])
def test_rule_4_the_payment_itself_is_taken(condition: str | None) -> None:
    lane = asked_for_last()
    lane.do(lane.repeated(condition, repeated_of="a"))
    assert lane.ended() == ("approved" if condition is None else "declined", condition)


def test_rule_4_an_earlier_attempt_of_the_same_payment_is_no_proof() -> None:
    lane = lanes.retrying()
    earlier, header = lane.response("Busy"), lane.header()
    lane.wait(2.0)
    lane.do(lane.lost(), ev.TerminalNotified(event="Shutdown"))
    lane.wait(0.0)
    lane.do(lane.status("NotFound"))
    lane.wait(2.0)
    assert lane.asks_for_last
    lane.do(lane.repeated(header=header, body=earlier, repeated_of="a"))
    assert lane.payment.state is PaymentState.UNKNOWN
    assert foreign(lane) == []


def test_rule_4_a_strangers_is_no_proof_and_is_recorded() -> None:
    lane = asked_for_last()
    answer = lane.last_was(None)
    lane.do(answer)
    assert lane.payment.state is PaymentState.UNKNOWN
    (seen,) = foreign(lane)
    assert answer.response.repeated is not None
    assert seen.response == answer.response.repeated.body
    assert (seen.serial, seen.service_id, seen.poi_transaction) == (
        lanes.SERIAL,
        "77",
        "poi-older",
    )


@pytest.mark.parametrize("condition", ["NotFound", "Busy", "SomethingNew", ""])
def test_rule_4_no_last_transaction_is_no_proof(condition: str) -> None:
    lane = asked_for_last()
    for _ in range(6):
        lane.do(lane.status(condition))
        assert lane.state.payment is not None
        lane.wait(30.0)
    assert lane.payment.state == ("processing" if condition == "Busy" else "unknown")


def test_rule_4_not_found_to_this_question_is_none_to_the_other() -> None:
    lane = lanes.asking_for_last()
    for _ in range(3):
        while not lane.asks_for_last:
            lane.do(lane.status("SomethingNew"))
            lane.wait(30.0)
        lane.do(lane.status("NotFound"))
        lane.wait(30.0)
        assert lane.payment.state is PaymentState.UNKNOWN


def test_rule_4_the_two_questions_take_turns() -> None:
    lane = asked_for_last()
    kinds = []
    for _ in range(6):
        kinds.append(lane.asks_for_last)
        lane.do(lane.status("NotFound"))
        lane.wait(30.0)
    assert kinds == [True, False, True, False, True, False]


def test_rule_4_silence_is_no_reason_for_the_other_question() -> None:
    lane = asked_for_last()
    lane.do(lane.silent())
    lane.wait(2.0)
    assert lane.asks_for_last, "it was not answered"
    plain = lanes.unknown()
    for _ in range(5):
        plain.wait(2.0)
        plain.do(plain.silent())
    assert unqualified(plain) == 0


@pytest.mark.parametrize("what", ["SomethingNew", "a foreign answer", "a reboot", "no session"])
def test_rule_4_never_while_the_post_is_open(what: str) -> None:
    lane = lanes.quiet()
    if what == "a reboot":
        lane.do(ev.TerminalNotified(event="Initialised"))
    if what == "no session":
        lane.do(lane.status("NotAllowed"), lanes.login())
        assert lane.phase is Phase.DOUBT
    for _ in range(4):
        foreign_answer = lane.repeated(header=lane.header(service_id="77"), repeated_of="older")
        conditions = {"a reboot": "NotFound", "no session": "NotFound"}
        wrong = what == "a foreign answer"
        lane.wait(30.0)
        lane.do(foreign_answer if wrong else lane.status(conditions.get(what, what)))
    assert unqualified(lane) == 0
    assert lane.state.payment is not None
    lane.do(lane.lost())
    while not lane.asks_for_last:
        lane.do(lane.status("SomethingNew"))
        lane.wait(30.0)
    lane.do(lane.last_was("older"))
    # nor later, if it was silent and the session was lost: nobody knows what it did meanwhile
    assert (lane.state.payment is None) is (what == "SomethingNew")


@pytest.mark.parametrize("wrong", ["amount", "result", "owner", "foreign"])
def test_rule_4_never_after_the_terminal_showed_that_it_had_it(wrong: str) -> None:
    lane = lanes.doubt()
    answers = {
        "amount": lane.repeated(amounts=m.AmountsResp(authorized_amount=Decimal(1))),
        "result": lane.repeated(response=m.Response(result="Partial")),
        "owner": lane.repeated(poi_owner="b"),
        "foreign": lane.repeated(header=lane.header(service_id="77"), repeated_of="older"),
    }
    lane.do(answers[wrong])
    error = lane.payment.error
    for _ in range(6):
        lane.wait(30.0)
        if lane.asks_for_last:
            lane.do(lane.last_was("older"))
        else:
            lane.do(lane.status("NotFound"))
        assert (lane.payment.state, lane.payment.error) == ("unknown", error)
    assert unqualified(lane) >= 2
    lane.wait(30.0)
    lane.do(lane.repeated())
    assert lane.ended() == ("approved", None)


def test_rule_4_the_next_life_asks_for_its_own_first() -> None:
    life = lanes.restarted(lanes.asking_for_last()).wait(0.0)
    kinds = [life.asks_for_last, life.then(life.status("SomethingNew")).wait(2.0).asks_for_last]
    assert kinds == [False, True]
    life.do(replace(life.last_was("older"), service_id="9"))
    assert life.state.payment is not None, "nobody asked that"
    life.do(life.last_was("older"))
    assert life.ended() == ("failed", "NotFound")


def another_terminal() -> Lane:
    lane = lanes.doubt()
    lane.do(lane.status("NotAllowed"), lanes.login("serial-2"))
    return lane


def a_reboot_in_the_life_before() -> Lane:
    return lanes.restarted(unbelieved()).wait(0.0)


@pytest.mark.parametrize("make", [another_terminal, a_reboot_in_the_life_before])
def test_rule_4_never_from_what_may_be_another_terminal(make: lanes.Make) -> None:
    lane = make()
    for _ in range(6):
        lane.wait(OTHER_TERMINAL_INTERVAL)
        lane.do(lane.last_was("older") if lane.asks_for_last else lane.status("NotFound"))
        assert lane.payment.state is PaymentState.UNKNOWN
    assert unqualified(lane) >= 2
