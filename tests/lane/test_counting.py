"""What the metrics count once, whatever else is said of it later."""

import lanes
from lanes import Lane

from laned.lane import events as ev
from laned.lane.state import Phase
from laned.publishing import Published
from laned.system.metrics import Metrics


def counted(metrics: Metrics, lane: Lane, event: ev.Event) -> None:
    before = lane.state
    lane.do(event)
    metrics(Published(before, event, lane.state, (), None))


async def test_a_late_answer_about_a_payment_that_a_person_has_resolved() -> None:
    metrics, lane = Metrics(), lanes.silent_with_open_post()
    answer = lane.answered()
    counted(metrics, lane, lanes.resolution("failed"))
    assert metrics._payments[("payment", "failed")] == 1
    counted(metrics, lane, ev.PaymentAsked(lanes.order("b")))
    counted(metrics, lane, answer)
    assert lane.state.settled is not None
    assert (lane.state.settled.id, lane.state.settled.state) == ("a", "approved")
    assert lane.phase is Phase.CHECKING, "it was to be asked after first"
    assert metrics._payments.total() == 1


async def test_a_pending_payment_that_a_restart_ended() -> None:
    lane = lanes.restarted(lanes.pending(lanes.configuration(confirm="button")))
    metrics = Metrics()
    metrics(Published(lane.state, None, lane.state, (), None))
    assert metrics._payments[("payment", "aborted")] == 1
