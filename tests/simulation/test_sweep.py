"""The crash sweep at every few places; `run.py --sweep` takes them all."""

import pytest
from sweep import FIRST, SCENARIO_NAMES, USUAL, crash

STEP = 7


@pytest.mark.parametrize("scenario", SCENARIO_NAMES)
def test_a_crash_at_any_place_leaves_the_books_right(scenario: str) -> None:
    ends: set[str] = set()
    number = 1 + SCENARIO_NAMES.index(scenario) % STEP
    while (swept := crash(scenario, number)).place:
        assert not swept.wrong, f"{scenario}, crash {number} {swept.place}: {swept.wrong}"
        ends.add(swept.states[FIRST])
        number += STEP
    assert number > 60, "fewer places than a payment has"
    usual = "reversed" if scenario == "reversal" else USUAL[scenario]
    assert usual in ends, f"never {usual}: {ends}"
