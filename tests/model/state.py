"""What there is in the model: two payments, their attempts, one lane, one terminal's place.

Everything is frozen and small, so that all states can be visited.
"""

from typing import NamedTuple

LONG = 1
"""Rounds of questions that stand for a long time: 10 minutes, or 2 after a Login."""
BLANKS = 2
"""Answers in a row that decide nothing (rule 14 b)."""

Told = str  # new, processing, approved, nothing (failed, declined or aborted), unknown (set aside)


class Attempt(NamedTuple):
    """One attempt: what the lane has on disk of it, and what became of it at the terminal."""

    refused: bool = False  # on disk: its own response said Busy or NotAllowed
    at: int = 0  # the terminal that it was sent to
    where: str = "unsent"  # unsent, travelling (not taken up yet), working, over
    line: str = "closed"  # its own connection: open, held (response_timeout is over), closed
    kept: str = ""  # what the terminal can repeat: approved, nothing, or "" (nothing at all)
    word: str = ""  # what the terminal last said of it in this life and session: busy, other


OVER = Attempt(refused=True, where="over")
"""An attempt that the terminal refused: nothing can come of it."""


class Payment(NamedTuple):
    """One payment: what is on disk and told of it, and how often it was charged."""

    told: Told = "new"
    charges: int = 0
    attempts: tuple[Attempt, ...] = ()
    busy: int = 0  # how long this life has heeded signs of work on it (mended rules)

    @property
    def newest(self) -> Attempt:
        return self.attempts[-1]

    @property
    def in_doubt(self) -> bool:
        """Whether only the terminal can say what became of the newest attempt."""
        undecided = self.told in ("processing", "unknown")
        return undecided and bool(self.attempts) and not self.newest.refused

    @property
    def set_aside(self) -> bool:
        return self.told == "unknown"


class Lane(NamedTuple):
    """What a life of the lane keeps in memory."""

    step: str = "start"
    focus: int = -1  # the payment that it is at work on
    turn: int = 0  # the set-aside payments before this one have been asked after
    blank: int = 0
    busy: int = 0
    mute: int = 0
    session: bool = False  # as far as it knows


class State(NamedTuple):
    """All there is."""

    payments: tuple[Payment, ...] = (Payment(), Payment())
    lane: Lane = Lane()
    present: int = 0  # which terminal stands there
    session: bool = False  # whether that one has a session

    def working(self) -> tuple[int, int] | None:
        """Which payment's which attempt the terminal works on."""
        for p, payment in enumerate(self.payments):
            for n, attempt in enumerate(payment.attempts):
                if attempt.where == "working":
                    return p, n
        return None

    def with_payment(self, p: int, payment: Payment) -> "State":
        """With this payment; what can have no effect any more is left out of a decided one."""
        if payment.told in ("approved", "nothing") and payment.attempts:
            alive = tuple(a for a in payment.attempts if a.where in ("travelling", "working"))
            payment = payment._replace(attempts=alive, busy=0)
        elif payment.set_aside and len(payment.attempts) > 1:
            alive = tuple(a for a in payment.attempts if a != OVER)
            payment = payment._replace(attempts=alive)
        payments = (*self.payments[:p], payment, *self.payments[p + 1 :])
        return self._replace(payments=payments)

    def with_attempt(self, p: int, n: int, **changes: object) -> "State":
        payment = self.payments[p]
        attempts = list(payment.attempts)
        attempts[n] = _plain(attempts[n]._replace(**changes))  # type: ignore[arg-type]
        return self.with_payment(p, payment._replace(attempts=tuple(attempts)))

    def with_newest(self, p: int, **changes: object) -> "State":
        return self.with_attempt(p, len(self.payments[p].attempts) - 1, **changes)

    def with_lane(self, step: str, **changes: object) -> "State":
        return self._replace(lane=self.lane._replace(step=step, **changes))  # type: ignore[arg-type]


def _plain(attempt: Attempt) -> Attempt:
    """The attempt without what can have no effect any more."""
    if attempt.where != "over":
        return attempt
    if attempt.refused:
        return OVER
    if not attempt.kept:
        return attempt._replace(at=0, word="")
    return attempt


class Edge(NamedTuple):
    """A step from one state to the next."""

    label: str
    kind: str  # lane (also each answer that a question may find), time, till, terminal, fault
    state: State
    finding: str = ""  # what is wrong with taking it
