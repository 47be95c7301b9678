"""What tests of money rule 14 share: lanes with something set aside, and the next life."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lanes
from lanes import Lane

from laned.journal.store import Journal
from laned.lane import effects as fx
from laned.lane import events as ev
from laned.lane.state import Phase
from laned.nexo import messages as m

ASK, LOGIN, ABORT = m.TransactionStatusRequest, m.LoginRequest, m.AbortRequest

Answer = Callable[[Lane], ev.Event]


def foreign(lane: Lane) -> ev.StatusAnswered:
    """What the terminal repeats is of another request."""
    return lane.repeated(header=lane.header(service_id="77"))


def unreadable(lane: Lane) -> ev.StatusFailed:
    """Something came that is no answer: an HTTP error, no nexo message."""
    return ev.StatusFailed(lane.asking(), "HTTP 500", "answered")


def closed(lane: Lane) -> ev.StatusFailed:
    """Nobody is there."""
    return ev.StatusFailed(lane.asking(), "connection refused", "closed")


def says(condition: str) -> Answer:
    """A failure of the question itself."""
    return lambda lane: lane.status(condition)


DECIDE_NOTHING: list[Answer] = [
    says("NotFound"),
    says("Refusal"),
    says("SomethingNew"),
    foreign,
    unreadable,
    lambda lane: lane.last_was("z"),
    lambda lane: lane.status("", "Success"),
]


def until_abort(lane: Lane, answer: Answer, most: float = 3600.0) -> float:
    """Seconds until an AbortRequest leaves; whenever the terminal is asked, it answers so."""
    began, before = lane.now, len(lane.sent(ABORT))
    while len(lane.sent(ABORT)) == before:
        assert lane.now - began < most, "no AbortRequest"
        if lane.state.asking is not None:
            lane.do(answer(lane))
        else:
            lane.wait(1.0)
    return lane.now - began


def keeps_open(lane: Lane, answer: Answer, seconds: float, *posts: ev.Event) -> None:
    """For so long nothing is ended, whatever is answered; the terminal posts every 20 s."""
    began = lane.now
    for count in itertools.count():
        if lane.now - began >= seconds:
            return
        if posts and count % 20 == 0:
            lane.do(*posts)
        if lane.state.asking is not None:
            lane.do(answer(lane))
        lane.wait(1.0)
        assert not lane.sent(ABORT)
        assert lane.phase in (Phase.PAYING, Phase.DOUBT)


def last_question(lane: Lane) -> Lane:
    """The lane after a reboot of the terminal: it is logged in to, the one question is out."""
    lane.do(lane.status("NotAllowed"), lanes.login())
    assert lane.phase is Phase.DOUBT
    return lane


def end_made(lane: Lane) -> Lane:
    """The lane after two answers that decide nothing: the AbortRequest has left."""
    lane.do(lane.status("NotFound"))
    lane.wait(10.0)
    lane.do(lane.status("NotFound"))
    assert len(lane.sent_now(ABORT)) == 1
    return lane


def set_aside(config: lanes.Config | None = None, make: lanes.Make = lanes.doubt) -> Lane:
    """READY, and payment "a" has just been set aside."""
    lane = last_question(make(config))
    lane.do(lane.status("NotFound"))
    assert (lane.state.payment, lane.payment.set_aside_at is None) == (None, False)
    return lane


def pay(lane: Lane, payment_id: str = "b") -> Lane:
    """The lane at work on the next payment; of what is set aside the terminal knows nothing."""
    lane.do(ev.PaymentAsked(lanes.order(payment_id)))
    assert lane.last.refusal is None
    while lane.phase is Phase.CHECKING:
        lane.do(lane.status("NotFound"))
    lane.do(lane.left())
    assert (lane.phase, lane.payment.id) == (Phase.PAYING, payment_id)
    return lane


def set_next_aside(lane: Lane, payment_id: str = "b") -> Lane:
    """The lane after the next payment was set aside, too."""
    pay(lane, payment_id)
    lane.do(lane.lost())
    return last_question(lane).then(lane.status("NotFound"))


def answer_for(lane: Lane, given: ev.StatusAnswered) -> ev.StatusAnswered:
    """That answer, to the question that is out now."""
    return lanes.replace(given, service_id=lane.asking())


def asked_about(lane: Lane, sends: list[fx.Send] | None = None) -> list[str]:
    """The ServiceIDs that the questions name."""
    found = []
    for send in lane.sent(ASK, sends):
        body: Any = send.message.body
        found.append(body.reference.service_id if body.reference else "")
    return found


def next_life(lane: Lane, folder: Path, config: lanes.Config | None = None) -> Lane:
    """The next life after a crash, from what the journal on disk tells of the one before."""
    path = folder / f"{lane.now}-{len(lane.entries)}.sqlite3"
    journal = Journal(path, random=lanes.FIRST_SERVICE_ID - 1)
    journal.write([fx.Surveyed(), *lane.entries])
    past = journal.past()
    journal.close()
    life = Lane(config or lane.config, past, at=lane.now)
    life._tokens = lane._tokens
    life.sends[:0] = lane.sends
    life.entries[:0] = lane.entries
    return life
