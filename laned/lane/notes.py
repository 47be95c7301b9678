"""Small things that are noted as they come, in any phase or beside an unfinished payment."""

from laned.lane import events as ev
from laned.lane import idle, outcome, prompts, session, status
from laned.lane.effects import Acknowledged
from laned.lane.payment import Problem
from laned.lane.state import Phase, Shown
from laned.lane.turn import Turn
from laned.nexo.messages import OutputText

# What a terminal says when it is not, or no longer, at work on what it was asked.
NOT_AT_WORK = frozenset({"Shutdown", "Initialised", "Reject"})


def display_shown(turn: Turn, event: ev.DisplayShown) -> None:
    """The terminal's display shows something else."""
    status.shows(turn)
    turn.change(shown=shown(event.texts))


def shown(texts: tuple[OutputText, ...]) -> Shown:
    """The texts of one DisplayRequest as lines; the first id found stands for all of them."""
    lines = tuple(line for text in texts for line in text.text.splitlines() or [""])
    return Shown(lines, next((text.code for text in texts if text.code is not None), None))


def printed(turn: Turn, event: ev.Printed) -> None:
    """The terminal is at work, and has something to show for it."""
    turn.heard()
    status.has_it(turn)


def notified(turn: Turn, event: ev.TerminalNotified) -> None:
    """The terminal says something while a payment is at the terminal, or may be."""
    turn.heard()
    if event.event not in NOT_AT_WORK:
        status.shows(turn)
    idle.notified_anytime(turn, event)
    if event.event == "Abort":  # the terminal cancels what it asked of us
        prompts.close(turn, None, "terminal")
    elif event.event in ("Shutdown", "Initialised"):
        if not turn.attempt.session_lost:
            turn.change_attempt(session_lost=True)  # it proves nothing by not knowing the attempt
        if turn.state.phase in (Phase.PAYING, Phase.DOUBT):
            turn.change(ask_at=turn.now.monotonic)  # and is a reason to ask: money rule 5


def journal(turn: Turn, event: ev.JournalReported) -> None:
    """The journal's health changed."""
    if turn.state.journal != "new":  # which a person has to acknowledge first
        turn.change(journal=event.health)


def hardware(turn: Turn, event: ev.HardwareReported) -> None:
    """The health of the display or of the buttons changed."""
    hardware = turn.state.hardware
    if event.part == "display":
        turn.change(hardware=type(hardware)(display=event.health, buttons=hardware.buttons))
    else:
        turn.change(hardware=type(hardware)(display=hardware.display, buttons=event.health))


def stop_pending(turn: Turn, event: ev.StopAsked) -> None:
    """A payment that waits for its confirmation ends (money rule 12)."""
    turn.change(stopping=True)
    outcome.cancel(turn)


def stop_retrying(turn: Turn, event: ev.StopAsked) -> None:
    """No further attempt is made: the last one was refused, so it did not happen.

    Whose signature was declined is reversed in the next life (money rule 9).
    """
    if turn.payment.taken_back:
        session.leave_to_the_terminal(turn, event)
        return
    turn.change(stopping=True)
    error = Problem(turn.attempt.refused or "", "the daemon stopped")
    outcome.did_not_happen(turn, error)


def acknowledged(turn: Turn, _: ev.JournalAcknowledged) -> None:
    """Payments may be taken again."""
    if turn.state.journal == "new":
        turn.change(journal="ok")
        turn.record(Acknowledged())
