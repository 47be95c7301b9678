"""What the runner would find in the journal, on a random walk."""

from random import Random

import lanes

from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.payment import Attempt, Payment
from laned.lane.turn import Step
from laned.nexo import messages as m


class Memory:
    """Payments and attempts, as recorded."""

    def __init__(self) -> None:
        self.payments: dict[str, Payment] = {}  # in their order
        self.attempts: list[tuple[str, Attempt]] = []

    def keep(self, step: Step) -> None:
        """Take in what a step recorded."""
        for effect in step.effects:
            match effect:
                case fx.Record(fx.PaymentOpened(payment, _) | fx.PaymentChanged(payment)):
                    self.payments[payment.id] = payment
                case fx.Record(fx.AttemptOpened(payment_id, attempt)):
                    self.attempts.append((payment_id, attempt))
                case _:
                    pass

    def reversal(self, random: Random) -> ev.ReversalAsked:
        """A till wants one of the last payments reversed."""
        names = list(self.payments)[-3:]
        if not names:
            return lanes.reversal_of(None)
        name = random.choice(names) if random.random() < 0.3 else names[-1]
        later = list(self.payments)[list(self.payments).index(name) + 1 :]
        approved = [n for n in later if self.payments[n].state in ("approved", "reversed")]
        return lanes.reversal_of(self.payments[name], approved[-1] if approved else None)

    def resolution(self, random: Random, name: str = "") -> ev.ResolveAsked:
        """A person's verdict on payment `name`, or on the newest one that is not known."""
        unknown = [payment.id for payment in self.payments.values() if payment.unknown]
        name = name or (unknown[-1] if unknown else "none")
        verdict = lanes.resolution(random.choice(("approved", "failed")), name)
        return lanes.replace(verdict, payment=self.payments.get(name))

    def superseding(self, service_id: str) -> str | None:
        """A later payment that the terminal has approved than the attempt's."""
        names = [name for name, attempt in self.attempts if attempt.service_id == service_id]
        later = list(self.payments)[list(self.payments).index(names[0]) + 1 :] if names else []
        approved = [n for n in later if self.payments[n].state in ("approved", "reversed")]
        return approved[-1] if approved else None

    def payment_of(self, repeated: m.RepeatedMessage) -> str | None:
        """Whose attempt a repeated message answers."""
        for payment_id, attempt in self.attempts:
            if attempt.service_id == repeated.header.service_id:
                body = repeated.body
                sale = body.sale_transaction if isinstance(body, m.PaymentResponse) else None
                same = sale is not None and sale.transaction_id == attempt.transaction_id
                if same or attempt.category is m.Category.REVERSAL:
                    return payment_id
        return None
