"""The login session: Login and Logout. Source: protocol, section Session."""

import zlib

from laned import __version__
from laned.lane import addresses, maintenance
from laned.lane.effects import TerminalSeen
from laned.lane.events import (
    LoginAnswered,
    LoginFailed,
    LogoutAsked,
    LogoutEnded,
    StopAsked,
    TimePassed,
)
from laned.lane.payment import Attempt
from laned.lane.state import Phase, Reason, Shown, Terminal
from laned.lane.turn import Turn
from laned.nexo.messages import (
    DEFAULT_INTEGRATION,
    LIGHT_INTEGRATION,
    Category,
    ErrorCondition,
    LoginRequest,
    LogoutRequest,
)

BACKOFF_LIMIT = 30.0  # seconds between two Logins at the most
JITTER = 0.25  # of a back-off, so that a shop's lanes do not all call at the same time
# A Login resets whoever is there, and this one is somebody else's.
OTHER_TERMINAL_INTERVAL = 300.0
LOGOUT_FOR = 30.0  # seconds for which a Logout that the terminal is too busy for is sent again
LOGOUT_AGAIN = 60.0  # seconds until it is tried again after that

# -- Login ----------------------------------------------------------------------------------------


def log_in(turn: Turn, _: object = None) -> None:
    """Send a Login. Only ever called while nothing is unfinished (money rule 5)."""
    assert turn.state.pursuit is None
    if not (turn.state.login_to or turn.state.terminal.address):
        addresses.choose_next(turn)  # one may have been announced meanwhile
    if not (turn.state.login_to or turn.state.terminal.address):
        turn.enter(Phase.OFFLINE, Reason.NO_ADDRESS)
        turn.change(login_at=None)
        return
    if not turn.state.login_backoff or turn.state.reason is Reason.DOUBTS:
        # else the reason stays why the try before failed
        turn.change(reason=Reason.NONE, condition="")
    _send_login(turn)
    maintenance.change(turn, over=False)  # of the next one it is not known
    turn.enter(Phase.LOGGING_IN)
    turn.change(login_at=None, maintenance_at=None, review_at=None, asking=None)


def log_in_again(turn: Turn) -> None:
    """Send a Login although a payment is unfinished: a TransactionStatus said there is no session.

    Money rule 5. A Login resets the terminal, so what it knew of the attempt proves nothing later.
    """
    if not turn.attempt.session_lost:
        turn.change_attempt(session_lost=True)
    # whatever the configuration says now (money rule 3), or where it has answered since
    turn.change(login_to=turn.pursuit.asked_at or turn.attempt.address)
    _send_login(turn, turn.attempt)
    turn.enter(Phase.RELOGIN)
    turn.change(asking=None, ask_at=None)
    turn.pursue(abort_at=None, retry_at=None, login_at=None)


def _send_login(turn: Turn, attempt: Attempt | None = None) -> None:
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
    timeout = config.terminal.status_timeout
    address = turn.state.login_to
    turn.send(Category.LOGIN, request, timeout=timeout, address=address, attempt=attempt)
    turn.change(logged_in=False)


# -- Its answer -----------------------------------------------------------------------------------


def admit(turn: Turn, event: LoginAnswered) -> tuple[Reason, str]:
    """Take in a LoginResponse; why it gives no session, and in the terminal's words, or NONE."""
    response, state = event.response, turn.state
    if not response.response.success:
        condition = response.response.error_condition or ""
        busy = condition == ErrorCondition.BUSY
        return (Reason.BUSY, "") if busy else (Reason.REFUSED, condition)
    attempt, elsewhere = state.attempt, addresses.elsewhere(state)
    wanted = addresses.expected_serial(turn)
    if wanted and response.serial_number != wanted:
        addresses.forget(turn)
        # somebody announced it: that a stranger answers there says nothing of our terminal
        announced = elsewhere and attempt is None and state.terminal.address
        return (Reason.UNREACHABLE if announced else Reason.OTHER_TERMINAL), ""
    # where a payment was asked once is no reason to stay there
    stays = attempt is not None and state.login_to == attempt.address
    terminal = Terminal(
        address=("" if stays else state.login_to) or state.terminal.address,
        serial_number=response.serial_number,
        software=response.software,
    )
    turn.change(
        terminal=terminal,
        remembered=terminal.serial_number,
        login_to="",
        candidates=(),
        logged_in=True,
        login_backoff=0.0,
        shown=Shown(()),
        review_at=turn.now.monotonic if state.set_aside else None,
    )
    if not stays or not elsewhere:  # where it was asked once is no reason to ask there again
        configured = state.config.terminal.address
        turn.record(TerminalSeen(terminal.address, terminal.serial_number, configured))
    return Reason.NONE, ""


def logged_in(turn: Turn, event: LoginAnswered) -> None:
    """Begin the session, or try again later."""
    reason, condition = admit(turn, event)
    if turn.state.stopping:
        leave(turn)
    elif reason:
        go_offline(turn, reason, condition)
    else:
        ready(turn)


def login_failed(turn: Turn, event: LoginFailed) -> None:
    """Try again later: the terminal did not answer the Login."""
    if turn.state.stopping:
        leave(turn)
    else:
        go_offline(turn, Reason.UNREACHABLE)


def ready(turn: Turn) -> None:
    """Be ready: there is a session, and nothing is unfinished."""
    turn.enter(Phase.READY, Reason.NONE)
    turn.change(idle_since=turn.now.monotonic)
    if maintenance.due(turn):
        log_out_for_maintenance(turn)
    else:
        maintenance.look_again(turn)


def go_offline(turn: Turn, reason: Reason, condition: str = "") -> None:
    """Do without a session: try a Login later, at one address after the other."""
    if reason in (Reason.UNREACHABLE, Reason.OTHER_TERMINAL) or addresses.elsewhere(turn.state):
        addresses.choose_next(turn)
    wait = back_off(turn)
    if reason is Reason.OTHER_TERMINAL and not addresses.elsewhere(turn.state):
        wait = OTHER_TERMINAL_INTERVAL
    turn.enter(Phase.OFFLINE, reason, condition)
    turn.change(logged_in=False, asking=None, login_at=turn.now.monotonic + wait)


def back_off(turn: Turn) -> float:
    """Seconds to wait now; each time twice as long, a little less by chance."""
    first = turn.state.config.terminal.retry_interval
    wait = min(max(turn.state.login_backoff, first), BACKOFF_LIMIT)
    turn.change(login_backoff=wait * 2)
    chance = zlib.crc32(turn.now.token.encode()) / 2**32
    return wait * (1 - JITTER * chance)


# -- Whose session it is --------------------------------------------------------------------------


def made_for(turn: Turn, attempt: Attempt) -> bool:
    """Whether the session of an attempt is the one that the configuration wants now."""
    config, address = turn.state.config.terminal, turn.state.terminal.address
    wanted = (address, config.poi_id, config.sale_id)
    return (attempt.address, attempt.poi_id, attempt.sale_id) == wanted


def same_terminal(turn: Turn) -> bool:
    """Whether who answers is surely the terminal that the attempt was sent to (money rule 4).

    It is, as long as that session lasts. After that only a Login shows a serial number: where the
    last one came from another terminal, or was sent by an earlier life, somebody else may answer.
    """
    return turn.state.logged_in or not turn.attempt.session_lost


# -- Logout ---------------------------------------------------------------------------------------


def log_out(turn: Turn, event: LogoutAsked) -> None:
    """Log out because a person wants it."""
    _begin_logout(turn, Reason.MAINTENANCE if event.maintenance else Reason.BY_HAND)


def log_out_for_maintenance(turn: Turn) -> None:
    """Log out so that the terminal can maintain itself."""
    _begin_logout(turn, Reason.MAINTENANCE)


def _begin_logout(turn: Turn, reason: Reason | None = None) -> None:
    turn.enter(Phase.LOGGING_OUT, reason)
    turn.change(asking=None, logout_until=turn.now.monotonic + LOGOUT_FOR)
    _send_logout(turn)


def _send_logout(turn: Turn) -> None:
    request = LogoutRequest(maintenance_allowed=_for_maintenance(turn))
    turn.send(Category.LOGOUT, request, timeout=turn.state.config.terminal.status_timeout)
    turn.change(logged_in=False, logout_at=None)


def _for_maintenance(turn: Turn) -> bool:
    return turn.state.reason is Reason.MAINTENANCE and not turn.state.stopping


def logout_due(turn: Turn, _: TimePassed) -> None:
    """Send the Logout again that the terminal was too busy for."""
    if turn.state.logout_at is not None and turn.now.monotonic >= turn.state.logout_at:
        _send_logout(turn)


def logged_out(turn: Turn, event: LogoutEnded) -> None:
    """The Logout is over, or is sent again because the terminal was busy.

    Also if it did not answer and is to maintain itself: it may not have heard that it is allowed.
    Otherwise an answer makes no difference to what laned does.
    """
    busy = event.response is not None and (
        event.response.response.error_condition == ErrorCondition.BUSY
    )
    unheard = event.response is None and _for_maintenance(turn)
    until = turn.state.logout_until
    if (busy or unheard) and until is not None and turn.now.monotonic < until:
        interval = turn.state.config.terminal.retry_interval
        turn.change(logout_at=turn.now.monotonic + interval)
        return
    turn.change(logout_until=None)
    if turn.state.stopping:
        turn.enter(Phase.STOPPED)
    elif busy:  # the session stands: a Login would only keep the terminal busy
        again = turn.now.monotonic + LOGOUT_AGAIN
        turn.enter(Phase.READY, Reason.NONE)
        turn.change(logged_in=True, maintenance_at=again)
    else:
        stay_out(turn)


def stay_logged_out(turn: Turn, event: LogoutAsked) -> None:
    """There is no session to end; only do not make a new one.

    A terminal that was logged out without the permission to maintain itself has to be told.
    """
    if event.maintenance and turn.state.phase is Phase.LOGGED_OUT:
        maintenance.wish(turn, urgent=True)
        turn.change(login_backoff=0.0)
        log_in(turn)
        return
    stay_out(turn, Reason.MAINTENANCE if event.maintenance else Reason.BY_HAND)


def stay_out(turn: Turn, reason: Reason | None = None) -> None:
    """Log in again only when somebody wants it, or the maintenance is over."""
    turn.enter(Phase.LOGGED_OUT, reason)
    turn.change(login_at=None, login_backoff=0.0, login_to="")
    if turn.state.reason is Reason.MAINTENANCE:
        maintenance.began(turn)
        if maintenance.is_over(turn):  # the terminal said so before it answered the Logout
            log_in(turn)
            return
    maintenance.look_again(turn)


def leave(turn: Turn, _: StopAsked | None = None) -> None:
    """Stop with nothing unfinished: log out first where there is a session (money rule 12)."""
    turn.change(stopping=True, login_at=None)
    if turn.state.logged_in:
        _begin_logout(turn)
    else:
        turn.enter(Phase.STOPPED, Reason.STOPPED)
