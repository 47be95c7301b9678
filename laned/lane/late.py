"""What a person says of an unknown payment, and what the terminal says of it later, which wins.

Contract, `POST /v1/payments/{id}/resolve`.
"""

import msgspec

from laned.lane import ending, judging
from laned.lane.events import AttemptAnswered, AttemptLost, ResolveAsked, StatusAnswered
from laned.lane.judging import AMOUNT_MISMATCH, LATE_ANSWER, AttemptResponse
from laned.lane.payment import PaymentState, Problem, Resolved
from laned.lane.state import ManualResolution
from laned.lane.turn import Turn
from laned.nexo.messages import Header, PaymentResponse, ReversalResponse


def resolve_asked(turn: Turn, event: ResolveAsked) -> None:
    """Close an unknown payment as a person says; the terminal's own answer still wins.

    An unknown reversal too: `approved`, the payment stands; `failed`, it was reversed.
    """
    payment = turn.payment
    if event.payment_id != payment.id or (payment.reversal is not None and not payment.unknown):
        turn.refuse("not_unknown", f"payment {event.payment_id} is not unknown")
        return
    if not turn.state.unknown:
        turn.refuse("lane_busy", "the terminal says that the payment still runs")
        return
    resolved = Resolved(event.uid, event.note, turn.utc)
    if payment.reversal is None:
        fields: dict[str, object] = {"state": PaymentState(event.state)}
    else:
        stands = Problem("Resolved", "the payment stands") if event.state == "approved" else None
        fields = judging.reversal_ended(payment, stands)
    ending.finish(turn, **fields, resolved=resolved)


def answered(turn: Turn, event: AttemptAnswered) -> None:
    """Take an answer to an attempt that is over, on its own connection."""
    for one in turn.state.manual_resolutions:
        if one.attempt.service_id == event.service_id:
            _take(turn, one, event.header, event.response, event.poi_owner, direct=True)


def repeated(turn: Turn, event: StatusAnswered) -> None:
    """Take an answer to an attempt that is over, as a TransactionStatus repeats it."""
    found = event.response.repeated
    if found is None or not isinstance(found.body, PaymentResponse | ReversalResponse):
        return
    for one in turn.state.manual_resolutions:
        _take(turn, one, found.header, found.body, event.poi_owner, direct=False)


def lost(turn: Turn, event: AttemptLost) -> None:
    """Expect nothing more on the connection of an attempt that is over."""
    for one in turn.state.manual_resolutions:
        if one.attempt.service_id == event.service_id:
            _replace(turn, one, msgspec.structs.replace(one, response_expected=False))


def _replace(turn: Turn, one: ManualResolution, by: ManualResolution | None) -> None:
    kept = (by if each is one else each for each in turn.state.manual_resolutions)
    turn.change(manual_resolutions=tuple(each for each in kept if each is not None))


def _take(
    turn: Turn,
    one: ManualResolution,
    header: Header,
    response: AttemptResponse,
    poi_owner: str | None,
    *,
    direct: bool,
) -> None:
    """Let the terminal's own answer overrule the person, where it says something else."""
    payment = one.payment
    if not judging.is_ours(one.attempt, header, response, direct=direct):
        return
    _replace(turn, one, None)
    why = judging.problem(response.response)
    match judging.judge(
        payment, one.attempt, header, response, direct=direct, poi_owner=poi_owner, unasked=False
    ):
        case judging.Foreign(problem) if problem.condition == AMOUNT_MISMATCH:
            why, fields = problem, {}  # money moved, but not what a payment can stand for
        case judging.Foreign() | judging.StillRunning() | judging.NeedsSignature():
            return
        case judging.Refused():
            fields = judging.not_done(payment, response)
        case judging.Final(fields):
            pass
    if fields.get("state") == payment.state:
        return
    message = f"was resolved {payment.state}; the terminal's own answer came later"
    if why is not None:
        message += f": {why.condition} {why.message}".rstrip()
    elif judging.asks_for_signature(payment, response):
        message += "; its receipt is to be signed, and nobody has approved that"
    turn.change_resolved(payment, **{**fields, "error": Problem(LATE_ANSWER, message)})
