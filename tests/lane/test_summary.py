"""The lane in one line, as systemd shows it."""

from collections.abc import Callable

import lanes
import pytest
from lanes import Lane

from laned.lane import events as ev
from laned.views.status_line import MAX_REASON, summary

TILL = lanes.configuration(signature="till")
CONFIRMED = lanes.configuration(confirm="button")


def asked() -> Lane:
    return lanes.paying(TILL).then(lanes.asks())


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: Lane(), "offline: starting"),
        (lanes.logging_in, "logging in"),
        (lanes.ready, "ready, no payment"),
        (lanes.approved, "ready, no payment"),
        (lanes.logging_out, "logging out"),
        (lanes.logged_out, "logged out: by_hand"),
        (lambda: lanes.pending(CONFIRMED), "payment a pending, waits for confirmation"),
        (lanes.paying, "payment a processing"),
        (lanes.retrying, "payment a processing"),
        (lanes.unknown, "payment a unknown"),
        (
            lambda: lanes.paying(TILL).then(lanes.asks()),
            "payment a processing, waits for signature",
        ),
        (lanes.reversing, "reversal of payment a processing"),
        (lanes.reversal_unknown, "reversal of payment a unknown"),
        (lanes.survey, "offline: starting"),
        (lanes.broken, "out of service: journal corrupt"),
        (lanes.stopped, "stopped"),
        (lanes.stopped_paying, "stopped"),
    ],
)
def test_in_each_phase(make: Callable[[], Lane], line: str) -> None:
    assert summary(make().state) == line


def test_a_refund_is_called_one() -> None:
    assert summary(lanes.paying(type="refund").state) == "refund a processing"


def test_trouble_stands_behind() -> None:
    lane = lanes.ready().then(ev.HardwareReported("display", "failing"))
    lane.do(ev.JournalReported("full"))
    assert summary(lane.state) == "ready, no payment, journal full, display failing"


def test_nothing_that_the_terminal_says_makes_a_second_line() -> None:
    lane = lanes.logging_in()
    lane.do(lanes.login(condition="Refusal\nMAINPID=1\nSTATUS=" + "x" * 1000))
    line = summary(lane.state)
    assert line.isprintable()
    assert len(line) < MAX_REASON + 20
