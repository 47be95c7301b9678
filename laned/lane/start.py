"""How a lane's life begins: from what the journal knows of the lives before (money rule 11)."""

from datetime import UTC

import msgspec
from msgspec import Struct

from laned.config.schema import Config
from laned.lane import aside, signature
from laned.lane.attempts import ABORTS
from laned.lane.effects import PaymentChanged
from laned.lane.events import Moment
from laned.lane.judging import reversal_ended
from laned.lane.maintenance import IDLE_BEFORE
from laned.lane.payment import Attempt, Payment, PaymentState, Problem, ReversalOrder
from laned.lane.state import (
    LaneState,
    Maintenance,
    Phase,
    Pursuit,
    Reason,
    ServiceIDs,
    SetAside,
    Terminal,
)
from laned.lane.turn import Step, Turn


class JournalSnapshot(Struct, frozen=True, kw_only=True):
    """What the journal hands over: the first unused ServiceID and the payment left unfinished.

    `surveyed`: whether the terminal's last transaction was asked for when the journal was new.
    `journal`: ok, new (in place of a lost one, and nobody has acknowledged it), or why it cannot be
    used: full, read_only, corrupt. `address` and `serial` are those of the terminal that logged the
    lane in last, while terminal.address was `configured`. `set_aside`: what the terminal may still
    tell of; `doubts`: how many in a row were given up.
    """

    next_service_id: int
    surveyed: bool = True
    journal: str = "ok"
    payment: Payment | None = None
    attempt: Attempt | None = None
    set_aside: tuple[SetAside, ...] = ()
    doubts: int = 0
    address: str = ""
    serial: str = ""
    configured: str = ""


def start(
    config: Config, snapshot: JournalSnapshot, now: Moment, *, idle_before: float = IDLE_BEFORE
) -> Step:
    """The first state of a life, and what has to be recorded before anybody is told of it.

    A payment that is charged and waits for its signature waits again.

    A payment that was still pending ends `aborted`: nothing was sent. One whose newest attempt the
    terminal itself refused ends `failed`, and such a reversal `refused`; only the reversal of a
    payment whose signature was declined goes on. One that has any other attempt is in doubt: the
    terminal is asked, and no Login is sent before it has answered (money rule 5).
    """
    state = LaneState(
        config=config,
        phase=Phase.OFFLINE,
        reason=Reason.STARTING,
        since=now.wall.astimezone(UTC),
        service_ids=ServiceIDs(snapshot.next_service_id, snapshot.next_service_id),
        terminal=Terminal(address=_address(config, snapshot)),
        remembered=snapshot.serial,
        maintenance=Maintenance(born_at=now.monotonic, idle_before=idle_before),
        login_at=now.monotonic,
        journal=snapshot.journal,
        set_aside=snapshot.set_aside,
        doubts=snapshot.doubts,
    )
    turn = Turn(state, now)
    if snapshot.journal not in ("ok", "new"):
        turn.enter(Phase.BROKEN, Reason.JOURNAL)
        turn.change(login_at=None)
    elif snapshot.payment is not None:
        _resume(turn, snapshot.payment, snapshot.attempt)
    elif not snapshot.surveyed:
        here = bool(state.terminal.address)
        turn.enter(Phase.SURVEY, None if here else Reason.NO_ADDRESS)
        turn.change(login_at=None, ask_at=now.monotonic if here else None)
    elif pause := aside.pause_for(snapshot.doubts):
        turn.enter(Phase.OFFLINE, Reason.DOUBTS)
        turn.change(login_at=now.monotonic + pause)
    return Step(state=turn.state, effects=tuple(turn.effects))


def _resume(turn: Turn, payment: Payment, attempt: Attempt | None) -> None:
    """Go on with what the life before has left unfinished."""
    pursuit = Pursuit(payment=payment, attempt=attempt)
    if payment.unsigned:
        turn.change(reason=Reason.NONE, pursuit=msgspec.structs.replace(pursuit, sent=True))
        signature.ask_again(turn)
        return
    order = None
    if payment.reversing_unsigned and payment.reversal is not None:
        order = ReversalOrder(payment.reversal.reason)
    if attempt is not None and attempt.refused is None:
        turn.enter(Phase.DOUBT, Reason.NONE)
        turn.change(pursuit=pursuit, login_at=None, ask_at=turn.now.monotonic)
        aborts = ABORTS if payment.abort_requested else 0
        turn.pursue(order=order, sent=True, aborts_left=aborts)
    elif order is not None:
        turn.enter(Phase.RETRYING, Reason.NONE)
        turn.change(pursuit=pursuit, login_at=None)
        turn.pursue(order=order, retry_at=turn.now.monotonic)
    else:
        ended = msgspec.structs.replace(_ended(payment, attempt), updated_at=turn.utc)
        turn.change(settled=ended)
        turn.record(PaymentChanged(ended))


def _address(config: Config, snapshot: JournalSnapshot) -> str:
    """Where the terminal was last, unless the file has named another address since."""
    if snapshot.address and snapshot.configured == config.terminal.address:
        return snapshot.address
    return config.terminal.address if config.terminal.host_port is not None else ""


def _ended(payment: Payment, attempt: Attempt | None) -> Payment:
    """The payment as it ends when nothing of it is at the terminal."""
    if attempt is None:
        error = Problem("Restarted", "the daemon stopped before the payment was confirmed")
        return msgspec.structs.replace(payment, state=PaymentState.ABORTED, error=error)
    error = Problem(attempt.refused or "", "the daemon stopped between two attempts")
    if payment.reversal is None:
        return msgspec.structs.replace(payment, state=PaymentState.FAILED, error=error)
    return msgspec.structs.replace(payment, **reversal_ended(payment, error))
