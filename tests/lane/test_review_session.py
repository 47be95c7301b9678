"""Maintenance, and one request at a time."""

import lanes
import pytest
from lanes import Lane, configuration, replace

from laned.config import MaintenanceConfig
from laned.lane import events as ev
from laned.lane.state import Phase
from laned.nexo import messages as m

WITHOUT_WINDOW = replace(configuration(), maintenance=MaintenanceConfig(window=""))


def test_an_end_that_overtakes_the_logouts_answer_counts() -> None:
    lane = lanes.ready(WITHOUT_WINDOW).then(ev.TerminalNotified(event="BeginMaintenance"))
    lane.do(ev.TerminalNotified(event="EndMaintenance"))
    lane.do(lanes.logout())
    lane.wait(60.0)
    assert lane.phase is Phase.LOGGING_IN, "the terminal has said that it is done"


def test_a_maintenance_that_begins_while_a_customer_confirms_is_not_forgotten() -> None:
    lane = lanes.pending(WITHOUT_WINDOW).then(ev.TerminalNotified(event="BeginMaintenance"))
    lane.do(ev.AbortAsked("a"))
    lane.wait(1.0)
    assert lane.phase in (Phase.LOGGING_OUT, Phase.LOGGED_OUT), "the terminal is in maintenance"


def test_by_hand_for_maintenance_tells_the_terminal_so() -> None:
    """Logged out by hand it may not maintain itself; the wish has to reach it."""
    lane = lanes.logged_out().then(ev.LogoutAsked(maintenance=True))
    bodies = [send.message.body for send in lane.sent(m.LogoutRequest)]
    allowed = [body.maintenance_allowed for body in bodies if isinstance(body, m.LogoutRequest)]
    claimed = lane.state.session == "maintenance"
    assert not claimed or True in allowed


@pytest.mark.parametrize(
    "event",
    [
        ev.PaymentAsked(lanes.order()),
        ev.UpdateAsked(),
        ev.LogoutAsked(maintenance=False),
        ev.TerminalNotified(event="BeginMaintenance"),
        ev.StopAsked(),
    ],
)
def test_no_second_request_while_the_session_is_asked_after(event: ev.Event) -> None:
    """Protocol: one request at a time; only Abort, Login, TransactionStatus may come beside one."""
    lane = lanes.checking().then(event)
    assert [s for s in lane.sends[-1:] if s in lane.last.effects] == []


def test_no_logout_while_the_question_after_a_payment_is_out() -> None:
    lane: Lane = lanes.quiet(WITHOUT_WINDOW)
    lane.do(ev.TerminalNotified(event="SaleAdmin", maintenance_required=True), lane.answered())
    assert lane.phase is Phase.READY
    assert lane.do(ev.LogoutAsked(maintenance=False)).effects == ()
