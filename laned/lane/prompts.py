"""Questions to a person: may the payment start, is the signature good.

A prompt is answered once, by whoever is first; nothing is ever approved by default (money rule 9).
"""

from datetime import timedelta

import msgspec

from laned.lane import asking
from laned.lane.events import InputAsked, InputWithdrawn
from laned.lane.state import AnsweredBy, Prompt, PromptKind
from laned.lane.turn import Turn

ANSWER_MARGIN = 1.0  # seconds before the terminal's own time-out by which it has our answer


def open_prompt(
    turn: Turn, kind: PromptKind, text: str, timeout: float, key: str | None = None
) -> None:
    """Ask a person; `timeout` in seconds."""
    turn.pursue(prompt=_prompt(turn, kind, text, timeout, key))


def _prompt(turn: Turn, kind: PromptKind, text: str, timeout: float, key: str | None) -> Prompt:
    return Prompt(
        id=turn.now.token,
        kind=kind,
        text=text,
        expires_at=turn.utc + timedelta(seconds=timeout),
        deadline=turn.now.monotonic + timeout,
        key=key,
    )


def close(turn: Turn, answer: bool | None, by: AnsweredBy | None) -> None:
    """Close the open prompt, if there is one; a signature's answer is recorded on the payment.

    `answer` None: withdrawn. `by` None: nobody was asked.
    """
    asked = turn.state.prompt
    if asked is None:
        return
    turn.pursue(prompt=None)
    turn.change(closed=msgspec.structs.replace(asked, answer=answer, by=by))
    if asked.kind == "signature" and answer is not None:
        turn.change_payment(signature="approved" if answer else "declined")
        turn.postpone_inquiry()  # the terminal goes on from here


def expired(turn: Turn) -> bool:
    """Whether the open prompt's time is over."""
    prompt = turn.state.prompt
    return prompt is not None and turn.now.monotonic >= prompt.deadline


def input_asked(turn: Turn, event: InputAsked) -> None:
    """The terminal asks whether a signature is good, while a payment is unfinished."""
    asking.note_post(turn)
    if turn.state.reversing:
        answer_false(turn, event)
        return
    close(turn, None, "terminal")  # it asks something newer
    settings = turn.state.config.payment
    timeout = settings.signature_timeout
    if event.max_time is not None:
        timeout = min(timeout, max(event.max_time - ANSWER_MARGIN, 0.0))
    open_prompt(turn, "signature", event.text, timeout, event.key)
    if settings.signature == "decline" or turn.payment.abort_requested:
        close(turn, answer=False, by=None)


def answer_false(turn: Turn, event: InputAsked) -> None:
    """The terminal asks although nothing is unfinished: there is nothing to confirm."""
    asked = _prompt(turn, "signature", event.text, 0.0, event.key)
    turn.change(closed=msgspec.structs.replace(asked, answer=False))


def input_withdrawn(turn: Turn, event: InputWithdrawn) -> None:
    """The terminal hung up: its question is void."""
    asked = turn.state.prompt
    if asked is not None and asked.key == event.key:
        close(turn, None, "terminal")
