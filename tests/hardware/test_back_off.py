"""The waits between tries, and that they begin anew after a success."""

import pytest
import trio
from trio.testing import MockClock

from laned.hardware.back_off import FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS, BackOff


async def waits(back_off: BackOff, count: int) -> list[float]:
    found = []
    for _ in range(count):
        began = trio.current_time()
        await back_off.wait()
        found.append(trio.current_time() - began)
    return found


async def test_twice_as_long_each_time_until_one_succeeds(autojump_clock: MockClock) -> None:
    back_off = BackOff()
    states = [back_off.failing]
    assert await waits(back_off, 7) == pytest.approx([1, 2, 4, 8, 16, 30, 30])
    states.append(back_off.failing)
    back_off.succeeded()
    states.append(back_off.failing)
    assert states == [False, True, False]
    assert await waits(back_off, 2) == pytest.approx([1, 2])
    assert (FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS) == (1, 30)
