"""A modest number of seeds, so that the test command stays quick; `run.py` lives through more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from seeds import plan_for, run

SEEDS = range(120)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_books_agree(seed: int) -> None:
    verdict = run(seed)
    assert not verdict.wrong, f"python tests/simulation/run.py --trace {seed}: {verdict.wrong}"


def test_a_seed_brings_the_same_run_in_another_process() -> None:
    """Also with another hash seed, and another journal folder."""
    here = Path(__file__).parent
    told = [
        subprocess.run(
            [sys.executable, str(here / "run.py"), "--trace", "13"],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": number},
        ).stdout
        for number in ("1", "2")
    ]
    assert told[0] == told[1]
    assert told[0].count("\n") > 50


def test_every_seed_has_at_least_three_customers() -> None:
    courses = [plan_for(seed)[1] for seed in SEEDS]
    assert all(course.customers >= 3 for course in courses)
