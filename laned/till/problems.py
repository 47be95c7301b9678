"""Refusals as the till gets them: RFC 9457 problems with a stable code."""

from types import MappingProxyType
from typing import Final, Literal, get_args

import msgspec
from msgspec import Struct

CONTENT_TYPE: Final = "application/problem+json"

Code = Literal[
    "bad_request",
    "not_found",
    "method_not_allowed",
    "payment_conflict",
    "lane_busy",
    "outcome_unknown",
    "not_abortable",
    "not_pending",
    "not_reversible",
    "not_unknown",
    "prompt_closed",
    "terminal_refused",
    "too_many_streams",
    "too_large",
    "invalid",
    "internal",
    "terminal_unavailable",
    "journal_unavailable",
]

_STATUS: Final = MappingProxyType(
    {
        "bad_request": 400,
        "not_found": 404,
        "method_not_allowed": 405,
        "too_large": 413,
        "invalid": 422,
        "internal": 500,
        "terminal_unavailable": 503,
        "journal_unavailable": 503,
    }
)
assert set(_STATUS) <= set(get_args(Code))


class ProblemBody(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every refusal. `active` names the payment in the way, `field` what is wrong."""

    title: str
    status: int
    code: Code
    detail: str
    active: str | None = None
    field: str | None = None


class ProblemError(Exception):
    """Raised by a handler that refuses."""

    def __init__(
        self,
        code: Code,
        detail: str,
        *,
        active: str | None = None,
        field: str | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(detail)
        self.headers = headers
        self.status = status_of(code)
        self.body = msgspec.json.encode(
            ProblemBody(
                title=code.replace("_", " "),
                status=self.status,
                code=code,
                detail=detail,
                active=active,
                field=field,
            )
        )


def status_of(code: str) -> int:
    """The HTTP status of a code; whatever is not listed is a conflict."""
    return _STATUS.get(code, 409)
