"""What a route is: everything that the dispatcher and the OpenAPI document must agree about."""

from collections.abc import Awaitable, Callable
from types import FunctionType, NoneType
from typing import Any, Generic, TypeVar, cast

from msgspec import Struct

from laned.till import problems
from laned.till.handlers import Handlers
from laned.till.query import Field
from laned.till.requests import Answer, EventStream, Request

B = TypeVar("B")


class Route(Struct, Generic[B], frozen=True, kw_only=True):
    """One route. `template` has at most one variable; its handler is given a `body` decoded.

    `body` is NoneType where none is read. `waits` and `resumes` tell that the headers
    `Prefer: wait` and `Last-Event-ID` are heard; `pattern` is what the variable must match.
    """

    method: str
    template: str
    handler: Callable[[Handlers, Request[B]], Awaitable[Answer | EventStream]]
    body: type[B]
    summary: str
    answers: dict[int, Any]
    codes: tuple[problems.Code, ...] = ()
    query: tuple[Field, ...] = ()
    pattern: str | None = None
    waits: bool = False
    resumes: bool = False
    media: str = "application/json"

    @property
    def name(self) -> str:
        """Its name in the document: its handler's."""
        return cast("FunctionType", self.handler).__name__

    @property
    def has_body(self) -> bool:
        """Whether a body is read."""
        return self.body is not NoneType

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
        return frozenset(field.name for field in self.query)
