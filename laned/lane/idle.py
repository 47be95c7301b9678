"""What happens to a lane while nothing is unfinished: its session is looked after.

The terminal's events only make the lane ask whether the session stands (money rule 5). Source:
protocol, sections Session and "What the terminal posts to us"; contract, section Session.
"""

from laned.lane import addresses, aside, maintenance, review, session
from laned.lane.events import (
    AddressAnnounced,
    StatusAnswered,
    StatusFailed,
    TerminalNotified,
    TerminalProbed,
    TimePassed,
    UpdateAnswered,
    UpdateAsked,
)
from laned.lane.state import Phase, Reason
from laned.lane.turn import Turn
from laned.nexo.messages import NO_SESSION, AdminRequest, Category, TransactionStatusRequest

# -- Maintenance, and what the terminal says of itself --------------------------------------------


def ready_due(turn: Turn, _: TimePassed | None = None) -> None:
    """Perhaps it is time for maintenance, or to ask after what is set aside."""
    if maintenance.due(turn):
        session.log_out_for_maintenance(turn)
    elif review.due(turn):
        return
    elif turn.state.maintenance_at is not None and turn.now.monotonic >= turn.state.maintenance_at:
        maintenance.look_again(turn)


def logged_out_due(turn: Turn, _: TimePassed | None = None) -> None:
    """Perhaps the maintenance is over."""
    if turn.state.reason is not Reason.MAINTENANCE:
        return
    if maintenance.is_over(turn):
        review.log_in(turn)
    elif turn.state.maintenance_at is not None and turn.now.monotonic >= turn.state.maintenance_at:
        maintenance.look_again(turn)


def notified_ready(turn: Turn, event: TerminalNotified) -> None:
    """The terminal says something while the lane is idle: perhaps that the session is lost."""
    if event.event == "BeginMaintenance":
        session.log_out_for_maintenance(turn)
    elif event.event in ("Initialised", "Shutdown", "EndMaintenance"):
        check(turn)
    else:
        notified_anytime(turn, event)
        ready_due(turn)  # it may have been idle long enough already


def notified_offline(turn: Turn, event: TerminalNotified) -> None:
    """The terminal says something although there is no session: it lives, or goes away."""
    if turn.state.reason is Reason.DOUBTS:
        notified_anytime(turn, event)  # the pause is the lane's own, whatever the terminal does
    elif event.event == "BeginMaintenance":
        session.stay_out(turn, Reason.MAINTENANCE)
    elif event.event in ("Initialised", "EndMaintenance") and turn.state.login_at is not None:
        turn.change(login_backoff=0.0, login_at=turn.now.monotonic)
    else:
        notified_anytime(turn, event)


def notified_logged_out(turn: Turn, event: TerminalNotified) -> None:
    """The terminal says how its maintenance goes."""
    if event.event == "EndMaintenance" and turn.state.reason is Reason.MAINTENANCE:
        maintenance.change(turn, over=True)
        logged_out_due(turn)


def notified_anytime(turn: Turn, event: TerminalNotified) -> None:
    """The terminal may ask for maintenance, or begin it, whatever the lane is doing."""
    begins = event.event == "BeginMaintenance"
    if begins or (event.event == "SaleAdmin" and event.maintenance_required):
        maintenance.wish(turn, urgent=begins)


def notified_logging_out(turn: Turn, event: TerminalNotified) -> None:
    """The maintenance may be over before the Logout's answer has come."""
    if event.event == "EndMaintenance" and turn.state.reason is Reason.MAINTENANCE:
        maintenance.change(turn, over=True)


# -- Whether the session still stands -------------------------------------------------------------


def check(turn: Turn) -> None:
    """Ask whether the session still stands; an event by itself proves nothing (money rule 5)."""
    if turn.state.asking is None:
        timeout = turn.state.config.terminal.status_timeout
        question = TransactionStatusRequest()
        turn.change(asking=turn.send(Category.TRANSACTION_STATUS, question, timeout=timeout))


def checked(turn: Turn, event: StatusAnswered) -> None:
    """Log in again where the terminal says that there is no session any more."""
    aside.repeated(turn, event)
    if event.service_id == turn.state.asking:
        turn.change(asking=None)
        if event.response.response.error_condition in NO_SESSION:
            session.log_in(turn)


def check_failed(turn: Turn, event: StatusFailed) -> None:
    """Go offline: the terminal does not answer any more."""
    if event.service_id == turn.state.asking:
        session.go_offline(turn, Reason.UNREACHABLE)


def probed(turn: Turn, event: TerminalProbed) -> None:
    """The terminal is gone, or was for a moment and may have lost the session."""
    if event.address != turn.state.terminal.address:
        return
    if event.reached:
        check(turn)
    else:
        session.go_offline(turn, Reason.UNREACHABLE)


# -- Another address ------------------------------------------------------------------------------


def announced_ready(turn: Turn, event: AddressAnnounced) -> None:
    """The terminal may have moved: whether it is still there shows at once."""
    if addresses.note(turn, event):
        check(turn)


def announced_offline(turn: Turn, event: AddressAnnounced) -> None:
    """The terminal may be there: looked for at once, but first where it was.

    Somebody who announces itself again and again would keep the lane from its terminal otherwise.
    Where another terminal answers, nothing is missed.
    """
    if not addresses.note(turn, event):
        return
    reason = turn.state.reason
    if not turn.state.terminal.address or reason is Reason.OTHER_TERMINAL:
        turn.change(login_to=event.address, login_at=turn.now.monotonic)
    elif reason is Reason.UNREACHABLE:
        turn.change(login_backoff=0.0, login_at=turn.now.monotonic)


def announced_survey(turn: Turn, event: AddressAnnounced) -> None:
    """A new journal knows no serial number: only an address that may be the first is taken."""
    away = not turn.state.terminal.address or turn.state.reason is Reason.UNREACHABLE
    if away and addresses.may_be_first(turn, event) and addresses.note(turn, event):
        turn.change(login_to=event.address)
        turn.change(ask_at=turn.now.monotonic, asking=None, reason=Reason.NONE, condition="")


def announced(turn: Turn, event: AddressAnnounced) -> None:
    """Note it: nothing is done about it now."""
    addresses.note(turn, event)


# -- Updates --------------------------------------------------------------------------------------


def ask_for_update(turn: Turn, _: UpdateAsked) -> None:
    """Have the terminal look for updates."""
    timeout = turn.state.config.terminal.status_timeout
    turn.send(Category.ADMIN, AdminRequest(), timeout=timeout)
    turn.enter(Phase.UPDATING)
    turn.change(asking=None, updated="")


def update_answered(turn: Turn, event: UpdateAnswered) -> None:
    """The terminal looks for updates, or said why not."""
    answer = event.response.response if event.response is not None else None
    condition = None if answer is None or answer.success else answer.error_condition or "refused"
    turn.change(updated=Reason.UNREACHABLE if answer is None else condition or "")
    if turn.state.stopping:
        session.leave(turn)
    elif condition in NO_SESSION:
        session.log_in(turn)
    else:
        session.ready(turn)
