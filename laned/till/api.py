"""The till's routes and what each of them does. The lane decides; this only asks and tells."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Final, Protocol

import msgspec
import trio

from laned.http.asgi import (
    BodyTimeout,
    BodyTooLarge,
    Disconnected,
    Receive,
    Scope,
    Send,
    disconnected,
    guarded,
    read_body,
    respond,
    stream_events,
)
from laned.journal.store import AnyJournal, JournalError, Stored
from laned.lane import events as ev
from laned.lane.addresses import LEARN_FOR
from laned.lane.payment import Payment, PaymentState
from laned.lane.state import LaneState, Phase, Reason
from laned.lane.turn import Refusal
from laned.offload import Offload
from laned.publishing import Told
from laned.runner import Handled, LaneStopped, Runner
from laned.till import bodies, problems
from laned.till.openapi import document
from laned.till.problems import ProblemError
from laned.till.requests import Answer, Request, answer, number, request
from laned.till.routes import ROUTES, Route
from laned.till.streams import Streams
from laned.views import lane as views

BODY_WITHIN: Final = 10.0  # seconds for a whole request to arrive
RETRY_AFTER: Final = b"5"  # seconds; a session that is missing is tried for more often than that
NOBODY: Final = 65534  # uid of a caller that the socket does not name
PAGE: Final = 100  # payments in one answer, unless the till says otherwise
MAX_PAGE: Final = 1000
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


class TillAPI:
    """The till's side of the lane, as an ASGI app. `stop` ends streams and waits."""

    def __init__(
        self,
        runner: Runner,
        *,
        journal: AnyJournal,
        offload: Offload,
        panel: Panel,
        buttons: VirtualButtons,
        metrics: Figures,
        nursery: trio.Nursery,
        stop: trio.Event,
    ) -> None:
        self._runner = runner
        self._journal = journal
        self._offload = offload
        self._panel = panel
        self._buttons = buttons
        self._metrics = metrics
        self._nursery = nursery
        self._stop = stop
        self._streams = Streams()
        self._openapi = answer(200, document(ROUTES))
        self._handlers: dict[str, Callable[[Request], Awaitable[Answer]]] = {
            "lane": self._lane,
            "put_payment": self._put_payment,
            "get_payment": self._get_payment,
            "payments": self._payments,
            "abort": self._abort,
            "confirm": self._confirm,
            "reversal": self._reversal,
            "resolve": self._resolve,
            "acknowledge": self._acknowledge,
            "prompt": self._prompt,
            "login": self._login,
            "logout": self._logout,
            "learn": self._learn,
            "update": self._update,
            "display": self._display,
            "press": self._press,
            "metrics": self._the_metrics,
            "openapi": self._the_openapi,
        }
        internal = ProblemError("internal", "a fault in laned; its log says more")
        self.app = guarded(self._app, body=internal.body, content_type=problems.CONTENT_TYPE)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            route, asked = await self._take_in(scope, receive)
            if route.name == "events":
                with self._streams.one_more(asked.peer):
                    await self._events(asked, receive, send)
                return
            reply = await self._waiting_for(self._handlers[route.name](asked), receive)
        except ProblemError as problem:
            await _respond_problem(send, problem)
        except LaneStopped:
            detail = "the daemon is stopping"
            await _respond_problem(send, ProblemError("terminal_unavailable", detail))
        except JournalError as error:
            await _respond_problem(send, ProblemError("journal_unavailable", str(error)))
        else:
            await respond(send, reply.status, reply.content, reply.content_type)

    async def _take_in(self, scope: Scope, receive: Receive) -> tuple[Route, Request]:
        try:
            body = await read_body(receive, bodies.MAX_BODY, BODY_WITHIN)
        except BodyTooLarge as error:
            raise ProblemError("too_large", str(error)) from None
        except BodyTimeout as error:
            raise ProblemError("bad_request", str(error)) from None
        there = [
            (route, name) for route in ROUTES if (name := route.match(scope["path"])) is not None
        ]
        if not there:
            raise ProblemError("not_found", f"nothing is at {scope['path'][:200]!r}")
        for route, name in there:
            if route.method == scope["method"]:
                return route, request(scope, name, body, route.query_names)
        allow = ", ".join(sorted(route.method for route, _ in there))
        raise ProblemError(
            "method_not_allowed",
            f"{scope['method']} is not {allow}",
            headers=((b"allow", allow.encode()),),
        )

    async def _waiting_for(self, work: Awaitable[Answer], receive: Receive) -> Answer:
        """Do the work; a till that goes away meanwhile changes nothing: Disconnected."""
        found: list[Answer] = []
        problem: list[Exception] = []

        async def watch() -> None:
            await disconnected(receive)
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            try:
                found.append(await work)
            except (ProblemError, LaneStopped, JournalError) as error:
                problem.append(error)  # not through the nursery, which would wrap it
            nursery.cancel_scope.cancel()
        if problem:
            raise problem[0]
        if not found:
            raise Disconnected
        return found[0]

    # -- The lane

    async def _lane(self, asked: Request) -> Answer:
        return answer(200, views.lane(self._runner.state))

    async def _events(self, asked: Request, receive: Receive, send: Send) -> None:
        position = self._runner.position(asked.last_event_id)
        first = _event("lane", views.lane(self._runner.state), None)

        async def source() -> AsyncIterator[bytes]:
            yield first
            async with aclosing(self._runner.listen(position)) as news:
                async for told in news:
                    yield _told(told)

        await stream_events(receive, send, source())  # `listen` ends with the lane's last news

    async def _display(self, asked: Request) -> Answer:
        scale = number(asked.query, "scale", 1, 1, 8)
        try:
            png = self._panel.png(scale)
        except LookupError as error:
            raise ProblemError("not_found", str(error)) from None
        return Answer(status=200, content=png, content_type="image/png")

    async def _press(self, asked: Request) -> Answer:
        body = bodies.read(asked.body, bodies.PressBody)
        if not self._buttons.virtual or asked.name not in self._buttons.names:
            raise ProblemError("not_found", f"no virtual button {asked.name!r}")
        # pressed to the end, whether the till stays or not
        self._nursery.start_soon(self._buttons.press, asked.name, body.seconds)
        return answer(202, {"name": asked.name, "seconds": body.seconds})

    async def _the_metrics(self, asked: Request) -> Answer:
        if not self._metrics.loaded:
            await self._offload(self._metrics.load)
        content = self._metrics.text(self._runner.state, self._panel)
        return Answer(status=200, content=content, content_type=METRICS_TYPE)

    async def _the_openapi(self, asked: Request) -> Answer:
        return self._openapi

    # -- Payments

    async def _put_payment(self, asked: Request) -> Answer:
        config = self._runner.state.config
        order = bodies.order(asked.name, bodies.read(asked.body, bodies.PaymentBody), config)
        problem = bodies.too_much(order, config)
        if problem is not None and await self._stored(order.id) is None:
            raise problem
        handled = await self._runner.handle(ev.PaymentAsked(order))
        _granted(handled)
        status = 201 if handled.repeated is None else 200
        return answer(status, await self._settled(asked, handled.repeated))

    async def _get_payment(self, asked: Request) -> Answer:
        return answer(200, await self._settled(asked, await self._find(asked.name)))

    async def _stored(self, payment_id: str) -> Stored | None:
        return await self._offload(lambda: self._journal.find(payment_id))

    async def _find(self, payment_id: str) -> Payment:
        stored = await self._stored(payment_id)
        if stored is None:
            raise ProblemError("not_found", f"no payment {payment_id[:36]!r}")
        return stored.payment

    async def _settled(self, asked: Request, known: Payment | None) -> Payment:
        """The payment when it is final, or as it stands after the time the till would wait."""
        newest = known

        def look(state: LaneState) -> Payment | None:
            nonlocal newest
            for payment in (state.settled, state.payment):  # what is being reversed is in both
                if payment is not None and payment.id == asked.name:
                    newest = payment
            return newest if newest is not None and newest.settled else None

        look(self._runner.state)
        if newest is None:
            newest = await self._find(asked.name)  # long since settled and followed by others
        if asked.wait and not newest.settled:
            async with trio.open_nursery() as nursery:

                async def end() -> None:
                    await self._stop.wait()
                    nursery.cancel_scope.cancel()

                nursery.start_soon(end)
                with trio.move_on_after(asked.wait):
                    await self._runner.until(look)
                nursery.cancel_scope.cancel()
        return newest

    async def _payments(self, asked: Request) -> Answer:
        state = asked.query.get("state")
        if state is not None and state not in list(PaymentState):
            known = ", ".join(PaymentState)
            raise ProblemError("invalid", f"{state!r} is none of {known}", field="state")
        limit = number(asked.query, "limit", PAGE, 1, MAX_PAGE)
        before = asked.query.get("before")
        wanted = PaymentState(state) if state else None
        found = await self._offload(lambda: self._journal.payments(wanted, limit, before))
        if found is None:
            raise ProblemError("invalid", f"no payment {before!r}", field="before")
        return answer(200, {"payments": found})

    async def _abort(self, asked: Request) -> Answer:
        return await self._wish(asked, ev.AbortAsked(asked.name))

    async def _confirm(self, asked: Request) -> Answer:
        return await self._wish(asked, ev.ConfirmAsked(asked.name))

    async def _wish(self, asked: Request, event: ev.Event) -> Answer:
        """Bring a wish about a payment that exists; answered with the payment."""
        bodies.read(asked.body, bodies.RequestBody)
        await self._find(asked.name)
        _granted(await self._runner.handle(event))
        return answer(202, await self._find(asked.name))

    async def _reversal(self, asked: Request) -> Answer:
        body = bodies.read(asked.body, bodies.ReversalBody)
        await self._find(asked.name)
        event = ev.ReversalAsked(payment_id=asked.name, reason=body.reason)
        _granted(await self._runner.handle(event))
        return answer(202, await self._find(asked.name))

    async def _resolve(self, asked: Request) -> Answer:
        body = bodies.read(asked.body, bodies.ResolveBody)
        await self._find(asked.name)
        uid = asked.peer.uid if asked.peer is not None else NOBODY
        event = ev.ResolveAsked(payment_id=asked.name, state=body.state, note=body.note, uid=uid)
        _granted(await self._runner.handle(event))
        return answer(200, await self._find(asked.name))

    async def _acknowledge(self, asked: Request) -> Answer:
        bodies.read(asked.body, bodies.RequestBody)
        _granted(await self._runner.handle(ev.JournalAcknowledged()))
        return answer(200, views.lane(self._runner.state))

    async def _prompt(self, asked: Request) -> Answer:
        body = bodies.read(asked.body, bodies.PromptBody)
        _granted(await self._runner.handle(ev.PromptAnswered(asked.name, body.confirmed)))
        return answer(200, {"id": asked.name, "answer": body.confirmed, "by": "till"})

    # -- The session

    async def _login(self, asked: Request) -> Answer:
        bodies.read(asked.body, bodies.RequestBody)
        _granted(await self._runner.handle(ev.LoginAsked()))
        state = await self._runner.until(
            lambda state: state if state.phase not in LOGGING_IN else None
        )
        if state.phase is Phase.OFFLINE and state.reason in (Reason.UNREACHABLE, Reason.NO_ADDRESS):
            raise ProblemError("terminal_unavailable", "the terminal does not answer")
        if state.phase is Phase.OFFLINE:
            raise ProblemError("terminal_refused", f"the terminal says {state.why}")
        return answer(200, views.session(state))

    async def _logout(self, asked: Request) -> Answer:
        body = bodies.read(asked.body, bodies.LogoutBody)
        _granted(await self._runner.handle(ev.LogoutAsked(body.maintenance)))
        state = await self._runner.until(
            lambda state: None if state.phase in (Phase.LOGGING_OUT, *LOGGING_IN) else state
        )
        if state.phase is Phase.READY:
            raise ProblemError("terminal_refused", "the terminal is too busy to log out")
        return answer(200, views.session(state))

    async def _learn(self, asked: Request) -> Answer:
        bodies.read(asked.body, bodies.RequestBody)
        _granted(await self._runner.handle(ev.LearnAsked()))
        return answer(200, {"seconds": LEARN_FOR})

    async def _update(self, asked: Request) -> Answer:
        bodies.read(asked.body, bodies.RequestBody)
        _granted(await self._runner.handle(ev.UpdateAsked()))
        state = await self._runner.until(
            lambda state: state if state.phase is not Phase.UPDATING else None
        )
        if state.updated == Reason.UNREACHABLE:
            raise ProblemError("terminal_unavailable", "the terminal does not answer")
        if state.updated:
            raise ProblemError("terminal_refused", f"the terminal says {state.updated}")
        return answer(200, views.session(state))


def _granted(handled: Handled) -> None:
    """Raise the lane's refusal, if it refused."""
    refusal: Refusal | None = handled.refusal
    if refusal is not None:
        code = msgspec.convert(refusal.code, problems.Code)
        retry = code == "terminal_unavailable"
        headers = ((b"retry-after", RETRY_AFTER),) if retry else ()
        raise ProblemError(code, refusal.detail, active=refusal.active, headers=headers)


async def _respond_problem(send: Send, problem: ProblemError) -> None:
    kind, headers = problems.CONTENT_TYPE, problem.headers
    await respond(send, problem.status, problem.body, kind, headers)


def _told(told: Told) -> bytes:
    return _event(told.news.name, told.news.data, told.id)


def _event(name: str, data: object, event_id: int | None) -> bytes:
    line = b"" if event_id is None else b"id: %d\n" % event_id
    return b"%sevent: %s\ndata: %s\n\n" % (line, name.encode(), msgspec.json.encode(data))
