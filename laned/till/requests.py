"""A till's request taken apart, and the answer to it."""

import re
from collections.abc import AsyncIterator
from typing import Final, Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from laned.http.asgi import Scope
from laned.http.serve import PEER, Peer
from laned.till.problems import ProblemError

MAX_WAIT: Final = 600.0  # seconds, whatever `Prefer: wait` says
MAX_QUERY_FIELDS: Final = 16

_encode = msgspec.json.Encoder().encode
_WAIT: Final = re.compile(rb"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,9})\"?", re.IGNORECASE)


B = TypeVar("B")


class Request(Struct, Generic[B], frozen=True, kw_only=True):
    """One request: its path's variable, query, decoded body, and what its headers ask for."""

    name: str
    query: dict[str, str]
    body: B
    wait: float
    last_event_id: int | None
    peer: Peer | None


class Answer(Struct, frozen=True, kw_only=True):
    """One answer."""

    status: int
    content: bytes
    content_type: str = "application/json"


class EventStream(Struct, frozen=True):
    """An answer that goes on: server-sent events, each ready to be written."""

    events: AsyncIterator[bytes]


def answer(status: int, value: object) -> Answer:
    """An answer in JSON."""
    return Answer(status=status, content=_encode(value))


def request(
    scope: Scope, name: str, query: dict[str, str], body: B, *, waits: bool, resumes: bool
) -> Request[B]:
    """Put a request together; `Prefer: wait` and `Last-Event-ID` are heard where it says so."""
    headers = dict(scope["headers"])
    wait = _WAIT.search(headers.get(b"prefer", b"")) if waits else None
    last = headers.get(b"last-event-id", b"") if resumes else b""
    return Request(
        name=name,
        query=query,
        body=body,
        wait=min(float(wait[1]), MAX_WAIT) if wait else 0.0,
        last_event_id=int(last) if re.fullmatch(rb"\d{1,18}", last) else None,
        peer=scope.get("extensions", {}).get(PEER),
    )


def read_query(query: bytes, allowed: frozenset[str]) -> dict[str, str]:
    """Take a query apart; a field that is not in `allowed` is refused: ProblemError."""
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS
        )
    except ValueError as error:
        raise ProblemError("bad_request", f"the query cannot be read: {error}") from None
    for key, _ in pairs:
        if key not in allowed:
            known = ", ".join(sorted(allowed)) or "none"
            detail = f"no query field {key!r} here; known: {known}"
            raise ProblemError("invalid", detail, field=key[:64])
    return dict(pairs)
