"""What the lane's steps leave in the log: a line when something has changed, not one per try.

Never what a display, a receipt or a card says, nor any other text of the terminal's but the name of
a condition or event.
"""

import logging
from typing import Any, Final

from laned.lane.judging import SHOUTED
from laned.lane.payment import Payment, PaymentState
from laned.lane.state import Hardware, SessionState
from laned.publishing import Published
from laned.system.doubts import Doubts
from laned.views.lane import ClosedPromptView, PromptView, SessionView
from laned.views.till_events import (
    ButtonEvent,
    CardEvent,
    JournalEvent,
    TerminalEvent,
    TillEvent,
)

log = logging.getLogger("laned.lane")

PASSING: Final = (SessionState.LOGGING_IN, SessionState.BUSY)
"""Sessions on the way to another: told at DEBUG only."""
MAX_WORD: Final = 60  # characters of a name that the terminal gave something


class LaneLog:
    """An observer that writes the log. What is as it was when it was told last is not told."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}
        self._doubts = Doubts()

    def __call__(self, published: Published) -> None:
        """Write what is worth a line."""
        if published.event is None:
            self._doubts.begin(published.after)
        for item in published.till_events:
            match item.data:
                case Payment() as payment:
                    self._payment(item, payment)
                case SessionView(state=state, reason=reason):
                    level = logging.DEBUG if state in PASSING else logging.INFO
                    self._state(item, f"session {state} {_word(reason)}".rstrip(), level)
                case Hardware(display=display, buttons=buttons):
                    level = logging.WARNING if "failing" in (display, buttons) else logging.INFO
                    self._state(item, f"display {display}, buttons {buttons}", level)
                case JournalEvent(journal=journal):
                    level = logging.INFO if journal == "ok" else logging.ERROR
                    self._state(item, f"journal {journal}", level)
                case PromptView() as prompt:
                    _tell(item, _prompt(prompt), payment=_id(published.after.payment))
                case ButtonEvent(name=name, action=action):
                    _tell(item, f"button {name} {action}", logging.DEBUG)
                case CardEvent(action=action):
                    _tell(item, f"card {action}", payment=_id(published.after.payment))
                case TerminalEvent(event=event):
                    _tell(item, f"terminal {_word(event)}")

    def _payment(self, item: TillEvent, payment: Payment) -> None:
        level = _loudness(payment)
        text = _payment(payment)
        if self._doubts.follow(payment) == "decided_later":  # the till has long since gone on
            level = logging.ERROR
            text += ", as the terminal itself says now; it was set aside or resolved"
        self._state(item, text, level, payment.id)

    def _state(self, item: TillEvent, text: str, level: int, payment: str | None = None) -> None:
        if level > logging.DEBUG:
            if self._told.get(item.name) == text:
                return
            self._told[item.name] = text
        _tell(item, text, level, payment)


def _tell(
    item: TillEvent, text: str, level: int = logging.INFO, payment: str | None = None
) -> None:
    fields: dict[str, Any] = {"event": item.name, "payment": payment}
    log.log(level, "%s", text, extra=fields)


def _payment(payment: Payment) -> str:
    reversal, error = payment.reversal, payment.error
    words = [payment.type, payment.id, str(payment.amount), payment.currency, payment.state]
    if payment.abort_requested and not payment.final:
        words.append("(abort asked for)")
    if error is not None:
        words.append(_word(error.condition))
    if reversal is not None:
        words += ["reversal", reversal.state]
        if reversal.error is not None:
            words.append(_word(reversal.error.condition))
    aside = ", set aside" if payment.set_aside_at is not None and not payment.final else ""
    return " ".join(words) + aside


def _loudness(payment: Payment) -> int:
    if payment.error is not None and payment.error.condition in SHOUTED:
        return logging.ERROR
    reversal = payment.reversal
    doubtful = payment.state == PaymentState.UNKNOWN or (reversal and reversal.state == "unknown")
    return logging.WARNING if doubtful else logging.INFO


def _prompt(prompt: PromptView) -> str:
    if not isinstance(prompt, ClosedPromptView):
        return f"prompt {prompt.id} {prompt.kind} open"
    answer = {True: "yes", False: "no", None: "withdrawn"}[prompt.answer]
    return f"prompt {prompt.id} {prompt.kind} {answer} by {prompt.by}"


def _id(payment: Payment | None) -> str | None:
    return payment.id if payment is not None else None


def _word(text: str) -> str:
    return " ".join(text.split())[:MAX_WORD]
