"""Visits every state, and looks for what must not be."""

import gc
from collections import deque
from dataclasses import dataclass, field

from model import lane, terminal
from model.rules import Rules
from model.state import Edge, State

SHUT = "the lane stays shut"
UNFORCED = ("till", "fault", "meanwhile")
"""Kinds of steps that need not happen: without them the lane must come to the next payment."""


@dataclass
class Report:
    """What a search found: how many states there are, and a shortest way to each finding."""

    states: int = 0
    findings: dict[str, list[str]] = field(default_factory=dict)
    longest: int = 0
    """Steps from anywhere to the next payment, at most, while nothing more goes wrong."""


def explore(rules: Rules, *, until: str = "") -> Report:
    """Visit all states that these rules allow; only `until` this is found."""
    gc.disable()  # there are no cycles, and looking for them takes a third of the time
    try:
        return _explore(rules, until)
    finally:
        gc.enable()


def _explore(rules: Rules, until: str) -> Report:
    first = State()
    numbers = {first: 0}
    states = [first]
    came: list[tuple[int, str]] = [(0, "")]
    forced: list[list[tuple[int, str]]] = []
    report = Report()
    queue = deque([0])
    while queue:
        number = queue.popleft()
        state = states[number]
        out: list[tuple[int, str]] = []
        for edge in edges(state, rules):
            target = numbers.get(edge.state)
            if target is None:
                target = numbers[edge.state] = len(states)
                states.append(edge.state)
                came.append((number, edge.label))
                queue.append(target)
            for wrong in (edge.finding, broken(edge.state)):
                if wrong and wrong not in report.findings:
                    report.findings[wrong] = [*way(came, number), edge.label]
            if edge.kind not in UNFORCED:
                out.append((target, edge.label))
        forced.append([] if ready(state) else out)
        if until in report.findings:
            break
    report.states = len(states)
    if until not in report.findings:
        _liveness(states, forced, came, report)
    return report


def edges(state: State, rules: Rules) -> list[Edge]:
    """All that can happen next."""
    return [*lane.steps(state, rules), *terminal.happenings(state, rules)]


def broken(state: State) -> str:
    """What is wrong in this state, whatever comes next."""
    for payment in state.payments:
        if payment.charges > 1:
            return "a payment is charged twice"
        if payment.charges and payment.told == "nothing":
            return "a payment is charged and told failed, declined or aborted"
        if not payment.charges and payment.told == "approved":
            return "a payment is told approved and not charged"
    return ""


def ready(state: State) -> bool:
    """Whether the lane takes the next payment."""
    return state.lane.step == "idle"


def way(came: list[tuple[int, str]], number: int) -> list[str]:
    """The labels from the beginning to this state."""
    labels = []
    while number:
        number, label = came[number]
        labels.append(label)
    return labels[::-1]


def _liveness(
    states: list[State],
    forced: list[list[tuple[int, str]]],
    came: list[tuple[int, str]],
    report: Report,
) -> None:
    """Find where the lane may stay shut for ever although nothing more goes wrong."""
    left = [len(out) for out in forced]
    into: list[list[int]] = [[] for _ in states]
    for number, out in enumerate(forced):
        for target, _ in out:
            into[target].append(number)
    steps = [0] * len(states)
    over = deque(number for number, state in enumerate(states) if ready(state))
    done = bytearray(len(states))
    while over:
        number = over.popleft()
        done[number] = 1
        for source in into[number]:
            left[source] -= 1
            steps[source] = max(steps[source], steps[number] + 1)
            if left[source] == 0:
                over.append(source)
    report.longest = max((steps[n] for n in range(len(states)) if done[n]), default=0)
    stuck = next((number for number in range(len(states)) if not done[number]), None)
    if stuck is None:
        return
    # From there on, step into what never comes to an end, until it comes round.
    seen: dict[int, int] = {}
    labels: list[str] = []
    number = stuck
    while number not in seen:
        seen[number] = len(labels)
        following = [(t, label) for t, label in forced[number] if not done[t]]
        if not following:
            break
        number, label = following[0]
        labels.append(label)
    turns = labels[seen.get(number, len(labels)) :]
    report.findings[SHUT] = [
        *way(came, stuck),
        *labels[: len(labels) - len(turns)],
        "and for ever:",
        *turns,
    ]
