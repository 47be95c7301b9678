"""The simulated terminal as a till sees it: session, one request at a time.

Source: protocol description, sections Transport, Session and Payment. What these leave open is
decided here and said where it is decided.
"""

import random
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from xml.etree.ElementTree import Element

import httpx
import trio
from msgspec import Struct
from msgspec.structs import replace

from laned.simulator import compose, wire
from laned.simulator.device import Device, Link
from laned.simulator.dialogue import Dialogue, Payment, Remember
from laned.simulator.ledger import Ledger, Transaction
from laned.simulator.listener import Origin
from laned.simulator.memory import asked_for, names
from laned.simulator.panel import Panel
from laned.simulator.reversal import Reversal, not_reversible
from laned.simulator.scenarios import SCENARIOS, Mishap, Scenario
from laned.simulator.settings import Settings, StatusAnswer
from laned.simulator.wire import Message

IDLE_AFTER = 0.3
"""Seconds between a response and the idle text."""
NOBODYS = "9999999999"
"""A ServiceID that no till sends."""
PAYMENT_TYPES = ("Normal", "Refund")


class Reply(Struct, frozen=True):
    """An HTTP answer: a status, and a message if there is one."""

    status: int
    body: bytes = b""
    cut: bool = False
    """The connection breaks before the message has come."""


Handler = Callable[[Message], Awaitable[Reply]]
"""Answers a request of one category."""


class Terminal(Device):
    """A card terminal. `run` must be running for it to answer.

    ``callback`` is the till's listener as a base URL (empty: none), reached through
    ``callback_client``; ``on_event`` gets one line for each thing that happens. The same ``rng``
    seed, clock and requests give the same behaviour.
    """

    def __init__(
        self,
        *,
        scenario: Scenario = SCENARIOS["happy"],
        settings: Settings | None = None,
        callback: str = "",
        callback_client: httpx.AsyncClient | None = None,
        rng: random.Random | None = None,
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
        on_event: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__(
            scenario=scenario,
            settings=settings or Settings(),
            callback=callback,
            callback_client=callback_client,
            rng=rng or random.Random(),  # noqa: S311 - no secret
            now=now,
            on_event=on_event,
        )
        self.next_scenarios: deque[Scenario] = deque()
        """Scenarios of the next payments; when it is empty, `scenario` is taken."""
        self.taking_up = ""
        """The ServiceID of the payment that is or was taken up last, for who chooses scenarios."""
        self.admin_requests = 0
        """How often it was asked to look for updates."""
        self._busy_until = -float("inf")
        self._kept_waiting = False
        self._service_ids: set[str] = set()
        self._last_number = self._rng.randrange(6_000_000_000, 7_000_000_000)

    async def handle(self, raw: bytes) -> Reply:
        """Answer one posted message; a payment's answer comes when the payment is over."""
        if self._nursery is None or not self.powered:
            return Reply(503)
        reply = await self._answer(raw) if self.reachable else Reply(503)
        if self.link is Link.SILENT:
            await trio.sleep_forever()  # until the till hangs up
        return reply if self.reachable else Reply(503, cut=True)

    async def _answer(self, raw: bytes) -> Reply:
        try:
            message = wire.read_request(raw)
        except wire.UnreadableError as error:
            self.record.violation(str(error))
            return Reply(400)
        self.record.received(message, raw)
        faults = [*message.faults, *self._repeated(message)]
        for violation in (*message.remarks, *faults):
            self.record.violation(violation)
        if self.in_maintenance and self._maintenance_told:
            self.record.violation(f"{message.category} in maintenance")
        if message.category == "Abort":
            return self._abort(message, raw, broken=bool(faults))
        if faults:
            return self._refuse(message, compose.failure("MessageFormat", faults[0]))
        if self.in_maintenance:
            return self._refuse(message, compose.failure("NotAllowed", "In maintenance"))
        handlers: dict[str, Handler] = {
            "Login": self._login,
            "TransactionStatus": self._status,
            "Payment": self._payment,
            "Reversal": self._reversal,
        }
        if message.category not in handlers:
            return self._at_once(message)
        handler = handlers[message.category]
        if message.category in ("Payment", "Reversal") and self.settings.taken_up_late:
            return await self._take_up_late(handler, message)
        return await handler(message)

    async def _take_up_late(self, handler: Handler, message: Message) -> Reply:
        """Handle a request later, in the terminal's own task: its sender may hang up meanwhile."""
        boots, replies, handled = self._boots, list[Reply](), trio.Event()

        async def take_up() -> None:
            await trio.sleep(self._panel.scaled(self.settings.taken_up_late))
            if boots != self._boots:
                return
            self.record.say(f"takes up {message.category} {message.service_id}")
            replies.append(await handler(message))
            handled.set()

        self._start(take_up)
        await handled.wait()
        return replies[0]

    def _repeated(self, message: Message) -> list[str]:
        # The vendor says unique in a session; what identifies a payment is unique for ever here,
        # so this set and the ledger grow as long as the terminal lives.
        if message.service_id in self._service_ids:
            return [f"{message.category}: ServiceID {message.service_id} was used before"]
        self._service_ids.add(message.service_id)
        return []

    def _outside(self, message: Message) -> Element | None:
        """Why a request has no session to run in, if so."""
        if self.session is None:
            return compose.failure("NotAllowed", f"{message.sale_id} is not logged in")
        found = (message.poi_id, message.sale_id)
        session = (self.session.poi_id, self.session.sale_id)
        if found != session:
            text = f"POIID and SaleID are {found}, those of the session {session}"
            self.record.violation(f"{message.category}: {text}")
            return compose.failure("NotAllowed", text)
        return None

    def _hindered(self, message: Message) -> Element | None:
        """Why a request that needs the terminal for itself cannot run now, if so."""
        outside = self._outside(message)
        if outside is not None:
            return outside
        if self._running is not None:
            other = f"{self._running.request.category} {self.running}"
            self.record.violation(f"{message.category} {message.service_id} while {other} runs")
            return compose.failure("Busy", f"POI Terminal Busy with {other}")
        if self._own_work or trio.current_time() < self._busy_until:
            return _unavailable()
        return None

    def _reply(self, message: Message, body: Element) -> Reply:
        header = compose.response_header(message)
        return Reply(200, wire.write(compose.envelope("SaleToPOIResponse", header, body)))

    def _refuse(self, message: Message, response: Element) -> Reply:
        number = {"TransactionID": self._new_number(), "TimeStamp": compose.timestamp(self._now())}
        body = compose.refusal(message, response, number)
        condition = response.get("ErrorCondition")
        if self.settings.remembers_refusals and message.category in ("Payment", "Reversal"):
            self._memory.remember(message, body)
        self.record.say(f"refused {message.category} {message.service_id}: {condition}")
        return self._reply(message, body)

    def _new_number(self) -> str:
        self._last_number += 1
        return str(self._last_number)

    async def _login(self, message: Message) -> Reply:
        now = trio.current_time()
        updated = now + self._panel.scaled(self.settings.new_poi_busy)
        if now < self._poi_ids.setdefault(message.poi_id, updated):
            text = "POI Terminal Temporarily Unavailable: new POIID, updating parameters"
            return self._refuse(message, compose.failure("Busy", text))
        if self._own_work:
            return self._refuse(message, _unavailable())
        if self._running is not None:  # it is what ends it
            other = f"{self._running.request.category} {self.running}"
            self.record.violation(f"Login {message.service_id} while {other} runs")
        stopped = self._stop()
        if stopped is not None and stopped.response is not None:
            stopped.answered.set()
        posts = wire.capabilities(message.body) != wire.LIGHT
        self.session = self._till = Origin(message.poi_id, message.sale_id, posts)
        self.maintenance_allowed = False
        self._note()
        self._panel.operator_language = message.body.get("OperatorLanguage", "")
        self._busy_until = now + self._panel.scaled(self.settings.busy_after_login)
        self._start(self._greet, self.session)
        return self._reply(message, compose.login_response(self.settings, self._now()))

    async def _greet(self, session: Origin) -> None:
        await self._panel.show(session, "please_wait")
        await self._welcome(session, self.settings.busy_after_login)
        if self.maintenance_required and self.session is session:
            await self._ask_for_maintenance()

    async def _welcome(self, session: Origin, after: float) -> None:
        await trio.sleep(self._panel.scaled(after))
        if self.session is session and self._running is None:
            await self._panel.show(session, "welcome")

    def _at_once(self, message: Message) -> Reply:
        """Logout, Admin, and what is not simulated."""
        hindered = self._hindered(message)
        if hindered is not None:
            return self._refuse(message, hindered)
        if message.category == "Logout":
            self.session = None
            self.maintenance_allowed = message.body.get("MaintenanceAllowed") in ("true", "1")
            self._panel.display = (self._panel.text("closed")[1],)
            self.record.say(f"logged out, maintenance allowed: {self.maintenance_allowed}")
            if self.maintenance_required and self.maintenance_allowed:
                self._start(self._maintain)
        elif message.category == "Admin":
            self.admin_requests += 1
        else:
            text = f"{message.category} is not simulated"
            return self._refuse(message, compose.failure("UnavailableService", text))
        return self._reply(message, compose.simple(message.category, compose.success()))

    def _abort(self, message: Message, raw: bytes, *, broken: bool) -> Reply:
        """Aborts have no response; what came of one is seen in the payment's own answer."""
        reference = message.body.find("MessageReference")
        asked = {} if reference is None else dict(reference.attrib)
        running = self._running
        ignored = broken or self._outside(message) is not None or "ServiceID" not in asked
        if ignored or running is None or not names(asked, running.request):
            self._reject(message, raw)
        elif running.question_open:
            self.record.violation("Abort while the signature question is open")
        else:
            taken = running.abort()
            self.record.say(f"abort of {self.running}{'' if taken else ': too late'}")
        return Reply(204)

    def _reject(self, message: Message, raw: bytes) -> None:
        # Default integration is told that an abort named nothing that runs; light is not.
        self.record.say(f"ignored Abort {message.service_id}")
        if self.session is not None and self.session.posts:
            self._start(self._notify_reject, self.session, raw)

    async def _notify_reject(self, session: Origin, raw: bytes) -> None:
        details = "The message to abort is not running"
        await self._panel.notify(session, "Reject", details=details, rejected=raw)

    async def _status(self, message: Message) -> Reply:
        if self.settings.status is StatusAnswer.MUTE:
            await trio.sleep_forever()  # until the till hangs up
        if self.settings.status is StatusAnswer.HTTP_ERROR:
            return Reply(500)
        reply = self._told(message, self.settings.status)
        if self.settings.status is StatusAnswer.UNREADABLE:
            return replace(reply, body=reply.body[: len(reply.body) // 2])
        return reply

    def _told(self, message: Message, way: StatusAnswer) -> Reply:
        """What a TransactionStatus is answered that is answered with a message."""
        outside = self._outside(message)
        if outside is not None:
            return self._refuse(message, outside)
        asked = asked_for(message)
        runs = self._running is not None and names(asked, self._running.request)
        denied = self.settings.denies_work or way in (StatusAnswer.FOREIGN, StatusAnswer.NOT_FOUND)
        if way is StatusAnswer.BUSY or (runs and not denied):
            return self._refuse(message, compose.failure("Busy", "The transaction is running"))
        found = self._memory.find({} if way is StatusAnswer.FOREIGN else asked)
        if found is None or way is StatusAnswer.NOT_FOUND:
            return self._refuse(message, compose.failure("NotFound", "No such transaction"))
        foreign = {"ServiceID": NOBODYS} if way is StatusAnswer.FOREIGN else {}
        header = found.header | foreign
        return self._reply(message, compose.status_response(header, found.body))

    async def _payment(self, message: Message) -> Reply:
        hindered = self._hindered(message)
        kind = wire.payment_type(message.body)
        if hindered is None and kind not in PAYMENT_TYPES:
            hindered = compose.failure("UnavailableService", f"{kind} is not simulated")
        if hindered is not None:
            return self._refuse(message, hindered)
        self.taking_up = message.service_id
        scenario = self.next_scenarios.popleft() if self.next_scenarios else self.scenario
        if scenario.busy and not self._kept_waiting:
            self._kept_waiting = True
            self.next_scenarios.appendleft(scenario)  # of the next attempt
            self._busy_until = trio.current_time() + self._panel.scaled(scenario.busy)
            return self._refuse(message, _unavailable())
        self._kept_waiting = False
        amounts = "PaymentTransaction/AmountsReq"
        transaction = Transaction(
            type=kind,
            amount=Decimal(message.find(amounts, "RequestedAmount")),
            currency=message.find(amounts, "Currency"),
            sale_transaction_id=message.find("SaleData/SaleTransactionID", "TransactionID"),
            service_id=message.service_id,
            sale_id=message.sale_id,
            poi_id=message.poi_id,
            poi_transaction_id=self._new_number(),
            timestamp=compose.timestamp(self._now()),
            tip=scenario.tip if kind == "Normal" else Decimal(0),
        )
        self.record.say(f"{kind} {transaction.amount} {transaction.currency}: {scenario.name}")
        return await self._perform(Payment(*self._setting(message), scenario, transaction))

    async def _reversal(self, message: Message) -> Reply:
        hindered = self._hindered(message)
        if hindered is None:
            hindered = not_reversible(message, self.ledger, self._reversible, self.record.violation)
        if hindered is not None:
            return self._refuse(message, hindered)
        assert self._reversible is not None
        return await self._perform(Reversal(*self._setting(message), self._reversible))

    def _setting(self, message: Message) -> tuple[Message, Origin, Panel, Ledger, Remember]:
        """What every dialogue is given."""
        assert self.session is not None
        origin = replace(self.session, service_id=message.service_id)
        return message, origin, self._panel, self.ledger, self._memory.remember

    async def _perform(self, dialogue: Dialogue) -> Reply:
        """Let the terminal's own task do it; the till may hang up meanwhile."""
        self._running = dialogue
        self._start(self._carry_out, dialogue)
        await dialogue.answered.wait()
        if dialogue.mishap is not None:
            return Reply(200, cut=True)
        assert dialogue.response is not None
        return self._reply(dialogue.request, dialogue.response)

    async def _carry_out(self, dialogue: Dialogue) -> None:
        with dialogue.scope:
            await dialogue.run()
            # No checkpoint from here to the answer: a reset finds it running or answered.
            if dialogue.response is not None:  # else it is the restart that ends it
                self._running = None
                self._reversible = dialogue.reversible
                busy = self._panel.scaled(self.settings.busy_after_payment)
                self._busy_until = trio.current_time() + busy
            dialogue.answered.set()
            told = "answered" if dialogue.mishap is None else "cut off before answering"
            self.record.say(f"{told} {dialogue.request.category} {dialogue.request.service_id}")
        if dialogue.scope.cancelled_caught:
            return
        if dialogue.mishap in (Mishap.REBOOT, Mishap.AMNESIA):
            await self.reboot(forget=dialogue.mishap is Mishap.AMNESIA)
        elif self.session is not None:
            await self._welcome(self.session, IDLE_AFTER)


def _unavailable() -> Element:
    return compose.failure("Busy", "POI Terminal Temporarily Unavailable")
