"""One step of the lane while it is being taken: the state as it will be, and what is asked."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from laned.lane.effects import (
    AttemptChanged,
    Effect,
    Entry,
    PaymentChanged,
    Record,
    Send,
    ServiceIDsReserved,
)
from laned.lane.events import Moment
from laned.lane.payment import Attempt, Payment
from laned.lane.state import (
    SERVICE_ID_BLOCK,
    SERVICE_ID_LIMIT,
    LaneState,
    Phase,
    Pursuit,
    Reason,
    ServiceIDs,
)
from laned.nexo.messages import Body, Category, Message, request_header

QUIET = 30.0  # seconds without any callback after which the terminal is asked (money rule 3)


class Refusal(Struct, frozen=True, kw_only=True):
    """Why a wish was not granted: a stable `code` of the till API; `active` names the payment."""

    code: str
    detail: str
    active: str | None = None


class Step(Struct, frozen=True, kw_only=True):
    """The outcome of one event: the new state, what to record and send, and a refusal if any."""

    state: LaneState
    effects: tuple[Effect, ...] = ()
    refusal: Refusal | None = None


class Turn:
    """A step in the making. The actions change it; `machine.handle` turns it into a `Step`."""

    def __init__(self, state: LaneState, now: Moment) -> None:
        self.state = state
        self.now = now
        self.effects: list[Effect] = []
        self.refusal: Refusal | None = None

    @property
    def utc(self) -> datetime:
        """The wall clock, for what is written down."""
        return self.now.wall.astimezone(UTC)

    def change(self, **changes: Any) -> None:
        """Replace fields of the state."""
        self.state = msgspec.structs.replace(self.state, **changes)

    def enter(self, phase: Phase, reason: Reason | None = None, condition: str = "") -> None:
        """Go on in `phase`, for `reason` where one is given."""
        self.change(phase=phase)
        if reason is not None:
            self.change(reason=reason, condition=condition)

    def refuse(self, code: str, detail: str) -> None:
        """Refuse what was asked; the state stays as it is."""
        payment = self.state.payment
        self.refusal = Refusal(code=code, detail=detail, active=payment.id if payment else None)

    # -- What the lane is at work on

    @property
    def pursuit(self) -> Pursuit:
        """What a phase with something unfinished is at work on."""
        assert self.state.pursuit is not None
        return self.state.pursuit

    def pursue(self, **changes: Any) -> None:
        """Replace fields of the pursuit."""
        self.change(pursuit=msgspec.structs.replace(self.pursuit, **changes))

    @property
    def payment(self) -> Payment:
        """The unfinished payment of a phase that has one."""
        return self.pursuit.payment

    @property
    def attempt(self) -> Attempt:
        """The newest attempt of a phase that has one."""
        assert self.pursuit.attempt is not None
        return self.pursuit.attempt

    # -- What goes to the journal

    def record(self, entry: Entry) -> None:
        """Have `entry` written before anything is sent or told."""
        self.effects.append(Record(entry))

    def change_payment(self, **changes: Any) -> Payment:
        """Replace fields of the unfinished payment, and record it: the only way it changes."""
        payment = msgspec.structs.replace(self.payment, updated_at=self.utc, **changes)
        self.pursue(payment=payment)
        self.record(PaymentChanged(payment))
        return payment

    def change_settled(self, settled: Payment, **changes: Any) -> Payment:
        """Replace fields of a payment that is not waited for any more, and record it."""
        payment = msgspec.structs.replace(settled, updated_at=self.utc, **changes)
        self.change(settled=payment)
        self.record(PaymentChanged(payment))
        return payment

    def change_attempt(self, **changes: Any) -> None:
        """Replace fields of the newest attempt, and record it."""
        attempt = msgspec.structs.replace(self.attempt, **changes)
        self.pursue(attempt=attempt)
        self.record(AttemptChanged(attempt))

    # -- What goes to the terminal

    def new_service_id(self) -> str:
        """Take the next ServiceID; a new block is reserved on disk before its first is used."""
        ids = self.state.service_ids
        taken, reserved = ids.next, ids.reserved
        if taken >= SERVICE_ID_LIMIT:  # ten thousand million messages: start over
            taken, reserved = 1, 1
        if taken >= reserved:
            reserved = taken + SERVICE_ID_BLOCK
            self.record(ServiceIDsReserved(reserved))
        self.change(service_ids=ServiceIDs(taken + 1, reserved))
        return str(taken)

    def send(
        self,
        category: Category,
        body: Body,
        *,
        timeout: float,
        service_id: str | None = None,
        attempt: Attempt | None = None,
        address: str = "",
    ) -> str:
        """Send a request and return its ServiceID; to `address`, by default the terminal's present.

        With `attempt` it goes under the SaleID and POIID of that, whatever the configuration says
        now, and by default to where that went (money rule 3).
        """
        terminal = self.state.config.terminal
        service_id = service_id or self.new_service_id()
        header = request_header(
            category,
            service_id=service_id,
            sale_id=attempt.sale_id if attempt else terminal.sale_id,
            poi_id=attempt.poi_id if attempt else terminal.poi_id,
        )
        address = address or (attempt or self.state.terminal).address
        self.effects.append(Send(Message(header, body), address, timeout))
        return service_id

    def postpone_inquiry(self) -> None:
        """Ask about the payment later: the terminal has given a sign of life (money rule 3)."""
        if self.state.phase is not Phase.PAYING or self.state.unknown or self.state.asking:
            return
        now, answer_by = self.now.monotonic, self.pursuit.answer_by
        if now < answer_by:
            self.change(ask_at=min(now + QUIET, answer_by))
