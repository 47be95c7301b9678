"""What a number of seeds has been through, and the floor below which it proves too little."""

from collections import Counter
from collections.abc import Iterable, Iterator

from exchanges import Fault
from faults import PostFault

from laned.lane.state import Phase
from laned.lane.table import TABLE

SENT = ("Login", "Payment", "TransactionStatus", "Abort", "Reversal", "Logout", "Admin")
POSTED = ("Display", "Print", "Input", "Event")
PHASES = tuple(str(phase) for phase in Phase)
EVENTS = tuple(event.__name__ for event in TABLE)

NEVER: dict[tuple[str, str], str] = {}
"""Cells of the lane's table that no seed can reach, by event and phase, and why."""


def _never(events: Iterable[str], phases: Iterable[str], why: str) -> None:
    for event in events:
        for phase in phases:
            NEVER[event, phase] = why


def _others(*phases: str) -> set[str]:
    return set(PHASES) - set(phases)


_never(EVENTS, ["stopped"], "the runner ends with the event that stops the lane")
for _answer in ("LoginAnswered", "LoginFailed"):
    _never(
        [_answer],
        _others("logging_in", "relogin", "signing_relogin"),
        "a Login's phase lasts until its answer",
    )
_never(["LogoutEnded"], _others("logging_out"), "a Logout's phase lasts until its answer")
_never(["UpdateAnswered"], _others("updating"), "its phase lasts until its answer")
_never(["TimePassed"], ["logging_in", "updating", "broken"], "nothing is waited for but an answer")
_never(
    ["AttemptSent", "AttemptAnswered", "AttemptNotSent", "AttemptLost"],
    ["survey", "broken"],
    "a life that begins so has sent no attempt",
)
_never(["StatusAnswered", "StatusFailed"], ["broken"], "nothing is sent")

RARE: dict[str, set[str]] = {
    # A request is still on its way when its payment is over, or the session was lost meanwhile.
    "AttemptSent": _others("paying"),
    "AttemptNotSent": _others("paying"),
    "AttemptAnswered": _others("paying", "ready"),
    "AttemptLost": _others("paying", "doubt"),
    "StatusAnswered": _others("paying", "retrying", "doubt", "ready", "survey"),
    "StatusFailed": _others("paying", "retrying", "doubt", "ready", "survey"),
    # The terminal's post is late, or comes twice, and the payment is over or not asked of it.
    "DisplayShown": {"signing", "updating"},
    "Printed": {"offline", "ready", "retrying", "relogin"},
    "InputAsked": {"offline", "ready", "retrying", "relogin"},
    "InputWithdrawn": {"offline", "ready", "retrying", "relogin"},
    "TerminalNotified": {"offline", "relogin"},
    # A till asks in a short phase while the disk is in trouble; a prompt runs out in a Login.
    "JournalReported": _others("ready", "paying", "doubt", "broken"),
    # A prompt runs out in a Login. A clock is looked at every ten minutes.
    "TimePassed": {"relogin", "ready", "logged_out"},
}
"""Cells that take two coincidences: they are shown, and not asked for."""
for _event in EVENTS:
    # A Login was out when the answer came that wants a signature; a review takes a moment.
    RARE.setdefault(_event, set()).update(("signing_relogin", "reviewing", "checking"))
PLACES = (
    *(
        f"{when} {category} is {what}"
        for category in SENT
        for when, what in (
            ("before", "sent"),
            ("while", "sent"),
            ("after", "sent"),
            ("before", "answered"),
        )
    ),
    "before a write",
    "after a write",
    "before it is published",
    "after it is published",
    "before an answer",
    "at any time",
    "a disk that stayed full",
)
"""Where a life can end."""


class Covered:
    """Counts cells of the lane's table, faults at exchanges, and ends of lives by phase."""

    def __init__(self) -> None:
        self.cells: Counter[tuple[str, str]] = Counter()
        self.faults: Counter[tuple[str, str]] = Counter()
        self.ends: Counter[tuple[str, str]] = Counter()
        self.facts: Counter[str] = Counter()

    def cell(self, event: str, phase: str) -> None:
        """The lane handles an event."""
        self.cells[event, str(phase)] += 1

    def fault(self, exchange: str, fault: str) -> None:
        """Something goes wrong with an exchange."""
        self.faults[str(fault), exchange] += 1

    def end(self, place: str, phase: str) -> None:
        """A life crashes."""
        self.ends[place, str(phase)] += 1

    def fact(self, name: str) -> None:
        """Anything else that is worth a count."""
        self.facts[name] += 1

    def add(self, other: "Covered") -> None:
        """Take in what other seeds have been through."""
        self.cells.update(other.cells)
        self.faults.update(other.faults)
        self.ends.update(other.ends)
        self.facts.update(other.facts)

    def missing(self) -> list[str]:
        """What the floor asks for and no seed came to."""
        cells = [(event, phase) for event in EVENTS for phase in PHASES]
        return [
            *(
                f"no {event} in {phase}"
                for event, phase in cells
                if not self.cells[event, phase]
                and (event, phase) not in NEVER
                and phase not in RARE.get(event, ())
            ),
            *(
                f"{event} in {phase}, which should never be: {why}"
                for (event, phase), why in NEVER.items()
                if self.cells[event, phase]
            ),
            *(
                f"no {fault} at {category}"
                for fault in Fault
                for category in SENT
                if fault is not Fault.NONE and not self.faults[fault, category]
            ),
            *(
                f"no {fault} at a posted {category}"
                for fault in PostFault
                for category in POSTED
                if fault is not PostFault.NONE and not self.faults[fault, f"posted {category}"]
            ),
            *(
                f"no crash in {phase}"
                for phase in PHASES
                if phase not in ("stopped", "signing_relogin") and not self._crashes(phase)
            ),
            *(
                f"no crash {place}"
                for place in PLACES
                if not any(self.ends[place, phase] for phase in PHASES)
            ),
        ]

    def _crashes(self, phase: str) -> int:
        return sum(count for (_, at), count in self.ends.items() if at == phase)

    def table(self) -> str:
        """All of it, for people."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield "Events by phase (. can never be)"
        yield from _grid(EVENTS, PHASES, self.cells, NEVER)
        yield "\nFaults by request"
        yield from _grid([fault for fault in Fault if fault is not Fault.NONE], SENT, self.faults)
        yield "\nFaults by message that the terminal posts"
        posted = [f"posted {category}" for category in POSTED]
        kinds = [fault for fault in PostFault if fault is not PostFault.NONE]
        yield from _grid(kinds, posted, self.faults)
        yield "\nCrashes by phase, each followed by a recovery"
        yield from _grid(PLACES, PHASES, self.ends)
        yield "\nOther things that happened"
        for name, count in sorted(self.facts.items()):
            yield f"{count:9} {name}"


def _grid(
    rows: Iterable[str],
    columns: Iterable[str],
    counts: Counter[tuple[str, str]],
    never: Iterable[tuple[str, str]] = (),
) -> Iterator[str]:
    columns = list(columns)
    rows = [str(row) for row in rows]
    width = max(len(row) for row in rows) if rows else 0
    heads = [column.removeprefix("posted ")[:11] for column in columns]
    yield " " * width + "".join(f"{head:>12}" for head in heads)
    for row in rows:
        found = [
            "." if (row, column) in never and not counts[row, column] else counts[row, column]
            for column in columns
        ]
        yield f"{row:{width}}" + "".join(f"{count:>12}" for count in found)
