"""Reversals: what was approved is given back at the terminal (money rules 9 and 10)."""

from laned.lane import attempts, ending
from laned.lane.effects import AskedAfter
from laned.lane.events import ReversalAsked
from laned.lane.judging import reversal_ended
from laned.lane.payment import PaymentState, Problem, Reversal, ReversalOrder
from laned.lane.state import Phase, Pursuit
from laned.lane.turn import Turn
from laned.nexo.messages import ReversalReason


def begin(turn: Turn, event: ReversalAsked) -> None:
    """Give back an approved payment, the terminal's last, because a till wants it."""
    payment = event.payment
    if payment is None or payment.state is not PaymentState.APPROVED:
        state = payment.state if payment is not None else "not known"
        turn.refuse("not_reversible", f"payment {event.payment_id} is {state}")
        return
    if payment.poi_transaction is None or event.superseded_by is not None:
        newer = event.superseded_by or "one that the journal does not know"
        turn.refuse("not_reversible", f"the terminal's last payment is {newer}")
        return
    here = turn.state.terminal.serial_number
    if event.charged_by and here and event.charged_by != here:
        turn.refuse("not_reversible", f"it was paid at terminal {event.charged_by}, not at {here}")
        return
    if payment.unknown:
        turn.refuse("not_reversible", "the outcome of its last reversal is not known yet")
        return
    for one in turn.state.set_aside:
        if one.payment.id == payment.id and one.response_expected:
            turn.refuse("not_reversible", "the answer to its last reversal may still come")
            return
        if one.payment.created_at > payment.created_at and one.payment.unknown:
            newer = f"the terminal's last may be payment {one.payment.id}, which is not decided"
            turn.refuse("not_reversible", newer)
            return
    pursuit = Pursuit(payment=payment, order=ReversalOrder(event.reason))
    kept = tuple(one for one in turn.state.set_aside if one.payment.id != payment.id)
    if len(kept) < len(turn.state.set_aside):
        turn.record(AskedAfter(payment.id, None))
    turn.change(set_aside=kept, pursuit=pursuit)
    turn.change_payment(
        reversal=Reversal(state="processing", reason=event.reason), set_aside_at=None
    )
    attempts.attempt(turn)


def give_back_unsigned(turn: Turn) -> None:
    """Give back what the terminal has charged and nobody has signed for (money rule 9)."""
    if turn.state.phase is Phase.SIGNING_RELOGIN:
        return  # it would kill the reversal, which is made when it is over
    order = ReversalOrder(ReversalReason.MERCHANT_CANCEL)
    charged = turn.attempt
    turn.pursue(order=order, attempt=None, give_up_at=None, sessions_missing=0)
    turn.change_payment(reversal=Reversal(state="processing", reason=order.reason))
    if turn.payment.poi_transaction is None:
        unnamed = Problem("NotReversible", "the terminal did not say which transaction it was")
        ending.finish(turn, **reversal_ended(turn.payment, unnamed))
    else:
        attempts.attempt(turn, charged)
