"""The lane in numbers, for Prometheus: counted from the lane's steps, written out when asked for.

The client library takes a while to import: not when this module is, but by `laned.preload`.
Source: prometheus.io, "Metric and label naming".
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Final, Protocol, get_args

import trio

from laned import __version__
from laned.http.asgi import ASGIApp, Message, Receive, Scope, Send
from laned.lane import events as ev
from laned.lane.payment import FINAL, Payment, PaymentKind, PaymentState
from laned.lane.state import AnsweredBy, LaneState, PromptKind, SessionState
from laned.publishing import Published
from laned.system.doubts import Doubts, Word
from laned.views.lane import set_aside

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

PAYMENT_SECONDS: Final = (1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 300.0, 600.0)
JOURNAL_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
JOURNAL_STATES: Final = ("ok", "full", "read_only", "corrupt", "new")
HARDWARE_STATES: Final = ("ok", "failing", "off", "starting")
LOGINS: Final = ("accepted", "refused", "unanswered")
UNFINISHED: Final = (PaymentState.PENDING, PaymentState.PROCESSING, PaymentState.UNKNOWN)
CALLBACKS: Final[Mapping[type[ev.Event], str]] = {
    ev.DisplayShown: "display",
    ev.Printed: "print",
    ev.InputAsked: "input",
    ev.TerminalNotified: "event",
    ev.AddressAnnounced: "address",
}

Labels = tuple[str, ...]


class Panel(Protocol):
    """Whoever knows how the display fares (`laned.hardware.display.Display`)."""

    frames: int
    errors: int


class Histogram:
    """Durations in seconds, counted in buckets up to each of `bounds` and one without."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def note(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bounds, each with how many were not above it."""
        told, below = [], 0
        names = [*map(str, self._bounds), "+Inf"]
        for name, count in zip(names, self._counts, strict=True):
            below += count
            told.append((name, float(below)))
        return told


class Metrics:
    """An observer of the lane's steps, and what has come of them since the daemon started."""

    def __init__(self) -> None:
        # What is known beforehand is there from the beginning: a first one is an increase.
        self._payments = _zeros(get_args(PaymentKind), sorted(FINAL))
        self._reversals = _zeros(("done", "refused"))
        self._logins = _zeros(LOGINS)
        self._doubts = _zeros(get_args(Word))
        self._following = Doubts()
        self._callbacks = _zeros(CALLBACKS.values())
        self._prompts = _zeros(get_args(PromptKind), get_args(AnsweredBy))
        self._responses: Counter[Labels] = Counter()
        self._presses: Counter[Labels] = Counter()
        self._events: Counter[Labels] = Counter()
        self._paying = Histogram(PAYMENT_SECONDS)
        self._recording = Histogram(JOURNAL_SECONDS)
        self._begun: tuple[str, float] | None = None  # the unfinished payment, and since when
        self._registry: CollectorRegistry | None = None

    # -- What is counted

    def __call__(self, published: Published) -> None:
        """Count one step of the lane."""
        before, event, after = published.before, published.event, published.after
        if event is not None:
            self._events[(type(event).__name__,)] += 1
            self._count_event(event)
        if published.recording is not None:
            self._recording.note(published.recording)
        if after.payment is not None and before.payment is None and event is not None:
            self._begun = after.payment.id, trio.current_time()
        if event is None:
            self._following.begin(after)
        if after.settled is not None and (event is None or after.settled is not before.settled):
            self._count_settled(after.settled, before.payment, first=event is None)
        closed = after.closed
        if closed is not None and closed is not before.closed and closed.by is not None:
            self._prompts[(closed.kind, closed.by)] += 1

    def _count_event(self, event: ev.Event) -> None:
        match event:
            case ev.LoginAnswered(response=response):
                success = response.response.success
                self._logins[("accepted" if success else "refused",)] += 1
            case ev.LoginFailed():
                self._logins[("unanswered",)] += 1
            case ev.ButtonPressed(name=name):
                self._presses[(name,)] += 1
            case _ if type(event) in CALLBACKS:
                self._callbacks[(CALLBACKS[type(event)],)] += 1

    def _count_settled(self, payment: Payment, unfinished: Payment | None, *, first: bool) -> None:
        """Count what has come to its end: once, also if it was set aside or resolved before."""
        known = self._following.known(payment.id)
        what = self._following.follow(payment)
        if what is not None:
            self._doubts[(what,)] += 1
        before = unfinished if unfinished is not None and unfinished.id == payment.id else known
        waited_for = before is not None and before.state not in FINAL and known is None
        if waited_for and self._begun is not None and self._begun[0] == payment.id:
            self._paying.note(trio.current_time() - self._begun[1])
        if not payment.final or not (first or before is not None or what is not None):
            return
        if before is None or before.state not in FINAL:
            self._payments[(payment.type, payment.state)] += 1
        if payment.reversal is not None and (before is None or not before.final):
            self._reversals[(payment.reversal.state,)] += 1

    def counting(self, side: str, app: ASGIApp) -> ASGIApp:
        """Wrap `app` so that the statuses it answers with are counted, as those to `side`."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    self._responses[(side, str(message["status"]))] += 1
                await send(message)

            await app(scope, receive, noted)

        return counted

    # -- What is told

    @property
    def loaded(self) -> bool:
        """Whether `load` was called."""
        return self._registry is not None

    def load(self) -> None:
        """Import what writes the text; takes a while, once. For a worker thread."""
        if self._registry is None:
            from prometheus_client import CollectorRegistry, ProcessCollector

            self._registry = CollectorRegistry()
            ProcessCollector(registry=self._registry)

    def text(self, state: LaneState, panel: Panel) -> bytes:
        """Write all of it, `load` having been called; the states are those of now."""
        from prometheus_client import generate_latest

        assert self._registry is not None
        now = _Now(self, state, panel)
        self._registry.register(now)
        try:
            return generate_latest(self._registry)
        finally:
            self._registry.unregister(now)

    def collect(self, state: LaneState, panel: Panel) -> "Iterator[Metric]":
        """All metrics of the lane."""
        yield from _states(state)
        yield _counter(
            "payments", "Payments by their outcome.", ("type", "outcome"), self._payments
        )
        text = "Payments set aside, and those that the terminal, or a person, decided afterwards."
        yield _counter("doubts", text, ("what",), self._doubts)
        yield _counter("reversals", "Reversals by their outcome.", ("outcome",), self._reversals)
        yield _counter("logins", "Logins by what came of them.", ("outcome",), self._logins)
        yield _counter(
            "callbacks", "What the terminal posted and was taken in.", ("kind",), self._callbacks
        )
        yield _counter(
            "http_responses",
            "Answers given, by who asked (terminal or till) and status.",
            ("to", "status"),
            self._responses,
        )
        yield _counter(
            "prompt_answers", "Closed prompts by who closed them.", ("kind", "by"), self._prompts
        )
        yield _counter("button_presses", "Presses that counted.", ("button",), self._presses)
        yield _counter("events", "Events that the lane handled.", ("event",), self._events)
        yield _counter("display_frames", "Frames the panel took.", (), {(): panel.frames})
        yield _counter("display_errors", "Frames it did not take.", (), {(): panel.errors})
        yield _histogram("payment_duration", "From the till's request to the end.", self._paying)
        yield _histogram(
            "journal_write", "What the lane waited until something was on disk.", self._recording
        )


def _zeros(*labels: Iterable[str]) -> Counter[Labels]:
    return Counter(dict.fromkeys(product(*labels), 0))


class _Now:
    """A collector for one scrape."""

    def __init__(self, metrics: Metrics, state: LaneState, panel: Panel) -> None:
        self._metrics, self._state, self._panel = metrics, state, panel

    def collect(self) -> "Iterable[Metric]":
        """All metrics of the lane."""
        return self._metrics.collect(self._state, self._panel)

    def describe(self) -> "Iterable[Metric]":
        """None: what there is to describe is not asked for."""
        return ()


def _states(state: LaneState) -> "Iterator[Metric]":
    lane = state.config.lane
    about = {"lane": lane.name, "mode": lane.mode, "version": __version__}
    yield _gauge("info", "The lane.", tuple(about), {tuple(about.values()): 1})
    yield _one_of("session_state", "The session with the terminal.", state.session, SessionState)
    journal = "The journal; payments are taken only while it is ok."
    yield _one_of("journal_state", journal, state.journal, JOURNAL_STATES)
    hardware: dict[Labels, float] = {
        (part, name): int(name == health)
        for part, health in (
            ("display", state.hardware.display),
            ("buttons", state.hardware.buttons),
        )
        for name in HARDWARE_STATES
    }
    yield _gauge("hardware_state", "Our own hardware.", ("part", "state"), hardware)
    payment = state.payment
    text = "Whether a payment is in this state now."
    found = payment.state if payment is not None else ""
    yield _one_of("unfinished_payment", text, found, UNFINISHED)
    text = "Payments that are set aside, undecided; a person can close them."
    yield _gauge("payments_set_aside", text, (), {(): len(set_aside(state))})
    reversing = int(payment is not None and payment.reversal is not None)
    yield _gauge("unfinished_reversal", "Whether a reversal runs now.", (), {(): reversing})
    text = "The ServiceID of the next message to the terminal; the limit has ten digits."
    yield _gauge("next_service_id", text, (), {(): state.service_ids.next})


def _one_of(name: str, text: str, found: str, states: Iterable[str]) -> "Metric":
    return _gauge(name, text, ("state",), {(str(state),): int(state == found) for state in states})


def _gauge(name: str, text: str, labels: Labels, values: Mapping[Labels, float]) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    metric = GaugeMetricFamily(f"laned_{name}", text, labels=labels)
    for each, value in values.items():
        metric.add_metric(each, value)
    return metric


def _counter(name: str, text: str, labels: Labels, values: Mapping[Labels, float]) -> "Metric":
    from prometheus_client.core import CounterMetricFamily

    metric = CounterMetricFamily(f"laned_{name}", text, labels=labels)
    for each, value in sorted(values.items()):
        metric.add_metric(each, value)
    return metric


def _histogram(name: str, text: str, histogram: Histogram) -> "Metric":
    from prometheus_client.core import HistogramMetricFamily

    buckets = histogram.buckets()
    return HistogramMetricFamily(
        f"laned_{name}_seconds", text, buckets=buckets, sum_value=histogram.total
    )
