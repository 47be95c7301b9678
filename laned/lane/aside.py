"""What is set aside: a doubt does not close the lane (money rule 14).

A payment that stays undecided, and one that a person has resolved, are the same thing here: the
terminal may still tell what it did. It is asked when there is a good moment (`laned.lane.review`),
and its own answer decides and wins, whoever has said something else.
"""

from datetime import timedelta
from typing import Any

import msgspec

from laned.lane import ending, judging, prompts, reversals
from laned.lane.effects import AskedAfter, DoubtsCounted
from laned.lane.events import AttemptAnswered, AttemptLost, ResolveAsked, StatusAnswered
from laned.lane.judging import (
    AMOUNT_MISMATCH,
    LATE_ANSWER,
    REVERSAL_REFUSED,
    AttemptResponse,
    Judgement,
)
from laned.lane.payment import Payment, PaymentState, Problem, Resolved
from laned.lane.state import Phase, Pursuit, SetAside
from laned.lane.turn import Turn
from laned.nexo.messages import ErrorCondition, Header, PaymentResponse, ReversalResponse

ASKED_FOR = timedelta(days=7)  # for so long the terminal is asked after what is set aside
ASKED_EVERY = 24 * 3600.0  # seconds, of a lane that is idle
KEPT = 100  # asked after at a time
TOO_MANY = 2  # set aside in a row: nothing is sold for a while
PAUSE = 600.0  # seconds for which nothing is sold then, each time twice as long
LONGEST_PAUSE = 24 * 3600.0

# -- Into it --------------------------------------------------------------------------------------


def set_aside(turn: Turn, error: Problem, *, asked: bool = True, **told: Any) -> None:
    """Wait no longer for the outcome: the lane goes on, and the terminal may tell it later.

    `told`: what its answer has told, though it does not decide; `asked`: whether to ask for more.
    """
    prompts.close(turn, None, "terminal")
    turn.change_payment(**{**told, **_unknown(turn.payment, error), "set_aside_at": turn.utc})
    count_doubts(turn, turn.state.doubts + 1)
    if asked:
        _keep(turn)
    ending.go_on(turn, pause=pause_for(turn.state.doubts))


def _unknown(payment: Payment, error: Problem) -> dict[str, Any]:
    """The fields of a payment of which, or of whose reversal, the outcome is not known."""
    if payment.reversal is None:
        return {"state": PaymentState.UNKNOWN, "error": error}
    reversal = msgspec.structs.replace(payment.reversal, state="unknown", error=error)
    stands = payment.approved  # else it was never approved: money rule 9
    return {
        "state": PaymentState.APPROVED if stands else PaymentState.UNKNOWN,
        "reversal": reversal,
    }


def pause_for(doubts: int) -> float:
    """Seconds for which nothing is sold after so many in a row were set aside; 0: not at all."""
    if doubts < TOO_MANY:
        return 0.0
    return min(PAUSE * 2.0 ** min(doubts - TOO_MANY, 16), LONGEST_PAUSE)


def count_doubts(turn: Turn, doubts: int) -> None:
    """Record how many in a row were set aside; 0: the terminal has decided one since."""
    if doubts != turn.state.doubts:
        turn.change(doubts=doubts)
        turn.record(DoubtsCounted(doubts))


def _keep(turn: Turn) -> None:
    """Have the terminal asked after the pursuit's payment later."""
    pursuit = turn.pursuit
    assert pursuit.attempt is not None
    one = SetAside(
        payment=pursuit.payment,
        attempt=pursuit.attempt,
        until=turn.utc + ASKED_FOR,
        response_expected=pursuit.response_expected and pursuit.sent,
        doubted_since=turn.now.monotonic
        if pursuit.doubted_since is None
        else pursuit.doubted_since,
    )
    turn.change(set_aside=(*turn.state.set_aside, one)[-KEPT:])
    turn.record(AskedAfter(pursuit.payment.id, one.until))
    if turn.state.review_at is None:  # the first one: nothing was to be asked after yet
        turn.change(review_at=turn.now.monotonic + ASKED_EVERY)


# -- What people say ------------------------------------------------------------------------------


def resolve_asked(turn: Turn, event: ResolveAsked) -> None:
    """Close an unknown payment as a person says; the terminal's own answer still wins.

    An unknown reversal too: `approved`, the payment stands; `failed`, it was reversed.
    """
    pursued = turn.state.payment
    if pursued is None or pursued.id != event.payment_id:
        _resolve_set_aside(turn, event)
    elif pursued.unknown:
        prompts.close(turn, None, "terminal")
        turn.change_payment(**_resolution(turn, turn.payment, event))
        _keep(turn)
        ending.go_on(turn)
    elif pursued.reversal is None and turn.pursuit.attempt is not None and not pursued.unsigned:
        turn.refuse("lane_busy", "the terminal says that the payment still runs")
    else:
        turn.refuse("not_unknown", f"payment {event.payment_id} is not unknown")


def _resolve_set_aside(turn: Turn, event: ResolveAsked) -> None:
    payment = event.payment
    if payment is None or not payment.unknown:
        turn.refuse("not_unknown", f"payment {event.payment_id} is not unknown")
        return
    resolved = turn.change_settled(payment, **_resolution(turn, payment, event))
    kept = tuple(
        msgspec.structs.replace(one, payment=resolved) if one.payment.id == resolved.id else one
        for one in turn.state.set_aside
    )
    turn.change(set_aside=kept)


def _resolution(turn: Turn, payment: Payment, event: ResolveAsked) -> dict[str, Any]:
    resolved = Resolved(event.uid, event.note, turn.utc)
    if payment.reversal is None:
        return {"state": PaymentState(event.state), "resolved": resolved}
    stands = Problem("Resolved", "the payment stands") if event.state == "approved" else None
    return {**judging.reversal_ended(payment, stands), "resolved": resolved}


# -- What the terminal says later -----------------------------------------------------------------


def answered(turn: Turn, event: AttemptAnswered) -> None:
    """Take an answer to what is set aside, on its own connection."""
    for one in turn.state.set_aside:
        if one.attempt.service_id == event.service_id:
            _take(turn, one, event.header, event.response, event)


def repeated(turn: Turn, event: StatusAnswered) -> None:
    """Take an answer to what is set aside, as a TransactionStatus repeats it."""
    found = event.response.repeated
    if found is None or not isinstance(found.body, PaymentResponse | ReversalResponse):
        return
    for one in turn.state.set_aside:
        _take(turn, one, found.header, found.body, event)


def lost(turn: Turn, event: AttemptLost) -> None:
    """Expect nothing more on the connection of an attempt that is over."""
    for one in turn.state.set_aside:
        if one.attempt.service_id == event.service_id:
            replace(turn, one, msgspec.structs.replace(one, response_expected=False))


def replace(turn: Turn, one: SetAside, by: SetAside | None) -> None:
    """Keep `by` in place of `one`; None: the terminal has told what became of it."""
    kept = (by if each is one else each for each in turn.state.set_aside)
    turn.change(set_aside=tuple(each for each in kept if each is not None))
    if by is None:
        turn.record(AskedAfter(one.payment.id, None))


def _take(
    turn: Turn,
    one: SetAside,
    header: Header,
    response: AttemptResponse,
    event: AttemptAnswered | StatusAnswered,
) -> None:
    judgement = judging.judge(
        one.payment,
        one.attempt,
        header,
        response,
        poi_owner=event.poi_owner,
        unasked=turn.state.config.lane.mode == "light",
    )
    match judgement:
        case judging.Foreign() | judging.StillRunning():
            return
        case judging.Mismatch(problem) if one.payment.resolved is not None and (
            problem.condition != AMOUNT_MISMATCH
        ):
            return
        case judging.NeedsSignature(fields) if _may_be_given_back(turn, one, event, fields):
            replace(turn, one, None)
            count_doubts(turn, 0)
            _end_waiting_payment(turn, one.payment)
            turn.change(pursuit=Pursuit(payment=one.payment, attempt=one.attempt), review=None)
            turn.change_payment(**fields, signature="declined", set_aside_at=None)
            reversals.give_back_unsigned(turn)
        case _:
            replace(turn, one, None)
            if not isinstance(judgement, judging.Mismatch):
                count_doubts(turn, 0)
            _decide(turn, one.payment, judgement, response)


def _may_be_given_back(
    turn: Turn, one: SetAside, event: AttemptAnswered | StatusAnswered, fields: dict[str, Any]
) -> bool:
    """Whether a charge that nobody has signed for is still the last, and nothing else is done.

    Before a Login, too: a terminal that wants one first says so.
    """
    idle = turn.state.phase is Phase.READY and turn.state.logged_in
    asked = turn.state.phase in (Phase.REVIEWING, Phase.CHECKING)
    serial = turn.state.terminal.serial_number or turn.state.remembered
    here = serial == one.attempt.serial
    possible = one.payment.resolved is None and fields["poi_transaction"] is not None
    if reversals.no_card(turn, msgspec.structs.replace(one.payment, **fields)) is not None:
        return False
    return (idle or asked) and here and possible and event.superseded_by is None


def _end_waiting_payment(turn: Turn, first: Payment) -> None:
    """End the payment that waits for its first attempt: another is to be given back first."""
    if turn.state.pursuit is not None:
        message = f"payment {first.id} has to be given back first"
        error = Problem(ErrorCondition.BUSY, message)
        ended = turn.change_payment(state=PaymentState.FAILED, error=error)
        turn.change(settled=ended)


def _decide(turn: Turn, payment: Payment, judgement: Judgement, response: AttemptResponse) -> None:
    """Let the terminal's own answer decide, also against what a person has said."""
    why = judging.problem(response.response)
    mismatched = isinstance(judgement, judging.Mismatch)
    match judgement:
        case judging.Mismatch(problem, told):
            why = problem
            stays = payment.resolved is not None  # what a person has said: that much is charged
            fields = {**told, **({"state": payment.state} if stays else _unknown(payment, problem))}
        case judging.Refused():
            fields = judging.not_done(payment, response)
        case judging.NeedsSignature(fields):
            fields = {**fields, "state": PaymentState.APPROVED}
        case judging.Final(fields):
            pass
        case _:
            return
    # a person's verdict, unless a reversal came after it that is in doubt
    overruled = payment.resolved is not None and payment.final
    if overruled and fields["state"] == payment.state and not mismatched:
        return
    unsigned = judging.asks_for_signature(payment, response) and why is None
    if overruled:
        message = f"was resolved {payment.state}; the terminal's own answer came later"
        if why is not None:
            message += f": {why.condition} {why.message}".rstrip()
        elif unsigned:
            message += "; its receipt is to be signed, and nobody has approved that"
        fields = {**fields, "error": Problem(LATE_ANSWER, message)}
    elif isinstance(judgement, judging.NeedsSignature):
        message = "its receipt is to be signed, and nobody has approved that"
        fields = {**fields, "error": Problem(REVERSAL_REFUSED, message)}
    turn.change_settled(payment, **fields)
