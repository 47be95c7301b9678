"""Whether a play ended as it should is judged by all who know."""

import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from laned.cli import main as cli
from laned.demo import words
from laned.demo.plays import PLAYS, Outcome, faults
from laned.simulator import SCENARIOS, State, Transaction

HAPPY = PLAYS["happy"]
FORGETS = PLAYS["reboot-forgets"]
DECLINED = PLAYS["declined"]


def payment(**changes: Any) -> dict[str, Any]:
    plain = {
        "id": "demo-1",
        "amount": "38.00",
        "currency": "SEK",
        "state": "approved",
        "abort_requested": False,
        "signature": None,
        "attempts": [{"service_id": "1", "transaction_id": "demo-1.abcdefgh"}],
        "resolved": None,
        "set_aside_at": None,
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


def outcome(
    told: dict[str, Any],
    *books: Transaction,
    violations: tuple[str, ...] = (),
    maintenances: int = 0,
    **after: Any,
) -> Outcome:
    return Outcome(
        payment=told,
        kept=told,
        books=books,
        violations=violations,
        maintenances=maintenances,
        **after,
    )


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


def test_a_payment_that_is_taken_back_must_be_in_the_books_as_such() -> None:
    play = PLAYS["light-signature-declined"]
    told = payment(state="declined", signature="declined")
    assert faults(play, outcome(told, entry(State.REVERSED))) == []
    assert faults(play, outcome(told, entry())) == [
        "the terminal's books say that 38.00 SEK was charged, it should be nothing",
        "the terminal's books say that nothing was taken back, it should be 38.00 SEK",
    ]
    found = faults(HAPPY, outcome(payment(), entry(), entry(State.REVERSED)))
    assert found == ["the terminal's books say that 38.00 SEK was taken back, it should be nothing"]


def test_a_busy_terminal_takes_more_than_one_attempt() -> None:
    attempts = [{"service_id": number, "transaction_id": "-"} for number in ("1", "2")]
    again = outcome(payment(attempts=attempts), entry())
    assert faults(PLAYS["busy"], again) == []
    assert faults(HAPPY, again) == ["the payment took 2 attempts"]
    assert faults(PLAYS["busy"], outcome(payment(), entry())) == ["the payment took 1 attempts"]


CUT = PLAYS["power-cut"]
SECOND = {"id": "demo-2", "poi_transaction": {"id": "78", "timestamp": "-"}}


def after_a_power_cut(told: dict[str, Any], *books: Transaction, **after: Any) -> list[str]:
    following = {"next": payment(**SECOND)} | after
    return faults(replace(CUT, ends=told["state"]), outcome(told, *books, **following))


def test_after_a_power_cut_the_next_payment_must_be_taken_in_time() -> None:
    both = (entry(), entry(number="78"))
    assert after_a_power_cut(payment(), *both, shut_for=15.0) == []
    assert after_a_power_cut(payment(), *both, shut_for=16.0) == [
        "the next payment was taken after 16 s"
    ]
    refused = after_a_power_cut(payment(), *both, next=payment(state="failed", **SECOND))
    assert refused == ["the next payment was not taken"]
    missing = after_a_power_cut(payment(), *both, next=None)
    assert missing == [
        "the terminal charged 78, the till knows 77",
        "the next payment was not taken",
    ]
    assert "38.00 SEK was charged, it should be 38.00 SEK and 38.00 SEK" in "; ".join(
        after_a_power_cut(payment(), entry())
    )


def test_what_a_power_cut_leaves_unknown_must_be_set_aside() -> None:
    books = (entry(State.ABORTED), entry(number="78"))
    unknown = payment(state="unknown", poi_transaction=None)
    aside = unknown | {"set_aside_at": "2026-01-01T12:00:00Z"}
    assert after_a_power_cut(aside, *books, set_aside=("demo-1",)) == []
    assert after_a_power_cut(unknown, *books) == [
        "the payment is unknown and not set aside",
        "the lane lists nothing as set aside",
    ]


def test_the_terminal_must_have_been_maintained_or_not() -> None:
    maintained = outcome(payment(), entry(), maintenances=1)
    assert faults(PLAYS["maintenance"], maintained) == []
    assert faults(HAPPY, maintained) == ["the terminal was maintained 1 times"]
    found = faults(PLAYS["maintenance"], outcome(payment(), entry()))
    assert found == ["the terminal was maintained 0 times"]


def test_the_journal_must_hold_what_the_till_was_told() -> None:
    found = faults(HAPPY, replace(outcome(payment(), entry()), kept=payment(state="processing")))
    assert found == ["the journal holds the payment otherwise than the till was told"]


def test_the_terminal_must_have_nothing_to_complain_of() -> None:
    found = faults(HAPPY, outcome(payment(), entry(), violations=("ServiceID 1 was used before",)))
    assert found == ["the terminal says that laned broke a rule: ServiceID 1 was used before"]


def test_what_the_terminal_forgot_is_charged_and_set_aside_and_nobody_says_more() -> None:
    when = "2026-01-01T12:00:00Z"
    told = payment(state="unknown", set_aside_at=when, poi_transaction=None)
    listed: dict[str, Any] = {"set_aside": ("demo-1",)}
    assert faults(FORGETS, outcome(told, entry(), **listed)) == []
    assert "nothing was charged" in "; ".join(faults(FORGETS, outcome(told, **listed)))
    guessed = outcome(payment(poi_transaction=None), entry())
    assert faults(FORGETS, guessed) == [
        "the payment's state is approved, it should be unknown",
        "the payment is approved and not set aside",
        "the lane lists nothing as set aside",
    ]
    assert faults(HAPPY, outcome(payment(set_aside_at=when), entry(), **listed)) == [
        "the payment is approved and set aside",
        "the lane lists demo-1 as set aside",
    ]
    resolved = told | {"resolved": {"by": 1000, "note": "seen", "at": when}}
    assert "resolved is {" in "; ".join(faults(FORGETS, outcome(resolved, entry(), **listed)))


def test_the_command_line_knows_what_can_be_played(capsys: pytest.CaptureFixture[str]) -> None:
    assert tuple(PLAYS) == tuple(SCENARIOS)
    for command in ("demo", "simulate"):
        with pytest.raises(SystemExit, match="2"):
            cli.main([command, "--scenario", "perhaps"])
        said = capsys.readouterr().err
        assert f"'perhaps' is none of {', '.join(PLAYS)}" in said


def test_a_till_command_does_not_wait_for_heavy_imports() -> None:
    look = (
        "import sys; from laned.cli.main import _parser; _parser(); print(*sys.modules, sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, check=True, timeout=30
    )
    loaded = set(done.stdout.split())
    assert "laned.cli.main" in loaded
    assert not loaded & {"trio", "httpx", "msgspec", "laned.simulator"}


def test_lines_of_the_terminal_in_plain_words() -> None:
    assert words.of_terminal("till: Login 17") == ("laned", "logs in to the terminal")
    assert words.of_terminal("till: TransactionStatus 17") == (
        "laned",
        "asks the terminal what it did last",
    )
    assert words.of_terminal("till: TransactionStatus 17 about 16") == (
        "laned",
        "asks the terminal what became of the payment",
    )
    assert words.of_terminal("cut off before answering Payment 17") == (
        "terminal",
        "is cut off before it can answer the PaymentRequest",
    )
    assert words.of_terminal("power off") == ("terminal", "restarts")
    assert words.of_terminal("till: Diagnosis 17") == ("laned", "sends Diagnosis")
    assert words.of_terminal("display: Enter PIN: **") == ("terminal", 'shows "Enter PIN: **"')
    assert words.of_terminal("event: SaleAdmin") == ("terminal", "asks for maintenance")
    assert words.of_terminal("event: Shutdown") == ("terminal", "tells of Shutdown")
    assert words.of_terminal("abort of 17") == ("terminal", "aborts")
    assert words.of_terminal("abort of 17: too late") == ("terminal", "is too late to abort")
    assert words.of_terminal("refused Payment 17: Busy") == ("terminal", "refuses Payment: Busy")
    assert words.of_terminal("Normal 38.00 SEK: declined") is None
    assert words.of_terminal("VIOLATION Login: x") == ("terminal", "VIOLATION Login: x")
