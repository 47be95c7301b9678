"""The till's routes as data: what is asked for where, and what comes back.

The dispatcher and the OpenAPI document both read this table.
"""

from typing import Any, Final

from msgspec import Struct

from laned.lane.payment import Payment, PaymentState
from laned.till import bodies, problems
from laned.views import lane as views


class Payments(Struct, frozen=True):
    """A page of payments, newest first."""

    payments: tuple[Payment, ...]


class PromptAnswer(Struct, frozen=True):
    """A prompt that the till has answered."""

    id: str
    answer: bool
    by: str


class Learning(Struct, frozen=True):
    """For so many seconds a first address may come from anywhere."""

    seconds: float


class Press(Struct, frozen=True):
    """A press of a virtual button that has begun."""

    name: str
    seconds: float


class Route(Struct, frozen=True, kw_only=True):
    """One route. `template` has at most one variable; `wait` tells that `Prefer: wait` is heard."""

    name: str
    method: str
    template: str
    summary: str
    answers: dict[int, Any]
    codes: tuple[problems.Code, ...] = ()
    body: type[bodies.RequestBody] | None = None
    query: dict[str, dict[str, Any]] = {}
    wait: bool = False
    media: str = "application/json"

    def match(self, path: str) -> str | None:
        """The path's variable if the path is this route's ("" where it has none), else None."""
        before, brace, after = self.template.partition("{")
        if not brace:
            return "" if path == self.template else None
        after = after.partition("}")[2]
        if not (path.startswith(before) and path.endswith(after)):
            return None
        variable = path[len(before) : len(path) - len(after)]
        fits = variable and "/" not in variable and len(path) > len(before) + len(after)
        return variable if fits else None

    @property
    def variable(self) -> str | None:
        """The name of the path's variable."""
        return self.template.partition("{")[2].partition("}")[0] or None

    @property
    def query_names(self) -> frozenset[str]:
        """The query fields that are understood."""
        return frozenset(self.query)


_UNFINISHED: Final[tuple[problems.Code, ...]] = ("lane_busy", "outcome_unknown")

ROUTES: Final = (
    Route(
        name="lane",
        method="GET",
        template="/v1/lane",
        summary="The whole lane: session, display, prompt, payment, journal, hardware.",
        answers={200: views.LaneView},
    ),
    Route(
        name="events",
        method="GET",
        template="/v1/events",
        summary="Server-sent events: `lane` first, then what was missed after `Last-Event-ID`,"
        " then live.",
        answers={200: str},
        codes=("too_many_streams",),
        media="text/event-stream",
    ),
    Route(
        name="put_payment",
        method="PUT",
        template="/v1/payments/{id}",
        summary="Make a payment or refund. The same again is answered with the payment as it"
        " stands, and never charges twice.",
        answers={201: Payment, 200: Payment},
        codes=(
            "payment_conflict",
            *_UNFINISHED,
            "terminal_unavailable",
            "journal_unavailable",
        ),
        body=bodies.PaymentBody,
        wait=True,
    ),
    Route(
        name="get_payment",
        method="GET",
        template="/v1/payments/{id}",
        summary="One payment.",
        answers={200: Payment},
        codes=("not_found", "journal_unavailable"),
        wait=True,
    ),
    Route(
        name="payments",
        method="GET",
        template="/v1/payments",
        summary="Payments, newest first.",
        answers={200: Payments},
        codes=("journal_unavailable",),
        query={
            "state": {"type": "string", "enum": list(PaymentState)},
            "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
            "before": {"type": "string", "description": "a payment's id"},
        },
    ),
    Route(
        name="abort",
        method="POST",
        template="/v1/payments/{id}/abort",
        summary="Ask for the payment to end; its outcome says what became of it. Declines an open"
        " signature prompt.",
        answers={202: Payment},
        codes=("not_found", "not_abortable", "terminal_unavailable", "journal_unavailable"),
        body=bodies.RequestBody,
    ),
    Route(
        name="confirm",
        method="POST",
        template="/v1/payments/{id}/confirm",
        summary="Confirm a pending payment in place of the button.",
        answers={202: Payment},
        codes=("not_found", "not_pending", "terminal_unavailable", "journal_unavailable"),
        body=bodies.RequestBody,
    ),
    Route(
        name="reversal",
        method="POST",
        template="/v1/payments/{id}/reversal",
        summary="Reverse an approved payment, only the terminal's last; see its `reversal`.",
        answers={202: Payment},
        codes=(
            "not_found",
            "not_reversible",
            *_UNFINISHED,
            "terminal_unavailable",
            "journal_unavailable",
        ),
        body=bodies.ReversalBody,
    ),
    Route(
        name="resolve",
        method="POST",
        template="/v1/payments/{id}/resolve",
        summary="Close an unknown payment by hand. A later answer of the terminal wins.",
        answers={200: Payment},
        codes=(
            "not_found",
            "not_unknown",
            "lane_busy",
            "terminal_unavailable",
            "journal_unavailable",
        ),
        body=bodies.ResolveBody,
    ),
    Route(
        name="acknowledge",
        method="POST",
        template="/v1/session/acknowledge-journal",
        summary="Take payments again although the journal is a new one.",
        answers={200: views.LaneView},
        codes=("terminal_unavailable", "journal_unavailable"),
        body=bodies.RequestBody,
    ),
    Route(
        name="prompt",
        method="POST",
        template="/v1/prompts/{id}",
        summary="Answer a prompt; the first answer wins.",
        answers={200: PromptAnswer},
        codes=("prompt_closed", "terminal_unavailable"),
        body=bodies.PromptBody,
    ),
    Route(
        name="login",
        method="POST",
        template="/v1/session/login",
        summary="Log in to the terminal by hand.",
        answers={200: views.SessionView},
        codes=("lane_busy", "terminal_refused", "terminal_unavailable", "journal_unavailable"),
        body=bodies.RequestBody,
    ),
    Route(
        name="logout",
        method="POST",
        template="/v1/session/logout",
        summary="Log out of the terminal by hand.",
        answers={200: views.SessionView},
        codes=("lane_busy", "terminal_refused", "terminal_unavailable", "journal_unavailable"),
        body=bodies.LogoutBody,
    ),
    Route(
        name="learn",
        method="POST",
        template="/v1/session/learn",
        summary="For 10 minutes the lane's first terminal may announce its address from anywhere.",
        answers={200: Learning},
        codes=("terminal_unavailable", "journal_unavailable"),
        body=bodies.RequestBody,
    ),
    Route(
        name="update",
        method="POST",
        template="/v1/terminal/update",
        summary="Have the terminal look for updates.",
        answers={200: views.SessionView},
        codes=("lane_busy", "terminal_refused", "terminal_unavailable", "journal_unavailable"),
        body=bodies.RequestBody,
    ),
    Route(
        name="display",
        method="GET",
        template="/v1/display.png",
        summary="What the OLED shows, pixel for pixel: black while it is switched off.",
        answers={200: bytes},
        codes=("not_found",),
        query={"scale": {"type": "integer", "minimum": 1, "maximum": 8, "default": 1}},
        media="image/png",
    ),
    Route(
        name="press",
        method="POST",
        template="/v1/buttons/{name}/press",
        summary="Press a virtual button.",
        answers={202: Press},
        codes=("not_found",),
        body=bodies.PressBody,
    ),
    Route(
        name="metrics",
        method="GET",
        template="/metrics",
        summary="The lane in numbers, as Prometheus reads them.",
        answers={200: str},
        media="text/plain",
    ),
    Route(
        name="openapi",
        method="GET",
        template="/v1/openapi.json",
        summary="This document.",
        answers={200: dict[str, Any]},
    ),
)
