"""A lane on a random walk: a terminal that may answer anything, people, crashes, and time."""

from collections.abc import Callable
from decimal import Decimal
from random import Random

import lanes
from lanes import Lane, configuration, replace, with_approve_button
from msgspec import Struct

from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.state import Phase
from laned.lane.turn import Step
from laned.nexo import messages as m

CONDITIONS = ("", "SomethingNew", *m.ErrorCondition)
LIKELY = ("Refusal", "Aborted", "Busy", "NotAllowed", "LoggedOut", "InProgress", "DeviceOut")
STATUS_LIKELY = ("Busy", "NotFound", "NotFound", "NotAllowed", "LoggedOut", "InProgress")


class Taken(Struct, frozen=True):
    """One step of the walk: what happened, when, and the lane before and after."""

    event: ev.Event | None  # None: a new life began
    before: lanes.LaneState
    step: Step
    now: float


class Walk:
    """A seeded walk. `look` is called after every step."""

    def __init__(self, seed: int, look: Callable[["Walk", Taken], None]) -> None:
        self.random = Random(seed)
        self.look = look
        config = configuration(
            signature=self.random.choice(("decline", "button", "till")),
            confirm_timeout=self.random.choice((5.0, 60.0)),
        )
        terminal = replace(config.terminal, retry_interval=self.random.choice((0.5, 2.0, 10.0)))
        config = replace(config, terminal=terminal)
        if self.random.random() < 0.3:
            config = with_approve_button(config)
        self.lane = Lane(config)
        self.out: list[fx.Send] = list(self.lane.sends)  # not answered yet, of this life
        self.past: list[ev.Event] = []  # answers that may come again
        self.left: set[str] = set()
        self.payments = 0
        self.keys = 0

    # -- Steps

    def take(self, event: ev.Event) -> None:
        """Have the lane handle the event, and everybody look."""
        before = self.lane.state
        step = self.lane.do(event)
        self.out += [effect for effect in step.effects if isinstance(effect, fx.Send)]
        self.look(self, Taken(event, before, step, self.lane.now))

    def restart(self) -> None:
        """Crash here, and begin the next life with what was recorded."""
        before = self.lane.state
        self.lane = lanes.restarted(self.lane)
        self.lane.now += self.random.choice((0.0, 5.0, 600.0))
        self.out = []
        self.look(self, Taken(None, before, self.lane.last, self.lane.now))

    def steps(self, number: int) -> None:
        """Take so many steps."""
        ways = [
            (30, self._answer),
            (20, self._time),
            (10, self._terminal_posts),
            (14, self._people),
            (8, self._request_leaves),
            (4, self._again),
            (1, self._end),
        ]
        weights = [weight for weight, _ in ways]
        for _ in range(number):
            (way,) = self.random.choices([way for _, way in ways], weights)
            if self.lane.phase is Phase.STOPPED:
                way = self.restart
            way()

    def _end(self) -> None:
        if self.random.random() < 0.5:
            self.restart()
        else:
            self.take(ev.StopAsked())

    def _time(self) -> None:
        wake_at = self.lane.state.wake_at
        if wake_at is not None and self.random.random() < 0.7:
            self.lane.now = max(self.lane.now, wake_at)
        else:
            self.lane.now += self.random.choice((0.0, 0.1, 1.0, 4.0, 30.0, 100.0))
        self.take(ev.TimePassed())

    def _people(self) -> None:
        choose = self.random.choice
        state = self.lane.state
        confirmed = choose((True, False))
        prompt_id = state.prompt.id if state.prompt and self.random.random() < 0.8 else "none"
        name = state.payment.id if state.payment and self.random.random() < 0.8 else "none"
        wishes: list[ev.Event] = [
            ev.AbortAsked(name),
            ev.ConfirmAsked(name),
            ev.PromptAnswered(prompt_id, confirmed),
            ev.ButtonPressed(choose(("confirm", "abort", "approve", "another"))),
            ev.ButtonReleased("abort"),
            ev.HardwareReported("display", choose(("ok", "failing"))),
            ev.LogoutAsked(maintenance=confirmed) if self.random.random() < 0.2 else self._order(),
            ev.LoginAsked(),
        ]
        wanted = self._order() if state.phase is Phase.READY else choose(wishes)
        if state.phase is Phase.LOGGED_OUT:
            wanted = ev.LoginAsked()
        self.take(wanted)

    def _order(self) -> ev.PaymentAsked:
        self.payments += 1
        confirm = self.random.choice(("none", "none", "button"))
        kind = self.random.choice(("payment", "refund"))
        amount = f"{self.random.randint(1, 99999) / 100:.2f}"
        asked = lanes.order(f"p{self.payments}", amount, confirm=confirm, type=kind)
        return ev.PaymentAsked(asked)

    def _request_leaves(self) -> None:
        ids = [send.message.header.service_id or "" for send in self.out if _pays(send)]
        ids = [name for name in ids if name not in self.left]
        if ids:
            self.left.add(ids[0])
            self.take(ev.PaymentSent(ids[0]))

    def _again(self) -> None:
        """An answer comes once more, or one to something that nobody asked."""
        if self.past and self.random.random() < 0.7:
            self.take(self.random.choice(self.past[-6:]))
        else:
            nobody = str(self.random.randint(1, 999))
            unasked: list[ev.Event] = [
                ev.PaymentSent(nobody),
                ev.PaymentLost(nobody, "broken"),
                ev.PaymentNotSent(nobody, "no route"),
                ev.StatusFailed(nobody, "no answer"),
            ]
            self.take(self.random.choice(unasked))

    def _terminal_posts(self) -> None:
        choose = self.random.choice
        self.keys += 1
        names = ("Abort", "CardInserted", "SaleAdmin")
        posts: list[ev.Event] = [
            lanes.shows(choose(("Insert card", "Approved", ""))),
            ev.Printed(m.Receipt(qualifier="CashierReceipt", lines=("x",))),
            lanes.asks(f"k{self.keys}", "OK?", choose((None, 0, 20, 100))),
            ev.InputWithdrawn(f"k{self.keys - choose((1, 2, 3))}"),
            ev.TerminalNotified(event=choose(names)),
        ]
        if self.random.random() < 0.25:
            posts = [ev.TerminalNotified(event=choose(("Shutdown", "Initialised")))]
        self.take(choose(posts))

    # -- Answers

    def _answer(self) -> None:
        if not self.out:
            return self._time()
        send = self.random.choice(self.out)
        self.out.remove(send)
        event = self._answer_to(send)
        if event is None:
            return None
        if not isinstance(event, ev.LoginAnswered | ev.LoginFailed | ev.LogoutEnded):
            self.past.append(event)
        return self.take(event)

    def _answer_to(self, send: fx.Send) -> ev.Event | None:
        sent_id = send.message.header.service_id or ""
        chance = self.random.random()
        match send.message.body:
            case m.LoginRequest():
                if chance < 0.15:
                    return ev.LoginFailed("no answer")
                serial = lanes.SERIAL if chance < 0.9 else "serial-2"
                return lanes.login(serial, None if chance > 0.25 else "Busy")
            case m.LogoutRequest():
                return ev.LogoutEnded(None)
            case m.PaymentRequest():
                if chance < 0.2:
                    return ev.PaymentLost(sent_id, "broken")
                if chance < 0.25 and sent_id not in self.left:
                    return ev.PaymentNotSent(sent_id, "no route")
                header, response, owner = self._payment_response(send)
                return ev.PaymentAnswered(
                    service_id=sent_id, header=header, response=response, poi_owner=owner
                )
            case m.TransactionStatusRequest():
                return self._status_answer(send, sent_id)
            case _:
                return None  # AbortRequest: nothing depends on its answer

    def _status_answer(self, send: fx.Send, sent_id: str) -> ev.Event:
        chance = self.random.random()
        if chance < 0.15:
            return ev.StatusFailed(sent_id, "no answer")
        if chance < 0.75:
            likely = self.random.random() < 0.9
            condition = self.random.choice(STATUS_LIKELY if likely else CONDITIONS)
            response = m.Response(result="Failure", error_condition=condition)
            return ev.StatusAnswered(
                service_id=sent_id, response=m.TransactionStatusResponse(response=response)
            )
        asked = send.message.body
        assert isinstance(asked, m.TransactionStatusRequest)
        assert asked.reference is not None
        about = [
            paid
            for paid in self.lane.sends
            if paid.message.header.service_id == asked.reference.service_id
        ]
        header, response_, owner = self._payment_response(about[0])
        body = response_ if self.random.random() < 0.95 else m.UnknownBody("Anything")
        repeated = m.TransactionStatusResponse(
            response=m.Response(result="Success"),
            repeated=m.RepeatedMessage(header=header, body=body),
        )
        return ev.StatusAnswered(service_id=sent_id, response=repeated, poi_owner=owner)

    def _rarely(self) -> bool:
        return self.random.random() < 0.04

    def _payment_response(self, send: fx.Send) -> tuple[m.Header, m.PaymentResponse, str | None]:
        """An answer to this PaymentRequest: right, or wrong in one way or another."""
        rarely = self._rarely
        body = send.message.body
        assert isinstance(body, m.PaymentRequest)
        header = m.response_header(send.message.header)
        for field in ("service_id", "sale_id", "poi_id"):
            if rarely():
                header = replace(header, **{field: self.random.choice(("other", None))})
        echoed: m.TransactionID | None = body.transaction
        if rarely():
            echoed = self.random.choice((None, m.TransactionID("other", "t")))
        poi = m.TransactionID(f"poi-{self.random.randint(1, 10**6)}", "t")
        owner = self.random.choice(("other", None, None)) if rarely() else None
        if self.random.random() < 0.45:
            likely = self.random.random() < 0.9
            condition = self.random.choice(LIKELY if likely else CONDITIONS)
            response = m.Response(result="Failure", error_condition=condition or None)
            answer = m.PaymentResponse(
                response=response, sale_transaction=echoed, poi_transaction=poi
            )
            return header, answer, owner
        charged, tip, currency = body.requested_amount, None, "SEK"
        if rarely():
            charged += Decimal("0.01")
        if self.random.random() < 0.2:
            tip = Decimal(5)
            charged += tip if not rarely() else Decimal(0)
        if rarely():
            currency = "NOK"
        amounts = m.AmountsResp(authorized_amount=charged, tip_amount=tip, currency=currency)
        result = "Partial" if rarely() else "Success"
        answer = m.PaymentResponse(
            response=m.Response(result=result),
            sale_transaction=echoed,
            poi_transaction=poi,
            amounts=None if rarely() else amounts,
        )
        return header, answer, owner


def _pays(send: fx.Send) -> bool:
    return isinstance(send.message.body, m.PaymentRequest)
