"""What may be said of payments, judged from what was sent and answered alone.

Nothing here uses the code's own judgement: the rules are written down a second time.
"""

from walk import Taken

from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.payment import Payment
from laned.lane.state import Phase, SetAside
from laned.nexo import messages as m

Answer = m.PaymentResponse | m.ReversalResponse
REFUSALS = ("Busy", "NotAllowed", "LoggedOut")
RUNNING = ("Busy", "InProgress")
DID_NOT_HAPPEN = ("MessageFormat", "UnavailableService", "UnavailableDevice", "DeviceOut")

APART = 10.0 - 1e-6  # seconds between two answers that decide nothing
WORKING_FOR = 600.0 - 1e-6  # for so long the terminal is believed to be at work
POSTED = 30.0 - 1e-6  # seconds for which a post shows that it is
LOGIN_AFTER = 60.0 - 1e-6  # seconds after the AbortRequest


class AttemptSeen:
    """What is known of one PaymentRequest or ReversalRequest."""

    def __init__(self, send: fx.Send, opened: fx.AttemptOpened, answer_by: float) -> None:
        self.send = send
        self.payment_id = opened.payment_id
        self.serial = opened.attempt.serial  # of the terminal that it was sent to
        self.reversal = isinstance(send.message.body, m.ReversalRequest)
        self.over = False  # what it was for has ended, or is set aside
        self.post_open = True  # in this life its own connection may still bring an answer
        self.answer_by = answer_by  # and how long that is a sign of work
        self.refused = False
        self.not_sent = False
        self.left = False
        self.says_it_runs = False
        self.approved = False  # a Success that is ours and of the right amount
        self.mismatched = False  # ours, neither a Failure nor that
        self.failures: list[str] = []
        self.questions: set[str] = set()
        self.forget()

    def forget(self) -> None:
        """A new life, or a new doubt: what was seen of the old one does not count."""
        self.busy = False  # the terminal said last that it is at work on it
        self.doubted_at: float | None = None  # since then no answer has decided
        self.undecided: list[float] = []  # answers in a row that decided nothing
        self.silent_since: float | None = None  # no answer at all though the port is open
        self.posted_at: float | None = None
        self.aborted_at: float | None = None  # by rule 14, not by anybody's wish
        self.logged_in = False  # a Login has ended what it did

    def doubt_again(self) -> None:
        """The lane is at work on it again: a new doubt, which is as old as the last one."""
        busy, doubted_at = self.busy, self.doubted_at
        self.forget()
        self.busy, self.doubted_at = busy, doubted_at

    def doubted_for(self, now: float) -> float:
        """Seconds since the terminal first said something that did not decide."""
        return now - self.doubted_at if self.doubted_at is not None else 0.0

    def at_work(self, taken: Taken) -> bool:
        """Whether something shows that the terminal is at work on it."""
        connected = self.post_open and taken.now < self.answer_by
        posted = self.posted_at is not None and taken.now - self.posted_at < POSTED
        posted &= self.doubted_for(taken.now) < WORKING_FOR
        return connected or posted or taken.before.prompt is not None

    def end_is_due(self, taken: Taken) -> bool:
        """Whether an end is to be made of it: money rule 14."""
        twice = bool(self.undecided) and self.undecided[-1] - self.undecided[0] >= APART
        silent = self.silent_since is not None and taken.now - self.silent_since >= WORKING_FOR
        return (twice or silent) and not self.at_work(taken)


class Oracle:
    """Follows a walk, and knows which outcomes the answers allow."""

    def __init__(self) -> None:
        self.attempts: dict[str, AttemptSeen] = {}  # by ServiceID
        self.settled: set[str] = set()

    # -- What happens

    def see(self, taken: Taken) -> None:
        """Take in the event of a step, then what the step sent."""
        event = taken.event
        match event:
            case None:
                for attempt in self.attempts.values():
                    attempt.post_open = False
                    attempt.left = True  # as far as anybody knows
                    attempt.forget()
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
            case ev.StatusFailed():
                self._failed(event, taken)
            case ev.LoginAnswered() if taken.before.phase is Phase.RELOGIN:
                self._logged_in(event, taken)
            case ev.TerminalNotified(event="Reject"):
                pass
            case ev.InputAsked() | ev.Printed() | ev.DisplayShown() | ev.TerminalNotified():
                self._posted(event, taken)
        opened = None
        for effect in taken.step.effects:
            if isinstance(effect, fx.Send):
                self._sent(effect, opened, taken)
            elif isinstance(effect.entry, fx.AttemptOpened):
                opened = effect.entry
            elif isinstance(effect.entry, fx.PaymentChanged):
                self._changed(effect.entry.payment, taken)

    def pursued(self, taken: Taken) -> AttemptSeen | None:
        """The attempt that the lane was at work on."""
        attempt = taken.before.attempt
        return self.attempts[attempt.service_id] if attempt is not None else None

    def at_work_on(self, set_aside: tuple[SetAside, ...], now: float) -> list[AttemptSeen]:
        """Those set aside of which the terminal says that it is at work, and is believed."""
        seen = [self.attempts[one.attempt.service_id] for one in set_aside]
        return [one for one in seen if one.busy and one.doubted_for(now) < WORKING_FOR]

    def _changed(self, payment: Payment, taken: Taken) -> None:
        attempts = [one for one in self.attempts.values() if one.payment_id == payment.id]
        if payment.settled:
            for attempt in attempts:
                attempt.over, attempt.busy = True, False
                if attempt.doubted_at is None and payment.id not in self.settled:
                    attempt.doubted_at = taken.now
            self.settled.add(payment.id)
        elif payment.id in self.settled:
            self.settled.remove(payment.id)
            if not isinstance(taken.event, ev.ReversalAsked):
                attempts[-1].over = False
                attempts[-1].doubt_again()

    def _sent(self, send: fx.Send, opened: fx.AttemptOpened | None, taken: Taken) -> None:
        service_id = send.message.header.service_id or ""
        match send.message.body:
            case m.PaymentRequest() | m.ReversalRequest():
                assert opened is not None
                limit = taken.step.state.config.terminal.response_timeout
                self.attempts[service_id] = AttemptSeen(send, opened, taken.now + limit)
            case m.TransactionStatusRequest(reference=reference) if reference is not None:
                self.attempts[reference.service_id or ""].questions.add(service_id)

    def _posted(self, event: ev.Event, taken: Taken) -> None:
        attempt = self.pursued(taken)
        working = taken.before.phase in (Phase.PAYING, Phase.DOUBT)
        if attempt is None:
            return
        if isinstance(event, ev.TerminalNotified) and event.event in ("Shutdown", "Initialised"):
            attempt.posted_at = None
        elif working and attempt.left and not attempt.logged_in:
            attempt.posted_at = taken.now

    def _logged_in(self, event: ev.LoginAnswered, taken: Taken) -> None:
        attempt = self.pursued(taken)
        if attempt is not None and event.response.response.success:
            attempt.forget()
            attempt.logged_in = self._same(attempt, event)

    def _direct(self, event: ev.AttemptAnswered) -> None:
        attempt = self.attempts.get(event.service_id)
        if attempt is not None:
            attempt.post_open = False
            self._answer(attempt, event.header, event.response, event.poi_owner)

    def _failed(self, event: ev.StatusFailed, taken: Taken) -> None:
        attempt = self._asked_after(event.service_id, taken)
        if attempt is None:
            return
        if event.port == "answered":
            attempt.busy &= attempt is not self.pursued(taken)
            self._undecided(attempt, taken)
        elif event.port == "closed":
            attempt.silent_since = None
        elif attempt.silent_since is None:
            attempt.silent_since = taken.now

    def _status(self, event: ev.StatusAnswered, taken: Taken) -> None:
        repeats = self._repeated(event)
        attempt = self._asked_after(event.service_id, taken)
        if attempt is None:
            return  # about an older question: nobody has to believe it
        attempt.silent_since = None
        condition = repeats or event.response.response.error_condition
        if condition in RUNNING:
            attempt.says_it_runs = attempt.busy = True
            if attempt.doubted_at is None:
                attempt.doubted_at = taken.now
            if attempt.doubted_for(taken.now) < WORKING_FOR:
                attempt.undecided.clear()
            else:
                attempt.undecided.append(taken.now)
        elif condition in ("NotAllowed", "LoggedOut"):
            for one in self.attempts.values():
                one.busy = False  # without a session it is at work on nothing
        else:
            attempt.busy = False
            self._undecided(attempt, taken)

    def _undecided(self, attempt: AttemptSeen, taken: Taken) -> None:
        attempt.silent_since = None
        if attempt.doubted_at is None and attempt is self.pursued(taken):
            attempt.doubted_at = taken.now
        if not attempt.at_work(taken):
            attempt.undecided.append(taken.now)

    def _asked_after(self, service_id: str, taken: Taken) -> AttemptSeen | None:
        asked = [one for one in self.attempts.values() if service_id in one.questions]
        return asked[0] if asked and taken.before.asking == service_id else None

    def _repeated(self, event: ev.StatusAnswered) -> str | None:
        """Read what is repeated, whatever was asked: it says itself whose it is."""
        repeated = event.response.repeated
        if repeated is None or not isinstance(
            repeated.body, m.PaymentResponse | m.ReversalResponse
        ):
            return None
        attempt = self.attempts.get(repeated.header.service_id or "")
        if attempt is None:
            return None
        said = self._answer(attempt, repeated.header, repeated.body, event.poi_owner)
        return said if event.service_id in attempt.questions else None

    def _answer(
        self, attempt: AttemptSeen, header: m.Header, response: Answer, poi_owner: str | None
    ) -> str | None:
        """Note what an answer says, if it is the attempt's; "InProgress" if it is at it."""
        asked, body = attempt.send.message.header, attempt.send.message.body
        for field in ("category", "service_id", "sale_id", "poi_id"):
            if getattr(header, field) != getattr(asked, field):
                return None
        if isinstance(response, m.ReversalResponse) is not attempt.reversal:
            return None
        if isinstance(response, m.PaymentResponse) and isinstance(body, m.PaymentRequest):
            echoed = response.sale_transaction
            if echoed is not None and echoed.transaction_id != body.transaction.transaction_id:
                return None
        result, condition = response.response.result, response.response.error_condition or ""
        if result == "Failure" and condition in REFUSALS:
            attempt.refused = True
        elif result == "Failure" and condition == "InProgress":
            attempt.says_it_runs = True
            return condition
        elif result == "Failure":
            attempt.failures.append(condition)
        else:
            mine = poi_owner in (None, attempt.payment_id) and result == "Success"
            approved = mine and self._amount_is_right(body, response)
            attempt.approved |= approved
            attempt.mismatched |= not approved
        return None

    def _amount_is_right(self, body: m.Body, response: Answer) -> bool:
        if not isinstance(response, m.PaymentResponse) or response.amounts is None:
            return True
        assert isinstance(body, m.PaymentRequest)
        charged = response.amounts.authorized_amount
        if response.amounts.tip_amount is not None:
            charged -= response.amounts.tip_amount
        same = response.amounts.currency in (None, body.currency)
        return same and charged == body.requested_amount

    # -- What may be said

    def may_be(self, payment: Payment, taken: Taken) -> bool:
        """Whether the answers allow this final state."""
        attempts, state = self._of(payment.id, reversal=False), payment.state
        if not attempts:  # never sent
            busy = self.at_work_on(taken.before.set_aside, taken.now)
            kept, now = taken.before.set_aside, taken.step.state
            pursued = now.payment.id if now.payment is not None and now.reversing else ""
            back = any(pursued == one.payment.id for one in kept)
            return state == "aborted" or (state == "failed" and (bool(busy) or back))
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
                said_so = bool(final_failures & set(DID_NOT_HAPPEN))
                return newest.refused or newest.not_sent or said_so
            case _:
                return False

    def reversal_may_be(self, payment_id: str, state: str) -> bool:
        """Whether the answers allow that the reversal ended so."""
        attempts = self._of(payment_id, reversal=True)
        if not attempts:  # it was no card's: nothing was sent
            return state == "refused"
        newest = attempts[-1]
        if state == "done":
            return newest.approved
        return state == "refused" and (newest.refused or newest.not_sent or bool(newest.failures))

    def may_be_set_aside(self, attempt: AttemptSeen, event: ev.Event | None) -> bool:
        """Whether nothing more is to be waited for: money rules 6 and 14."""
        if attempt.mismatched:
            return True
        if isinstance(event, ev.LoginAnswered):
            return event.response.response.success and not self._same(attempt, event)
        return attempt.logged_in and isinstance(event, ev.StatusAnswered | ev.StatusFailed)

    def _same(self, attempt: AttemptSeen, event: ev.LoginAnswered) -> bool:
        return attempt.serial in ("", event.response.serial_number)

    def _of(self, payment_id: str, *, reversal: bool) -> list[AttemptSeen]:
        attempts = [a for a in self.attempts.values() if a.payment_id == payment_id]
        return [attempt for attempt in attempts if attempt.reversal is reversal]
