"""What the money rules permit, in every order of events; `run.py` shows the ways to a finding."""

from dataclasses import replace

import pytest

from model.rules import FOUND, LETTER, LOOSER, MENDED, STEADY, Rules
from model.search import SHUT, broken, explore
from model.state import State


def test_by_the_letter_no_money_is_lost() -> None:
    """Only the lane may stay shut: what that takes, the tests below say.

    `run.py` also swaps terminals, which takes longer.
    """
    report = explore(LETTER)
    assert report.states > 30_000
    assert set(report.findings) == {SHUT}, report.findings


def test_mended_no_money_is_lost_and_the_lane_goes_on() -> None:
    report = explore(replace(MENDED, attempts=(2, 1)))
    assert report.states > 30_000
    assert report.findings == {}
    assert 10 < report.longest < 100


@pytest.mark.parametrize("steady", STEADY)
def test_what_a_terminal_that_always_answers_the_same_does_to_the_lane(steady: str) -> None:
    """By the letter, Busy about a payment set aside and callbacks have no end."""
    small = replace(LETTER, attempts=(1, 1), steady=steady)
    shut = {SHUT} if steady in ("busy", "callback") else set()
    assert set(explore(small).findings) == shut
    assert explore(replace(MENDED, attempts=(1, 1), steady=steady)).findings == {}


@pytest.mark.parametrize(
    "rules",
    [replace(MENDED, busy_counts_in_all=False), replace(MENDED, callbacks_count=False)],
    ids=["busy", "callbacks"],
)
def test_each_mending_is_needed(rules: Rules) -> None:
    assert set(explore(replace(rules, attempts=(1, 1))).findings) == {SHUT}


@pytest.mark.parametrize("name", LOOSER)
def test_looser_rules_are_found_wrong(name: str) -> None:
    report = explore(LOOSER[name], until=FOUND[name])
    assert FOUND[name] in report.findings, report.findings
    assert report.findings[FOUND[name]][0] == "the lane starts"


def test_what_is_charged_ends_approved_or_set_aside() -> None:
    """Whatever else is told of a charge is a finding in itself, in whichever state."""
    told = {"new", "processing", "approved", "nothing", "unknown"}
    first, second = State().payments
    wrong = {
        name
        for name in told
        if broken(State().with_payment(0, first._replace(told=name, charges=1)))
    }
    assert wrong == {"nothing"}
    assert broken(State().with_payment(1, second._replace(told="approved")))
    assert broken(State().with_payment(1, second._replace(told="unknown", charges=2)))
