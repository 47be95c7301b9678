"""The till API as an ASGI app: requests are taken in by the row of their route, and answered.

Whatever is refused on the way becomes a problem here.
"""

from collections.abc import Awaitable
from typing import Any, Final

import trio

from laned.http.asgi import (
    BodyTimeout,
    BodyTooLarge,
    Disconnected,
    Receive,
    Scope,
    Send,
    disconnected,
    guarded,
    read_body,
    respond,
    stream_events,
)
from laned.inbox import LaneStopped
from laned.journal.store import JournalError
from laned.till import bodies, problems
from laned.till.handlers import Handlers
from laned.till.problems import ProblemError
from laned.till.requests import Answer, EventStream, Request, read_query, request
from laned.till.route import Route
from laned.till.routes import ROUTES
from laned.till.streams import Streams

BODY_WITHIN: Final = 10.0  # seconds for a whole request to arrive

Reply = Answer | EventStream


class TillAPI:
    """The till's side of the lane, as an ASGI app."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self._streams = Streams()
        internal = ProblemError("internal", "a fault in laned; its log says more")
        self.app = guarded(self._app, body=internal.body, content_type=problems.CONTENT_TYPE)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            route, asked = await self._take_in(scope, receive)
            reply = await self._waiting_for(route.handler(self._handlers, asked), receive)
            if isinstance(reply, EventStream):
                with self._streams.one_more(asked.peer):
                    await stream_events(receive, send, reply.events)
            else:
                await respond(send, reply.status, reply.content, reply.content_type)
        except ProblemError as problem:
            await _respond_problem(send, problem)
        except LaneStopped:
            detail = "the daemon is stopping"
            await _respond_problem(send, ProblemError("terminal_unavailable", detail))
        except JournalError as error:
            await _respond_problem(send, ProblemError("journal_unavailable", str(error)))

    async def _take_in(self, scope: Scope, receive: Receive) -> tuple[Route[Any], Request[Any]]:
        try:
            content = await read_body(receive, bodies.MAX_BODY, BODY_WITHIN)
        except BodyTooLarge as error:
            raise ProblemError("too_large", str(error)) from None
        except BodyTimeout as error:
            raise ProblemError("bad_request", str(error)) from None
        there = [
            (route, name) for route in ROUTES if (name := route.match(scope["path"])) is not None
        ]
        if not there:
            raise ProblemError("not_found", f"nothing is at {scope['path'][:200]!r}")
        for route, name in there:
            if route.method == scope["method"]:
                query = read_query(scope["query_string"], route.query_names)
                body = bodies.read(content, route.body) if route.has_body else None
                heard = {"waits": route.waits, "resumes": route.resumes}
                return route, request(scope, name, query, body, **heard)
        allow = ", ".join(sorted(route.method for route, _ in there))
        raise ProblemError(
            "method_not_allowed",
            f"{scope['method']} is not {allow}",
            headers=((b"allow", allow.encode()),),
        )

    async def _waiting_for(self, work: Awaitable[Reply], receive: Receive) -> Reply:
        """Do the work; a till that goes away meanwhile changes nothing: Disconnected."""
        found: list[Reply] = []
        problem: list[Exception] = []

        async def watch() -> None:
            await disconnected(receive)
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            try:
                found.append(await work)
            except (ProblemError, LaneStopped, JournalError) as error:
                problem.append(error)  # not through the nursery, which would wrap it
            nursery.cancel_scope.cancel()
        if problem:
            raise problem[0]
        if not found:
            raise Disconnected
        return found[0]


async def _respond_problem(send: Send, problem: ProblemError) -> None:
    kind, headers = problems.CONTENT_TYPE, problem.headers
    await respond(send, problem.status, problem.body, kind, headers)
