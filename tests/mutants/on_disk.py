"""Mistakes about what is on disk: order, identity over restarts, repeated requests."""

from mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        name="a-service-id-is-used-twice",
        file="laned/lane/turn.py",
        old="ServiceIDs(taken + 1, reserved)",
        new="ServiceIDs(taken, reserved)",
        tests=("tests/whole/test_lives.py::test_service_ids_and_event_ids_grow_from_life_to_life",),
    ),
    Mutant(
        name="service-ids-begin-at-1-at-every-start",
        file="laned/lane/start.py",
        old="ServiceIDs(snapshot.next_service_id, snapshot.next_service_id)",
        new="ServiceIDs(1, 1)",
        tests=(
            "tests/lane/test_doubt.py::test_rule_11_service_ids_go_on_above_all_that_may_have_been_used",
        ),
    ),
    Mutant(
        name="service-ids-are-not-reserved",
        file="laned/lane/turn.py",
        old="            self.record(ServiceIDsReserved(reserved))\n",
        new="",
        tests=(
            "tests/lane/test_doubt.py::test_rule_11_service_ids_go_on_above_all_that_may_have_been_used",
        ),
    ),
    Mutant(
        name="published-before-recorded",
        file="laned/runner.py",
        old="""\
        if entries and isinstance(event, _NEW):
            await self._offload(lambda: self._write_with_room(entries))
        elif entries:
            await self._write_patiently(entries)
        recording = trio.current_time() - began if entries else None
        self._publisher.publish(step.state, event, recording)
""",
        new="""\
        recording = None
        self._publisher.publish(step.state, event, recording)
        if entries and isinstance(event, _NEW):
            await self._offload(lambda: self._write_with_room(entries))
        elif entries:
            await self._write_patiently(entries)
""",
        tests=(
            "tests/lane/test_runner.py::test_nobody_is_told_and_nothing_sent_before_it_is_on_disk",
        ),
    ),
    Mutant(
        name="sent-before-recorded",
        file="laned/runner.py",
        old="""\
        if entries and isinstance(event, _NEW):
            await""",
        new="""\
        for effect in step.effects:
            if isinstance(effect, Send):
                nursery.start_soon(self._send, effect)
                await trio.sleep(0.02)  # it has left for certain
        step = Step(state=step.state)
        if entries and isinstance(event, _NEW):
            await""",
        tests=("tests/lane/test_runner.py::test_recorded_then_published_then_sent_and_answered",),
    ),
    Mutant(
        name="an-outcome-is-told-before-it-is-on-disk",
        file="laned/runner.py",
        old="            await self._write_patiently(entries)\n        recording",
        new="            nursery.start_soon(self._write_patiently, entries)\n        recording",
        tests=("tests/kill/test_on_disk.py::test_on_disk_before_sent_and_before_told",),
    ),
    Mutant(
        name="an-outcome-that-cannot-be-recorded-is-told-all-the-same",
        file="laned/runner.py",
        old="                if trio.current_time() >= give_up_at:\n                    raise\n",
        new="                if trio.current_time() >= give_up_at:\n                    return\n",
        tests=(
            "tests/lane/test_runner.py::test_an_outcome_that_cannot_be_recorded_ends_the_run_and_nobody_is_told",
        ),
    ),
    Mutant(
        name="the-journal-is-not-synced",
        file="laned/journal/store.py",
        old="PRAGMA synchronous = FULL",
        new="PRAGMA synchronous = OFF",
        tests=("tests/kill/test_on_disk.py::test_on_disk_before_sent_and_before_told",),
    ),
    Mutant(
        name="the-journal-is-synced-at-checkpoints-only",
        file="laned/journal/store.py",
        old="PRAGMA synchronous = FULL",
        new="PRAGMA synchronous = NORMAL",
        tests=("tests/lane/test_journal.py::test_every_commit_is_on_disk_when_write_returns",),
    ),
    Mutant(
        name="half-of-a-step-is-written",
        file="laned/journal/store.py",
        old="""\
        with self._errors("write"), self._transaction():
            for entry in entries:
                self._write(entry)
""",
        new="""\
        for entry in entries:
            with self._errors("write"), self._transaction():
                self._write(entry)
""",
        tests=("tests/lane/test_journal.py::test_a_write_that_fails_anywhere_leaves_nothing",),
    ),
    Mutant(
        name="the-same-put-again-is-a-new-payment",
        file="laned/runner.py",
        old="            if isinstance(event, ev.PaymentAsked):\n",
        new="            if isinstance(event, ev.PaymentAsked) and self.state.payment:\n",
        tests=("tests/whole/test_payment_rules.py::test_put_twice_charges_once",),
    ),
    Mutant(
        name="a-repeated-put-charges-under-a-new-id",
        file="laned/runner.py",
        old="""\
        if stored.same(order):
            return Handled(payment=stored.payment, repeated=True)
""",
        new="""\
        if stored.same(order):
            object.__setattr__(event, "order", msgspec.structs.replace(order, id=f"{order.id}-2"))
            return None
""",
        tests=("tests/whole/test_payment_rules.py::test_put_twice_charges_once",),
    ),
    Mutant(
        name="a-pending-payment-is-sent-at-the-restart",
        file="laned/lane/start.py",
        old="    if attempt is not None and attempt.refused is None:\n",
        new="""\
    if attempt is None:
        from laned.lane.payment import Order

        asked = Order(
            id=payment.id, type=payment.type, amount=payment.amount, currency=payment.currency
        )
        turn.enter(Phase.RETRYING)
        turn.change(pursuit=pursuit)
        turn.pursue(order=asked, retry_at=turn.now.monotonic)
        return
    if attempt is not None and attempt.refused is None:
""",
        tests=(
            "tests/lane/test_doubt.py::test_rule_11_pending_found_is_aborted_and_then_a_session_made",
        ),
    ),
    Mutant(
        name="a-payment-in-doubt-is-taken-for-failed-at-the-restart",
        file="laned/lane/start.py",
        old="    if attempt is not None and attempt.refused is None:\n",
        new="    if False:\n",
        tests=(
            "tests/lane/test_doubt.py::test_rule_11_processing_found_is_asked_after_before_any_login",
        ),
    ),
    Mutant(
        name="a-login-comes-before-the-survey",
        file="laned/lane/start.py",
        old="    elif not snapshot.surveyed:\n",
        new="    elif False:\n",
        tests=(
            "tests/whole/test_lost_journal.py::test_a_terminal_at_work_for_a_lost_journal_is_not_logged_in_to",
        ),
    ),
)
