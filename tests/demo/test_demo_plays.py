"""Whether a play ended as it should is judged by all who know."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from laned import cli
from laned.demo import words
from laned.demo.plays import PLAYS, Outcome, faults
from laned.simulator import SCENARIOS, State, Transaction

HAPPY = PLAYS["happy"]
DECLINED = PLAYS["declined"]


def payment(**changes: Any) -> dict[str, Any]:
    plain = {
        "id": "demo-1",
        "amount": "38.00",
        "currency": "SEK",
        "state": "approved",
        "abort_requested": False,
        "signature": None,
        "poi_transaction": {"id": "77", "timestamp": "2026-01-01T12:00:00+01:00"},
    }
    return plain | changes


def entry(state: State = State.CHARGED, amount: str = "38.00", number: str = "77") -> Transaction:
    return Transaction(
        type="Normal",
        amount=Decimal(amount),
        currency="SEK",
        sale_transaction_id="demo-1.abcdefgh",
        service_id="1",
        sale_id="1",
        poi_id="DEMO",
        poi_transaction_id=number,
        timestamp="2026-01-01T12:00:00+01:00",
        state=state,
    )


def outcome(told: dict[str, Any], *books: Transaction, violations: tuple[str, ...] = ()) -> Outcome:
    return Outcome(payment=told, kept=told, books=books, violations=violations)


def test_a_play_that_ended_as_it_should_has_no_faults() -> None:
    assert faults(HAPPY, outcome(payment(), entry())) == []
    declined = payment(state="declined")
    assert faults(DECLINED, outcome(declined, entry(State.DECLINED))) == []


@pytest.mark.parametrize(
    ("told", "books", "says"),
    [
        (payment(state="declined"), [entry()], "state is declined, it should be approved"),
        (payment(signature="approved"), [entry()], "signature is approved, it should be None"),
        (payment(abort_requested=True), [entry()], "abort_requested is True"),
        (payment(), [], "nothing was charged, it should be 38.00 SEK"),
        (payment(), [entry(amount="3.80")], "3.80 SEK was charged, it should be 38.00 SEK"),
        (
            payment(),
            [entry(), entry(number="78")],
            "38.00 SEK and 38.00 SEK was charged, it should be 38.00 SEK",
        ),
        (payment(), [entry(number="78")], "the terminal charged 78, the till knows 77"),
        (payment(poi_transaction=None), [entry()], "the terminal charged 77, the till knows None"),
    ],
)
def test_each_disagreement_is_a_fault(
    told: dict[str, Any], books: list[Transaction], says: str
) -> None:
    assert says in "; ".join(faults(HAPPY, outcome(told, *books)))


def test_a_declined_payment_must_not_be_charged() -> None:
    found = faults(DECLINED, outcome(payment(state="declined"), entry()))
    assert found == ["the terminal's books say that 38.00 SEK was charged, it should be nothing"]


def test_the_journal_must_hold_what_the_till_was_told() -> None:
    found = faults(HAPPY, replace(outcome(payment(), entry()), kept=payment(state="processing")))
    assert found == ["the journal holds the payment otherwise than the till was told"]


def test_the_terminal_must_have_nothing_to_complain_of() -> None:
    found = faults(HAPPY, outcome(payment(), entry(), violations=("ServiceID 1 was used before",)))
    assert found == ["the terminal says that laned broke a rule: ServiceID 1 was used before"]


def test_the_command_line_offers_what_can_be_played() -> None:
    assert tuple(PLAYS) == cli.SCENARIOS
    assert set(PLAYS) <= set(SCENARIOS)


def test_lines_of_the_terminal_in_plain_words() -> None:
    assert words.of_terminal("till: Login 17") == ("laned", "logs in to the terminal")
    assert words.of_terminal("till: Diagnosis 17") == ("laned", "sends Diagnosis")
    assert words.of_terminal("display: Enter PIN: **") == ("terminal", 'shows "Enter PIN: **"')
    assert words.of_terminal("abort of 17") == ("terminal", "aborts")
    assert words.of_terminal("abort of 17: too late") == ("terminal", "is too late to abort")
    assert words.of_terminal("refused Payment 17: Busy") == ("terminal", "refuses Payment: Busy")
    assert words.of_terminal("Normal 38.00 SEK: declined") is None
    assert words.of_terminal("VIOLATION Login: x") == ("terminal", "VIOLATION Login: x")
