"""How a lane's life begins: from what the journal knows of the lives before (money rule 11)."""

from datetime import UTC

import msgspec
from msgspec import Struct

from laned.config.schema import Config
from laned.lane import outcome, signature
from laned.lane.abort import ABORTS
from laned.lane.addresses import NO_ADDRESS
from laned.lane.effects import PaymentChanged, Record
from laned.lane.events import Moment
from laned.lane.maintenance import IDLE_BEFORE
from laned.lane.payment import Attempt, Payment, PaymentState, Problem, ReversalOrder
from laned.lane.state import LaneState, Phase, ServiceIDs, Terminal, Upkeep
from laned.lane.turn import Step, Turn


class Past(Struct, frozen=True, kw_only=True):
    """What the journal hands over: the first unused ServiceID and the payment left unfinished.

    `surveyed`: whether the terminal's last transaction was asked for when the journal was new.
    `journal`: ok, new (in place of a lost one, and nobody has acknowledged it), or why it cannot be
    used: full, read_only, corrupt. `address` and `serial` are those of the terminal that logged the
    lane in last, while terminal.address was `configured`.
    """

    next_service_id: int
    surveyed: bool = True
    journal: str = "ok"
    payment: Payment | None = None
    attempt: Attempt | None = None
    address: str = ""
    serial: str = ""
    configured: str = ""


def start(config: Config, past: Past, now: Moment, *, idle_before: float = IDLE_BEFORE) -> Step:
    """The first state of a life, and what has to be recorded before anybody is told of it.

    A payment that is charged and waits for its signature waits again.

    A payment that was still pending ends `aborted`: nothing was sent. One whose newest attempt the
    terminal itself refused ends `failed`, and such a reversal `refused`; only the reversal of a
    payment whose signature was declined goes on. One that has any other attempt is in doubt: the
    terminal is asked, and no Login is sent before it has answered (money rule 5).
    """
    utc = now.wall.astimezone(UTC)
    state = LaneState(
        config=config,
        phase=Phase.OFFLINE,
        reason="starting",
        since=utc,
        service_ids=ServiceIDs(past.next_service_id, past.next_service_id),
        terminal=Terminal(address=_address(config, past)),
        remembered=past.serial,
        upkeep=Upkeep(born_at=now.monotonic, idle_before=idle_before),
        login_at=now.monotonic,
        journal=past.journal,
    )
    if past.journal not in ("ok", "new"):
        broken = msgspec.structs.replace(state, phase=Phase.BROKEN, reason="journal", login_at=None)
        return Step(state=broken)
    payment = past.payment
    if payment is None and not past.surveyed:
        turn = Turn(state, now)
        turn.change(phase=Phase.SURVEY, login_at=None, ask_at=now.monotonic)
        if not state.terminal.address:
            turn.change(ask_at=None, reason=NO_ADDRESS)
        return Step(state=turn.state)
    if payment is None:
        return Step(state=state)
    if payment.unsigned:
        turn = Turn(state, now)
        turn.change(reason="", payment=payment, attempt=past.attempt, sent=True)
        signature.ask_again(turn)
        return Step(state=turn.state, effects=tuple(turn.effects))
    reversal = payment.reversal
    resumed = msgspec.structs.replace(
        state,
        reason="",
        payment=payment,
        order=ReversalOrder(reversal.reason) if reversal and payment.taken_back else None,
        attempt=past.attempt,
        login_at=None,
    )
    if past.attempt is None or past.attempt.refused is not None:
        if resumed.order is not None:
            retry = {"phase": Phase.RETRYING, "retry_at": now.monotonic}
            return Step(state=msgspec.structs.replace(resumed, **retry))
        ended = msgspec.structs.replace(_ended(payment, past.attempt), updated_at=utc)
        state = msgspec.structs.replace(state, settled=ended)
        return Step(state=state, effects=(Record(PaymentChanged(ended)),))
    doubt = msgspec.structs.replace(
        resumed,
        phase=Phase.DOUBT,
        sent=True,
        aborts_left=ABORTS if payment.abort_requested else 0,
        ask_at=now.monotonic,
    )
    return Step(state=doubt)


def _address(config: Config, past: Past) -> str:
    """Where the terminal was last, unless the file has named another address since."""
    if past.address and past.configured == config.terminal.address:
        return past.address
    return config.terminal.address if config.terminal.host_port is not None else ""


def _ended(payment: Payment, attempt: Attempt | None) -> Payment:
    """The payment as it ends when nothing of it is at the terminal."""
    if attempt is None:
        error = Problem("Restarted", "the daemon stopped before the payment was confirmed")
        return msgspec.structs.replace(payment, state=PaymentState.ABORTED, error=error)
    error = Problem(attempt.refused or "", "the daemon stopped between two attempts")
    if payment.reversal is None:
        return msgspec.structs.replace(payment, state=PaymentState.FAILED, error=error)
    return msgspec.structs.replace(payment, **outcome.reversal_told(payment, error, None))
