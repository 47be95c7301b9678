"""The till's routes as data: who answers what is asked for where, and what comes back.

A row names its handler and the type of its body, and mypy holds them together. The dispatcher
decodes by the row, and the OpenAPI document is made from it, so neither can say what the other does
not do.
"""

from collections.abc import Sequence
from functools import cache
from types import NoneType
from typing import Any, Final

from laned.lane.payment import Payment
from laned.till import answers, bodies, problems, query
from laned.till.handlers import Handlers
from laned.till.openapi import document
from laned.till.requests import Answer, Request, answer
from laned.till.route import Route
from laned.views import lane as views


async def openapi(handlers: Handlers, asked: Request[None]) -> Answer:
    """Answer with the document of all routes."""
    return _document()


@cache
def _document() -> Answer:
    return answer(200, document(ROUTES))


_UNFINISHED: Final[tuple[problems.Code, ...]] = ("lane_busy", "outcome_unknown")

_ROWS = (
    Route(
        method="GET",
        template="/v1/lane",
        handler=Handlers.lane,
        body=NoneType,
        summary="The whole lane: session, display, prompt, payment, journal, hardware.",
        answers={200: views.LaneView},
    ),
    Route(
        method="GET",
        template="/v1/events",
        handler=Handlers.events,
        body=NoneType,
        summary="Server-sent events: `lane` first, then what was missed after `Last-Event-ID`,"
        " then live.",
        answers={200: str},
        codes=("too_many_streams",),
        resumes=True,
        media="text/event-stream",
    ),
    Route(
        method="PUT",
        template="/v1/payments/{id}",
        handler=Handlers.put_payment,
        body=bodies.PaymentBody,
        pattern=f"^{bodies.PAYMENT_ID.pattern}$",
        summary="Make a payment or refund. The same again is answered with the payment as it"
        " stands, and never charges twice.",
        answers={201: Payment, 200: Payment},
        codes=(
            "payment_conflict",
            *_UNFINISHED,
            "terminal_unavailable",
            "journal_unavailable",
        ),
        waits=True,
    ),
    Route(
        method="GET",
        template="/v1/payments/{id}",
        handler=Handlers.get_payment,
        body=NoneType,
        summary="One payment.",
        answers={200: Payment},
        codes=("not_found", "journal_unavailable"),
        waits=True,
    ),
    Route(
        method="GET",
        template="/v1/payments",
        handler=Handlers.payments,
        body=NoneType,
        summary="Payments, newest first.",
        answers={200: answers.Payments},
        codes=("journal_unavailable",),
        query=(query.STATE, query.LIMIT, query.BEFORE),
    ),
    Route(
        method="POST",
        template="/v1/payments/{id}/abort",
        handler=Handlers.abort,
        body=bodies.RequestBody,
        summary="Ask for the payment to end; its outcome says what became of it. Declines an open"
        " signature prompt.",
        answers={202: Payment},
        codes=("not_found", "not_abortable", "terminal_unavailable", "journal_unavailable"),
    ),
    Route(
        method="POST",
        template="/v1/payments/{id}/confirm",
        handler=Handlers.confirm,
        body=bodies.RequestBody,
        summary="Confirm a pending payment in place of the button.",
        answers={202: Payment},
        codes=("not_found", "not_pending", "terminal_unavailable", "journal_unavailable"),
    ),
    Route(
        method="POST",
        template="/v1/payments/{id}/reversal",
        handler=Handlers.reversal,
        body=bodies.ReversalBody,
        summary="Reverse an approved payment, only the terminal's last; see its `reversal`.",
        answers={202: Payment},
        codes=(
            "not_found",
            "not_reversible",
            *_UNFINISHED,
            "terminal_unavailable",
            "journal_unavailable",
        ),
    ),
    Route(
        method="POST",
        template="/v1/payments/{id}/resolve",
        handler=Handlers.resolve,
        body=bodies.ResolveBody,
        summary="Close an unknown payment by hand. A later answer of the terminal wins.",
        answers={200: Payment},
        codes=(
            "not_found",
            "not_unknown",
            "lane_busy",
            "terminal_unavailable",
            "journal_unavailable",
        ),
    ),
    Route(
        method="POST",
        template="/v1/session/acknowledge-journal",
        handler=Handlers.acknowledge,
        body=bodies.RequestBody,
        summary="Take payments again although the journal is a new one.",
        answers={200: views.LaneView},
        codes=("terminal_unavailable", "journal_unavailable"),
    ),
    Route(
        method="POST",
        template="/v1/prompts/{id}",
        handler=Handlers.prompt,
        body=bodies.PromptBody,
        summary="Answer a prompt; the first answer wins.",
        answers={200: answers.PromptAnswer},
        codes=("prompt_closed", "terminal_unavailable"),
    ),
    Route(
        method="POST",
        template="/v1/session/login",
        handler=Handlers.login,
        body=bodies.RequestBody,
        summary="Log in to the terminal by hand.",
        answers={200: views.SessionView},
        codes=("lane_busy", "terminal_refused", "terminal_unavailable", "journal_unavailable"),
    ),
    Route(
        method="POST",
        template="/v1/session/logout",
        handler=Handlers.logout,
        body=bodies.LogoutBody,
        summary="Log out of the terminal by hand.",
        answers={200: views.SessionView},
        codes=("lane_busy", "terminal_refused", "terminal_unavailable", "journal_unavailable"),
    ),
    Route(
        method="POST",
        template="/v1/session/learn",
        handler=Handlers.learn,
        body=bodies.RequestBody,
        summary="For 10 minutes the lane's first terminal may announce its address from anywhere.",
        answers={200: answers.Learning},
        codes=("terminal_unavailable", "journal_unavailable"),
    ),
    Route(
        method="POST",
        template="/v1/terminal/update",
        handler=Handlers.update,
        body=bodies.RequestBody,
        summary="Have the terminal look for updates.",
        answers={200: views.SessionView},
        codes=("lane_busy", "terminal_refused", "terminal_unavailable", "journal_unavailable"),
    ),
    Route(
        method="GET",
        template="/v1/display.png",
        handler=Handlers.display,
        body=NoneType,
        summary="What the OLED shows, pixel for pixel: black while it is switched off.",
        answers={200: bytes},
        codes=("not_found",),
        query=(query.SCALE,),
        media="image/png",
    ),
    Route(
        method="POST",
        template="/v1/buttons/{name}/press",
        handler=Handlers.press,
        body=bodies.PressBody,
        summary="Press a virtual button.",
        answers={202: answers.Press},
        codes=("not_found",),
    ),
    Route(
        method="GET",
        template="/metrics",
        handler=Handlers.metrics,
        body=NoneType,
        summary="The lane in numbers, as Prometheus reads them.",
        answers={200: str},
        media="text/plain",
    ),
    Route(
        method="GET",
        template="/v1/openapi.json",
        handler=openapi,
        body=NoneType,
        summary="This document.",
        answers={200: dict[str, Any]},
    ),
)

# In two steps: with Any around them, the rows' handlers and bodies would not be compared.
ROUTES: Final[Sequence[Route[Any]]] = _ROWS
