"""The lane's transitions. `handle` takes one step; what it does stands in `laned.lane.table`.

Theory of operation
-------------------
A lane is in exactly one `Phase`, and the table has a cell for each event in each phase. Where a
phase can lead to says LEADS_TO, which `handle` asserts in every step, and from which this drawing
is made (`python tests/lane/draw_phases.py`)::

    OFFLINE         -> LOGGING_IN LOGGED_OUT REVIEWING STOPPED
    LOGGING_IN      -> OFFLINE READY LOGGING_OUT STOPPED
    READY           -> OFFLINE LOGGING_IN LOGGING_OUT UPDATING PENDING PAYING REVIEWING CHECKING
    LOGGING_OUT     -> LOGGING_IN READY LOGGED_OUT STOPPED
    LOGGED_OUT      -> OFFLINE LOGGING_IN REVIEWING STOPPED
    UPDATING        -> LOGGING_IN READY LOGGING_OUT
    PENDING         -> READY LOGGING_OUT PAYING CHECKING
    PAYING          -> OFFLINE READY LOGGING_OUT RETRYING DOUBT RELOGIN SIGNING STOPPED
    RETRYING        -> OFFLINE READY LOGGING_OUT PAYING RELOGIN STOPPED
    DOUBT           -> OFFLINE READY LOGGING_OUT PAYING RETRYING RELOGIN SIGNING STOPPED
    RELOGIN         -> OFFLINE LOGGING_IN READY LOGGING_OUT PAYING RETRYING DOUBT SIGNING_RELOGIN
                       STOPPED
    SIGNING         -> OFFLINE READY LOGGING_OUT PAYING STOPPED
    SIGNING_RELOGIN -> OFFLINE LOGGING_IN READY LOGGING_OUT PAYING SIGNING STOPPED
    REVIEWING       -> OFFLINE LOGGING_IN READY LOGGING_OUT PAYING DOUBT STOPPED
    CHECKING        -> READY LOGGING_OUT PAYING DOUBT
    SURVEY          -> LOGGING_IN STOPPED
    BROKEN          -> STOPPED
    STOPPED         -> (the end)

OFFLINE to UPDATING, SURVEY and BROKEN have nothing unfinished, and only in them may a Login or
Logout start freely (money rule 5). Paying is READY to PENDING (a customer confirms) to PAYING (the
PaymentRequest is out) to READY. RETRYING waits between two attempts, in DOUBT a TransactionStatus
asks, and RELOGIN is the Login for which one has said that there is no session. In light integration
an approval that wants a signature waits in SIGNING for a person's word; a declined one is reversed
from there (`laned.lane.signature`). An approved payment's reversal goes the same way as a payment,
without PENDING. A life begins in OFFLINE, with something unfinished in DOUBT, RETRYING or SIGNING,
with a new journal in SURVEY, with one that cannot be used in BROKEN (`laned.lane.start`).

Two things run beside the phase. A question to the terminal (`asking`, `ask_at`) may be out while
the PaymentRequest is still unanswered; the first conclusive answer wins. A prompt may be open in
any phase with an unfinished payment, because the terminal may ask for a signature even while laned
is in doubt.

Every cell holds an action, a `Refuse`, or an `Ignore` with its reason. Actions change a `Turn`,
which becomes a `Step`: the new state, then what to record, then what to send. The order in which
the runner carries that out (record, publish, send, answer) is money rule 1.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from laned.lane import events as ev
from laned.lane.buttons import meaning_changes
from laned.lane.state import LaneState, Phase
from laned.lane.table import TABLE
from laned.lane.turn import Step, Turn


def _phases(names: str) -> frozenset[Phase]:
    return frozenset(Phase[name] for name in names.split())


LEADS_TO: Final[Mapping[Phase, frozenset[Phase]]] = MappingProxyType(
    {
        Phase.OFFLINE: _phases("LOGGING_IN LOGGED_OUT REVIEWING STOPPED"),
        Phase.LOGGING_IN: _phases("READY OFFLINE LOGGING_OUT STOPPED"),
        Phase.READY: _phases(
            "PENDING CHECKING PAYING LOGGING_OUT LOGGING_IN OFFLINE UPDATING REVIEWING"
        ),
        Phase.LOGGING_OUT: _phases("LOGGED_OUT READY LOGGING_IN STOPPED"),
        Phase.LOGGED_OUT: _phases("LOGGING_IN OFFLINE REVIEWING STOPPED"),
        Phase.UPDATING: _phases("READY LOGGING_IN LOGGING_OUT"),
        Phase.PENDING: _phases("CHECKING PAYING READY LOGGING_OUT"),
        Phase.PAYING: _phases("READY DOUBT RETRYING RELOGIN SIGNING OFFLINE LOGGING_OUT STOPPED"),
        Phase.RETRYING: _phases("PAYING READY RELOGIN OFFLINE LOGGING_OUT STOPPED"),
        Phase.DOUBT: _phases("READY RELOGIN PAYING RETRYING SIGNING OFFLINE LOGGING_OUT STOPPED"),
        Phase.RELOGIN: _phases(
            "DOUBT PAYING RETRYING LOGGING_IN SIGNING_RELOGIN READY OFFLINE LOGGING_OUT STOPPED"
        ),
        Phase.SIGNING: _phases("READY PAYING OFFLINE LOGGING_OUT STOPPED"),
        Phase.SIGNING_RELOGIN: _phases(
            "SIGNING LOGGING_IN PAYING READY OFFLINE LOGGING_OUT STOPPED"
        ),
        Phase.REVIEWING: _phases("READY LOGGING_IN LOGGING_OUT OFFLINE DOUBT PAYING STOPPED"),
        Phase.CHECKING: _phases("PAYING READY LOGGING_OUT DOUBT"),
        Phase.SURVEY: _phases("LOGGING_IN STOPPED"),
        Phase.BROKEN: _phases("STOPPED"),
        Phase.STOPPED: _phases(""),
    }
)
"""Where a step that leaves a phase can lead to."""


def handle(state: LaneState, event: ev.Event, now: ev.Moment) -> Step:
    """Take one step: what `event` makes of `state`. Pure; anything but a value is a bug."""
    turn = Turn(state, now)
    TABLE[type(event)][state.phase](turn, event)
    if turn.refusal is not None:
        return Step(state=state, refusal=turn.refusal)
    if turn.state.phase is not state.phase:
        leads = turn.state.phase in LEADS_TO[state.phase]
        assert leads, f"{state.phase} led to {turn.state.phase} by {type(event).__name__}"
    if turn.state.session is not state.session:
        turn.change(since=turn.utc)
    changed_at = meaning_changes(state, turn.state, now.monotonic)
    if changed_at is not state.meaning_changed_at:
        turn.change(meaning_changed_at=changed_at)
    return Step(state=turn.state, effects=tuple(turn.effects))
