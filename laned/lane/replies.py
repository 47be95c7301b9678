"""What the terminal answers to an attempt, and what that is worth (money rules 2 and 3)."""

import msgspec

from laned.lane import session, signature, status
from laned.lane.buttons import between_attempts
from laned.lane.events import AttemptAnswered, AttemptLost, AttemptNotSent, StatusAnswered
from laned.lane.outcome import (
    AMOUNT_MISMATCH,
    FOREIGN_TRANSACTION,
    REVERSAL_REFUSED,
    UNKNOWN_RESULT,
    AttemptResponse,
    cancel,
    conclude,
    did_not_happen,
    mismatch,
    problem,
    reversal_told,
    told,
)
from laned.lane.payment import Attempt, PaymentState, Problem
from laned.lane.state import Phase, Verdict
from laned.lane.turn import Turn
from laned.nexo.messages import (
    NO_SESSION,
    Category,
    ErrorCondition,
    Header,
    PaymentResponse,
    Result,
    ReversalResponse,
)

BUSY_FOR = 30.0  # seconds for which a refused attempt is followed by another
SESSIONS_MISSING = 2  # logins for the sake of one payment
FOREIGN_ANSWER = "ForeignAnswer"
NOT_SENT = "NotSent"
LATE_ANSWER = "LateAnswer"
WRONG_ANSWERS = frozenset({FOREIGN_ANSWER, FOREIGN_TRANSACTION, UNKNOWN_RESULT, AMOUNT_MISMATCH})
SHOUTED = WRONG_ANSWERS | {LATE_ANSWER, REVERSAL_REFUSED}
"""What a person must hear of: the books may need one."""
REFUSED = NO_SESSION | {ErrorCondition.BUSY}


def attempt_answered(turn: Turn, event: AttemptAnswered) -> None:
    """The terminal answered the request itself."""
    if between_attempts(turn.state) and event.service_id == turn.attempt.service_id:
        return  # it was refused already: a second answer to the same request
    if event.service_id == turn.attempt.service_id:
        turn.change(post_open=False)
        take(turn, event.header, event.response, event.poi_owner, direct=True)
    else:
        late_answer(turn, event)


def late_answer(turn: Turn, event: AttemptAnswered) -> None:
    """An answer to an attempt that is over: it wins over what a person said of its payment.

    Contract, `POST /v1/payments/{id}/resolve`. Where it says the same, nothing changes.
    """
    verdicts = {verdict.attempt.service_id: verdict for verdict in turn.state.verdicts}
    verdict = verdicts.get(event.service_id)
    if verdict is None:
        return  # the terminal has refused it since, or has said by a TransactionStatus what it was
    if is_ours(verdict.attempt, event.header, event.response, direct=True):
        _replace(turn, verdict, None)
        _overrule(turn, verdict, event.response, event.poi_owner)


def late_repeat(turn: Turn, event: StatusAnswered) -> None:
    """The terminal repeats its answer to an attempt that is over, as `late_answer` has it."""
    repeated = event.response.repeated
    if repeated is None or not isinstance(repeated.body, PaymentResponse | ReversalResponse):
        return
    for verdict in turn.state.verdicts:
        if is_ours(verdict.attempt, repeated.header, repeated.body, direct=False):
            _replace(turn, verdict, None)
            _overrule(turn, verdict, repeated.body, event.poi_owner)


def late_loss(turn: Turn, event: AttemptLost) -> None:
    """The connection of an attempt that is over will bring nothing."""
    for verdict in turn.state.verdicts:
        if verdict.attempt.service_id == event.service_id:
            _replace(turn, verdict, msgspec.structs.replace(verdict, post_open=False))


def _replace(turn: Turn, verdict: Verdict, by: Verdict | None) -> None:
    kept = (by if each is verdict else each for each in turn.state.verdicts)
    turn.change(verdicts=tuple(each for each in kept if each is not None))


def _overrule(
    turn: Turn, verdict: Verdict, response: AttemptResponse, poi_owner: str | None
) -> None:
    """The terminal's own answer to a payment that a person has resolved."""
    payment, why = verdict.payment, problem(response.response)
    receipts = response.receipts if isinstance(response, PaymentResponse) else ()
    condition = why.condition if why is not None else ""
    wrong = mismatch(payment, response, poi_owner)
    if condition == ErrorCondition.IN_PROGRESS:
        return
    if isinstance(response, ReversalResponse):
        said = reversal_told(payment, why, response)
    else:
        said = told(payment, response)
        if condition in REFUSED:
            said["state"] = PaymentState.FAILED
    if wrong is not None and wrong.condition == AMOUNT_MISMATCH:
        why, said = wrong, {}  # money moved, but not what a payment can stand for
    elif wrong is not None or said["state"] == payment.state:
        return
    message = f"was resolved {payment.state}; the terminal's own answer came later"
    if why is not None:
        message += f": {why.condition} {why.message}".rstrip()
    elif payment.signature != "approved" and any(each.signature_block for each in receipts):
        message += "; its receipt is to be signed, and nobody has approved that"
    turn.change_resolved(payment, **{**said, "error": Problem(LATE_ANSWER, message)})


def take(
    turn: Turn,
    header: Header,
    response: AttemptResponse,
    poi_owner: str | None,
    *,
    direct: bool,
) -> None:
    """Believe an answer, direct or repeated, if it is this attempt's (money rule 2)."""
    condition = response.response.error_condition
    failed = response.response.result == Result.FAILURE
    if not is_ours(turn.attempt, header, response, direct=direct):
        wrong: Problem | None = Problem(FOREIGN_ANSWER, "an answer to something else came")
    else:
        wrong = mismatch(turn.payment, response, poi_owner)
    if wrong is not None:
        status.has_it(turn)  # if only by a wrong answer
        status.not_known(turn, wrong)
    elif failed and condition == ErrorCondition.IN_PROGRESS:
        status.runs(turn)
    elif failed and condition in REFUSED:
        refused(turn, str(condition), response.response.additional_response)
        return
    elif isinstance(response, PaymentResponse) and signature.missing(turn, response):
        signature.ask(turn, response)
        return
    else:
        conclude(turn, response)
        return
    if direct:
        status.in_doubt(turn)
    else:
        status.ask_later(turn, status.SLOW_INTERVAL if wrong else None)


def is_ours(attempt: Attempt, header: Header, response: AttemptResponse, *, direct: bool) -> bool:
    """Whether an answer belongs to the attempt: ServiceID, SaleID, POIID and TransactionID.

    A Failure that came on the attempt's own connection may leave out the TransactionID: there is
    nothing that could be charged by believing it.
    """
    same = (header.service_id, header.sale_id, header.poi_id) == (
        attempt.service_id,
        attempt.sale_id,
        attempt.poi_id,
    )
    reversal = isinstance(response, ReversalResponse)
    if header.category != attempt.category or reversal != (attempt.category is Category.REVERSAL):
        return False
    if isinstance(response, ReversalResponse):
        return same  # it echoes no TransactionID
    echoed = response.sale_transaction
    if echoed is None:
        return same and direct and not response.response.success
    return same and echoed.transaction_id == attempt.transaction_id


def same_terminal(turn: Turn) -> bool:
    """Whether who answers is surely the terminal that the attempt was sent to (money rule 4).

    It is, as long as that session lasts. After that only a Login shows a serial number: where the
    last one came from another terminal, or was sent by an earlier life, somebody else may answer.
    """
    return turn.state.logged_in or not turn.attempt.session_lost


def refused(turn: Turn, condition: str, message: str) -> None:
    """The terminal turned the attempt away: nothing was charged; try again for a while."""
    now = turn.now.monotonic
    turn.change_attempt(refused=condition)
    give_up_at = turn.state.give_up_at or now + BUSY_FOR
    turn.change(give_up_at=give_up_at, asking=None, ask_at=None, abort_at=None)
    no_session = condition in NO_SESSION
    missing = turn.state.sessions_missing + no_session
    if turn.state.aborting:
        cancel(turn)
    elif turn.state.order is None or now >= give_up_at or missing > SESSIONS_MISSING:
        if no_session:
            turn.change(logged_in=False)
        did_not_happen(turn, Problem(condition, message))
    else:
        status.processing(turn)
        turn.change(sessions_missing=missing)
        if turn.state.phase is Phase.RELOGIN:
            return  # the Login that is out decides about the next attempt
        turn.change(phase=Phase.RETRYING)
        if no_session or not same_terminal(turn):
            status.ask(turn)  # only its answer allows a Login: money rule 5
        else:
            turn.change(retry_at=now + turn.state.config.terminal.retry_interval)


def attempt_not_sent(turn: Turn, event: AttemptNotSent) -> None:
    """The connection could not be made: certainly nothing happened (money rule 3).

    The reversal of a payment that nobody has signed for is tried again: no till would ask for it.
    """
    if event.service_id == turn.attempt.service_id:
        turn.change(logged_in=False, post_open=False)
        if turn.payment.taken_back:
            refused(turn, NOT_SENT, event.reason)
            return
        did_not_happen(turn, Problem(NOT_SENT, event.reason))
        if turn.state.phase is Phase.OFFLINE:
            session.go_offline(turn, "unreachable")


def attempt_lost(turn: Turn, event: AttemptLost) -> None:
    """The answer will not come, and the terminal may have done it: ask."""
    if event.service_id == turn.attempt.service_id:
        turn.change(post_open=False)
        status.in_doubt(turn)
    else:
        late_loss(turn, event)
