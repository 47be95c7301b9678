"""Signatures: whoever answers the terminal's question, and light integration, where it asks none.

There an approved payment whose receipt has a block for a signature is charged already. It stays
`processing` until a person has said that the signature is good, and is reversed at the terminal if
not (money rule 9). What was charged is on disk before anybody is asked, so a crash only asks again.
Source: protocol, section "Signature in light integration".
"""

from typing import Any

from laned.lane import ending, prompts, reversals, session
from laned.lane.events import LoginAnswered, LoginFailed, TimePassed
from laned.lane.payment import PaymentState
from laned.lane.state import AnsweredBy, Phase
from laned.lane.turn import Turn


def ask(turn: Turn, fields: dict[str, Any]) -> None:
    """Record that the payment is charged, then ask whether the signature is good."""
    turn.change_payment(**fields)
    relogin = turn.state.phase is Phase.RELOGIN
    ask_again(turn, Phase.SIGNING_RELOGIN if relogin else Phase.SIGNING)


def ask_again(turn: Turn, phase: Phase = Phase.SIGNING) -> None:
    """Ask whether the signature of a payment that is charged is good; declined if nobody may say.

    Or if the till does not want the payment any more.
    """
    prompts.close(turn, None, "terminal")  # it has answered: what it asked before is void
    turn.enter(phase)
    turn.change(asking=None, ask_at=None, login_at=None)
    turn.pursue(terminal_working=True, abort_at=None, retry_at=None, login_at=None)
    if turn.payment.signature == "declined":  # before a crash, and it was not reversed yet
        reversals.give_back_unsigned(turn)
        return
    settings = turn.state.config.payment
    prompts.open_prompt(turn, "signature", "", settings.signature_timeout)
    if settings.signature == "decline" or turn.payment.abort_requested:
        answer(turn, approved=False, by=None)


def answer(turn: Turn, *, approved: bool, by: AnsweredBy | None) -> None:
    """Take the answer whether the signature is good, or that nobody gave one in time."""
    prompts.close(turn, approved, by)
    if turn.state.phase not in (Phase.SIGNING, Phase.SIGNING_RELOGIN):
        return  # the terminal itself has asked, and goes on from here
    if approved:
        ending.finish(turn, state=PaymentState.APPROVED)
    else:
        reversals.give_back_unsigned(turn)


def due(turn: Turn, _: TimePassed) -> None:
    """Decline the signature that nobody has approved in time."""
    if prompts.expired(turn):
        answer(turn, approved=False, by="timeout")


def logged_in(turn: Turn, event: LoginAnswered) -> None:
    """Go on: the Login is answered that went out while the payment was in doubt."""
    denial = session.admit(turn, event)
    turn.enter(Phase.SIGNING, *denial)
    _login_over(turn)


def login_failed(turn: Turn, event: LoginFailed) -> None:
    """Go on: that Login was not answered."""
    turn.enter(Phase.SIGNING)
    _login_over(turn)


def _login_over(turn: Turn) -> None:
    if turn.payment.signature == "declined":
        reversals.give_back_unsigned(turn)
