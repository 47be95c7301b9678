"""Rows, document and running app say the same of every route: cases are made from each of them."""

import re
import typing
from pathlib import Path
from types import NoneType
from typing import Any

import msgspec
import pytest
from contract import resolve, the_document
from trio.testing import MockClock
from wholelane import Rig, lane

from laned.till.requests import Request
from laned.till.route import Route
from laned.till.routes import ROUTES

OF_ROWS = [pytest.param(route, id=route.name) for route in ROUTES]
WITH_BODY = [pytest.param(route, id=route.name) for route in ROUTES if route.has_body]
WITHOUT = [pytest.param(route, id=route.name) for route in ROUTES if not route.has_body]
OF_DOCUMENT = [
    pytest.param(method, path, operation, id=operation["operationId"])
    for path, operations in the_document()["paths"].items()
    for method, operation in operations.items()
]
NOTHING_IS_AT = "nothing is at"


def filled(path: str) -> str:
    return path.replace("{id}", "p-1").replace("{name}", "abort")


async def asked(rig: Rig, method: str, path: str, content: bytes) -> tuple[int, Any]:
    """The status of an answer, and its problem; of a stream only its beginning."""
    async with rig.till.stream(method, filled(path), content=content) as answer:
        if answer.headers["content-type"] == "application/problem+json":
            await answer.aread()
            return answer.status_code, answer.json()
        return answer.status_code, {}


# -- From the rows --------------------------------------------------------------------------------


@pytest.mark.parametrize("route", OF_ROWS)
def test_a_handler_takes_the_body_that_its_row_decodes(route: Route[Any]) -> None:
    hints = typing.get_type_hints(route.handler)
    assert typing.get_origin(hints["asked"]) is Request
    assert typing.get_args(hints["asked"]) == (route.body,)


@pytest.mark.parametrize("route", OF_ROWS)
def test_every_row_is_in_the_document(route: Route[Any]) -> None:
    operation = the_document()["paths"][route.template][route.method.lower()]
    assert operation["operationId"] == route.name
    assert ("requestBody" in operation) is route.has_body
    if route.has_body:
        (content,) = operation["requestBody"]["content"].values()
        fields = msgspec.structs.fields(route.body)
        schema = resolve(content["schema"])
        assert set(schema["properties"]) == {field.name for field in fields}
        assert set(schema.get("required", ())) == {f.name for f in fields if f.required}


def test_only_a_get_has_no_body() -> None:
    assert {route.method for route in ROUTES if not route.has_body} == {"GET"}
    assert "GET" not in {route.method for route in ROUTES if route.has_body}


@pytest.mark.parametrize("route", WITH_BODY)
async def test_a_body_is_read_by_its_row(
    tmp_path: Path, autojump_clock: MockClock, route: Route[Any]
) -> None:
    """Unknown, mistyped and missing fields, each in a body that is right but for this."""
    fields = msgspec.structs.fields(route.body)
    right = {
        "amount": "1", "reason": "MerchantCancel", "state": "failed", "note": "seen",
        "confirmed": True,
    }  # fmt: skip
    base = {field.name: right[field.name] for field in fields if field.required}
    wrong: list[tuple[str, Any]] = [("unheard_of", base | {"unheard_of": 1})]
    wrong += [(field.name, base | {field.name: []}) for field in fields]
    for field in fields:
        if field.required:
            less = {key: value for key, value in base.items() if key != field.name}
            wrong.append((field.name, less))
    async with lane(tmp_path) as rig:
        for name, body in wrong:
            content = msgspec.json.encode(body)
            status, problem = await asked(rig, route.method, route.template, content)
            assert (status, problem.get("code"), problem.get("field")) == (422, "invalid", name)
        for content in (b"{", b"\xff"):
            status, problem = await asked(rig, route.method, route.template, content)
            assert (status, problem.get("code")) == (400, "bad_request")
        status, _ = await asked(rig, route.method, route.template, msgspec.json.encode(base))
        assert status in (*route.answers, 404, 409), "no fault, and taken for what it is"
        assert status not in (400, 422)
        if route.name == "put_payment":
            await rig.payment(wait=60)


@pytest.mark.parametrize("route", WITHOUT)
async def test_where_no_body_is_read_any_is_as_good_as_none(
    tmp_path: Path, autojump_clock: MockClock, route: Route[Any]
) -> None:
    assert route.body is NoneType
    async with lane(tmp_path) as rig:
        without = await asked(rig, route.method, route.template, b"")
        assert without[0] in (*route.answers, 404)
        for content in (b"{", b"[]", b'{"amount": "1"}'):
            assert await asked(rig, route.method, route.template, content) == without


# -- From the document ----------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path", "operation"), OF_DOCUMENT)
async def test_every_operation_of_the_document_is_served(
    tmp_path: Path, autojump_clock: MockClock, method: str, path: str, operation: Any
) -> None:
    (route,) = [route for route in ROUTES if route.name == operation["operationId"]]
    assert (route.method.lower(), route.template) == (method, path)
    async with lane(tmp_path) as rig:
        content = b"{" if "requestBody" in operation else b""
        status, problem = await asked(rig, method.upper(), path, content)
        if content:
            assert (status, problem["code"]) == (400, "bad_request"), "a body is read"
        else:
            assert str(status) in operation["responses"]
            assert status < 300 or not problem["detail"].startswith(NOTHING_IS_AT)


def test_a_name_stands_for_one_operation() -> None:
    names = [route.name for route in ROUTES]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z_]+", name) for name in names)
