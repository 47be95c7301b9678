"""A few seeds of the simulation: `python tests/simulation/run.py` lives through many more."""

import pytest
from seeds import run

SEEDS = 120
IN_A_BLOCK = 10


@pytest.mark.parametrize("block", range(0, SEEDS, IN_A_BLOCK))
def test_lives(block: int) -> None:
    for seed in range(block, block + IN_A_BLOCK):
        wrong = run(seed).wrong
        assert not wrong, f"python tests/simulation/run.py --trace {seed}: {wrong}"
