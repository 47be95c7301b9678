"""What may be said of payments, judged from what was sent and answered alone.

Nothing here uses the code's own judgement: the rules are written down a second time.
"""

from walk import Taken

from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.payment import Payment
from laned.lane.state import Phase
from laned.nexo import messages as m

Answer = m.PaymentResponse | m.ReversalResponse
REFUSALS = ("Busy", "NotAllowed", "LoggedOut")
DID_NOT_HAPPEN = ("MessageFormat", "UnavailableService", "UnavailableDevice", "DeviceOut")


class AttemptSeen:
    """What is known of one PaymentRequest or ReversalRequest."""

    def __init__(self, send: fx.Send, payment_id: str) -> None:
        self.send = send
        self.payment_id = payment_id
        self.reversal = isinstance(send.message.body, m.ReversalRequest)
        self.over = False  # what it was for has ended
        self.post_open = True  # in this life its own connection may still bring an answer
        self.refused = False
        self.not_sent = False
        self.left = False
        self.says_it_runs = False
        self.approved = False  # a Success that is ours and of the right amount
        self.answered = False  # any Success that is ours
        self.failures: list[str] = []
        self.not_found: list[float] = []
        self.forgetful = False  # the terminal lost its session or was started again since
        self.older_was_last = False  # the terminal's last transaction is an older one
        self.shown = False  # the terminal has posted something that may be about it
        self.watched = True  # nothing that the terminal posted about it can have been missed
        self.questions: set[str] = set()
        self.questions_for_last: set[str] = set()


class Oracle:
    """Follows a walk, and knows which outcomes the answers allow."""

    def __init__(self) -> None:
        self.attempts: dict[str, AttemptSeen] = {}  # by ServiceID
        self.newest: AttemptSeen | None = None

    # -- What happens

    def see(self, taken: Taken) -> None:
        """Take in the event of a step, then what the step sent."""
        event = taken.event
        match event:
            case None:
                for attempt in self.attempts.values():
                    attempt.post_open = attempt.watched = False
                    attempt.left = True  # as far as anybody knows
            case ev.AttemptSent(service_id) if service_id in self.attempts:
                self.attempts[service_id].left = True
            case ev.AttemptNotSent(service_id) if service_id in self.attempts:
                attempt = self.attempts[service_id]
                attempt.not_sent, attempt.post_open = True, False
            case ev.AttemptLost(service_id) if service_id in self.attempts:
                self.attempts[service_id].post_open = False
            case ev.AttemptAnswered():
                self._direct(event)
            case ev.StatusAnswered():
                self._status(event, taken)
            case ev.StatusFailed(service_id) if service_id == taken.before.asking and self.newest:
                self.newest.watched = False
            case ev.TerminalNotified(event="Shutdown" | "Initialised") if self.newest:
                self.newest.forgetful = True
            case ev.TerminalNotified(event="Reject"):
                pass
            case ev.InputAsked() | ev.Printed() | ev.DisplayShown() | ev.TerminalNotified():
                self._posted(event, taken.before.phase)
        opened = ""
        for effect in taken.step.effects:
            if isinstance(effect, fx.Send):
                self._sent(effect, opened)
            elif isinstance(effect.entry, fx.AttemptOpened):
                opened = effect.entry.payment_id
            elif isinstance(effect.entry, fx.PaymentChanged) and effect.entry.payment.final:
                for attempt in self.attempts.values():
                    attempt.over |= attempt.payment_id == effect.entry.payment.id

    def _sent(self, send: fx.Send, opened: str) -> None:
        service_id = send.message.header.service_id or ""
        if isinstance(send.message.body, m.PaymentRequest | m.ReversalRequest):
            self.newest = AttemptSeen(send, opened)
            self.attempts[service_id] = self.newest
        elif isinstance(send.message.body, m.TransactionStatusRequest):
            reference = send.message.body.reference
            if self.newest is not None and self.newest.post_open and not self.newest.forgetful:
                self.newest.watched = False  # asked for want of posts
            if reference is None and self.newest is not None and not self.newest.over:
                self.newest.questions.add(service_id)
                self.newest.questions_for_last.add(service_id)
            elif reference is not None and reference.service_id in self.attempts:
                self.attempts[reference.service_id].questions.add(service_id)

    def _posted(self, event: ev.Event, phase: Phase) -> None:
        attempt = self.newest
        if attempt is None or attempt.refused or phase not in (Phase.PAYING, Phase.DOUBT):
            return
        surely = isinstance(event, ev.InputAsked | ev.Printed)
        in_session = phase is Phase.PAYING or not attempt.forgetful
        attempt.shown |= surely or (attempt.left and in_session)

    def _direct(self, event: ev.AttemptAnswered) -> None:
        attempt = self.attempts.get(event.service_id)
        if attempt is not None:
            attempt.post_open = False
            self._answer(attempt, event.header, event.response, event.poi_owner, direct=True)

    def _status(self, event: ev.StatusAnswered, taken: Taken) -> None:
        self._repeated(event)
        asked = [a for a in self.attempts.values() if event.service_id in a.questions]
        if not asked:
            return
        attempt, response = asked[0], event.response
        if response.repeated is not None:
            body = response.repeated.body
            for_last = event.service_id in attempt.questions_for_last
            if for_last and isinstance(body, m.PaymentResponse | m.ReversalResponse):
                assert not attempt.post_open, "it may not have been read yet"
                known = attempt.watched or not attempt.forgetful
                older = self._older(attempt, event.repeated_of, body)
                attempt.older_was_last |= older and known
            return
        if taken.before.asking != event.service_id:
            return  # about an older question: nobody has to believe it
        condition = response.response.error_condition
        if condition == "NotFound" and event.service_id not in attempt.questions_for_last:
            attempt.not_found.append(taken.now)
        elif condition in ("Busy", "InProgress"):
            attempt.says_it_runs = True
            attempt.not_found.clear()
        elif condition in ("NotAllowed", "LoggedOut"):
            attempt.forgetful = True

    def _repeated(self, event: ev.StatusAnswered) -> None:
        """Whatever was asked: a message that is repeated says whose it is."""
        repeated = event.response.repeated
        if repeated is None or not isinstance(
            repeated.body, m.PaymentResponse | m.ReversalResponse
        ):
            return
        attempt = self.attempts.get(repeated.header.service_id or "")
        if attempt is not None:
            self._answer(attempt, repeated.header, repeated.body, event.poi_owner, direct=False)

    def _older(self, attempt: AttemptSeen, of: str | None, body: Answer) -> bool:
        if attempt.reversal:
            success = isinstance(body, m.PaymentResponse) and body.response.result == "Success"
            return success and of == attempt.payment_id
        return of not in (None, attempt.payment_id)

    def _answer(
        self,
        attempt: AttemptSeen,
        header: m.Header,
        response: Answer,
        poi_owner: str | None,
        *,
        direct: bool,
    ) -> None:
        asked, body = attempt.send.message.header, attempt.send.message.body
        if poi_owner not in (None, attempt.payment_id):
            return
        for field in ("category", "service_id", "sale_id", "poi_id"):
            if getattr(header, field) != getattr(asked, field):
                return
        if isinstance(response, m.ReversalResponse) is not attempt.reversal:
            return
        result = response.response.result
        if isinstance(response, m.PaymentResponse) and isinstance(body, m.PaymentRequest):
            echoed = response.sale_transaction
            if echoed is None and not (direct and result == "Failure"):
                return
            if echoed is not None and echoed.transaction_id != body.transaction.transaction_id:
                return
        condition = response.response.error_condition or ""
        if result == "Failure" and condition in REFUSALS:
            attempt.refused = True
        elif result == "Failure" and condition == "InProgress":
            attempt.says_it_runs = True
            attempt.not_found.clear()
        elif result == "Failure":
            attempt.failures.append(condition)
        elif result == "Success":
            attempt.answered = True
            attempt.approved |= attempt.reversal
            amounts = response.amounts if isinstance(response, m.PaymentResponse) else None
            assert isinstance(body, m.PaymentRequest | m.ReversalRequest)
            if isinstance(body, m.ReversalRequest):
                return
            if amounts is not None and amounts.currency == body.currency:
                charged = amounts.authorized_amount
                if amounts.tip_amount is not None:
                    charged -= amounts.tip_amount
                attempt.approved |= charged == body.requested_amount

    # -- What may be said

    def may_be(self, payment: Payment) -> bool:
        """Whether the answers allow this final state."""
        attempts, state = self._of(payment.id, reversal=False), payment.state
        if not attempts:  # never sent
            return state == "aborted"
        newest = attempts[-1]
        if not all(attempt.refused for attempt in attempts[:-1]):
            return False
        final_failures = set(newest.failures)
        taken_back = self._of(payment.id, reversal=True)
        if taken_back and payment.signature == "declined" and state == "declined":
            return newest.approved and taken_back[-1].approved  # light integration: money rule 9
        if final_failures and payment.signature == "declined" and state == "declined":
            return True  # whatever the terminal calls it
        match state:
            case "approved":
                return newest.approved
            case "declined":
                return bool(final_failures - set(DID_NOT_HAPPEN))
            case "aborted":
                return newest.refused or bool(final_failures - set(DID_NOT_HAPPEN))
            case "failed":
                return (
                    newest.refused
                    or newest.not_sent
                    or bool(final_failures & set(DID_NOT_HAPPEN))
                    or self._never_had_it(newest)
                )
            case _:
                return False

    def reversal_may_be(self, payment_id: str, state: str) -> bool:
        """Whether the answers allow that the reversal ended so."""
        newest = self._of(payment_id, reversal=True)[-1]
        if state == "done":
            return newest.approved
        if newest.refused or newest.not_sent or self._never_had_it(newest):
            return state == "refused"
        return state == "refused" and bool(newest.failures)

    def _of(self, payment_id: str, *, reversal: bool) -> list[AttemptSeen]:
        attempts = [a for a in self.attempts.values() if a.payment_id == payment_id]
        return [attempt for attempt in attempts if attempt.reversal is reversal]

    def _never_had_it(self, attempt: AttemptSeen) -> bool:
        apart = attempt.not_found[-1] - attempt.not_found[0] if attempt.not_found else 0.0
        never = apart >= 2.0 - 1e-9 and not attempt.forgetful
        never |= attempt.older_was_last
        had_it = attempt.answered or attempt.shown or attempt.says_it_runs
        return never and not had_it and not attempt.post_open
