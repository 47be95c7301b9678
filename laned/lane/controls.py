"""What people want: tills by the API, customers and attendants by the buttons."""

from laned.lane import attempts, ending, prompts, review, signature
from laned.lane.buttons import Meaning, meaning
from laned.lane.effects import PaymentOpened
from laned.lane.events import AbortAsked, ButtonPressed, ConfirmAsked, PaymentAsked, PromptAnswered
from laned.lane.payment import Payment, PaymentState
from laned.lane.state import AnsweredBy, Phase, Pursuit
from laned.lane.turn import Turn


def payment_asked(turn: Turn, event: PaymentAsked) -> None:
    """Take a payment: record it, and either ask for confirmation or ask the terminal."""
    if turn.state.journal == "new":
        turn.refuse("journal_unavailable", "the journal is new: acknowledge it first")
        return
    order = event.order
    payment = Payment(
        id=order.id,
        type=order.type,
        amount=order.amount,
        currency=order.currency,
        cash_back=order.cash_back,
        state=PaymentState.PENDING,
        created_at=turn.utc,
        updated_at=turn.utc,
    )
    turn.record(PaymentOpened(payment, order))
    turn.change(pursuit=Pursuit(payment=payment, order=order))
    if order.confirm == "button":
        turn.enter(Phase.PENDING)
        text = f"{order.amount} {order.currency}"
        timeout = turn.state.config.payment.confirm_timeout
        prompts.open_prompt(turn, "payment", text, timeout)
    else:
        review.first_attempt(turn)


def refuse_payment(turn: Turn, event: PaymentAsked) -> None:
    """Another payment or reversal is unfinished."""
    if turn.state.unknown:
        turn.refuse("outcome_unknown", "the outcome of another payment is not known yet")
    else:
        turn.refuse("lane_busy", "another payment is not finished")


def button_pressed(turn: Turn, event: ButtonPressed) -> None:
    """A button is pressed while a payment is unfinished."""
    if event.since < turn.state.meaning_changed_at.get(event.name, event.since):
        return  # it was down before it meant this: nobody has pressed it for this
    match meaning(turn.state, event.name):
        case Meaning.START:
            _start(turn, "button")
        case Meaning.CANCEL:
            _cancel(turn, "button")
        case Meaning.ABORT:
            attempts.request_abort(turn)
        case Meaning.APPROVE:
            signature.answer(turn, approved=True, by="button")
        case Meaning.DECLINE:
            signature.answer(turn, approved=False, by="button")
        case None:
            pass


def prompt_answered(turn: Turn, event: PromptAnswered) -> None:
    """A till answers a prompt."""
    prompt = turn.state.prompt
    if prompt is None or prompt.id != event.prompt_id:
        turn.refuse("prompt_closed", f"prompt {event.prompt_id} is not open")
    elif prompt.kind == "signature":
        signature.answer(turn, approved=event.confirmed, by="till")
    elif event.confirmed:
        _start(turn, "till")
    else:
        _cancel(turn, "till")


def confirm_asked(turn: Turn, event: ConfirmAsked) -> None:
    """A till confirms the pending payment."""
    if event.payment_id == turn.payment.id:
        _start(turn, "till")
    else:
        turn.refuse("not_pending", f"payment {event.payment_id} is not pending")


def abort_asked(turn: Turn, event: AbortAsked) -> None:
    """A till wants the payment to end; what becomes of it is the terminal's to say."""
    prompt = turn.state.prompt
    if event.payment_id != turn.payment.id or turn.state.reversing:
        turn.refuse("not_abortable", f"payment {event.payment_id} is not running")
    elif turn.state.phase in (Phase.PENDING, Phase.CHECKING):
        _cancel(turn, "till")
    elif turn.state.phase in (Phase.SIGNING, Phase.SIGNING_RELOGIN) or (
        prompt is not None and prompt.kind == "signature" and not turn.pursuit.between_attempts
    ):
        signature.answer(turn, approved=False, by="till")
    else:
        attempts.request_abort(turn)


def _start(turn: Turn, by: AnsweredBy) -> None:
    prompts.close(turn, answer=True, by=by)
    review.first_attempt(turn)


def _cancel(turn: Turn, by: AnsweredBy) -> None:
    prompts.close(turn, answer=False, by=by)
    ending.cancel(turn)
