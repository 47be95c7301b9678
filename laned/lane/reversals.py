"""Reversals: what was approved is given back at the terminal (money rules 9 and 10)."""

import re

from laned.lane import attempts, ending
from laned.lane.effects import AskedAfter
from laned.lane.events import ReversalAsked
from laned.lane.judging import reversal_ended
from laned.lane.payment import Payment, PaymentState, Problem, Reversal, ReversalOrder
from laned.lane.state import Phase, Pursuit
from laned.lane.turn import Turn
from laned.nexo.messages import ReversalReason

CARD = "card"
FIRST_SOFTWARE = (1, 3, 0, 11)
"""Terminals before it take back the last *card* payment in place of one that was no card's."""


def begin(turn: Turn, event: ReversalAsked) -> None:
    """Give back an approved payment, the terminal's last, because a till wants it."""
    payment = event.payment
    if payment is None or payment.state is not PaymentState.APPROVED:
        state = payment.state if payment is not None else "not known"
        turn.refuse("not_reversible", f"payment {event.payment_id} is {state}")
        return
    if payment.unknown:
        turn.refuse("not_reversible", "its last reversal is not decided: the terminal may have it")
        return
    if payment.poi_transaction is None or event.superseded_by is not None:
        newer = event.superseded_by or "one that the journal does not know"
        turn.refuse("not_reversible", f"the terminal's last payment is {newer}")
        return
    here = turn.state.terminal.serial_number
    if event.charged_by and here and event.charged_by != here:
        turn.refuse("not_reversible", f"it was paid at terminal {event.charged_by}, not at {here}")
        return
    for one in turn.state.set_aside:
        if one.payment.id == payment.id and one.response_expected:
            turn.refuse("not_reversible", "the answer to its last reversal may still come")
            return
        if one.payment.created_at > payment.created_at and one.payment.unknown:
            newer = f"the terminal's last may be payment {one.payment.id}, which is not decided"
            turn.refuse("not_reversible", newer)
            return
    if (why := no_card(turn, payment)) is not None:
        turn.refuse("not_reversible", why)
        return
    pursuit = Pursuit(payment=payment, order=ReversalOrder(event.reason))
    kept = tuple(one for one in turn.state.set_aside if one.payment.id != payment.id)
    if kept != turn.state.set_aside:
        turn.record(AskedAfter(payment.id, None))
    turn.change(set_aside=kept, pursuit=pursuit)
    reversal = Reversal(state="processing", reason=event.reason)
    turn.change_payment(reversal=reversal, set_aside_at=None)  # now it is waited for
    attempts.attempt(turn)


def give_back_unsigned(turn: Turn) -> None:
    """Give back what the terminal has charged and nobody has signed for (money rule 9)."""
    if turn.state.phase is Phase.SIGNING_RELOGIN:
        return  # it would kill the reversal, which is made when it is over
    order = ReversalOrder(ReversalReason.MERCHANT_CANCEL)
    charged = turn.attempt
    turn.pursue(order=order, attempt=None, give_up_at=None, sessions_missing=0)
    turn.change_payment(reversal=Reversal(state="processing", reason=order.reason))
    why = no_card(turn, turn.payment)
    if turn.payment.poi_transaction is None:
        why = "the terminal did not say which transaction it was"
    if why is not None:
        ending.finish(turn, **reversal_ended(turn.payment, Problem("NotReversible", why)))
    else:
        attempts.attempt(turn, charged)


def no_card(turn: Turn, payment: Payment) -> str | None:
    """Say why a payment that was no card's is not given back; None: it was, or it may be.

    An instrument that the terminal did not name is no card. Source: contract, "Reversal of what is
    no card".
    """
    if payment.instrument == CARD:
        return None
    what = payment.instrument or "not said to be a card"
    if not turn.state.config.payment.reverse_mobile:
        return f"the payment was {what}, and payment.reverse_mobile is not set"
    if software_version(turn.state.terminal.software) < FIRST_SOFTWARE:
        needed = ".".join(map(str, FIRST_SOFTWARE))
        return f"the payment was {what}; the terminal's software must be {needed} or newer for that"
    return None


def software_version(software: str) -> tuple[int, ...]:
    """The numbers of "application 1.3.0.11"; none where it names no version."""
    found = re.fullmatch(r"(?:.*\s)?(\d{1,9}(?:\.\d{1,9})*)\D*", software)
    return tuple(int(number) for number in found[1].split(".")) if found else ()
