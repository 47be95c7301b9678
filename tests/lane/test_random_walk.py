"""Random walks: whatever happens in whatever order, these things hold after every step.

A failing walk names its seed; `LANED_WALK_SEED=<seed> pytest tests/lane/test_random_walk.py` takes
it again, and `LANED_WALKS=<number>` takes more of them.
"""

import os
from collections import Counter

import pytest
from lanes import replace
from oracle import Oracle
from walk import Taken, Walk

from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.payment import Attempt, Payment
from laned.lane.state import LaneState, Phase
from laned.nexo import messages as m

STEPS = 200
BLOCKS = 10
WALKS = int(os.environ.get("LANED_WALKS", "320"))
ONLY = os.environ.get("LANED_WALK_SEED")

NEEDS_A_LOGIN = (Phase.LOGGING_IN, Phase.RELOGIN, Phase.SIGNING_RELOGIN)
AT_REST = (Phase.READY, Phase.LOGGED_OUT, Phase.STOPPED)
NO_SESSION = ("NotAllowed", "LoggedOut")
EMPTY = ("pursuit", "asking", "ask_at")


class Watch:
    """Looks at every step of one walk."""

    def __init__(self) -> None:
        self.oracle = Oracle()
        self.service_ids: set[str] = set()
        self.reserved = 0
        self.surveyed = False
        self.final: dict[str, Payment] = {}
        self.payments: dict[str, Payment] = {}
        self.resolved_as: dict[str, str] = {}
        self.overruled: set[str] = set()  # resolved, and their own answer came later
        self.aborts: Counter[str] = Counter()
        self.reached: Counter[str] = Counter()
        self.transitions: set[tuple[Phase, Phase]] = set()

    def __call__(self, walk: Walk, taken: Taken) -> None:
        state = taken.step.state
        self.reached[f"{type(taken.event).__name__} {taken.before.phase}"] += 1
        self.reached[state.phase] += 1
        if taken.event is not None and state.phase is not taken.before.phase:
            self.transitions.add((taken.before.phase, state.phase))
        if taken.step.refusal is not None:
            assert (state, taken.step.effects) == (taken.before, ()), "a refusal changes nothing"
        if about_an_older_attempt(self.oracle, taken.event):
            told = replace(
                state,
                set_aside=taken.before.set_aside,
                settled=taken.before.settled,
            )
            assert told == taken.before, "what an attempt says that was refused is nothing"
        if taken.event is None:
            self.aborts.clear()  # how many there were is not on disk: each life has its own
        self.oracle.see(taken)
        self.records(taken)
        self.sends(walk, taken)
        self.waits(walk, taken)
        self.ends(taken)

    # -- Rule 1: recorded, then sent or told

    def records(self, taken: Taken) -> None:
        written: dict[str, Payment] = {}
        for entry in entries(taken):
            match entry:
                case fx.PaymentOpened(payment, order):
                    assert payment.id not in self.payments, "a payment is opened once"
                    assert order.id == payment.id
                    written[payment.id] = self.payments[payment.id] = payment
                case fx.PaymentChanged(payment):
                    self.payment_changed(self.payments[payment.id], payment, taken)
                    written[payment.id] = self.payments[payment.id] = payment
                case fx.ServiceIDsReserved(below):
                    assert below > self.reserved
                    self.reserved = below
        before, after = taken.before, taken.step.state
        for told, old in ((after.payment, before.payment), (after.settled, before.settled)):
            if told is not None and told is not old and taken.event is not None:
                assert written.get(told.id) == told, "told is what was recorded"

    def payment_changed(self, before: Payment, after: Payment, taken: Taken) -> None:
        if before.final and isinstance(taken.event, ev.ReversalAsked):
            assert before.state == after.state == "approved"
            assert [*self.payments][-1] == before.id or taken.event.superseded_by is None
        elif before.final:
            assert before.resolved is not None, "a final payment never changes again"
            assert before.id not in self.overruled, "and a resolved one only once"
            assert isinstance(taken.event, ev.AttemptAnswered | ev.StatusAnswered)
            assert after.error is not None
            assert after.error.condition == "LateAnswer"
            self.overruled.add(before.id)
        if before.reversal is not None and not after.final:
            told = ("approved",) if before.approved else ("processing", "unknown")
            assert after.state in told, "it is reversed, or stays approved"
            assert before.approved or after.signature == "declined"
        grown = len(after.attempts) - len(before.attempts)
        assert after.attempts[: len(before.attempts)] == before.attempts
        assert grown in (0, 1)
        if grown and before.attempts:
            last = self.oracle.attempts[before.attempts[-1].service_id]
            assert last.refused, "a further attempt only after the last one was refused"
            assert not before.abort_requested, "and none after an abort was asked for"
        assert after.abort_requested >= before.abort_requested
        assert (after.id, after.amount, after.currency, after.created_at) == (
            before.id,
            before.amount,
            before.currency,
            before.created_at,
        )
        if after.final:
            self.final[after.id] = after

    # -- What is sent

    def sends(self, walk: Walk, taken: Taken) -> None:
        opened = []
        self.surveyed |= taken.before.phase is not Phase.SURVEY and taken.event is not None
        out_before = [send for send in walk.out if send not in taken.step.effects]
        for effect in taken.step.effects:
            if isinstance(effect, fx.Record):
                self.surveyed |= isinstance(effect.entry, fx.Surveyed)
                if isinstance(effect.entry, fx.AttemptOpened):
                    opened.append(effect.entry.attempt)
                continue
            header, body = effect.message.header, effect.message.body
            service_id = header.service_id or ""
            assert service_id not in self.service_ids, "no ServiceID twice"
            assert int(service_id) < self.reserved, "and none above the reservation"
            self.service_ids.add(service_id)
            logins = [send for send in out_before if isinstance(send.message.body, m.LoginRequest)]
            match body:
                case m.PaymentRequest() | m.ReversalRequest():
                    assert [attempt.service_id for attempt in opened] == [service_id]
                    self.names_the_right_one(body, opened[0], taken)
                    assert not logins, "a Login that is out would kill the payment"
                    self.nothing_else_is_out(service_id, taken.step.state)
                case m.LoginRequest() | m.LogoutRequest():
                    assert not logins, "one Login at a time"
                    assert self.surveyed, "money rule 11"
                    if taken.step.state.payment is not None:
                        assert said_no_session(taken), "money rule 5"
                case m.AbortRequest():
                    self.abort(body, taken)

    def names_the_right_one(
        self, body: m.PaymentRequest | m.ReversalRequest, attempt: Attempt, taken: Taken
    ) -> None:
        assert taken.step.state.journal != "new" or isinstance(body, m.ReversalRequest)
        if isinstance(body, m.PaymentRequest):
            assert attempt.transaction_id == body.transaction.transaction_id
            assert attempt.category == "Payment"
            return
        payment = taken.step.state.payment
        assert payment is not None
        assert payment.poi_transaction is not None
        assert payment.poi_transaction.id == body.poi_transaction.transaction_id
        unsigned = payment.state == "processing" and payment.signature == "declined"
        assert payment.state == "approved" or unsigned
        assert attempt.category == "Reversal"

    def nothing_else_is_out(self, service_id: str, state: LaneState) -> None:
        payment = state.payment
        assert payment is not None
        unsigned = state.reversing and not payment.approved  # light integration: money rule 9
        for other, attempt in self.oracle.attempts.items():
            if other == service_id or attempt.refused or attempt.over:
                continue
            assert unsigned, "one payment at a time"
            assert attempt.payment_id == payment.id
            assert attempt.not_sent if attempt.reversal else attempt.approved

    def abort(self, body: m.AbortRequest, taken: Taken) -> None:
        attempt = self.oracle.attempts[body.reference.service_id or ""]
        assert attempt is self.oracle.newest
        assert not attempt.reversal
        assert (
            attempt.left
            or attempt.says_it_runs
            or (taken.before.pursuit is not None and taken.before.pursuit.sent)
        )
        assert taken.step.state.prompt is None, "an open question is answered, not aborted"
        assert self.payments[attempt.payment_id].abort_requested
        self.aborts[body.reference.service_id or ""] += 1
        assert self.aborts[body.reference.service_id or ""] <= 6

    # -- What is waited for

    def waits(self, walk: Walk, taken: Taken) -> None:
        state, now = taken.step.state, taken.now
        if isinstance(taken.event, ev.TimePassed):
            due = taken.before.wake_at is not None and now >= taken.before.wake_at
            if due and state.phase is not Phase.STOPPED:
                assert state.wake_at is None or state.wake_at > now, "it would spin"
        if state.phase in NEEDS_A_LOGIN:
            assert is_out(walk, m.LoginRequest), "it would wait for ever"
        elif state.phase is Phase.LOGGING_OUT and state.logout_at is None:
            assert is_out(walk, m.LogoutRequest), "it would wait for ever"
        elif state.phase is Phase.UPDATING:
            assert is_out(walk, m.AdminRequest), "it would wait for ever"
        elif state.phase not in AT_REST and state.wake_at is None:
            asking = [send.message.header.service_id for send in walk.out]
            assert state.asking in asking, "it would wait for ever"

    # -- How it ends

    def ends(self, taken: Taken) -> None:
        state = taken.step.state
        if state.payment is not None:
            assert not state.payment.final
            self.reached[state.payment.state] += 1
        for entry in entries(taken):
            if isinstance(entry, fx.PaymentChanged) and entry.payment.final:
                self.ended(entry.payment, taken)
                assert state.settled == entry.payment
        was, now = taken.before.payment, state.payment or state.settled
        if was is not None and now is not None and was.id == now.id:
            self.signature(taken, was, now)

    def ended(self, payment: Payment, taken: Taken) -> None:
        self.reached[payment.state] += 1
        was, event = taken.before.payment, taken.event
        if (was is not None and was.id == payment.id) or (was is None and event is None):
            assert all(getattr(taken.step.state, name) is None for name in EMPTY)
        if isinstance(event, ev.ResolveAsked):
            assert taken.before.unknown
            reversed_then = taken.before.reversing and event.state == "failed"
            assert payment.state == (taken_back(was) if reversed_then else event.state)
            assert payment.resolved is not None
            self.resolved_as[payment.id] = payment.state
            self.overruled.discard(payment.id)
            self.reached["resolved"] += 1
        if payment.reversal is not None:
            self.reached[f"reversal {payment.reversal.state}"] += 1
            self.reached["declined by a reversal"] += payment.state == "declined"
        if isinstance(event, ev.ResolveAsked):
            return
        if payment.resolved is not None and payment.reversal is None:
            self.reached["overruled"] += 1
            right = self.oracle.may_be(payment)
            assert right or payment.state == self.resolved_as[payment.id], payment
        elif payment.reversal is not None:
            done = payment.reversal.state == "done"
            assert payment.state == (taken_back(was) if done else "approved")
            assert self.oracle.reversal_may_be(payment.id, payment.reversal.state), payment
        else:
            assert self.oracle.may_be(payment), payment

    def signature(self, taken: Taken, was: Payment, now: Payment) -> None:
        if now.signature != was.signature:
            assert now.signature in ("approved", "declined")
        if now.signature == "approved" != was.signature:
            assert taken.before.prompt is not None
            assert somebody_approved(taken.before, taken.event), "nothing is approved by default"


def about_an_older_attempt(oracle: Oracle, event: ev.Event | None) -> bool:
    """Whether it answers a PaymentRequest, or a question about one, that another followed."""
    match event:
        case ev.AttemptAnswered(service_id=service_id) if service_id in oracle.attempts:
            return oracle.attempts[service_id] is not oracle.newest
        case ev.StatusAnswered(service_id=service_id):
            asked = [one for one in oracle.attempts.values() if service_id in one.questions]
            return bool(asked) and asked[0] is not oracle.newest
        case _:
            return False


def taken_back(was: Payment | None) -> str:
    """What a payment is when its reversal is done."""
    return "declined" if was is not None and not was.approved else "reversed"


def entries(taken: Taken) -> list[fx.Entry]:
    return [effect.entry for effect in taken.step.effects if isinstance(effect, fx.Record)]


def is_out(walk: Walk, body: type) -> bool:
    return any(isinstance(send.message.body, body) for send in walk.out)


def said_no_session(taken: Taken) -> bool:
    event = taken.event
    return (
        isinstance(event, ev.StatusAnswered)
        and event.response.repeated is None
        and event.response.response.error_condition in NO_SESSION
    )


def somebody_approved(state: LaneState, event: ev.Event | None) -> bool:
    if isinstance(event, ev.ButtonPressed):
        approver = "confirm" if state.config.buttons.approve is None else "approve"
        return event.name == approver and state.config.payment.signature == "button"
    return isinstance(event, ev.PromptAnswered) and event.confirmed


def walked(seed: int) -> Watch:
    """Take the walk with this seed."""
    watch = Watch()
    step = 0

    def look(walk: Walk, taken: Taken) -> None:
        nonlocal step
        step += 1
        watch(walk, taken)

    try:
        Walk(seed, look).steps(STEPS)
    except Exception as error:
        raise AssertionError(f"LANED_WALK_SEED={seed}, step {step}: {error}") from error
    return watch


@pytest.mark.skipif(ONLY is not None, reason="one seed is asked for")
@pytest.mark.parametrize("block", range(BLOCKS))
def test_walks(block: int) -> None:
    for seed in range(block, WALKS, BLOCKS):
        walked(seed)


@pytest.mark.skipif(ONLY is None, reason="LANED_WALK_SEED names a walk that failed")
def test_one_walk() -> None:
    walked(int(ONLY or 0))


@pytest.mark.skipif(ONLY is not None, reason="one seed is asked for")
def test_walks_come_around() -> None:
    reached: Counter[str] = Counter()
    for seed in range(100):
        reached += walked(seed).reached
    assert set(Phase) - {Phase.BROKEN, Phase.SIGNING_RELOGIN} <= set(reached)
    assert {"approved", "declined", "aborted", "failed", "unknown", "processing"} <= set(reached)
    assert min(reached[name] for name in ("reversal done", "reversal refused", "resolved")) >= 10
    assert reached["overruled"] > 0
    done = reached["reversed"] + reached["declined by a reversal"]
    assert done >= reached["reversal done"], "the others are a person's verdicts"
    assert reached["declined by a reversal"] > 0
    assert min(reached[state] for state in ("approved", "declined", "aborted", "failed")) >= 10
    pairs = [name for name in reached if " " in name]
    assert len(pairs) > 180, "most of what can happen where"
