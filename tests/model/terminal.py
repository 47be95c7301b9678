"""The hostile terminal: all that it, the network and the power may do by themselves."""

from collections.abc import Iterator

from model.lane import hear
from model.rules import Rules
from model.state import Edge, Lane, State

Sent = tuple[int, int]


def happenings(state: State, rules: Rules) -> Iterator[Edge]:
    """Whatever may happen now without the lane's doing."""
    for p, payment in enumerate(state.payments):
        for n, attempt in enumerate(payment.attempts):
            name = f"{p + 1}.{n + 1}"
            if attempt.where == "travelling":
                yield from _arrives(state, (p, n), name)
            elif attempt.where == "working":
                yield from _ends(state, (p, n), name)
            if attempt.kept:
                yield Edge(
                    f"the terminal forgets {name}", "fault", state.with_attempt(p, n, kept="")
                )
            if attempt.line == "open":
                lost = state.with_attempt(p, n, line="closed")
                if lost.lane.step == "wait":
                    lost = lost.with_lane("ask")
                yield Edge(f"the connection of {name} breaks", "fault", lost)
    for label, after in stopped(state):
        dark = after._replace(session=False)
        yield Edge(f"the terminal restarts{label}", "fault", dark)
        for way, swapped in _unread(dark) if rules.swaps else ():
            other = swapped._replace(present=1 - state.present)
            yield Edge(f"another terminal is put there{label}{way}", "fault", other)
    yield Edge("the lane dies", "fault", _dead(state))


def stopped(state: State) -> Iterator[tuple[str, State]]:
    """Each way in which the terminal's work may end by a restart or a Login, unheard of."""
    running = state.working()
    if running is None:
        yield "", state
        return
    p, n = running
    over = state.with_attempt(p, n, where="over")
    yield f", {p + 1}.{n + 1} ends uncharged", over
    yield f", {p + 1}.{n + 1} is charged unheard of", _charge(over, p)


def _arrives(state: State, sent: Sent, name: str) -> Iterator[Edge]:
    """The request is taken up, sooner or later, or is refused, or never comes."""
    p, n = sent
    over = state.with_attempt(p, n, where="over")
    yield Edge(f"{name} never reaches the terminal", "fault", over)
    if state.session:
        if state.working() is None:
            taken = state.with_attempt(p, n, where="working")
            yield Edge(f"the terminal takes {name} up", "terminal", taken)
        label = f"{name} is answered Busy"
        yield Edge(label, "terminal", hear(over, sent, "busy"))
    else:
        label = f"{name} is answered NotAllowed"
        yield Edge(label, "terminal", hear(over, sent, "not allowed"))


def _ends(state: State, sent: Sent, name: str) -> Iterator[Edge]:
    p, n = sent
    for outcome in ("approved", "nothing"):
        over = state.with_attempt(p, n, where="over", kept=outcome)
        if outcome == "approved":
            over = _charge(over, p)
        yield Edge(f"{name} ends: {outcome}", "terminal", hear(over, sent, outcome))


def _unread(state: State) -> Iterator[tuple[str, State]]:
    """A terminal that is taken away may still do what it had not read yet."""
    for p, payment in enumerate(state.payments):
        for n, attempt in enumerate(payment.attempts):
            if attempt.where == "travelling":
                over = state.with_attempt(p, n, where="over")
                yield "", over
                yield f", {p + 1}.{n + 1} is charged elsewhere", _charge(over, p)
                return
    yield "", state


def _charge(state: State, p: int) -> State:
    payment = state.payments[p]
    return state.with_payment(p, payment._replace(charges=payment.charges + 1))


def _dead(state: State) -> State:
    payments = tuple(
        payment._replace(
            busy=0, attempts=tuple(a._replace(line="closed", word="") for a in payment.attempts)
        )
        for payment in state.payments
    )
    return state._replace(payments=payments, lane=Lane())
