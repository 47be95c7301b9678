"""`kill -9` of the real daemon over real sockets; `run.py` does the same for longer."""

import pytest

from kill import killing

KILLS = 25
SEED = 20


# httpx leaves generators behind when the peer dies while it sends or receives
@pytest.mark.filterwarnings("ignore:Async generator 'http:ResourceWarning")
async def test_the_books_agree_after_25_kills() -> None:
    report = await killing.run(KILLS, SEED)
    assert not report.faults, report
    assert report.charges, report
    # a run whose kills all miss the payments would prove nothing
    assert report.mid_payment >= KILLS // 4, report
