"""What each button means now. Presses, LEDs and the labels on the screen all ask here."""

from enum import StrEnum

from laned.lane.state import LaneState, Phase

CONFIRM = "confirm"
ABORT = "abort"
APPROVE = "approve"
NAMES = (CONFIRM, ABORT, APPROVE)


class Meaning(StrEnum):
    """What a press does (contract, section Buttons)."""

    START = "start"  # ask the terminal for the pending payment
    CANCEL = "cancel"  # end the payment; nothing is at the terminal
    ABORT = "abort"  # ask the terminal to abort (money rule 8)
    APPROVE = "approve"  # the signature is good
    DECLINE = "decline"  # the signature is not good


def meaning(state: LaneState, name: str) -> Meaning | None:
    """What pressing the button `name` would do now; None: nothing."""
    prompt = state.prompt
    if state.reversing:
        return None
    if prompt is not None and prompt.kind == "signature":
        return _meaning_for_signature(state, name)
    match state.phase:
        case Phase.PENDING:
            return {CONFIRM: Meaning.START, ABORT: Meaning.CANCEL}.get(name)
        case Phase.RETRYING | Phase.CHECKING if name == ABORT:
            return Meaning.CANCEL
        case Phase.RELOGIN if name == ABORT and _between_attempts(state):
            return Meaning.CANCEL
        case Phase.PAYING | Phase.DOUBT if name == ABORT:
            return Meaning.ABORT if _can_ask_to_abort(state) else None
        case _:
            return None


def _meaning_for_signature(state: LaneState, name: str) -> Meaning | None:
    if state.config.payment.signature != "button":
        return None
    approver = APPROVE if state.config.buttons.approve is not None else CONFIRM
    return {approver: Meaning.APPROVE, ABORT: Meaning.DECLINE}.get(name)


def _can_ask_to_abort(state: LaneState) -> bool:
    payment = state.payment
    return payment is not None and not state.unknown and not payment.abort_requested


def _between_attempts(state: LaneState) -> bool:
    return state.pursuit is not None and state.pursuit.between_attempts


def meaning_changes(before: LaneState, after: LaneState, now: float) -> dict[str, float]:
    """When each button's meaning changed last, in monotonic seconds. A new question is a change."""
    asked = before.prompt is not after.prompt
    changed = {
        name: now for name in NAMES if asked or meaning(before, name) is not meaning(after, name)
    }
    return before.meaning_changed_at | changed if changed else before.meaning_changed_at


def lit(state: LaneState) -> frozenset[str]:
    """The buttons whose press would do something now: their LEDs are lit.

    A press of the till's own buttons always does: the till is told.
    """
    meant = (name for name in NAMES if meaning(state, name))
    return frozenset(meant).union(state.config.buttons.till)
