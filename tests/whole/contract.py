"""laned's own OpenAPI document as a judge: what it accepts, and what it says of an answer.

A small validator for the part of JSON Schema that the document uses; a keyword it does not know is
an error, so that nothing passes unseen.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

import httpx

from laned.till.openapi import document
from laned.till.routes import ROUTES

ANNOTATIONS = {"title", "description", "examples", "default", "contentMediaType"}
PROBLEM = "application/problem+json"


@cache
def the_document() -> Any:
    """The document as a till gets it."""
    import msgspec

    return json.loads(msgspec.json.encode(document(ROUTES)))


def resolve(schema: Any) -> Any:
    while "$ref" in schema:
        path = schema["$ref"].removeprefix("#/").split("/")
        schema = the_document()
        for part in path:
            schema = schema[part]
    return schema


def faults(value: Any, schema: Any, where: str = "$") -> Iterator[str]:
    """What is wrong with `value` by `schema`."""
    schema = resolve(schema)
    for keyword, wanted in schema.items():
        if keyword in ANNOTATIONS or keyword in ("properties", "additionalProperties"):
            continue
        yield from _KEYWORDS[keyword](value, wanted, where)
    if isinstance(value, dict) and ("properties" in schema or "additionalProperties" in schema):
        known = schema.get("properties", {})
        more = schema.get("additionalProperties", True)
        for name, item in value.items():
            if name in known:
                yield from faults(item, known[name], f"{where}.{name}")
            elif more is False:
                yield f"{where}: unknown {name}"
            elif isinstance(more, dict):
                yield from faults(item, more, f"{where}.{name}")


def accepts(value: Any, schema: Any) -> bool:
    return not list(faults(value, schema))


def _is(value: Any, kind: str) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return {
        "null": value is None,
        "boolean": isinstance(value, bool),
        "object": isinstance(value, dict),
        "array": isinstance(value, list),
        "string": isinstance(value, str),
        "number": number,
        "integer": number and float(value).is_integer(),
    }[kind]


def _type(value: Any, wanted: Any, where: str) -> Iterator[str]:
    kinds = wanted if isinstance(wanted, list) else [wanted]
    if not any(_is(value, kind) for kind in kinds):
        yield f"{where}: {value!r:.60} is not {wanted}"


def _any_of(value: Any, wanted: Any, where: str) -> Iterator[str]:
    found = [list(faults(value, one, where)) for one in wanted]
    if all(found):
        yield from (fault for one in found for fault in one)


def _enum(value: Any, wanted: Any, where: str) -> Iterator[str]:
    if value not in wanted:
        yield f"{where}: {value!r:.60} is none of {wanted}"


def _required(value: Any, wanted: Any, where: str) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (f"{where}: no {name}" for name in wanted if name not in value)


def _items(value: Any, wanted: Any, where: str) -> Iterator[str]:
    if isinstance(value, list):
        for place, item in enumerate(value):
            yield from faults(item, wanted, f"{where}[{place}]")


def _pattern(value: Any, wanted: str, where: str) -> Iterator[str]:
    # ECMA 262: "$" stands for the very end, in Python also for the place before a last newline.
    assert not re.search(r"\\[AZzbd]", wanted), "not the same in ECMA 262"
    if isinstance(value, str) and not re.search(re.sub(r"\$(?=\)|$)", r"\\Z", wanted), value):
        yield f"{where}: {value!r:.60} does not match {wanted}"


def _length(low: int, high: float) -> Any:
    def check(value: Any, wanted: int, where: str) -> Iterator[str]:
        if isinstance(value, str) and not low * wanted <= len(value) <= max(wanted, high):
            yield f"{where}: {len(value)} characters"

    return check


def _bound(compare: Any) -> Any:
    def check(value: Any, wanted: float, where: str) -> Iterator[str]:
        if _is(value, "number") and not compare(value, wanted):
            yield f"{where}: {value} against {wanted}"

    return check


def _format(value: Any, wanted: str, where: str) -> Iterator[str]:
    if not isinstance(value, str):
        return
    if wanted == "decimal":
        good = (
            re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) is not None and Decimal(value).is_finite()
        )
    else:
        assert wanted == "date-time", wanted
        good = datetime.fromisoformat(value).utcoffset() is not None and value.endswith("Z")
    if not good:
        yield f"{where}: {value!r:.60} is no {wanted}"


_KEYWORDS: dict[str, Any] = {
    "type": _type,
    "anyOf": _any_of,
    "enum": _enum,
    "required": _required,
    "items": _items,
    "pattern": _pattern,
    "minLength": _length(1, float("inf")),
    "maxLength": _length(0, 0),
    "minimum": _bound(lambda value, wanted: value >= wanted),
    "maximum": _bound(lambda value, wanted: value <= wanted),
    "exclusiveMinimum": _bound(lambda value, wanted: value > wanted),
    "format": _format,
}


# -- Answers --------------------------------------------------------------------------------------


def operation_of(method: str, path: str) -> Any | None:
    """The document's operation for a request, if it has one."""
    for template, operations in the_document()["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path) and method.lower() in operations:
            return operations[method.lower()]
    return None


def undocumented(response: httpx.Response) -> Iterator[str]:
    """Where an answer is not what the document says; the body only if it has been read."""
    request = response.request
    asked = f"{request.method} {request.url.raw_path.decode()[:80]} -> {response.status_code}"
    operation = operation_of(request.method, request.url.path)
    if operation is None:
        expected = {404, 405, 413}
        if response.status_code not in expected:
            yield f"{asked}: not in the document at all"
        return
    described = operation["responses"].get(str(response.status_code))
    if described is None:
        yield f"{asked}: the document has only {', '.join(operation['responses'])}"
        return
    media = response.headers.get("content-type", "").partition(";")[0]
    if media not in described["content"]:
        yield f"{asked}: {media!r} is not {', '.join(described['content'])}"
    elif "json" in media and response.is_stream_consumed:
        body = response.json()
        for fault in faults(body, described["content"][media]["schema"]):
            yield f"{asked}: {fault}"
        if media == PROBLEM and body.get("code") not in described["description"].split(", "):
            yield f"{asked}: code {body.get('code')} is not described"
