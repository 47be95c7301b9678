"""The lane's table: what each event does in each phase. How to read it: `laned.lane.machine`."""

from collections.abc import Callable, Mapping
from typing import Any

from laned.lane import (
    addresses,
    answers,
    aside,
    attempts,
    box,
    controls,
    doubt,
    idle,
    posts,
    prompts,
    reversals,
    review,
    session,
    signature,
    stopping,
    survey,
)
from laned.lane import events as ev
from laned.lane.state import Phase
from laned.lane.turn import Turn

Action = Callable[[Turn, Any], None]

OFFLINE, LOGGING_IN, READY = Phase.OFFLINE, Phase.LOGGING_IN, Phase.READY
LOGGING_OUT, LOGGED_OUT, PENDING = Phase.LOGGING_OUT, Phase.LOGGED_OUT, Phase.PENDING
PAYING, RETRYING, DOUBT = Phase.PAYING, Phase.RETRYING, Phase.DOUBT
RELOGIN, SIGNING, SIGNING_RELOGIN = Phase.RELOGIN, Phase.SIGNING, Phase.SIGNING_RELOGIN
UPDATING = Phase.UPDATING
REVIEWING, CHECKING = Phase.REVIEWING, Phase.CHECKING
SURVEY, BROKEN, STOPPED = Phase.SURVEY, Phase.BROKEN, Phase.STOPPED

WITHOUT_SESSION = (OFFLINE, LOGGING_IN, LOGGING_OUT, LOGGED_OUT, REVIEWING, SURVEY)
IDLE = (*WITHOUT_SESSION, READY, UPDATING, BROKEN)
WITHOUT_QUESTION = (OFFLINE, LOGGING_IN, LOGGING_OUT, LOGGED_OUT, UPDATING, BROKEN)
ATTEMPTED = (PAYING, RETRYING, DOUBT, RELOGIN)
TO_BE_SIGNED = (SIGNING, SIGNING_RELOGIN)
NOT_YET_ASKED = (PENDING, CHECKING)
UNFINISHED = (*NOT_YET_ASKED, *ATTEMPTED, *TO_BE_SIGNED)


class Ignore:
    """A cell in which the event changes nothing, and why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __call__(self, turn: Turn, event: ev.Event) -> None:
        """Change nothing."""


class Refuse:
    """A cell in which what was asked is refused with a code of the till API."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        self.detail = detail

    def __call__(self, turn: Turn, event: ev.Event) -> None:
        """Refuse."""
        turn.refuse(self.code, self.detail)


def _row(cells: Mapping[Phase | tuple[Phase, ...], Action]) -> dict[Phase, Action]:
    """One event's cells; each phase exactly once."""
    row: dict[Phase, Action] = {}
    for phases, action in cells.items():
        for phase in phases if isinstance(phases, tuple) else (phases,):
            assert phase not in row, f"two cells for {phase}"
            row[phase] = action
    assert set(row) == set(Phase), f"no cell for {set(Phase) - set(row)}"
    return row


# -- The table ------------------------------------------------------------------------------------

_gone = Ignore("the daemon is stopping; the next start asks the terminal")
_only_told = Ignore("told to the till, decides nothing")
_no_payment = Ignore("no payment is unfinished")
_not_out = Ignore("no such request is out in this phase: the answer came too late to matter")
_answered = Ignore("the attempt is answered: it is charged")
_ended = Refuse("terminal_unavailable", "the daemon is stopping")
_broken = Refuse("journal_unavailable", "the journal cannot be used")
_busy = Refuse("lane_busy", "a payment is not finished")
_updating = Refuse("lane_busy", "the terminal is asked to look for updates")
_no_session = Refuse("terminal_unavailable", "there is no session with the terminal")
_not_running = Refuse("not_abortable", "the payment is not running")
_no_pending = Refuse("not_pending", "the payment is not pending")
_not_unknown = Refuse("not_unknown", "the payment is not unknown")
_no_prompt = Refuse("prompt_closed", "no prompt is open")

TABLE: dict[type[ev.Event], dict[Phase, Action]] = {
    # what tills and people ask
    ev.PaymentAsked: _row(
        {
            READY: controls.payment_asked,
            UPDATING: _updating,
            WITHOUT_SESSION: _no_session,
            UNFINISHED: controls.refuse_payment,
            BROKEN: _broken,
            STOPPED: _ended,
        }
    ),
    ev.AbortAsked: _row({UNFINISHED: controls.abort_asked, (*IDLE, STOPPED): _not_running}),
    ev.ConfirmAsked: _row(
        {
            PENDING: controls.confirm_asked,
            (*IDLE, CHECKING, *ATTEMPTED, *TO_BE_SIGNED, STOPPED): _no_pending,
        }
    ),
    ev.PromptAnswered: _row({UNFINISHED: controls.prompt_answered, (*IDLE, STOPPED): _no_prompt}),
    ev.ReversalAsked: _row(
        {
            READY: reversals.begin,
            UPDATING: _updating,
            WITHOUT_SESSION: _no_session,
            UNFINISHED: controls.refuse_payment,
            BROKEN: _broken,
            STOPPED: _ended,
        }
    ),
    ev.ResolveAsked: _row(
        {
            (*WITHOUT_SESSION, READY, UPDATING, *UNFINISHED): aside.resolve_asked,
            (BROKEN, STOPPED): _not_unknown,
        }
    ),
    ev.LoginAsked: _row(
        {
            (OFFLINE, READY, LOGGED_OUT): review.log_in_by_hand,
            (LOGGING_IN, REVIEWING): Ignore("a Login is out, or about to be; it answers both"),
            LOGGING_OUT: Refuse("lane_busy", "a Logout is under way"),
            UPDATING: _updating,
            SURVEY: Refuse("terminal_unavailable", "the terminal has not said what it did last"),
            BROKEN: _broken,
            UNFINISHED: _busy,
            STOPPED: _ended,
        }
    ),
    ev.LogoutAsked: _row(
        {
            READY: session.log_out,
            (OFFLINE, LOGGED_OUT): session.stay_logged_out,
            (LOGGING_IN, REVIEWING): Refuse("lane_busy", "a Login is under way"),
            UPDATING: _updating,
            SURVEY: Refuse("terminal_unavailable", "there is no session yet"),
            BROKEN: _broken,
            LOGGING_OUT: Ignore("a Logout is out already; its outcome answers both"),
            UNFINISHED: _busy,
            STOPPED: _ended,
        }
    ),
    ev.LearnAsked: _row(
        {
            (*WITHOUT_SESSION, READY, UPDATING, *UNFINISHED): addresses.learn,
            BROKEN: _broken,
            STOPPED: _ended,
        }
    ),
    ev.UpdateAsked: _row(
        {
            READY: idle.ask_for_update,
            UPDATING: Ignore("it is asked already; its answer answers both"),
            WITHOUT_SESSION: _no_session,
            UNFINISHED: _busy,
            BROKEN: _broken,
            STOPPED: _ended,
        }
    ),
    ev.ButtonPressed: _row({UNFINISHED: controls.button_pressed, (*IDLE, STOPPED): _no_payment}),
    ev.ButtonReleased: _row({tuple(Phase): Ignore("only a press means something")}),
    # what the terminal answers
    ev.LoginAnswered: _row(
        {
            LOGGING_IN: review.login_over,
            RELOGIN: doubt.logged_in_again,
            SIGNING_RELOGIN: signature.logged_in,
            SIGNING: _not_out,
            (OFFLINE, READY, LOGGING_OUT, LOGGED_OUT, UPDATING, SURVEY, BROKEN): _not_out,
            (REVIEWING, *NOT_YET_ASKED, PAYING, RETRYING, DOUBT): _not_out,
            STOPPED: _gone,
        }
    ),
    ev.LoginFailed: _row(
        {
            LOGGING_IN: review.login_over,
            RELOGIN: doubt.login_failed,
            SIGNING_RELOGIN: signature.login_failed,
            SIGNING: _not_out,
            (OFFLINE, READY, LOGGING_OUT, LOGGED_OUT, UPDATING, SURVEY, BROKEN): _not_out,
            (REVIEWING, *NOT_YET_ASKED, PAYING, RETRYING, DOUBT): _not_out,
            STOPPED: _gone,
        }
    ),
    ev.LogoutEnded: _row(
        {
            LOGGING_OUT: session.logged_out,
            (OFFLINE, LOGGING_IN, READY, LOGGED_OUT, UPDATING, REVIEWING): _not_out,
            (SURVEY, BROKEN): _not_out,
            UNFINISHED: _not_out,
            STOPPED: _gone,
        }
    ),
    ev.UpdateAnswered: _row(
        {
            UPDATING: idle.update_answered,
            (*WITHOUT_SESSION, READY, BROKEN, *UNFINISHED): _not_out,
            STOPPED: _gone,
        }
    ),
    ev.AttemptSent: _row(
        {
            ATTEMPTED: attempts.attempt_sent,
            TO_BE_SIGNED: _answered,
            (*IDLE, *NOT_YET_ASKED): _no_payment,
            STOPPED: _gone,
        }
    ),
    ev.AttemptAnswered: _row(
        {
            (PAYING, DOUBT, RELOGIN): answers.attempt_answered,
            RETRYING: answers.attempt_answered,
            (OFFLINE, LOGGING_IN, READY, LOGGING_OUT): aside.answered,
            (LOGGED_OUT, UPDATING, REVIEWING, *NOT_YET_ASKED, *TO_BE_SIGNED): aside.answered,
            (SURVEY, BROKEN): _not_out,
            STOPPED: _gone,
        }
    ),
    ev.AttemptNotSent: _row(
        {
            (PAYING, DOUBT, RELOGIN): answers.attempt_not_sent,
            RETRYING: Ignore("the terminal refused this attempt: it was sent"),
            TO_BE_SIGNED: _answered,
            (*IDLE, *NOT_YET_ASKED): _no_payment,
            STOPPED: _gone,
        }
    ),
    ev.AttemptLost: _row(
        {
            (PAYING, DOUBT, RELOGIN): answers.attempt_lost,
            RETRYING: aside.lost,
            TO_BE_SIGNED: aside.lost,
            (*IDLE, *NOT_YET_ASKED): aside.lost,
            STOPPED: _gone,
        }
    ),
    ev.StatusAnswered: _row(
        {
            ATTEMPTED: doubt.status_answered,
            READY: idle.checked,
            SURVEY: survey.answered,
            TO_BE_SIGNED: aside.repeated,
            (REVIEWING, CHECKING): review.answered,
            (*WITHOUT_QUESTION, PENDING): aside.repeated,
            STOPPED: _gone,
        }
    ),
    ev.StatusFailed: _row(
        {
            (PAYING, RETRYING, DOUBT): doubt.status_failed,
            RELOGIN: Ignore("no question is out while a Login is"),
            READY: idle.check_failed,
            SURVEY: survey.failed,
            TO_BE_SIGNED: _answered,
            (REVIEWING, CHECKING): review.failed,
            (*WITHOUT_QUESTION, PENDING): _no_payment,
            STOPPED: _gone,
        }
    ),
    # what the terminal posts
    ev.DisplayShown: _row({tuple(Phase): posts.display_shown}),
    ev.Printed: _row(
        {
            (PAYING, DOUBT): posts.printed,
            (RETRYING, RELOGIN): _only_told,
            (*IDLE, *NOT_YET_ASKED, *TO_BE_SIGNED, STOPPED): _only_told,
        }
    ),
    ev.InputAsked: _row(
        {
            ATTEMPTED: prompts.input_asked,
            (*IDLE, *NOT_YET_ASKED, *TO_BE_SIGNED, STOPPED): prompts.answer_false,
        }
    ),
    ev.InputWithdrawn: _row(
        {
            ATTEMPTED: prompts.input_withdrawn,
            TO_BE_SIGNED: Ignore("the terminal has asked nothing"),
            (*IDLE, *NOT_YET_ASKED, STOPPED): _no_payment,
        }
    ),
    ev.TerminalNotified: _row(
        {
            READY: idle.notified_ready,
            OFFLINE: idle.notified_offline,
            LOGGED_OUT: idle.notified_logged_out,
            LOGGING_OUT: idle.notified_logging_out,
            (LOGGING_IN, UPDATING, REVIEWING, *NOT_YET_ASKED, *TO_BE_SIGNED): idle.notified_anytime,
            ATTEMPTED: posts.notified,
            (SURVEY, BROKEN, STOPPED): _only_told,
        }
    ),
    ev.AddressAnnounced: _row(
        {
            READY: idle.announced_ready,
            OFFLINE: idle.announced_offline,
            SURVEY: idle.announced_survey,
            (LOGGING_IN, LOGGING_OUT, LOGGED_OUT, UPDATING, REVIEWING, *UNFINISHED): idle.announced,
            BROKEN: Ignore("nothing is sent"),
            STOPPED: _gone,
        }
    ),
    # the box itself
    ev.TimePassed: _row(
        {
            OFFLINE: review.login_due,
            READY: idle.ready_due,
            LOGGING_OUT: session.logout_due,
            LOGGED_OUT: idle.logged_out_due,
            PENDING: attempts.confirmation_due,
            (REVIEWING, CHECKING): review.end_due,
            ATTEMPTED: attempts.due,
            TO_BE_SIGNED: signature.due,
            SURVEY: survey.due,
            (LOGGING_IN, UPDATING): Ignore("nothing is waited for but an answer"),
            BROKEN: Ignore("only a restart mends it"),
            STOPPED: _gone,
        }
    ),
    ev.TerminalProbed: _row(
        {
            READY: idle.probed,
            (*WITHOUT_SESSION, UPDATING, BROKEN, *UNFINISHED): Ignore(
                "requests of ours show it, or nothing is sent"
            ),
            STOPPED: _gone,
        }
    ),
    ev.ConfigChanged: _row({tuple(Phase): box.reconfigured}),
    ev.JournalReported: _row({tuple(Phase): box.journal_reported}),
    ev.JournalAcknowledged: _row(
        {
            (*WITHOUT_SESSION, READY, UPDATING, *UNFINISHED): box.acknowledged,
            BROKEN: _broken,
            STOPPED: _ended,
        }
    ),
    ev.HardwareReported: _row({tuple(Phase): box.hardware_reported}),
    ev.StopAsked: _row(
        {
            (OFFLINE, READY, LOGGED_OUT, SURVEY, BROKEN): session.leave,
            (LOGGING_IN, LOGGING_OUT, UPDATING): stopping.leave_soon,
            NOT_YET_ASKED: stopping.end_pending,
            REVIEWING: stopping.end_review,
            RETRYING: stopping.end_retrying,
            (PAYING, DOUBT, RELOGIN, *TO_BE_SIGNED): stopping.leave_to_the_terminal,
            STOPPED: Ignore("stopped already"),
        }
    ),
}
