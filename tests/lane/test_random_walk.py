"""Random walks: whatever happens in whatever order, these things hold after every step.

A failing walk names its seed; `LANED_WALK_SEED=<seed> pytest tests/lane/test_random_walk.py` takes
it again, and `LANED_WALKS=<number>` takes more of them.
"""

import os
from collections import Counter

import pytest
from oracle import LOGIN_AFTER, Oracle
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
EMPTY = ("pursuit", "asking", "ask_at", "review")


class Watch:
    """Looks at every step of one walk."""

    def __init__(self) -> None:
        self.oracle = Oracle()
        self.service_ids: set[str] = set()
        self.reserved = 0
        self.surveyed = False
        self.final: dict[str, Payment] = {}
        self.payments: dict[str, Payment] = {}
        self.changes: list[tuple[Payment, Payment]] = []  # of this step: before and after
        self.resolved_as: dict[str, str] = {}
        self.overruled: set[str] = set()  # resolved, and their own answer came later
        self.aborts: Counter[str] = Counter()
        self.nothing_sold_until = 0.0
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
        if nobody_waits_for(taken.before, taken.event):
            assert state == taken.before, "what nobody waits for changes nothing"
        if taken.event is None:
            self.aborts.clear()  # how many there were is not on disk: each life has its own
        self.oracle.see(taken)
        self.records(taken)
        self.sets_aside(taken)
        self.sends(walk, taken)
        self.waits(walk, taken)
        self.ends(taken)

    # -- Rule 1: recorded, then sent or told

    def records(self, taken: Taken) -> None:
        written: dict[str, Payment] = {}
        self.changes = []
        for entry in entries(taken):
            match entry:
                case fx.PaymentOpened(payment, order):
                    assert payment.id not in self.payments, "a payment is opened once"
                    assert order.id == payment.id
                    written[payment.id] = self.payments[payment.id] = payment
                case fx.PaymentChanged(payment):
                    self.payment_changed(self.payments[payment.id], payment, taken)
                    self.changes.append((self.payments[payment.id], payment))
                    written[payment.id] = self.payments[payment.id] = payment
                case fx.ServiceIDsReserved(below):
                    assert below > self.reserved
                    self.reserved = below
        before, after = taken.before, taken.step.state
        for told, old in ((after.payment, before.payment), (after.settled, before.settled)):
            if told is not None and told is not old and taken.event is not None:
                assert written.get(told.id) == told, "told is what was recorded"
        for payment in written.values():
            assert payment in (after.payment, after.settled), "and recorded what is told"

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

    # -- Rule 14: set aside, and asked after

    def sets_aside(self, taken: Taken) -> None:
        state, kept = taken.step.state, {one.payment.id for one in taken.step.state.set_aside}
        for one in state.set_aside:
            assert one.payment == self.payments[one.payment.id], "kept is what was recorded"
            assert one.payment.unknown or one.payment.resolved, "what is decided is not asked after"
        for payment in self.payments.values():
            if not payment.settled:
                assert payment == state.payment, "the lane is at work on what is unfinished"
            elif not payment.final:
                assert payment.unknown
                assert payment.id in kept or self.said_all(payment), "it would be forgotten"
        for was, payment in self.changes:
            if payment.settled and not was.settled and not payment.final:
                self.reached["set aside"] += 1
                attempt = self.oracle.pursued(taken)
                assert attempt is not None
                assert attempt.payment_id == payment.id
                assert self.oracle.may_be_set_aside(attempt, taken.event)
            elif was.settled and not was.final and not payment.settled:
                self.reached["pursued again"] += 1
                self.aborts.pop(payment.attempts[-1].service_id, None)
            elif was.settled and not was.final and payment.final and payment.resolved is None:
                self.reached["decided later"] += 1
                assert isinstance(taken.event, ev.AttemptAnswered | ev.StatusAnswered)
        self.pauses(taken)

    def said_all(self, payment: Payment) -> bool:
        """Whether the terminal's own answer came, and was not one to what was asked."""
        mine = [one for one in self.oracle.attempts.values() if one.payment_id == payment.id]
        return any(one.mismatched for one in mine)

    def pauses(self, taken: Taken) -> None:
        for entry in entries(taken):
            if isinstance(entry, fx.DoubtsCounted) and entry.doubts >= 2:
                self.nothing_sold_until = taken.now + 600.0 * 2 ** (entry.doubts - 2)
                self.reached["a pause"] += 1
            elif isinstance(entry, fx.DoubtsCounted) and entry.doubts == 0:
                decides = ev.LoginAsked | ev.AttemptAnswered | ev.StatusAnswered
                assert isinstance(taken.event, decides), "the terminal decides, or a person"
                self.nothing_sold_until = 0.0

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
                    self.nothing_else_is_out(service_id, taken)
                case m.LoginRequest() | m.LogoutRequest():
                    assert not logins, "one Login at a time"
                    assert self.surveyed, "money rule 11"
                    self.may_reset(effect, taken)
                case m.AbortRequest():
                    self.abort(body, taken)

    def may_reset(self, send: fx.Send, taken: Taken) -> None:
        """A Login or Logout disturbs nothing: money rules 5 and 14."""
        state = taken.step.state
        if said_no_session(taken):
            return
        busy = self.oracle.at_work_on(state.set_aside, taken.now)
        there = [one for one in busy if one.send.address == send.address]
        logout = isinstance(send.message.body, m.LogoutRequest)
        assert not there or logout, "the terminal is at work on what is set aside"
        if state.payment is None:
            return
        attempt = self.oracle.pursued(taken)
        assert attempt is not None
        wished = self.aborts[attempt.send.message.header.service_id or ""] > 0
        assert wished or attempt.aborted_at is not None, "an AbortRequest comes first"
        if attempt.aborted_at is not None:
            assert taken.now - attempt.aborted_at >= LOGIN_AFTER, "and has time to act"
        self.reached["an end was made"] += 1

    def names_the_right_one(
        self, body: m.PaymentRequest | m.ReversalRequest, attempt: Attempt, taken: Taken
    ) -> None:
        assert taken.step.state.journal != "new" or isinstance(body, m.ReversalRequest)
        if isinstance(body, m.PaymentRequest):
            assert attempt.transaction_id == body.transaction.transaction_id
            assert attempt.category == "Payment"
            assert taken.now >= self.nothing_sold_until - 1e-6, "too many doubts: nothing is sold"
            busy = self.oracle.at_work_on(taken.step.state.set_aside, taken.now)
            assert not busy, "the terminal is at work on what is set aside"
            return
        payment = taken.step.state.payment
        assert payment is not None
        assert payment.poi_transaction is not None
        assert payment.poi_transaction.id == body.poi_transaction.transaction_id
        unsigned = payment.state == "processing" and payment.signature == "declined"
        assert payment.state == "approved" or unsigned
        assert attempt.category == "Reversal"

    def nothing_else_is_out(self, service_id: str, taken: Taken) -> None:
        state = taken.step.state
        payment = state.payment
        assert payment is not None
        unsigned = state.reversing and not payment.approved  # light integration: money rule 9
        for other, attempt in self.oracle.attempts.items():
            if other == service_id or attempt.refused:
                continue
            if attempt.over:
                again = state.reversing and attempt.reversal and attempt.payment_id == payment.id
                decided = attempt.not_sent or attempt.failures or payment.resolved
                assert decided or not again, "a reversal is not asked for again while in doubt"
                continue
            assert unsigned, "one payment at a time"
            assert attempt.payment_id == payment.id
            assert attempt.not_sent if attempt.reversal else attempt.approved

    def abort(self, body: m.AbortRequest, taken: Taken) -> None:
        name = body.reference.service_id or ""
        attempt = self.oracle.attempts[name]
        assert attempt is self.oracle.pursued(taken)
        assert taken.step.state.prompt is None, "an open question is answered, not aborted"
        asked = isinstance(taken.event, ev.StatusAnswered | ev.StatusFailed)
        if asked and attempt.end_is_due(taken) and attempt.aborted_at is None:
            attempt.aborted_at = taken.now
            return
        assert not attempt.reversal
        sent = taken.before.pursuit is not None and taken.before.pursuit.sent
        assert attempt.left or attempt.says_it_runs or sent
        assert self.payments[attempt.payment_id].abort_requested
        self.aborts[name] += 1
        assert self.aborts[name] <= 6

    # -- What is waited for

    def waits(self, walk: Walk, taken: Taken) -> None:
        state, now = taken.step.state, taken.now
        if isinstance(taken.event, ev.TimePassed):
            due = taken.before.wake_at is not None and now >= taken.before.wake_at
            if due and state.phase is not Phase.STOPPED:
                went_on = state.phase is not taken.before.phase
                later = state.wake_at is None or state.wake_at > now
                assert later or went_on, "it would spin"
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
            assert not state.payment.settled
            self.reached[state.payment.state] += 1
        for was, payment in self.changes:
            if payment.final:
                self.ended(was, payment, taken)
            if payment.settled:
                assert payment in (state.settled, taken.before.payment) or was.settled
                self.nothing_is_left(payment, taken)
        pursued, now = taken.before.payment, state.payment or state.settled
        if pursued is not None and now is not None and pursued.id == now.id:
            self.signature(taken, pursued, now)

    def nothing_is_left(self, payment: Payment, taken: Taken) -> None:
        """A pursuit's end leaves nothing behind, unless an older one is taken up again."""
        was, state = taken.before.payment, taken.step.state
        if (was is None or was.id != payment.id) and (was is not None or taken.event is not None):
            return
        if state.payment is not None:
            again = [one for one in taken.before.set_aside if one.payment.id == state.payment.id]
            assert again
            assert state.review is None
        else:
            assert all(getattr(state, name) is None for name in EMPTY)

    def ended(self, was: Payment, payment: Payment, taken: Taken) -> None:
        self.reached[payment.state] += 1
        event = taken.event
        if payment.reversal is not None:
            self.reached[f"reversal {payment.reversal.state}"] += 1
            self.reached["declined by a reversal"] += payment.state == "declined"
        if isinstance(event, ev.ResolveAsked):
            assert was.unknown
            reversed_then = was.reversal is not None and event.state == "failed"
            assert payment.state == (taken_back(was) if reversed_then else event.state)
            assert payment.resolved is not None
            kept = [one.payment for one in taken.step.state.set_aside]
            assert payment in kept or self.said_all(payment), "the terminal may still tell"
            self.resolved_as[payment.id] = payment.state
            self.overruled.discard(payment.id)
            self.reached["resolved"] += 1
        elif payment.resolved is not None and payment.reversal is None:
            self.reached["overruled"] += 1
            right = self.oracle.may_be(payment, taken)
            assert right or payment.state == self.resolved_as[payment.id], payment
        elif payment.reversal is not None:
            done = payment.reversal.state == "done"
            assert payment.state == (taken_back(was) if done else "approved")
            assert self.oracle.reversal_may_be(payment.id, payment.reversal.state), payment
        else:
            assert self.oracle.may_be(payment, taken), payment

    def signature(self, taken: Taken, was: Payment, now: Payment) -> None:
        if now.signature != was.signature:
            assert now.signature in ("approved", "declined")
        if now.signature == "approved" != was.signature:
            assert taken.before.prompt is not None
            assert somebody_approved(taken.before, taken.event), "nothing is approved by default"


def nobody_waits_for(before: LaneState, event: ev.Event | None) -> bool:
    """Whether it answers an attempt that is over, or an older question, and tells of none else."""
    known = {one.attempt.service_id for one in before.set_aside}
    if before.attempt is not None:
        known.add(before.attempt.service_id)
    match event:
        case ev.AttemptAnswered(service_id=service_id) | ev.AttemptLost(service_id):
            return service_id not in known
        case ev.StatusAnswered(service_id=service_id, response=response):
            repeated = response.repeated
            tells = repeated is not None and repeated.header.service_id in known
            return service_id != before.asking and not tells
        case ev.StatusFailed(service_id):
            return service_id != before.asking
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
