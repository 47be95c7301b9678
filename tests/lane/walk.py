"""A lane on a random walk: a terminal that may answer anything, people, crashes, and time."""

from collections.abc import Callable
from random import Random

import lanes
from lanes import Lane, configuration, replace, with_approve_button
from msgspec import Struct
from walkmemory import Memory
from walkterminal import RandomTerminal

from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.start import JournalSnapshot
from laned.lane.state import Phase
from laned.lane.turn import Step
from laned.nexo import messages as m


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
        if self.random.random() < 0.3:
            config = lanes.light(config)
        past = JournalSnapshot(
            next_service_id=lanes.FIRST_SERVICE_ID,
            surveyed=self.random.random() < 0.5,
            journal=self.random.choice(("ok", "ok", "new")),
        )
        self.lane = Lane(config, past)
        self.memory = Memory()
        self.terminal = RandomTerminal(self.random, self.lane, self.memory)
        self.out: list[fx.Send] = list(self.lane.sends)  # not answered yet, of this life
        self.past: list[ev.Event] = []  # answers that may come again
        self.left = self.terminal.left
        self.payments = 0
        self.keys = 0

    # -- Steps

    def take(self, event: ev.Event) -> None:
        """Have the lane handle the event, and everybody look."""
        before = self.lane.state
        step = self.lane.do(event)
        self.memory.keep(step)
        self.out += [effect for effect in step.effects if isinstance(effect, fx.Send)]
        self.look(self, Taken(event, before, step, self.lane.now))

    def restart(self) -> None:
        """Crash here, and begin the next life with what was recorded."""
        before = self.lane.state
        self.lane = lanes.restarted(self.lane)
        self.terminal.lane = self.lane
        self.memory.keep(self.lane.last)
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
            (20, self._request_leaves),
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
            ev.UpdateAsked(),
            ev.LearnAsked(),
            ev.TerminalProbed(state.terminal.address, confirmed),
            ev.AddressAnnounced("192.0.2.15:11000", confirmed),
            self.memory.reversal(self.random),
            self.memory.resolution(self.random, name),
            ev.JournalAcknowledged(),
            ev.JournalReported(choose(("ok", "full"))),
        ]
        wanted = choose(wishes)
        if state.unknown and state.payment and self.random.random() < 0.1:
            wanted = self.memory.resolution(self.random, state.payment.id)
        elif state.set_aside and self.random.random() < 0.1:
            wanted = self.memory.resolution(self.random)
        if state.phase is Phase.READY:
            newest = [*self.memory.payments.values()][-1:]
            reversal = bool(newest) and newest[0].state == "approved" and confirmed
            usual = self.memory.reversal(self.random) if reversal else self._order()
            wanted = usual if self.random.random() < 0.9 else choose(wishes)
            if state.journal == "new" and self.random.random() < 0.5:
                wanted = ev.JournalAcknowledged()
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
        ids = [send.message.header.service_id or "" for send in self.out if _attempts(send)]
        ids = [name for name in ids if name not in self.left]
        if ids:
            self.left.add(ids[0])
            self.take(ev.AttemptSent(ids[0]))

    def _again(self) -> None:
        """An answer comes once more, or one to something that nobody asked."""
        if self.past and self.random.random() < 0.7:
            self.take(self.random.choice(self.past[-6:]))
        else:
            nobody = str(self.random.randint(1, 999))
            unasked: list[ev.Event] = [
                ev.AttemptSent(nobody),
                ev.AttemptLost(nobody, "broken"),
                ev.AttemptNotSent(nobody, "no route"),
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
        if self.random.random() < 0.1:
            told = ("Shutdown", "Initialised", "BeginMaintenance", "EndMaintenance")
            posts = [ev.TerminalNotified(event=choose(told))]
        self.take(choose(posts))

    # -- Answers

    def _answer(self) -> None:
        if not self.out:
            return self._time()
        send = self.random.choice(self.out)
        self.out.remove(send)
        event = self.terminal.answer_to(send)
        if event is None:
            return None
        once = ev.LoginAnswered | ev.LoginFailed | ev.LogoutEnded | ev.UpdateAnswered
        if not isinstance(event, once):
            self.past.append(event)
        return self.take(event)


def _attempts(send: fx.Send) -> bool:
    return isinstance(send.message.body, m.PaymentRequest | m.ReversalRequest)
