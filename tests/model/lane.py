"""The lane's side: money rules 2 to 5 and 14, step by step.

Two things need no room here. An AbortRequest changes nothing that the terminal may not do by
itself, so the wait after it is all that is left of it. An abort that a till asks for is one of the
ways not to make another attempt.
"""

from collections.abc import Iterator

from model.rules import Rules
from model.state import BLANKS, LONG, Attempt, Edge, Payment, State

SILENCE = ("not found", "no answer", "callback")
"""What may come of a question at any time and decides nothing; foreign, unreadable and refused
answers are treated as `not found` is."""


def steps(state: State, rules: Rules) -> Iterator[Edge]:
    """What the lane does next, with every answer that it may get."""
    lane = state.lane
    match lane.step:
        case "start":
            yield Edge("the lane starts", "lane", _started(state, rules))
        case "idle":
            yield from _idle(state)
        case "before login" | "after login" | "before payment":
            yield from _ask_set_aside(state, rules)
        case "login":
            yield from _login(state, rules)
        case "record":
            yield Edge(f"the next attempt of {lane.focus + 1} is recorded", "lane", _record(state))
        case "send":
            yield from _send(state)
        case "wait":
            yield Edge("30 s without a callback", "time", state.with_lane("ask"))
        case "ask" | "sixty":
            yield from _pursue(state, rules)
        case "final":
            yield from _last_question(state, rules)
        case "refused":
            yield from _after_refusal(state, rules)
        case step:
            raise AssertionError(step)
    focus = state.payments[lane.focus] if lane.focus >= 0 else None
    connected = focus is not None and focus.attempts and focus.newest.line == "open"
    if connected and lane.step in ("wait", "ask", "sixty"):
        for line in ("held", "closed"):
            late = state.with_newest(lane.focus, line=line)
            late = late.with_lane("ask") if lane.step == "wait" else late
            yield Edge(f"response_timeout, the connection is {line}", "time", late)


def hear(state: State, sent: tuple[int, int], said: str) -> State:
    """An attempt's own response, if its connection still is there."""
    p, n = sent
    payment = state.payments[p]
    if n >= len(payment.attempts):  # decided before, and left out
        return state
    if payment.attempts[n].line == "closed" or not payment.in_doubt:
        return state.with_attempt(p, n, line="closed")
    state = state.with_attempt(p, n, line="closed")
    if said in ("approved", "nothing"):
        return _tell(state, p, said)
    if said == "not allowed":
        state = state._replace(lane=state.lane._replace(session=False))
    if payment.set_aside:
        return _tell(state, p, "nothing")
    state = state.with_attempt(p, n, refused=True)
    return state.with_lane("refused", focus=p)


# -- Start and idle


def _started(state: State, rules: Rules) -> State:
    for p, payment in enumerate(state.payments):
        if payment.told != "processing":
            continue
        not_sent = not payment.attempts or payment.newest.refused
        if not_sent or rules.start_ends_unfinished:
            state = state.with_payment(p, payment._replace(told="nothing"))
    if rules.login_unasked:
        for p, payment in enumerate(state.payments):
            if payment.told == "processing":
                return state.with_lane("login", focus=p)
    return _go_on(state)


def _go_on(state: State) -> State:
    """To what is unfinished, else to a session, else to the next payment."""
    state = state._replace(lane=state.lane._replace(focus=-1, turn=0, blank=0, busy=0, mute=0))
    for p, payment in enumerate(state.payments):
        if payment.told == "processing":
            step = "before payment" if state.lane.session else "before login"
            return state.with_lane("ask" if payment.in_doubt else step, focus=p)
    return state.with_lane("idle" if state.lane.session else "before login")


def _idle(state: State) -> Iterator[Edge]:
    for p, payment in enumerate(state.payments):
        if payment.told == "new":
            asked = state.with_payment(p, payment._replace(told="processing"))
            yield Edge(
                f"the till asks for {p + 1}", "till", asked.with_lane("before payment", focus=p)
            )
            break
    yield Edge("a Login is due", "till", state.with_lane("before login", session=False))


# -- An attempt


def _record(state: State) -> State:
    p = state.lane.focus
    payment = state.payments[p]
    attempts = (*payment.attempts, Attempt())
    return state.with_payment(p, payment._replace(attempts=attempts)).with_lane("send")


def _send(state: State) -> Iterator[Edge]:
    p = state.lane.focus
    name = f"{p + 1}.{len(state.payments[p].attempts)}"
    running = state.working()
    finding = ""
    if running is not None:
        r, n = running
        other = (r, n) != (p, len(state.payments[p].attempts) - 1)
        if other and state.payments[r].attempts[n].word == "busy":
            finding = "a PaymentRequest goes to a terminal that says it works on another payment"
    sent = state.with_newest(p, where="travelling", line="open", at=state.present)
    yield Edge(f"{name} is sent", "lane", sent.with_lane("wait"), finding)
    yield Edge(f"{name} is not sent: no connection", "fault", _tell(state, p, "nothing"))


def _after_refusal(state: State, rules: Rules) -> Iterator[Edge]:
    p = state.lane.focus
    yield Edge(f"{p + 1} has no further attempt", "lane", _tell(state, p, "nothing"))
    if len(state.payments[p].attempts) < rules.attempts[p]:
        step = "before payment" if state.lane.session else "before login"
        yield Edge(f"{p + 1} is tried again", "lane", state.with_lane(step, turn=0))


# -- Login


def _login(state: State, rules: Rules) -> Iterator[Edge]:
    from model.terminal import stopped

    lane = state.lane
    finding = ""
    running = state.working()
    if running is not None:
        p, n = running
        if state.payments[p].attempts[n].word in ("", "busy"):
            finding = "a Login ends what the terminal works on, and would have said so"
    # The answer that is lost, or the Login that is: it is asked again first.
    in_doubt = lane.focus >= 0 and state.payments[lane.focus].in_doubt
    again = state.with_lane("ask" if in_doubt else "before login", turn=0)
    yield Edge("the Login is lost", "fault", again)
    for label, after in stopped(state):
        opened = _unspoken(after._replace(session=True))
        yield Edge(
            f"Login{label}, its answer is lost",
            "fault",
            _unspoken(again._replace(payments=opened.payments, session=True)),
            finding,
        )
        yield _logged_in(
            opened.with_lane("after login", session=True, turn=0), label, finding, rules
        )


def _unspoken(state: State) -> State:
    """What was said of the attempts counts in one session only."""
    payments = tuple(
        payment._replace(attempts=tuple(a._replace(word="") for a in payment.attempts))
        for payment in state.payments
    )
    return state._replace(payments=payments)


def _logged_in(state: State, label: str, finding: str, rules: Rules) -> Edge:
    p = state.lane.focus
    label = f"Login{label}"
    if p < 0 or not state.payments[p].in_doubt:
        return Edge(label, "lane", state, finding)
    if state.payments[p].newest.at != state.present:
        return Edge(f"{label} at another terminal", "lane", *_set_aside(state, p, finding))
    if rules.unasked_after_login:
        return Edge(label, "lane", *_set_aside(state, p, finding))
    return Edge(label, "lane", state.with_lane("final"), finding)


# -- Questions


def answers(state: State, p: int, rules: Rules) -> Iterator[str]:
    """What a question about a payment's newest attempt may find; honest or not."""
    attempt = state.payments[p].newest
    here = attempt.at == state.present
    if state.session:
        if attempt.kept and here:
            yield attempt.kept
    else:
        yield "not allowed"
    if rules.steady:
        yield rules.steady
        if rules.steady == "callback":  # which is no answer
            yield "no answer"
        return
    if state.session:
        yield "busy"
    yield from SILENCE
    if rules.older_decides:
        yield "older"
    if rules.foreign_decides:
        yield "foreign"


def _ask_set_aside(state: State, rules: Rules) -> Iterator[Edge]:
    """One question about each payment that is set aside, before or after something else."""
    lane = state.lane
    for p in range(lane.turn, len(state.payments)):
        payment = state.payments[p]
        if p != lane.focus and (payment.set_aside or payment.in_doubt):
            break
    else:
        after = {"before login": "login", "before payment": "record"}
        done = state._replace(lane=lane._replace(turn=0))
        step = after.get(lane.step)
        yield Edge(
            f"{lane.step}: all asked", "lane", done.with_lane(step) if step else _go_on(done)
        )
        return
    for said in answers(state, p, rules):
        if said == "callback":
            continue
        label = f"{lane.step}: asks after {p + 1}: {said}"
        asked = state._replace(lane=lane._replace(turn=p + 1))
        if said in ("approved", "nothing"):
            yield Edge(label, "lane", _tell(asked, p, said))
        elif said != "busy" or _worn_out(state, p, rules):
            yield Edge(label, "lane", asked.with_newest(p, word="other"))
        else:
            asked = _heed(asked.with_newest(p, word="busy"), p, rules)
            ignored = rules.sends_beside_busy and lane.step == "before payment"
            if not ignored:
                asked = asked.with_lane("ask", focus=p, turn=0, blank=0, busy=0, mute=0)
            yield Edge(label, "lane", asked)


def _pursue(state: State, rules: Rules) -> Iterator[Edge]:
    """Rule 14: until the terminal decides, has no session, or has shown no work long enough."""
    lane, p = state.lane, state.lane.focus
    connected = state.payments[p].newest.line == "open"
    for said in answers(state, p, rules):
        if said == "callback" and rules.callbacks_count and _worn_out(state, p, rules):
            continue  # heard, and no sign of work any more
        label = f"asks after {p + 1}: {said}"
        if said in ("approved", "nothing"):
            yield Edge(label, "lane", _tell(state, p, said))
        elif connected and not (said == "not allowed" and rules.no_session_ends_work):
            word = "busy" if said == "busy" else "other"
            yield Edge(label, "meanwhile", state.with_newest(p, word=word))
        else:
            after = _undecided(state, said, rules)
            waits = lane.step == after.lane.step == "sixty"
            yield Edge(label, "meanwhile" if waits else "lane", after)
    if lane.step == "sixty" and not connected:
        yield Edge("60 s without work", "time", _leave(state))


def _undecided(state: State, said: str, rules: Rules) -> State:
    lane, p = state.lane, state.lane.focus
    if said == "not allowed":
        return _leave(state.with_newest(p, word="other"))
    counted = said == "busy" or rules.callbacks_count
    if said in ("busy", "callback") and not (counted and _worn_out(state, p, rules)):
        state = _heed(state, p, rules) if counted else state
        state = state.with_newest(p, word="busy") if said == "busy" else state
        busy = lane.busy + 1 if counted and not rules.busy_counts_in_all else 0
        return state.with_lane("ask", blank=0, mute=0, busy=busy)
    if believed(rules, said, lane.blank):
        return _tell(state, p, "approved" if said == "foreign" else "nothing")
    state = state.with_newest(p, word="other")
    blank, mute, busy = min(lane.blank + 1, BLANKS), 0, lane.busy
    if said == "no answer":
        blank, mute = lane.blank, LONG
    elif said != "busy":
        busy = 0
    if rules.next_attempt_after_not_found and blank == BLANKS:
        return state.with_newest(p, refused=True).with_lane("refused")
    if lane.step == "sixty" or blank == BLANKS or mute == LONG:
        return state.with_lane("sixty", blank=0, mute=0, busy=busy)
    return state.with_lane("ask", blank=blank, mute=mute, busy=busy)


def _worn_out(state: State, p: int, rules: Rules) -> bool:
    """Whether the terminal has shown work for longer than it is heeded."""
    if rules.busy_counts_in_all:
        return state.payments[p].busy >= LONG
    return state.lane.focus == p and state.lane.busy >= LONG


def _heed(state: State, p: int, rules: Rules) -> State:
    if not rules.busy_counts_in_all:
        return state
    return state.with_payment(p, state.payments[p]._replace(busy=LONG))


def _leave(state: State) -> State:
    """To the Login of rule 14."""
    return state.with_lane("before login", turn=0, blank=0, busy=0, mute=0, session=False)


def believed(rules: Rules, said: str, blank: int) -> bool:
    """Whether the rules are so loose that this answer decides."""
    return (
        (rules.not_found_decides and said == "not found" and blank + 1 == BLANKS)
        or (rules.older_decides and said == "older")
        or (rules.foreign_decides and said == "foreign")
    )


def _last_question(state: State, rules: Rules) -> Iterator[Edge]:
    """The one after the Login."""
    lane, p = state.lane, state.lane.focus
    for said in answers(state, p, rules):
        if said == "callback":
            continue
        label = f"asks after {p + 1} once more: {said}"
        if said in ("approved", "nothing"):
            yield Edge(label, "lane", _tell(state, p, said))
        elif said == "busy" and lane.busy + 1 < LONG:
            asked = state.with_newest(p, word="busy").with_lane("final", busy=lane.busy + 1)
            yield Edge(label, "lane", asked)
        elif believed(rules, said, BLANKS - 1):
            told = "approved" if said == "foreign" else "nothing"
            yield Edge(label, "lane", _tell(state, p, told))
        else:
            asked = state.with_newest(p, word="other")
            if said == "not allowed":
                asked = asked.with_lane("final", session=False)
            yield Edge(label, "lane", *_set_aside(asked, p))


# -- Outcomes


def _tell(state: State, p: int, told: str) -> State:
    """Record an outcome and tell it."""
    state = state.with_payment(p, state.payments[p]._replace(told=told))
    return _go_on(state) if state.lane.focus == p else state


def _set_aside(state: State, p: int, finding: str = "") -> tuple[State, str]:
    attempt = state.payments[p].newest
    knows = attempt.kept and attempt.at == state.present and state.session
    if knows and not attempt.word:
        finding = "a payment is set aside unasked that the terminal would have told of"
    payment: Payment = state.payments[p]._replace(told="unknown")
    state = state.with_payment(p, payment)
    return state.with_lane("after login", turn=0, blank=0, busy=0, mute=0), finding
