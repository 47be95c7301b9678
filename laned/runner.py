"""The runner: the one task that owns the lane.

For each event, in this order: handle, record (on disk), publish, send, answer (money rule 1).
Whoever waits for an event to be handled is answered last, so nobody is told anything that is not on
disk. A bug in here ends the daemon; the journal carries on from where it stood.
"""

import logging
import math
import secrets
import string
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Final, Protocol, TypeVar

import msgspec
import trio

from laned.inbox import INBOX, SUBMITTED, Handled, Inquiry, LaneStopped
from laned.journal.store import AnyJournal, JournalError
from laned.lane import events as ev
from laned.lane.effects import Entry, Record, Send
from laned.lane.exchanges import Exchange, event_for
from laned.lane.machine import handle
from laned.lane.payment import Payment
from laned.lane.state import LaneState, Phase
from laned.lane.turn import Refusal, Step
from laned.nexo import messages as m
from laned.offload import Offload
from laned.publishing import Publisher
from laned.system.clock import Clock, local_zone
from laned.views.lane import payment

log = logging.getLogger("laned.lane")
T = TypeVar("T")

WRITE_FOR: Final = 10.0  # seconds for which an outcome that cannot be recorded is tried again
WRITE_AGAIN: Final = 0.5  # seconds between two tries
_NEW: Final = (ev.PaymentAsked, ev.ReversalAsked)  # begun only if the journal can take it
_LETTERS: Final = string.ascii_letters + string.digits


class Terminal(Protocol):
    """Whoever carries messages to the terminal (`laned.terminal.client.TerminalClient`)."""

    async def exchange(
        self, message: m.Message, address: str, within: float, sent: Callable[[], Awaitable[None]]
    ) -> Exchange:
        """Send a message, and say how it ended; `sent` when the last byte has left."""
        ...


_clock = Clock()


def real_moment() -> ev.Moment:
    """Now, by this machine's clocks."""
    return ev.Moment(
        monotonic=trio.current_time(),
        wall=datetime.now(local_zone()),
        token="".join(secrets.choice(_LETTERS) for _ in range(8)),
        synchronised=_clock.synchronised,
    )


class Runner:
    """Owns the lane: its state and its inbox. Tells what happens through its `publisher`."""

    def __init__(
        self,
        first: Step,
        *,
        publisher: Publisher,
        journal: AnyJournal,
        offload: Offload,
        terminal: Terminal,
        moment: Callable[[], ev.Moment] = real_moment,
    ) -> None:
        self._first = first
        self._publisher = publisher
        self._journal = journal
        self._offload = offload
        self._terminal = terminal
        self._moment = moment
        self._inbox, self._events = trio.open_memory_channel[Inquiry](INBOX)
        self._room = trio.Semaphore(SUBMITTED, max_value=SUBMITTED)
        self._attempt = ("", trio.CancelScope())  # the newest attempt's ServiceID and exchange
        self._asking: set[Inquiry] = set()
        self._timed = False  # whether the newest event was TimePassed
        self._moved_on = trio.Event()  # set, and made new, whenever the lane's task has got on

    @property
    def state(self) -> LaneState:
        """The lane's state, as it was published last."""
        return self._publisher.state

    # -- The lane's own task

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Handle events until the lane has stopped; cancels what is still on its way then."""
        try:
            async with trio.open_nursery() as nursery:
                await self._carry_out(self._first, None, nursery)
                task_status.started()
                while self.state.phase is not Phase.STOPPED:
                    await self._next(nursery)
                nursery.cancel_scope.cancel()
        finally:
            self._publisher.end()
            self._moved_on.set()
            self._events.close()
            for _ in range(self._room.statistics().tasks_waiting):
                self._room.release()  # to find the inbox closed
            for inquiry in self._asking:
                inquiry.done.set()  # unhandled: LaneStopped

    async def _next(self, nursery: trio.Nursery) -> None:
        inquiry = await self._taken()
        self._timed = isinstance(inquiry.event, ev.TimePassed)
        inquiry.handled = await self._handle(inquiry.event, nursery)
        inquiry.done.set()
        if inquiry.takes_room:
            self._room.release()
        self._move_on()

    async def _taken(self) -> Inquiry:
        """The next event, or that something has fallen due.

        What stays due by a mistake does not keep from being heard whoever waits.
        """
        if self._timed:
            with suppress(trio.WouldBlock):
                return self._events.receive_nowait()
        wake_at = self.state.wake_at
        with trio.move_on_at(math.inf if wake_at is None else wake_at):
            return await self._events.receive()
        return Inquiry(ev.TimePassed())

    def _move_on(self) -> None:
        moved_on, self._moved_on = self._moved_on, trio.Event()
        moved_on.set()

    async def _handle(self, event: ev.Event, nursery: trio.Nursery) -> Handled:
        try:
            if isinstance(event, ev.PaymentAsked):
                earlier = await self._earlier(event)
                if earlier is not None:
                    return earlier
            try:
                informed = await self._informed(event)
            except JournalError as error:
                if not isinstance(event, ev.ResolveAsked):  # a person can say it again
                    raise
                return Handled(refusal=_unavailable(error))
            step = handle(self.state, informed, self._moment())
            if step.refusal is not None:
                return Handled(refusal=await self._not_found(informed) or step.refusal)
            await self._carry_out(step, event, nursery)
        except JournalError as error:
            if not isinstance(event, _NEW):
                raise
            log.error("%s is refused: %s", type(event).__name__, error)
            await self._take_note(ev.JournalReported(error.condition), nursery)
            return Handled(refusal=_unavailable(error))
        if isinstance(event, _NEW) and self.state.journal != "ok":
            await self._take_note(ev.JournalReported("ok"), nursery)
        return Handled(payment=self._spoken_of(event))

    async def _take_note(self, event: ev.Event, nursery: trio.Nursery) -> None:
        """Handle an event of our own that records and sends nothing."""
        await self._carry_out(handle(self.state, event, self._moment()), event, nursery)

    async def _earlier(self, event: ev.PaymentAsked) -> Handled | None:
        """The answer to a payment whose id is taken: in this task, so that no two can race."""
        order = event.order
        stored = await self._offload(lambda: self._journal.find(order.id))
        if stored is None:
            return None
        if stored.same(order):
            return Handled(payment=stored.payment, repeated=True)
        detail = f"payment {order.id} exists with other content"
        return Handled(refusal=Refusal(code="payment_conflict", detail=detail))

    async def _not_found(self, event: ev.Event) -> Refusal | None:
        """The refusal of an event about a payment that there is not, or whose journal is away."""
        match event:
            case ev.AbortAsked() | ev.ConfirmAsked():
                if self._spoken_of(event) is not None:
                    return None
                try:
                    stored = await self._offload(lambda: self._journal.find(event.payment_id))
                except JournalError as error:
                    return _unavailable(error)
                known = stored is not None
            case ev.ReversalAsked() | ev.ResolveAsked():
                known = event.payment is not None
            case _:
                return None
        detail = f"no payment {event.payment_id[:36]!r}"
        return None if known else Refusal(code="not_found", detail=detail)

    def _spoken_of(self, event: ev.Event) -> Payment | None:
        """The payment that a till's event is about, if the lane has it in hand."""
        match event:
            case ev.PaymentAsked(order=order):
                return payment(self.state, order.id)
            case ev.AbortAsked() | ev.ConfirmAsked() | ev.ResolveAsked() | ev.ReversalAsked():
                return payment(self.state, event.payment_id)
            case _:
                return None

    async def _informed(self, event: ev.Event) -> ev.Event:
        """Add what the journal knows about what the event speaks of (money rules 2, 4, 10)."""
        match event:
            case ev.ReversalAsked(payment_id=payment_id):
                journal = self._journal
                stored, superseded_by, charged_by = await self._offload(
                    lambda: (
                        journal.find(payment_id),
                        journal.superseding(payment_id),
                        journal.charged_by(payment_id),
                    )
                )
                return msgspec.structs.replace(
                    event,
                    payment=stored.payment if stored is not None else None,
                    superseded_by=superseded_by,
                    charged_by=charged_by,
                )
            case ev.ResolveAsked(payment_id=payment_id):
                known = self._spoken_of(event)
                if known is None:
                    stored = await self._offload(lambda: self._journal.find(payment_id))
                    known = stored.payment if stored is not None else None
                return msgspec.structs.replace(event, payment=known)
            case ev.AttemptAnswered(service_id=service_id, response=response):
                return msgspec.structs.replace(
                    event,
                    poi_owner=await self._owner(response),
                    superseded_by=await self._superseded(service_id),
                )
            case ev.StatusAnswered(response=m.TransactionStatusResponse(repeated=repeated)):
                if repeated is None or isinstance(repeated.body, m.UnknownBody):
                    return event
                body, service_id = repeated.body, repeated.header.service_id or ""
                sale = body.sale_transaction if isinstance(body, m.PaymentResponse) else None
                ours = sale.transaction_id if sale else None
                return msgspec.structs.replace(
                    event,
                    poi_owner=await self._owner(body),
                    repeated_of=await self._offload(
                        lambda: self._journal.payment_of(service_id, ours)
                    ),
                    superseded_by=await self._superseded(service_id),
                )
            case _:
                return event

    async def _superseded(self, service_id: str) -> str | None:
        """A later approved payment than the one set aside of which this is the attempt."""
        for one in self.state.set_aside:
            if one.attempt.service_id == service_id:
                return await self._offload(partial(self._journal.superseding, one.payment.id))
        return None

    async def _owner(self, response: m.PaymentResponse | m.ReversalResponse) -> str | None:
        poi = response.poi_transaction
        if poi is None:
            return None
        return await self._offload(lambda: self._journal.owner_of(poi.transaction_id))

    async def _carry_out(self, step: Step, event: ev.Event | None, nursery: trio.Nursery) -> None:
        entries = [effect.entry for effect in step.effects if isinstance(effect, Record)]
        began = trio.current_time()
        if entries and isinstance(event, _NEW):
            await self._offload(lambda: self._write_with_room(entries))
        elif entries:
            await self._write_patiently(entries)
        recording = trio.current_time() - began if entries else None
        self._publisher.publish(step.state, event, recording)
        self._hang_up()
        for effect in step.effects:
            if isinstance(effect, Send):
                nursery.start_soon(self._send, effect)

    def _write_with_room(self, entries: list[Entry]) -> None:
        """Write how something begins, if there is room for how it ends; in the journal's thread."""
        self._journal.make_room()
        self._journal.write(entries)

    async def _write_patiently(self, entries: list[Entry]) -> None:
        """Write what has happened, also on a full disk: JournalError after WRITE_FOR.

        Nobody is told of it meanwhile, and the daemon ends then: the next start asks (rule 13).
        """
        give_up_at = trio.current_time() + WRITE_FOR
        said = ""
        payment = self.state.payment
        about = {"event": "journal", "payment": payment.id if payment is not None else None}
        while True:
            try:
                await self._offload(lambda: self._journal.write(entries))
            except JournalError as error:
                if trio.current_time() >= give_up_at:
                    raise
                if str(error) != said:  # not for every try
                    said = str(error)
                    log.error("an outcome cannot be recorded yet: %s", error, extra=about)
                self._move_on()  # it is not stuck: it gives up by itself
                await self._offload(self._journal.release_ballast)
                await trio.sleep(WRITE_AGAIN)
            else:
                if said:
                    log.warning("the outcome is recorded now", extra=about)
                return

    async def _send(self, send: Send) -> None:
        header = send.message.header
        attempt = header.category in (m.Category.PAYMENT, m.Category.REVERSAL)

        async def sent() -> None:
            if attempt:
                await self._submit(ev.AttemptSent(header.service_id or ""))

        with trio.CancelScope() as scope:
            if attempt:
                self._attempt = (header.service_id or "", scope)
            exchange = await self._terminal.exchange(send.message, send.address, send.timeout, sent)
        if scope.cancelled_caught:
            return
        event = event_for(send, exchange)
        if event is not None:
            await self._submit(event)

    def _hang_up(self) -> None:
        """Close the newest attempt's connection where the lane waits for nothing on it any more.

        The terminal takes one request at a time, and what has not left yet must not leave now.
        """
        service_id, exchange = self._attempt
        if not self.state.waits_for(service_id):
            exchange.cancel()

    async def _submit(self, event: ev.Event) -> None:
        await self._inbox.send(Inquiry(event))

    # -- For those who bring events

    async def handle(self, event: ev.Event) -> Handled:
        """Have `event` handled, and wait until it is on disk and published: LaneStopped."""
        inquiry = Inquiry(event)
        self._asking.add(inquiry)
        try:
            await self._inbox.send(inquiry)
            await inquiry.done.wait()
        except trio.BrokenResourceError:
            raise LaneStopped from None
        finally:
            self._asking.discard(inquiry)
        if inquiry.handled is None:
            raise LaneStopped
        return inquiry.handled

    async def submit(self, event: ev.Event) -> None:
        """Bring an event in its turn; waits for room only, when SUBMITTED wait: LaneStopped."""
        if self._publisher.stopped.is_set():
            raise LaneStopped
        await self._room.acquire()
        try:
            await self._inbox.send(Inquiry(event, takes_room=True))
        except trio.BrokenResourceError:
            raise LaneStopped from None
        except trio.Cancelled:
            self._room.release()
            raise

    def submit_nowait(self, event: ev.Event) -> None:
        """Bring an event that nobody waits for; dropped when the lane is hopelessly behind."""
        try:
            self._inbox.send_nowait(Inquiry(event))
        except trio.WouldBlock:
            log.warning("%s dropped: %d events are waiting", type(event).__name__, INBOX)
        except trio.BrokenResourceError:
            pass  # the lane has stopped

    # -- For the watchdog

    async def pulse(self) -> None:
        """Return when the lane's task has got on with its work, and the journal's thread is free.

        That is an event handled (for want of another, one that changes nothing), or a try to record
        an outcome on a full disk. Raises LaneStopped.
        """
        moved_on = self._moved_on
        try:
            await self._inbox.send(Inquiry(ev.TimePassed()))
        except trio.BrokenResourceError:
            raise LaneStopped from None
        await moved_on.wait()
        await self._offload(_nothing)


def _unavailable(error: JournalError) -> Refusal:
    return Refusal(code="journal_unavailable", detail=str(error))


def _nothing() -> None:
    pass
