"""How a lane's life begins: from what the journal knows of the lives before (money rule 11)."""

from datetime import UTC

import msgspec
from msgspec import Struct

from laned.config import Config
from laned.lane.effects import PaymentChanged, Record
from laned.lane.events import Moment
from laned.lane.payment import Attempt, Payment, PaymentState, Problem
from laned.lane.state import LaneState, Phase, ServiceIDs, Terminal
from laned.lane.turn import Step


class Past(Struct, frozen=True, kw_only=True):
    """What the journal hands over: the first unused ServiceID and the payment left unfinished."""

    next_service_id: int
    payment: Payment | None = None
    attempt: Attempt | None = None


def start(config: Config, past: Past, now: Moment) -> Step:
    """The first state of a life, and what has to be recorded before anybody is told of it.

    A payment that was still pending ends `aborted`: nothing was sent. One whose newest attempt the
    terminal itself refused ends `failed`. One that has any other attempt is in doubt: the terminal
    is asked, and no Login is sent before it has answered (money rule 5).
    """
    utc = now.wall.astimezone(UTC)
    state = LaneState(
        config=config,
        phase=Phase.OFFLINE,
        reason="starting",
        since=utc,
        service_ids=ServiceIDs(past.next_service_id, past.next_service_id),
        terminal=Terminal(address=config.terminal.address),
        login_at=now.monotonic,
    )
    payment = past.payment
    if payment is None:
        return Step(state=state)
    if past.attempt is None or past.attempt.refused is not None:
        if past.attempt is None:
            ending = PaymentState.ABORTED
            error = Problem("Restarted", "the daemon stopped before the payment was confirmed")
        else:
            ending = PaymentState.FAILED
            condition = past.attempt.refused or ""
            error = Problem(condition, "the daemon stopped between two attempts")
        ended = msgspec.structs.replace(payment, state=ending, error=error, updated_at=utc)
        state = msgspec.structs.replace(state, settled=ended)
        return Step(state=state, effects=(Record(PaymentChanged(ended)),))
    doubt = msgspec.structs.replace(
        state,
        phase=Phase.DOUBT,
        reason="",
        payment=payment,
        attempt=past.attempt,
        sent=True,
        login_at=None,
        ask_at=now.monotonic,
    )
    return Step(state=doubt)
