"""What the lane's own display shows, as a view of the state: words and meaning, no pixels."""

from enum import StrEnum

from msgspec import Struct

from laned.lane.buttons import ABORT, CONFIRM, Meaning, meaning
from laned.lane.state import LaneState, Phase
from laned.views.lane import display, own_text, say
from laned.views.texts import Text

_LABELS: dict[Meaning, Text] = {
    Meaning.START: "start",
    Meaning.CANCEL: "cancel",
    Meaning.ABORT: "abort",
    Meaning.APPROVE: "approve",
    Meaning.DECLINE: "decline",
}


class Icon(StrEnum):
    """The sign beside the text, for what the customer must know at a glance."""

    NONE = ""
    OFFLINE = "offline"
    WAIT = "wait"
    CARD = "card"
    SIGNATURE = "signature"
    WARNING = "warning"
    PIN = "pin"
    CHECK = "check"
    CROSS = "cross"


class Screen(Struct, frozen=True, kw_only=True):
    """One screen: text lines, the amount, and what each button does now ("" = nothing)."""

    lines: tuple[str, ...]
    amount: str = ""
    confirm: str = ""
    abort: str = ""
    icon: Icon = Icon.NONE

    @property
    def at_rest(self) -> bool:
        """Whether nothing is asked of anybody: no button means anything, no signature is judged."""
        return not self.confirm and not self.abort and self.icon is not Icon.SIGNATURE


def screen(state: LaneState) -> Screen:
    """The screen of a state."""
    return Screen(
        lines=_lines(state),
        amount=_amount(state),
        confirm=_label(state, CONFIRM),
        abort=_label(state, ABORT),
        icon=_icon(state),
    )


def farewell(state: LaneState) -> Screen:
    """The screen that stays when the daemon has ended."""
    return Screen(lines=(say(state, "out_of_service"),), icon=Icon.WARNING)


def _amount(state: LaneState) -> str:
    payment = state.payment
    if payment is None:
        return ""
    amount = str(payment.amount)
    if state.config.texts_language != "en":
        amount = amount.replace(".", ",")
    sign = "-" if payment.type == "refund" else ""
    return f"{sign}{amount} {payment.currency}"


def _lines(state: LaneState) -> tuple[str, ...]:
    """What `display` says, or what the configuration has in place of that text of the terminal."""
    said = display(state)
    replacement = None if said.code is None else state.config.display.texts.get(said.code)
    return said.lines if replacement is None else tuple(replacement.splitlines())


def _label(state: LaneState, button: str) -> str:
    means = meaning(state, button)
    if means is None:
        return ""
    refund = state.payment is not None and state.payment.type == "refund"
    return say(state, "start_refund" if means is Meaning.START and refund else _LABELS[means])


def _icon(state: LaneState) -> Icon:
    if state.prompt is not None and state.prompt.kind == "signature":
        return Icon.SIGNATURE
    match own_text(state):
        case "offline" | "closed":
            return Icon.OFFLINE
        case "out_of_service":
            return Icon.WARNING
        case "please_wait" | "maintenance":
            return Icon.WAIT
        case "checking":
            return Icon.WARNING
        case _:
            code = display(state).code
            given = None if code is None else state.config.display.icons.get(code)
            if given is not None:
                return Icon(given)
            return Icon.CARD if state.phase is Phase.PAYING else Icon.NONE
