"""What becomes of what is set aside, as the news tell it: for the log and the metrics."""

from typing import Literal

from laned.lane.judging import AMOUNT_MISMATCH, FOREIGN_TRANSACTION, LATE_ANSWER, UNKNOWN_RESULT
from laned.lane.payment import Payment
from laned.lane.state import LaneState

ANSWERED = frozenset({AMOUNT_MISMATCH, FOREIGN_TRANSACTION, UNKNOWN_RESULT})
"""The terminal has told what it did, and it is not what was asked: it decides nothing later."""

Word = Literal["set_aside", "decided_later", "resolved"]


class Doubts:
    """Follows each payment of which the terminal may still tell something.

    It is set aside; later the terminal's own answer decides it, or a person resolves it, and then
    such an answer may still contradict that person.
    """

    def __init__(self) -> None:
        self._open: dict[str, Payment] = {}

    def begin(self, state: LaneState) -> None:
        """Take over what the life before has left."""
        self._open = {one.payment.id: one.payment for one in state.set_aside}

    def known(self, payment_id: str) -> Payment | None:
        """The payment as it was set aside or resolved."""
        return self._open.get(payment_id)

    def follow(self, payment: Payment) -> Word | None:
        """Take the news of a payment; what it is of this kind, if anything."""
        known = self._open.get(payment.id)
        if not payment.final:
            if payment.set_aside_at is None:
                return None  # asked after anew: it is still known as one that was set aside
            self._open[payment.id] = payment
            return "set_aside" if known is None else None
        if payment.error is not None and payment.error.condition == LATE_ANSWER:
            return "decided_later" if self._open.pop(payment.id, None) is not None else None
        if payment.resolved is None:
            known = self._open.pop(payment.id, None)
            return "decided_later" if known is not None and not _answered(known) else None
        self._open[payment.id] = payment
        return "resolved" if known is None or known.resolved is None else None


def _answered(payment: Payment) -> bool:
    return payment.error is not None and payment.error.condition in ANSWERED
