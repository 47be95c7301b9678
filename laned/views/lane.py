"""The lane's state as others see it: the till's `GET /v1/lane`, part by part."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from laned import __version__
from laned.lane.payment import Payment
from laned.lane.state import (
    AnsweredBy,
    Hardware,
    LaneState,
    Phase,
    Prompt,
    PromptKind,
    Reason,
    SessionState,
    Terminal,
)
from laned.views.texts import TEXTS, Text

# Reasons for which a session is soon there.
_PASSING = (Reason.NONE, Reason.STARTING, Reason.BUSY)


class SessionView(Struct, frozen=True, kw_only=True):
    """The login session with the terminal."""

    state: SessionState
    reason: str
    since: datetime
    terminal: Terminal


class DisplayView(Struct, frozen=True, kw_only=True):
    """What the display says: the terminal's text (with its text id), or laned's own."""

    lines: tuple[str, ...]
    code: int | None
    source: Literal["terminal", "lane"]


class PromptView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A question to a person; once closed with its answer (null: withdrawn) and who gave it."""

    id: str
    kind: PromptKind
    text: str
    expires_at: datetime


class ClosedPromptView(PromptView, frozen=True, kw_only=True):
    """A prompt that is closed."""

    answer: bool | None
    by: AnsweredBy


class LaneView(Struct, frozen=True, kw_only=True):
    """The whole lane."""

    name: str
    version: str
    mode: str
    session: SessionView
    display: DisplayView
    prompt: PromptView | None
    payment: str | None
    set_aside: tuple[str, ...]
    journal: str
    hardware: Hardware


def lane(state: LaneState) -> LaneView:
    """The whole lane as the till sees it."""
    return LaneView(
        name=state.config.lane.name,
        version=__version__,
        mode=state.config.lane.mode,
        session=session(state),
        display=display(state),
        prompt=prompt(state, state.prompt) if state.prompt else None,
        payment=state.payment.id if state.payment else None,
        set_aside=set_aside(state),
        journal=state.journal,
        hardware=state.hardware,
    )


def set_aside(state: LaneState) -> tuple[str, ...]:
    """The payments whose outcome the terminal has not told, and nobody else: the newest first."""
    return tuple(one.payment.id for one in reversed(state.set_aside) if one.payment.unknown)


def payment(state: LaneState, payment_id: str) -> Payment | None:
    """The payment with this id as it stands, if the lane is at work on it or has settled it last.

    What is being reversed is both.
    """
    for found in (state.payment, state.settled):
        if found is not None and found.id == payment_id:
            return found
    return None


def session(state: LaneState) -> SessionView:
    """The session part."""
    reason = state.why
    if not reason and state.unknown and state.session is SessionState.OFFLINE:
        reason = "outcome_unknown"
    return SessionView(
        state=state.session, reason=reason, since=state.since, terminal=state.terminal
    )


def prompt(state: LaneState, prompt: Prompt) -> PromptView | ClosedPromptView:
    """A prompt, open or closed; `by` of a closed one is set.

    The question is the terminal's; for a signature in light integration it is laned's own.
    """
    own = prompt.kind == "signature" and prompt.key is None
    text = say(state, "signature_question") if own else prompt.text
    if prompt.by is None:
        return PromptView(id=prompt.id, kind=prompt.kind, text=text, expires_at=prompt.expires_at)
    return ClosedPromptView(
        id=prompt.id,
        kind=prompt.kind,
        text=text,
        expires_at=prompt.expires_at,
        answer=prompt.answer,
        by=prompt.by,
    )


def own_text(state: LaneState) -> Text | None:
    """What laned itself has to say; None: the terminal's text stands (contract, Display).

    The terminal's text wins while a payment runs or a prompt is open, laned's own without a
    session.
    """
    match state.phase:
        case Phase.OFFLINE | Phase.LOGGING_IN:
            return "please_wait" if state.reason in _PASSING else "offline"
        case Phase.REVIEWING | Phase.CHECKING:
            return "please_wait"
        case Phase.SURVEY:
            if state.reason is Reason.TERMINAL_BUSY:
                return "checking"
            return "offline" if state.reason is Reason.UNREACHABLE else "please_wait"
        case Phase.BROKEN:
            return "out_of_service"
        case Phase.LOGGING_OUT | Phase.LOGGED_OUT:
            return "maintenance" if state.reason is Reason.MAINTENANCE else "closed"
        case Phase.STOPPED:
            return "out_of_service"
        case Phase.PENDING:
            assert state.payment is not None
            return "refund_question" if state.payment.type == "refund" else "pay_question"
        case Phase.SIGNING | Phase.SIGNING_RELOGIN:
            return "signature_question"
        case _ if state.prompt is not None:
            return None
        case Phase.DOUBT | Phase.RELOGIN if _in_doubt(state):
            return "checking"
        case Phase.RETRYING | Phase.RELOGIN:
            return "please_wait"
        case Phase.READY if state.journal == "new":
            return "out_of_service"  # until a person has acknowledged it
        case Phase.READY:
            return None if state.shown.lines else "welcome"
        case Phase.PAYING if state.config.lane.mode == "light" and not state.reversing:
            return "see_terminal"
        case _:
            return None if state.shown.lines else "please_wait"


def _in_doubt(state: LaneState) -> bool:
    """Whether the terminal itself has nothing to say about the attempt in doubt."""
    assert state.pursuit is not None
    if state.pursuit.between_attempts:
        return False
    return state.unknown or not state.shown.lines


def display(state: LaneState) -> DisplayView:
    """The display part."""
    own = own_text(state)
    if own is not None:
        return DisplayView(lines=(say(state, own),), code=None, source="lane")
    if state.prompt is not None and state.prompt.text:
        return DisplayView(
            lines=tuple(state.prompt.text.splitlines()), code=None, source="terminal"
        )
    return DisplayView(lines=state.shown.lines, code=state.shown.code, source="terminal")


def say(state: LaneState, text: Text) -> str:
    """`text` in the language of the lane's display."""
    config = state.config
    return TEXTS[config.texts_language][text]
