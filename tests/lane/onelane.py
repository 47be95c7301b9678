"""One lane for tests: it is brought to where it is by real events, with a clock of its own."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Self, TypeVar

import msgspec

from laned.config.schema import ButtonConfig, Config, TerminalConfig, TillButtonConfig
from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.machine import handle
from laned.lane.payment import Order, Payment
from laned.lane.start import JournalSnapshot, start
from laned.lane.state import Phase, Pursuit
from laned.lane.turn import Step
from laned.nexo import messages as m

SERIAL = "serial-1"
BEGIN = datetime(2025, 6, 7, 8, 9, 10, tzinfo=UTC)
FIRST_SERVICE_ID = 1000

S = TypeVar("S", bound=msgspec.Struct)


def configuration(**payment: Any) -> Config:
    """A lane's configuration with these settings in [payment]."""
    terminal = TerminalConfig(address="192.0.2.15:11000", poi_id="kiosk-7", sale_id="kassa-2")
    config = Config(terminal=terminal)
    return replace(config, payment=replace(config.payment, **payment))


def with_approve_button(config: Config) -> Config:
    """The configuration with an attendant's button."""
    return replace(config, buttons=replace(config.buttons, approve=ButtonConfig(pin=5)))


def light(config: Config | None = None) -> Config:
    """The configuration in light integration."""
    config = config or configuration()
    return replace(config, lane=replace(config.lane, mode="light"))


def with_till_button(config: Config) -> Config:
    """The configuration with a button of the till's own."""
    button = TillButtonConfig(pin=6, action="till")
    return replace(config, buttons=replace(config.buttons, till={"help": button}))


def replace(value: S, **changes: Any) -> S:
    """`msgspec.structs.replace`."""
    return msgspec.structs.replace(value, **changes)


def order(payment_id: str = "a", amount: str = "100.00", **changes: Any) -> Order:
    """What a till asks for."""
    return Order(
        **{
            "id": payment_id,
            "type": "payment",
            "amount": Decimal(amount),
            "currency": "SEK",
            "fingerprint": f"{payment_id} {amount} {changes}",
            **changes,
        }
    )


class Lane:
    """A lane, its clock, and everything that its steps asked for."""

    def __init__(
        self,
        config: Config | None = None,
        past: JournalSnapshot | None = None,
        *,
        at: float = 100.0,
    ) -> None:
        self.config = config or configuration()
        self.now = at
        self._tokens = 0
        self.sends: list[fx.Send] = []
        self.entries: list[fx.Entry] = []
        self.past = past or JournalSnapshot(next_service_id=FIRST_SERVICE_ID)
        self.last = start(self.config, self.past, self.moment())
        self._note(self.last)

    def moment(self) -> ev.Moment:
        self._tokens += 1
        wall = BEGIN + timedelta(seconds=self.now)
        return ev.Moment(monotonic=self.now, wall=wall, token=f"tok{self._tokens:05d}")

    def _note(self, step: Step) -> None:
        self.state = step.state
        self.last = step
        for effect in step.effects:
            if isinstance(effect, fx.Send):
                self.sends.append(effect)
            else:
                self.entries.append(effect.entry)

    def do(self, *events: ev.Event) -> Step:
        """Handle events now; the last step."""
        for event in events:
            self._note(handle(self.state, event, self.moment()))
        return self.last

    def then(self, event: ev.Event) -> Self:
        """The lane after this event."""
        self.do(event)
        return self

    def wait(self, seconds: float) -> Self:
        """Let time pass; whatever falls due happens when it does."""
        until, wake_at = self.now + seconds, self.state.wake_at
        while wake_at is not None and wake_at <= until:
            self.now = max(self.now, wake_at)
            self.do(ev.TimePassed())
            wake_at = self.state.wake_at
            assert wake_at is None or wake_at > self.now, "it would spin"
        self.now = until
        return self

    # -- Looking

    @property
    def phase(self) -> Phase:
        return self.state.phase

    @property
    def pursuit(self) -> Pursuit:
        assert self.state.pursuit is not None
        return self.state.pursuit

    @property
    def payment(self) -> Payment:
        """The payment that is unfinished, or else the one that was finished last."""
        payment = self.state.payment or self.state.settled
        assert payment is not None
        return payment

    def sent(self, body: type, among: list[fx.Send] | None = None) -> list[fx.Send]:
        """The requests with such a body, of this life or `among` others."""
        sends = self.sends if among is None else among
        return [send for send in sends if isinstance(send.message.body, body)]

    def sent_now(self, body: type) -> list[fx.Send]:
        """The requests with such a body of the last step."""
        sends = [effect for effect in self.last.effects if isinstance(effect, fx.Send)]
        return self.sent(body, sends)

    def ended(self) -> tuple[str, str | None]:
        """How the last payment ended: its state, its error's condition."""
        assert self.state.payment is None
        error = self.payment.error
        return str(self.payment.state), error.condition if error else None

    # -- What the terminal may answer

    def request(self) -> fx.Send:
        """The newest attempt: a PaymentRequest or a ReversalRequest."""
        attempts = (m.PaymentRequest, m.ReversalRequest)
        return [send for send in self.sends if isinstance(send.message.body, attempts)][-1]

    def response(self, condition: str | None = None, **changes: Any) -> Any:
        """The answer to the newest attempt: what was asked for, or this condition."""
        body = self.request().message.body
        outcome = m.Response(
            result="Success" if condition is None else "Failure", error_condition=condition or None
        )
        if isinstance(body, m.ReversalRequest):
            return replace(m.ReversalResponse(response=outcome), **changes)
        assert isinstance(body, m.PaymentRequest)
        response = m.PaymentResponse(
            response=outcome,
            sale_transaction=body.transaction,
            poi_transaction=m.TransactionID("poi-1", "2025-06-07T10:09:10+02:00"),
        )
        if condition is None:
            amounts = m.AmountsResp(authorized_amount=body.requested_amount, currency="SEK")
            response = replace(response, amounts=amounts, approval_code="A1", instrument="Card")
        return replace(response, **changes)

    def header(self, **changes: Any) -> m.Header:
        """The header of that answer."""
        return replace(m.response_header(self.request().message.header), **changes)

    def answered(
        self,
        condition: str | None = None,
        *,
        header: m.Header | None = None,
        poi_owner: str | None = None,
        **changes: Any,
    ) -> ev.AttemptAnswered:
        """That answer, on its own connection."""
        return ev.AttemptAnswered(
            service_id=self.service_id(),
            header=header or self.header(),
            response=self.response(condition, **changes),
            poi_owner=poi_owner,
        )

    def status(self, condition: str, result: str = "Failure") -> ev.StatusAnswered:
        """An answer to the question that is out, without a repeated message."""
        response = m.Response(result=result, error_condition=condition)
        return ev.StatusAnswered(
            service_id=self.asking(), response=m.TransactionStatusResponse(response=response)
        )

    def repeated(
        self,
        condition: str | None = None,
        *,
        header: m.Header | None = None,
        body: Any = None,
        poi_owner: str | None = None,
        repeated_of: str | None = None,
        **changes: Any,
    ) -> ev.StatusAnswered:
        """An answer to the question that is out which repeats the attempt's."""
        repeated = m.RepeatedMessage(
            header=header or self.header(), body=body or self.response(condition, **changes)
        )
        response = m.TransactionStatusResponse(
            response=m.Response(result="Success"), repeated=repeated
        )
        return ev.StatusAnswered(
            service_id=self.asking(),
            response=response,
            poi_owner=poi_owner,
            repeated_of=repeated_of,
        )

    def last_was(self, repeated_of: str | None, body: Any = None) -> ev.StatusAnswered:
        """An answer to the question that is out: the transaction of this payment of the journal.

        None: of nobody that the journal knows.
        """
        body = body or m.PaymentResponse(
            response=m.Response(result="Success"),
            sale_transaction=m.TransactionID("older.12345678", "t"),
            poi_transaction=m.TransactionID("poi-older", "t"),
            amounts=m.AmountsResp(authorized_amount=Decimal(7), currency="SEK"),
        )
        reversal = isinstance(body, m.ReversalResponse)
        category = m.Category.REVERSAL if reversal else m.Category.PAYMENT
        header = self.header(category=category, service_id="77")
        return self.repeated(header=header, body=body, repeated_of=repeated_of)

    @property
    def asks_for_last(self) -> bool:
        """Whether the newest question is what the terminal's last transaction was."""
        body = self.sent(m.TransactionStatusRequest)[-1].message.body
        assert isinstance(body, m.TransactionStatusRequest)
        return body.reference is None

    def service_id(self) -> str:
        """The newest attempt's ServiceID."""
        return self.request().message.header.service_id or ""

    def asking(self) -> str:
        """The ServiceID of the newest question; nobody's if there is none."""
        asked = self.sent(m.TransactionStatusRequest)
        return (asked[-1].message.header.service_id or "") if asked else "9"

    def not_sent(self) -> ev.AttemptNotSent:
        return ev.AttemptNotSent(self.service_id(), "no route")

    def lost(self) -> ev.AttemptLost:
        return ev.AttemptLost(self.service_id(), "the connection broke")

    def left(self) -> ev.AttemptSent:
        return ev.AttemptSent(self.service_id())

    def silent(self) -> ev.StatusFailed:
        return ev.StatusFailed(self.asking(), "no answer")


def receipt(*, signature: bool = True) -> m.Receipt:
    """The merchant's receipt of a payment that a person has to sign, or not."""
    return m.Receipt(
        qualifier="CashierReceipt",
        lines=("Signature:",),
        data={"Merchant": {}},
        signature_block=signature,
    )


def login(serial: str = SERIAL, condition: str | None = None) -> ev.LoginAnswered:
    """An answer to a Login."""
    result = "Success" if condition is None else "Failure"
    response = m.Response(result=result, error_condition=condition)
    return ev.LoginAnswered(m.LoginResponse(response=response, serial_number=serial, software="1"))


def shows(text: str = "Insert card", code: int | None = None) -> ev.DisplayShown:
    return ev.DisplayShown((m.OutputText(text, code),))


def asks(key: str = "k1", text: str = "Signature OK?", max_time: int | None = None) -> ev.Event:
    return ev.InputAsked(key, text, max_time)
