"""What the terminal posts, as far as it is no question: its display, prints and notifications."""

from laned.lane import asking, idle, prompts
from laned.lane.events import DisplayShown, Printed, TerminalNotified
from laned.lane.state import Phase, Shown
from laned.lane.turn import Turn
from laned.nexo.messages import OutputText

# What a terminal says when it is not, or no longer, at work on what it was asked.
NOT_AT_WORK = frozenset({"Shutdown", "Initialised", "Reject"})


def display_shown(turn: Turn, event: DisplayShown) -> None:
    """Mirror what the terminal's display shows."""
    asking.note_post(turn)
    turn.change(shown=shown(event.texts))


def shown(texts: tuple[OutputText, ...]) -> Shown:
    """The texts of one DisplayRequest as lines; the first id found stands for all of them."""
    lines = tuple(line for text in texts for line in text.text.splitlines() or [""])
    return Shown(lines, next((text.code for text in texts if text.code is not None), None))


def printed(turn: Turn, event: Printed) -> None:
    """Note that the terminal is at work: it has something to show for it."""
    asking.note_post(turn)


def notified(turn: Turn, event: TerminalNotified) -> None:
    """Heed what the terminal says while a payment is with it, or may be."""
    turn.postpone_inquiry()
    if event.event not in NOT_AT_WORK:
        asking.note_post(turn)
    idle.notified_anytime(turn, event)
    if event.event == "Abort":  # the terminal cancels what it asked of us
        prompts.close(turn, None, "terminal")
    elif event.event in ("Shutdown", "Initialised"):
        turn.pursue(posted_at=None)  # it is not at work any more
        if turn.state.phase in (Phase.PAYING, Phase.DOUBT):
            turn.change(ask_at=turn.now.monotonic)  # and that is a reason to ask: money rule 5
