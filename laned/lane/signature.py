"""Signatures: whoever answers the terminal's question, and light integration, where it asks none.

There an approved payment whose receipt has a block for a signature is charged already. It stays
`processing` until a person has said that the signature is good, and is reversed at the terminal if
not (money rule 9). What was charged is on disk before anybody is asked, so a crash only asks again.
Source: protocol, section "Signature in light integration".
"""

from laned.lane import attempts, outcome, prompts, session
from laned.lane.events import LoginAnswered, LoginFailed, TimePassed
from laned.lane.payment import PaymentState, Problem, Reversal, ReversalOrder
from laned.lane.state import AnsweredBy, Phase
from laned.lane.turn import Turn
from laned.nexo.messages import PaymentResponse, ReversalReason
from laned.views import lane as views


def missing(turn: Turn, response: outcome.AttemptResponse) -> bool:
    """Whether this answer is an approval that waits for a signature.

    Not if the terminal itself has asked for it, in default integration before a restart. A
    merchant's receipt that cannot be read says nothing: then a person is asked as well.
    """
    # After a restart it may have been asked for in light integration, whatever mode is set now.
    asked_here = turn.state.order is not None and turn.state.config.lane.mode != "light"
    if asked_here or not response.response.success:
        return False
    if not isinstance(response, PaymentResponse) or turn.payment.signature == "approved":
        return False
    merchant = [receipt for receipt in response.receipts if receipt.qualifier == "CashierReceipt"]
    return any(receipt.signature_block or receipt.data is None for receipt in merchant)


def ask(turn: Turn, response: PaymentResponse) -> None:
    """The payment is charged: record it, then ask whether the signature is good."""
    told = outcome.told(turn.payment, response)
    turn.change_payment(**{**told, "state": PaymentState.PROCESSING, "error": None})
    turn.change(login_out=turn.state.phase is Phase.RELOGIN)
    ask_again(turn)


def ask_again(turn: Turn) -> None:
    """Ask whether the signature of a payment that is charged is good; declined if nobody may say.

    Or if the till does not want the payment any more.
    """
    turn.change(phase=Phase.SIGNING, asking=None, ask_for_last=False, running=True)
    turn.change(ask_at=None, abort_at=None, retry_at=None, login_at=None)
    if turn.payment.signature == "declined":  # before a crash, and it was not reversed yet
        _take_back(turn)
        return
    settings = turn.state.config.payment
    text = views.say(turn.state, "signature_question")
    turn.change(prompt=prompts.prompt(turn, "signature", text, settings.signature_timeout))
    if settings.signature == "decline" or turn.payment.abort_requested:
        answer(turn, approved=False, by=None)


def answer(turn: Turn, *, approved: bool, by: AnsweredBy | None) -> None:
    """Somebody says whether the signature is good, or nobody does in time."""
    prompts.close(turn, approved, by)
    if turn.state.phase is not Phase.SIGNING:
        return  # the terminal itself has asked, and goes on from here
    if approved:
        outcome.finish(turn, state=PaymentState.APPROVED)
    else:
        _take_back(turn)


def _take_back(turn: Turn) -> None:
    if turn.state.login_out:
        return  # it would kill the reversal, which is made when it is over
    order = ReversalOrder(ReversalReason.MERCHANT_CANCEL)
    charged = turn.state.attempt
    turn.change(order=order, attempt=None, give_up_at=None, sessions_missing=0)
    turn.change_payment(reversal=Reversal(state="processing", reason=order.reason))
    if turn.payment.poi_transaction is None:
        unnamed = Problem("NotReversible", "the terminal did not say which transaction it was")
        outcome.end_reversal(turn, unnamed)
    else:
        attempts.attempt(turn, charged)


def due(turn: Turn, _: TimePassed) -> None:
    """Nobody has said that the signature is good."""
    if prompts.expired(turn):
        answer(turn, approved=False, by="timeout")


def logged_in(turn: Turn, event: LoginAnswered) -> None:
    """The Login is answered that went out while the payment was in doubt."""
    turn.change(reason=session.admitted(turn, event))
    _login_over(turn)


def login_failed(turn: Turn, event: LoginFailed) -> None:
    """That Login was not answered."""
    _login_over(turn)


def _login_over(turn: Turn) -> None:
    turn.change(login_out=False)
    if turn.payment.signature == "declined":
        _take_back(turn)
