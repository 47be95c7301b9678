"""What tests of reversals share."""

import lanes
from lanes import Lane

from laned.lane.payment import Reversal
from laned.nexo import messages as m

ASK = m.TransactionStatusRequest
REVERSE = m.ReversalRequest
RECEIPT = m.Receipt(qualifier="CustomerReceipt", lines=("REVERSED", "100.00"))

UNDER_WAY = [
    make for makers in lanes.MAKERS.values() for make in makers if "revers" in make.__name__
]


def reversal(lane: Lane) -> Reversal:
    found = lane.payment.reversal
    assert found is not None
    return found


def ended(lane: Lane) -> tuple[str, str, str | None]:
    """How it ended: the payment's state, the reversal's, and its error."""
    assert lane.state.payment is None
    error = reversal(lane).error
    return str(lane.payment.state), reversal(lane).state, error.condition if error else None
