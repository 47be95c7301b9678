"""The login session: Login, Logout, and the orderly stop. Source: protocol, section Session."""

from laned import __version__
from laned.lane.effects import Acknowledged, ForeignSeen, Surveyed, TerminalSeen
from laned.lane.events import (
    JournalAcknowledged,
    LoginAnswered,
    LoginFailed,
    LogoutAsked,
    LogoutEnded,
    StatusAnswered,
    StatusFailed,
    StopAsked,
    TimePassed,
)
from laned.lane.state import Phase, Shown, Terminal
from laned.lane.turn import Turn
from laned.nexo.messages import (
    DEFAULT_INTEGRATION,
    LIGHT_INTEGRATION,
    Category,
    ErrorCondition,
    LoginRequest,
    LogoutRequest,
    PaymentResponse,
    ReversalResponse,
    TransactionStatusRequest,
)

OTHER_TERMINAL = "other_terminal"
BACKOFF_LIMIT = 30.0  # seconds between two Logins at the most


def survey(turn: Turn, _: object = None) -> None:
    """A new journal: ask for the terminal's last transaction before any Login (money rule 11).

    A Login would reset a terminal that may still be at work on a payment of the lost journal.
    """
    timeout = turn.state.config.terminal.status_timeout
    asking = turn.send(Category.TRANSACTION_STATUS, TransactionStatusRequest(), timeout=timeout)
    turn.change(asking=asking, ask_at=None)


def survey_due(turn: Turn, _: TimePassed) -> None:
    """Ask (again)."""
    if turn.state.ask_at is not None and turn.now.monotonic >= turn.state.ask_at:
        survey(turn)


def surveyed(turn: Turn, event: StatusAnswered) -> None:
    """Any answer but Busy ends the survey; a transaction is noted as foreign."""
    if event.service_id != turn.state.asking:
        return
    condition, repeated = event.response.response.error_condition, event.response.repeated
    if condition in (ErrorCondition.BUSY, ErrorCondition.IN_PROGRESS):
        turn.change(reason="terminal_busy")
        survey_later(turn)
        return
    if repeated is not None and isinstance(repeated.body, PaymentResponse | ReversalResponse):
        turn.record(foreign(turn, repeated.header.service_id or "", repeated.body))
    turn.record(Surveyed())
    turn.change(asking=None)
    log_in(turn)


def survey_failed(turn: Turn, event: StatusFailed) -> None:
    """The terminal does not answer."""
    if event.service_id == turn.state.asking:
        turn.change(reason="unreachable")
        survey_later(turn)


def survey_later(turn: Turn) -> None:
    """Ask again, each time twice as late."""
    first = turn.state.config.terminal.retry_interval
    wait = min(max(turn.state.login_backoff, first), BACKOFF_LIMIT)
    turn.change(asking=None, ask_at=turn.now.monotonic + wait, login_backoff=wait * 2)


def foreign(
    turn: Turn, service_id: str, response: PaymentResponse | ReversalResponse
) -> ForeignSeen:
    """A transaction of the terminal that is in no payment of this journal."""
    poi = response.poi_transaction
    return ForeignSeen(
        seen_at=turn.utc,
        serial=turn.state.terminal.serial_number,
        service_id=service_id,
        poi_transaction=poi.transaction_id if poi else None,
        response=response,
    )


def log_in(turn: Turn, _: object = None) -> None:
    """Send a Login. Only ever called while nothing is unfinished (money rule 5)."""
    assert turn.state.payment is None
    _send_login(turn)
    turn.change(phase=Phase.LOGGING_IN, reason="", login_at=None)


def log_in_again(turn: Turn) -> None:
    """Send a Login although a payment is unfinished: a TransactionStatus said there is no session.

    Money rule 5. A Login resets the terminal, so what it knew of the attempt proves nothing later.
    """
    if not turn.attempt.session_lost:
        turn.change_attempt(session_lost=True)
    _send_login(turn)
    turn.change(phase=Phase.RELOGIN, ask_at=None, abort_at=None, retry_at=None)


def _send_login(turn: Turn) -> None:
    config = turn.state.config
    light = config.lane.mode == "light"
    request = LoginRequest(
        date_time=turn.now.wall,
        operator_language=config.lane.language,
        provider="laned",
        application="laned",
        software_version=__version__,
        capabilities=LIGHT_INTEGRATION if light else DEFAULT_INTEGRATION,
    )
    turn.send(Category.LOGIN, request, timeout=config.terminal.status_timeout)
    turn.change(logged_in=False)


def admitted(turn: Turn, event: LoginAnswered) -> str:
    """Take in a LoginResponse; the reason why it gives no session, or ""."""
    response = event.response
    if not response.response.success:
        return response.response.error_condition or "login_refused"
    attempt = turn.state.attempt
    for wanted in (turn.state.config.terminal.serial, attempt.serial if attempt else ""):
        if wanted and response.serial_number != wanted:
            return OTHER_TERMINAL
    terminal = Terminal(
        address=turn.state.terminal.address,
        serial_number=response.serial_number,
        software=response.software,
    )
    turn.change(terminal=terminal, logged_in=True, login_backoff=0.0, shown=Shown(()))
    turn.record(TerminalSeen(terminal.address, terminal.serial_number))
    return ""


def logged_in(turn: Turn, event: LoginAnswered) -> None:
    """The session is there, or is tried again later."""
    reason = admitted(turn, event)
    if turn.state.stopping:
        leave(turn)
    elif reason:
        go_offline(turn, reason)
    else:
        turn.change(phase=Phase.READY)


def login_failed(turn: Turn, event: LoginFailed) -> None:
    """The terminal did not answer the Login."""
    if turn.state.stopping:
        leave(turn)
    else:
        go_offline(turn, "unreachable")


def go_offline(turn: Turn, reason: str) -> None:
    """No session: try a Login later, each time twice as late."""
    first = turn.state.config.terminal.retry_interval
    wait = min(max(turn.state.login_backoff, first), BACKOFF_LIMIT)
    turn.change(
        phase=Phase.OFFLINE,
        reason=reason,
        logged_in=False,
        login_at=turn.now.monotonic + wait,
        login_backoff=wait * 2,
    )


def login_due(turn: Turn, _: TimePassed) -> None:
    """Try the Login that the lane waited for."""
    if turn.state.login_at is not None and turn.now.monotonic >= turn.state.login_at:
        log_in(turn)


def log_out(turn: Turn, event: LogoutAsked) -> None:
    """Log out because a person wants it."""
    _send_logout(turn, maintenance=event.maintenance)
    turn.change(reason="maintenance" if event.maintenance else "by_hand")


def _send_logout(turn: Turn, *, maintenance: bool) -> None:
    request = LogoutRequest(maintenance_allowed=maintenance)
    turn.send(Category.LOGOUT, request, timeout=turn.state.config.terminal.status_timeout)
    turn.change(phase=Phase.LOGGING_OUT, logged_in=False)


def logged_out(turn: Turn, event: LogoutEnded) -> None:
    """The Logout is over; whether it was answered makes no difference to what laned does."""
    turn.change(phase=Phase.STOPPED if turn.state.stopping else Phase.LOGGED_OUT)


def stay_logged_out(turn: Turn, event: LogoutAsked) -> None:
    """There is no session to end; only do not make a new one."""
    turn.change(
        phase=Phase.LOGGED_OUT,
        reason="maintenance" if event.maintenance else "by_hand",
        login_at=None,
    )


def leave(turn: Turn, _: StopAsked | None = None) -> None:
    """Stop with nothing unfinished: log out first where there is a session (money rule 12)."""
    turn.change(stopping=True, login_at=None)
    if turn.state.logged_in:
        _send_logout(turn, maintenance=False)
    else:
        turn.change(phase=Phase.STOPPED, reason="stopped")


def leave_soon(turn: Turn, _: StopAsked) -> None:
    """Stop as soon as the Login or Logout that is out is over."""
    turn.change(stopping=True)


def leave_to_the_terminal(turn: Turn, _: StopAsked) -> None:
    """Stop in the middle of a payment: no Abort, no Logout; the next start asks (money rule 12)."""
    turn.change(stopping=True, phase=Phase.STOPPED, reason="stopped", ask_at=None, abort_at=None)


def acknowledged(turn: Turn, _: JournalAcknowledged) -> None:
    """Payments may be taken again."""
    if turn.state.journal == "new":
        turn.change(journal="ok")
        turn.record(Acknowledged())
