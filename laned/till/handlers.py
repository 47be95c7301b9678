"""What each of the till's routes does. The lane decides; this only asks and tells."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final, Protocol

import msgspec
import trio

from laned.http import sse
from laned.inbox import Handled, Submit
from laned.journal.reader import PaymentReader
from laned.lane import events as ev
from laned.lane.addresses import LEARN_FOR
from laned.lane.payment import Payment
from laned.lane.state import LaneState, Phase, Reason
from laned.offload import Offload
from laned.publishing import Watch
from laned.till import answers, bodies, problems
from laned.till.problems import ProblemError
from laned.till.query import BEFORE, LIMIT, SCALE, STATE
from laned.till.requests import Answer, EventStream, Request, answer
from laned.views import lane as views

RETRY_AFTER: Final = b"5"  # seconds; a session that is missing is tried for more often than that
NOBODY: Final = 65534  # uid of a caller that the socket does not name
LOGGING_IN: Final = (Phase.REVIEWING, Phase.LOGGING_IN)  # until a Login by hand is answered
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Panel(Protocol):
    """Whoever knows what the display shows (`laned.hardware.display.Display`), and how it fares."""

    frames: int
    errors: int

    def png(self, scale: int) -> bytes:
        """The newest frame as a PNG, each pixel `scale` wide: LookupError without one."""
        ...


class Figures(Protocol):
    """Whoever can write the lane's figures for Prometheus (`laned.system.metrics.Metrics`)."""

    @property
    def loaded(self) -> bool:
        """Whether `load` was called."""
        ...

    def load(self) -> None:
        """Get ready to; in a worker thread."""
        ...

    def text(self, state: LaneState, panel: Panel) -> bytes:
        """Write them."""
        ...


class VirtualButtons(Protocol):
    """Whoever can press buttons that are not there (`laned.hardware.buttons.Buttons`)."""

    names: tuple[str, ...]
    virtual: bool

    async def press(self, name: str, seconds: float) -> None:
        """Hold a virtual button for so many seconds."""
        ...


class Handlers:
    """What each route does. When `stop` is set, those who wait are answered as things stand."""

    def __init__(
        self,
        lane: Watch,
        inbox: Submit,
        payments: PaymentReader,
        *,
        panel: Panel,
        buttons: VirtualButtons,
        metrics: Figures,
        nursery: trio.Nursery,
        offload: Offload,
        stop: trio.Event,
    ) -> None:
        self._lane = lane
        self._inbox = inbox
        self._payments = payments
        self._panel = panel
        self._buttons = buttons
        self._metrics = metrics
        self._nursery = nursery
        self._offload = offload
        self._stop = stop

    # -- The lane

    async def lane(self, asked: Request[None]) -> Answer:
        """Answer with the whole lane."""
        return answer(200, views.lane(self._lane.state))

    async def events(self, asked: Request[None]) -> EventStream:
        """Stream the till events, `lane` first."""
        position = self._lane.position(asked.last_event_id)
        first = _event("lane", views.lane(self._lane.state))

        async def lines() -> AsyncIterator[bytes]:
            yield first
            async with aclosing(self._lane.listen(position)) as numbered:
                async for one in numbered:  # until the lane's last
                    yield _event(one.event.name, one.event.data, one.id)

        return EventStream(lines())

    async def display(self, asked: Request[None]) -> Answer:
        """Answer with the newest frame."""
        try:
            png = self._panel.png(SCALE.read(asked.query))
        except LookupError as error:
            raise ProblemError("not_found", str(error)) from None
        return Answer(status=200, content=png, content_type="image/png")

    async def press(self, asked: Request[bodies.PressBody]) -> Answer:
        """Press a virtual button, to the end, whether the till stays or not."""
        if not self._buttons.virtual or asked.name not in self._buttons.names:
            raise ProblemError("not_found", f"no virtual button {asked.name!r}")
        self._nursery.start_soon(self._buttons.press, asked.name, asked.body.seconds)
        return answer(202, answers.Press(asked.name, asked.body.seconds))

    async def metrics(self, asked: Request[None]) -> Answer:
        """Answer with the lane's figures."""
        if not self._metrics.loaded:
            await self._offload(self._metrics.load)
        content = self._metrics.text(self._lane.state, self._panel)
        return Answer(status=200, content=content, content_type=METRICS_TYPE)

    # -- Payments

    async def put_payment(self, asked: Request[bodies.PaymentBody]) -> Answer:
        """Make a payment, or tell of the one that was made by the same request."""
        config = self._lane.state.config
        order = bodies.order(asked.name, asked.body, config)
        problem = bodies.too_much(order, config)
        if problem is not None and await self._payments.find(order.id) is None:
            raise problem
        handled = await self._granted(ev.PaymentAsked(order))
        status = 200 if handled.repeated else 201
        return answer(status, await self._settled(asked.name, asked.wait, handled.payment))

    async def get_payment(self, asked: Request[None]) -> Answer:
        """Answer with a payment."""
        known = await self._find(asked.name)
        return answer(200, await self._settled(asked.name, asked.wait, known))

    async def _find(self, payment_id: str) -> Payment:
        found = await self._payments.find(payment_id)
        if found is None:
            raise ProblemError("not_found", f"no payment {payment_id[:36]!r}")
        return found

    async def _settled(self, payment_id: str, wait: float, known: Payment | None) -> Payment:
        """The payment when it is settled, or as it stands after the time the till would wait."""
        newest = views.payment(self._lane.state, payment_id) or known
        if newest is None:
            newest = await self._find(payment_id)  # long since settled and followed by others
        if not wait or newest.settled:
            return newest

        def settled(state: LaneState) -> Payment | None:
            nonlocal newest
            newest = views.payment(state, payment_id) or newest
            return newest if newest is not None and newest.settled else None

        async def end() -> None:
            await self._stop.wait()
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(end)
            with trio.move_on_after(wait):
                await self._lane.until(settled)
            nursery.cancel_scope.cancel()
        return newest

    async def payments(self, asked: Request[None]) -> Answer:
        """Answer with a page of payments."""
        state, limit = STATE.read(asked.query), LIMIT.read(asked.query)
        before = BEFORE.read(asked.query)
        found = await self._payments.page(state, limit, before)
        if found is None:
            raise ProblemError("invalid", f"no payment {before!r}", field=BEFORE.name)
        return answer(200, answers.Payments(tuple(found)))

    async def abort(self, asked: Request[bodies.RequestBody]) -> Answer:
        """Ask for a payment to end."""
        return answer(202, await self._changed(asked.name, ev.AbortAsked(asked.name)))

    async def confirm(self, asked: Request[bodies.RequestBody]) -> Answer:
        """Confirm a pending payment."""
        return answer(202, await self._changed(asked.name, ev.ConfirmAsked(asked.name)))

    async def reversal(self, asked: Request[bodies.ReversalBody]) -> Answer:
        """Have a payment reversed."""
        event = ev.ReversalAsked(payment_id=asked.name, reason=asked.body.reason)
        return answer(202, await self._changed(asked.name, event))

    async def resolve(self, asked: Request[bodies.ResolveBody]) -> Answer:
        """Take a person's word on an unknown payment."""
        uid = asked.peer.uid if asked.peer is not None else NOBODY
        state, note = asked.body.state, asked.body.note
        event = ev.ResolveAsked(payment_id=asked.name, state=state, note=note, uid=uid)
        return answer(200, await self._changed(asked.name, event))

    async def _changed(self, payment_id: str, event: ev.Event) -> Payment:
        """Have an event about a payment handled; the payment as it stands then."""
        handled = await self._granted(event)
        return handled.payment or await self._find(payment_id)

    async def _granted(self, event: ev.Event) -> Handled:
        """Have an event handled; raise the lane's refusal, if it refuses."""
        handled = await self._inbox.handle(event)
        refusal = handled.refusal
        if refusal is None:
            return handled
        code = msgspec.convert(refusal.code, problems.Code)
        retry = code == "terminal_unavailable"
        headers = ((b"retry-after", RETRY_AFTER),) if retry else ()
        raise ProblemError(code, refusal.detail, active=refusal.active, headers=headers)

    async def acknowledge(self, asked: Request[bodies.RequestBody]) -> Answer:
        """Take payments again with a new journal."""
        await self._granted(ev.JournalAcknowledged())
        return answer(200, views.lane(self._lane.state))

    async def prompt(self, asked: Request[bodies.PromptBody]) -> Answer:
        """Answer a prompt."""
        await self._granted(ev.PromptAnswered(asked.name, asked.body.confirmed))
        return answer(200, answers.PromptAnswer(asked.name, asked.body.confirmed))

    # -- The session

    async def login(self, asked: Request[bodies.RequestBody]) -> Answer:
        """Log in, and wait for how that ends."""
        await self._granted(ev.LoginAsked())
        state = await self._lane.until(
            lambda state: state if state.phase not in LOGGING_IN else None
        )
        if state.phase is Phase.OFFLINE and state.reason in (Reason.UNREACHABLE, Reason.NO_ADDRESS):
            raise ProblemError("terminal_unavailable", "the terminal does not answer")
        if state.phase is Phase.OFFLINE:
            raise ProblemError("terminal_refused", f"the terminal says {state.why}")
        return answer(200, views.session(state))

    async def logout(self, asked: Request[bodies.LogoutBody]) -> Answer:
        """Log out, and wait for how that ends."""
        await self._granted(ev.LogoutAsked(asked.body.maintenance))
        state = await self._lane.until(
            lambda state: None if state.phase in (Phase.LOGGING_OUT, *LOGGING_IN) else state
        )
        if state.phase is Phase.READY:
            raise ProblemError("terminal_refused", "the terminal is too busy to log out")
        return answer(200, views.session(state))

    async def learn(self, asked: Request[bodies.RequestBody]) -> Answer:
        """Let the lane's first terminal announce itself from anywhere."""
        await self._granted(ev.LearnAsked())
        return answer(200, answers.Learning(LEARN_FOR))

    async def update(self, asked: Request[bodies.RequestBody]) -> Answer:
        """Have the terminal look for updates, and wait for how that ends."""
        await self._granted(ev.UpdateAsked())
        state = await self._lane.until(
            lambda state: state if state.phase is not Phase.UPDATING else None
        )
        if state.updated == Reason.UNREACHABLE:
            raise ProblemError("terminal_unavailable", "the terminal does not answer")
        if state.updated:
            raise ProblemError("terminal_refused", f"the terminal says {state.updated}")
        return answer(200, views.session(state))


def _event(name: str, data: object, event_id: int | None = None) -> bytes:
    return sse.written(name, msgspec.json.encode(data), event_id)
