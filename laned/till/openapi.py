"""The OpenAPI 3.1 document, made from the routes and the types that decode the bodies."""

from collections.abc import Sequence
from typing import Any

import msgspec

from laned import __version__
from laned.lane.state import Hardware
from laned.till.bodies import PAYMENT_ID, RequestBody
from laned.till.problems import CONTENT_TYPE, ProblemBody, status_of
from laned.till.requests import MAX_WAIT
from laned.till.routes import Route
from laned.views.lane import ClosedPromptView, DisplayView, PromptView
from laned.views.till_events import (
    ButtonNews,
    CardNews,
    JournalNews,
    PrintNews,
    TerminalNews,
)

_EVENTS = (
    ButtonNews,
    CardNews,
    ClosedPromptView,
    DisplayView,
    Hardware,
    JournalNews,
    PrintNews,
    PromptView,
    TerminalNews,
)
_TEMPLATE = "#/components/schemas/{name}"


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The document for `routes`."""
    types: list[Any] = [ProblemBody, *_EVENTS]
    for route in routes:
        types += [kind for kind in route.answers.values() if kind not in (str, bytes)]
        types += [route.body] if route.body else []
    schemas, components = msgspec.json.schema_components(types, ref_template=_TEMPLATE)
    by_type = dict(zip(map(_key, types), schemas, strict=True))
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.template, {})[route.method.lower()] = _operation(route, by_type)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "laned till API",
            "version": __version__,
            "description": "HTTP on a unix socket. Refusals are RFC 9457 problems whose `code` is"
            " stable. `/v1/events` sends the data of each event as one of the schemas here:"
            " session, payment, display, prompt, print, card, terminal, button, hardware, journal.",
        },
        "paths": paths,
        "components": {"schemas": components},
    }


def _key(kind: Any) -> str:
    return str(kind)


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "parameters": _parameters(route),
        "responses": {
            str(status): {
                "description": "done" if status < 202 else "asked for",
                "content": {route.media: {"schema": _schema(kind, schemas)}},
            }
            for status, kind in route.answers.items()
        },
    }
    if route.body is not None:
        operation["requestBody"] = {
            "required": bool(_required(route.body)),
            "content": {"application/json": {"schema": schemas[_key(route.body)]}},
        }
    for status, codes in _problems(route).items():
        operation["responses"][str(status)] = {
            "description": ", ".join(codes),
            "content": {CONTENT_TYPE: {"schema": schemas[_key(ProblemBody)]}},
        }
    return operation


def _schema(kind: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    if kind is bytes:
        return {"type": "string", "contentMediaType": "image/png"}
    if kind is str:
        return {"type": "string"}
    found: dict[str, Any] = schemas[_key(kind)]
    return found


def _required(body: type[RequestBody]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(body) if field.required]


def _problems(route: Route) -> dict[int, list[str]]:
    codes: list[str] = [*route.codes, "bad_request", "invalid", "too_large", "internal"]
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(status_of(code), []).append(code)
    return dict(sorted(by_status.items()))


def _parameters(route: Route) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    if route.variable is not None:
        schema: dict[str, Any] = {"type": "string"}
        if route.variable == "id" and route.method == "PUT":
            schema["pattern"] = f"^{PAYMENT_ID.pattern}$"
        parameters.append(
            {"name": route.variable, "in": "path", "required": True, "schema": schema}
        )
    for name, schema in route.query.items():
        parameters.append({"name": name, "in": "query", "schema": schema})
    if route.wait:
        description = "`wait=N`: answered when final or set aside, or after N seconds"
        description += f" (up to {MAX_WAIT:g})"
        schema = {"type": "string"}
        parameters.append(
            {"name": "Prefer", "in": "header", "schema": schema, "description": description}
        )
    if route.name == "events":
        description = "the `id` of an event; after any other text nothing is replayed"
        schema = {"type": "string"}
        parameters.append(
            {"name": "Last-Event-ID", "in": "header", "schema": schema, "description": description}
        )
    return parameters
