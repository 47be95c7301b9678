"""What happens between a PaymentRequest or ReversalRequest and its response.

A dialogue runs in the terminal's own task: a till that hangs up changes nothing. Money moves in
one step, in which the books are written and the response is remembered.
"""

from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from xml.etree.ElementTree import Element

import trio

from laned.simulator import compose
from laned.simulator.ledger import Ledger, State, Transaction
from laned.simulator.listener import Origin
from laned.simulator.panel import Panel
from laned.simulator.receipts import Slip
from laned.simulator.scenarios import Ending, Mishap, Moment, Scenario
from laned.simulator.wire import Message


class Phase(Enum):
    """How far a dialogue is; it decides what an abort or a reset does."""

    CARD = auto()
    """Waiting for the customer: an abort works."""
    HOST = auto()
    """The bank is being asked: an abort is too late, a reset loses the answer."""
    SIGNATURE = auto()
    """The receipt is printed and the operator asked: nothing is charged before the yes."""
    OVER = auto()
    """Decided and in the books; the response is about to be sent."""


Remember = Callable[[Message, Element], None]
"""Keeps the response to a request for TransactionStatus."""
Reversible = tuple[Transaction, Slip]
"""What a ReversalRequest may undo."""


class _AbortedError(Exception):
    pass


class _PowerError(Exception):
    """The terminal restarts."""


class Dialogue:
    """A request that takes its time."""

    def __init__(
        self, request: Message, origin: Origin, panel: Panel, ledger: Ledger, remember: Remember
    ) -> None:
        self.request = request
        self.origin = origin
        self.phase = Phase.CARD
        self.scope = trio.CancelScope()
        self.response: Element | None = None
        self.answered = trio.Event()
        self.question_open = False
        """Whether an InputRequest waits for its answer: then an abort is forbidden."""
        self.reversible: Reversible | None = None
        """What could be reversed after it."""
        self.mishap: Mishap | None = None
        """What keeps its response from the till."""
        self._panel = panel
        self._ledger = ledger
        self._remember = remember

    async def run(self) -> None:
        """Go through the dialogue; without a `response` at its end, the power goes."""
        raise NotImplementedError

    def abort(self) -> bool:
        """Ask it to end; False if it is too late."""
        return False

    def reset(self) -> Element | None:
        """End at once, by a Login; the response that can still be given, if any."""
        self.scope.cancel()
        return self.response

    def _decide(self, response: Element) -> None:
        self.phase = Phase.OVER
        self.response = response
        self._remember(self.request, response)


class Payment(Dialogue):
    """A payment or refund, following its scenario."""

    def __init__(
        self,
        request: Message,
        origin: Origin,
        panel: Panel,
        ledger: Ledger,
        remember: Remember,
        scenario: Scenario,
        transaction: Transaction,
    ) -> None:
        super().__init__(request, origin, panel, ledger, remember)
        self.transaction = transaction
        self.mishap = scenario.mishap
        self._scenario = scenario
        self._abort = trio.Event()
        self._approval_code = f"{panel.rng.randrange(1_000_000):06d}"
        # Nobody types a code to be given money back.
        self._digits = 0 if transaction.type == "Refund" else scenario.pin_digits
        self._card_in = False
        ledger.add(transaction)

    def abort(self) -> bool:
        """End it as Aborted, if the bank was not asked yet."""
        if self.phase is not Phase.CARD:
            return False
        self._abort.set()
        return True

    def reset(self) -> Element | None:
        """End it at once. What the bank is approving just now is charged, and never heard of."""
        self.scope.cancel()
        if self.phase is Phase.OVER:
            return self.response
        if self.phase is Phase.HOST and self._scenario.ending is Ending.APPROVED:
            self._book(State.CHARGED)
            return None
        self._book(State.ABORTED)
        return self._answer(compose.failure("Aborted", "Terminal was reset"), None)

    async def run(self) -> None:
        """Card, bank, perhaps a signature, result."""
        with suppress(_PowerError):
            await self._go_through()

    async def _go_through(self) -> None:
        try:
            await self._card()
        except _AbortedError:
            await self._end(State.ABORTED, "cancelled", "Aborted", "Aborted by the sale system")
            return
        if self._scenario.ending is Ending.CANCELLED:
            await self._end(State.CANCELLED, "cancelled", "Cancel", "User cancellation")
            return
        self._reach(Moment.BANK)
        self.phase = Phase.HOST
        await self._panel.show(self.origin, "authorizing")
        self._reach(Moment.CHARGE)
        await trio.sleep(self._panel.taken(self._scenario.host_time))
        if self._scenario.ending is Ending.DECLINED:
            condition = self._scenario.condition
            await self._end(State.DECLINED, "declined", condition, "Payment refused by the issuer")
        elif self._scenario.signature and self.origin.posts and not await self._signed():
            text = "Signature not approved"
            await self._end(State.DECLINED, "disapproved", "Refusal", text)
        else:
            await self._end(State.CHARGED, "approved")

    def _reach(self, moment: Moment) -> None:
        """Let the mishap happen that this moment has in store, if any; raises if the power goes."""
        if self.mishap is None or self._scenario.mishap_at is not moment:
            return
        if self.mishap is not Mishap.CUT:
            raise _PowerError
        if moment is not Moment.BOOKED:  # there it breaks when the response is due
            self.answered.set()

    async def _card(self) -> None:
        scenario = self._scenario
        await self._panel.show(self.origin, "present_card")
        self._reach(Moment.CARD)
        await self._wait(scenario.card_time)
        if scenario.ending is Ending.CANCELLED:
            return
        if scenario.entry == "ICC":
            self._card_in = True
            await self._panel.notify(self.origin, "CardInserted")
        if self._digits:
            await self._panel.show(self.origin, "enter_pin")
            await self._wait(scenario.pin_time)
        for digit in range(self._digits):
            await self._panel.show(self.origin, "pin", stars=digit + 1)
            await self._wait(scenario.digit_time)
        await self._wait(0)

    async def _wait(self, seconds: float) -> None:
        """Wait for the customer; raises if an abort came, also before."""
        with trio.move_on_after(self._panel.taken(seconds)):
            await self._abort.wait()
        if self._abort.is_set():
            raise _AbortedError

    async def _signed(self) -> bool:
        self.phase = Phase.SIGNATURE
        listener = self._panel.listener
        await listener.print_receipt(self.origin, self._slip(approved=True))
        question = compose.screen_text(*self._panel.text("signature"))
        self.question_open = True
        self._panel.say("asks whether the signature is good")
        confirmed = await listener.confirm(self.origin, question)
        self.question_open = False
        self._panel.say(f"signature {'approved' if confirmed else 'not approved'}")
        return confirmed

    async def _end(self, state: State, shown: str, condition: str = "", text: str = "") -> None:
        """Decide, show the result, take the card out."""
        self._book(state)
        if state is State.CHARGED:
            slip = self._slip(approved=True)
            self.reversible = (self.transaction, slip)
            self._decide(self._answer(compose.success(), slip))
        else:
            used = self._slip(approved=False) if state is State.DECLINED else None
            self._decide(self._answer(compose.failure(condition, text), used))
        self._reach(Moment.BOOKED)  # it goes dark before anybody sees how it ended
        await self._panel.show(self.origin, shown)
        await trio.sleep(self._panel.taken(self._scenario.result_time))
        if self._card_in:
            await self._panel.notify(self.origin, "CardRemoved")

    def _book(self, state: State) -> None:
        self.transaction = self._ledger.update(self.transaction, state)
        done = self.transaction
        self._panel.say(f"{done.type} {done.amount} {done.currency}: {state}")

    def _answer(self, response: Element, slip: Slip | None) -> Element:
        data = poi_data(self.transaction)
        return compose.payment_response(self.request, response, data, self._scenario, slip)

    def _slip(self, *, approved: bool) -> Slip:
        return Slip(
            type=self.transaction.type,
            amount=self.transaction.amount,
            tip=self.transaction.tip,
            currency=self.transaction.currency,
            brand=self._scenario.brand,
            masked_pan=self._scenario.masked_pan,
            entry=self._scenario.entry,
            approved=approved,
            signature=self._scenario.signature,
            pin=self._digits > 0,
            approval_code=self._approval_code,
            receipt_number=self.transaction.poi_transaction_id,
            reference=self.transaction.sale_transaction_id,
            time=self._panel.now(),
        )


def poi_data(transaction: Transaction) -> dict[str, str]:
    """The attributes of POITransactionID."""
    return {"TransactionID": transaction.poi_transaction_id, "TimeStamp": transaction.timestamp}
