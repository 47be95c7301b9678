"""A new journal: what the terminal did last is asked before any Login (money rule 11).

A Login would reset a terminal that may still be at work on a payment of the lost journal.
"""

from laned.lane import addresses, session
from laned.lane.effects import ForeignSeen, Surveyed
from laned.lane.events import StatusAnswered, StatusFailed, TimePassed
from laned.lane.state import Reason
from laned.lane.turn import Turn
from laned.nexo.messages import (
    Category,
    ErrorCondition,
    PaymentResponse,
    ReversalResponse,
    TransactionStatusRequest,
)


def ask(turn: Turn) -> None:
    """Ask for the terminal's last transaction, where the Login will go."""
    timeout, address = turn.state.config.terminal.status_timeout, turn.state.login_to
    question = TransactionStatusRequest()
    asking = turn.send(Category.TRANSACTION_STATUS, question, timeout=timeout, address=address)
    turn.change(asking=asking, ask_at=None)


def due(turn: Turn, _: TimePassed) -> None:
    """Ask (again)."""
    if turn.state.ask_at is not None and turn.now.monotonic >= turn.state.ask_at:
        ask(turn)


def answered(turn: Turn, event: StatusAnswered) -> None:
    """Any answer but Busy ends the survey; a transaction is noted as foreign."""
    if event.service_id != turn.state.asking:
        return
    condition, repeated = event.response.response.error_condition, event.response.repeated
    if condition in (ErrorCondition.BUSY, ErrorCondition.IN_PROGRESS):
        turn.change(reason=Reason.TERMINAL_BUSY)
        _ask_later(turn)
        return
    if repeated is not None and isinstance(repeated.body, PaymentResponse | ReversalResponse):
        turn.record(foreign(turn, repeated.header.service_id or "", repeated.body))
    turn.record(Surveyed())
    turn.change(asking=None, reason=Reason.NONE)
    session.log_in(turn)


def failed(turn: Turn, event: StatusFailed) -> None:
    """The terminal does not answer: it is asked wherever it may be, one address after the other."""
    if event.service_id == turn.state.asking:
        addresses.choose_next(turn)
        turn.change(reason=Reason.UNREACHABLE)
        _ask_later(turn)


def _ask_later(turn: Turn) -> None:
    """Ask again, each time twice as late."""
    turn.change(asking=None, ask_at=turn.now.monotonic + session.back_off(turn))


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
