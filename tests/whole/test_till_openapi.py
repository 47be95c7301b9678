"""The OpenAPI document is true: what it accepts is accepted, the rest refused, answers are as said.

That every answer of every other test agrees with it is checked in `wholelane`.
"""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from contract import PROBLEM, accepts, faults, resolve, the_document
from trio.testing import MockClock
from wholelane import Rig, lane

DOCUMENT = the_document()
OPERATIONS = [
    (method, path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]
WITH_BODY = [
    pytest.param(method, path, operation, id=operation["operationId"])
    for method, path, operation in OPERATIONS
    if "requestBody" in operation
]
STATUS_OF_CODE = {"internal": 500, "not_found": 404, "too_large": 413, "invalid": 422}


# -- Its form -------------------------------------------------------------------------------------


async def test_it_is_served(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path) as rig:
        answer = await rig.get("/v1/openapi.json")
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == DOCUMENT


def test_its_form_is_openapi_3_1() -> None:
    assert re.fullmatch(r"3\.1\.\d", DOCUMENT["openapi"])
    assert DOCUMENT["info"]["title"]
    assert DOCUMENT["info"]["version"]
    assert set(DOCUMENT) <= {"openapi", "info", "paths", "components", "servers", "tags"}
    assert len({operation["operationId"] for *_, operation in OPERATIONS}) == len(OPERATIONS)
    for method, path, operation in OPERATIONS:
        assert path.startswith("/v1/") or path == "/metrics"
        assert method in ("get", "put", "post")
        assert set(operation) <= {
            "operationId", "summary", "description", "parameters", "requestBody", "responses",
        }  # fmt: skip
        variables = re.findall(r"\{(\w+)\}", path)
        named = [(p["name"], p["in"]) for p in operation["parameters"]]
        assert len(set(named)) == len(named)
        assert [name for name, place in named if place == "path"] == variables
        for parameter in operation["parameters"]:
            assert parameter["in"] in ("path", "query", "header")
            assert parameter.get("required", False) is (parameter["in"] == "path")
            well_formed(parameter["schema"])
        if method == "get":
            assert "requestBody" not in operation
        for status, response in operation["responses"].items():
            assert re.fullmatch(r"[2-5][0-9]{2}", status)
            assert response["description"]
            for media, content in response["content"].items():
                assert (media == PROBLEM) == (int(status) >= 400)
                well_formed(content["schema"])
        if "requestBody" in operation:
            (content,) = operation["requestBody"]["content"].values()
            body = resolve(content["schema"])
            assert body["additionalProperties"] is False
            assert operation["requestBody"]["required"] is bool(body.get("required"))
    for schema in DOCUMENT["components"]["schemas"].values():
        well_formed(schema)


def well_formed(schema: Any) -> None:
    """Every reference leads somewhere, and the validator knows every keyword."""
    if "$ref" in schema:
        assert set(schema) <= {"$ref", "default", "description"}
        assert resolve(schema)
        return
    for value in (None, True, 1, 1.5, "x", [], {}, ["x"], {"x": 1}):
        list(faults(value, schema))
    for inner in (*schema.get("properties", {}).values(), *schema.get("anyOf", [])):
        well_formed(inner)
    assert set(schema.get("required", [])) <= set(schema.get("properties", {}))


def test_every_code_of_the_contract_has_its_status() -> None:
    contract = {
        400: {"bad_request"},
        404: {"not_found"},
        409: {
            "payment_conflict", "lane_busy", "outcome_unknown", "not_abortable", "not_pending",
            "not_reversible", "not_unknown", "prompt_closed", "terminal_refused",
            "too_many_streams",
        },
        413: {"too_large"},
        422: {"invalid"},
        500: {"internal"},
        503: {"terminal_unavailable", "journal_unavailable"},
    }  # fmt: skip
    for *_, operation in OPERATIONS:
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert set(response["description"].split(", ")) <= contract[int(status)]


# -- Its truth about requests ---------------------------------------------------------------------

TEXTS = [
    "", " ", "x", "payment", "refund", "button", "none", "SEK", "EUR", "sek", "approved", "true",
    "failed", "MerchantCancel", "Malfunction",
    "10", "10.5", "0.01", "0", "00.0", "-1", "1e3", "1.234", "01", "1\n", "7\n", "\t", "a\x7fb",
    "ä", "٣", "x" * 36, "x" * 64, "x" * 65, "1" * 9, "1" * 10, "999999999.99",
]  # fmt: skip
VALUES: list[Any] = [
    *TEXTS, None, True, False, 0, 1, 60, 61, 0.1, 1.0, -0.5, 1e300, [], ["10"], {}, {"a": 1},
]  # fmt: skip


def bodies(schema: Any, seed: int) -> Iterator[tuple[dict[str, Any], bool]]:
    """Bodies made from the schema, and whether it accepts them."""
    rng = random.Random(seed)
    schema = resolve(schema)
    properties = schema.get("properties", {})
    good = {
        name: [value for value in VALUES if accepts(value, inner)]
        for name, inner in properties.items()
    }
    assert all(good.values()), "a property for which no value is known"
    assert all(len(values) < len(VALUES) for values in good.values())
    for _ in range(60):
        names = [
            name for name in properties if name in schema.get("required", ()) or rng.random() < 0.5
        ]
        body = {name: rng.choice(good[name]) for name in names}
        yield body, True
        mutated = dict(body)
        match rng.randrange(3):
            case 0 if names:
                mutated[rng.choice(names)] = rng.choice(VALUES)
            case 1 if names:
                mutated.pop(rng.choice(names))
            case _:
                mutated[rng.choice(["x", "amount ", "Confirmed", ""])] = rng.choice(VALUES)
        yield mutated, accepts(mutated, schema)
    for name in properties:
        base = {other: good[other][0] for other in schema.get("required", ())}
        for value in VALUES:
            yield base | {name: value}, accepts(base | {name: value}, schema)


def beyond_a_schema(body: dict[str, Any]) -> bool:
    """What a schema does not say: cash back is a part of the amount, and no part of a refund."""
    cash_back = body.get("cash_back")
    if not isinstance(cash_back, str):
        return False
    return body.get("type") == "refund" or float(cash_back) > float(body["amount"])


@pytest.mark.parametrize(("method", "path", "operation"), WITH_BODY)
async def test_a_body_is_accepted_exactly_if_the_document_accepts_it(
    tmp_path: Path, autojump_clock: MockClock, method: str, path: str, operation: Any
) -> None:
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    wrong: list[str] = []
    async with lane(tmp_path, payment={"confirm": "button"}) as rig:
        if operation["operationId"] in ("abort", "confirm", "reversal", "resolve"):
            await rig.put()
        for number, (body, accepted) in enumerate(bodies(schema, seed=7)):
            target = path.replace("{name}", "abort")
            payment_id = f"n-{number}" if method == "put" else "p-1"
            if method == "put" and accepted:
                body["confirm"] = "button"
                accepted = not beyond_a_schema(body)
            answer = await rig.till.request(
                method.upper(), target.replace("{id}", payment_id), content=json.dumps(body)
            )
            if answer.status_code == 500 or (answer.status_code not in (400, 422)) != accepted:
                wrong.append(f"{body} -> {answer.status_code}, accepted: {accepted}")
            if answer.status_code == 201:
                await rig.post(f"/v1/payments/{payment_id}/abort")
        await over(rig)
    assert wrong == []


async def over(rig: Rig) -> None:
    """Bring the lane to rest: no payment, and a session that a stop may end."""
    if (await rig.view())["payment"]:
        await rig.post("/v1/payments/p-1/abort")
        await rig.payment(wait=60)


QUERIES = [
    pytest.param(path, parameter, id=parameter["name"])
    for method, path, operation in OPERATIONS
    for parameter in operation["parameters"]
    if parameter["in"] == "query" and parameter["name"] != "before"  # the journal decides about it
]
WRITTEN = ["1", "8", "9", "100", "1000", "1001", "0", "-1", "1.5", "x", "", "approved", "pending"]


@pytest.mark.parametrize(("path", "parameter"), QUERIES)
async def test_a_query_is_accepted_exactly_if_the_document_accepts_it(
    tmp_path: Path, autojump_clock: MockClock, path: str, parameter: Any
) -> None:
    whole = parameter["schema"]["type"] == "integer"
    async with lane(tmp_path) as rig:
        for text in WRITTEN:
            value = int(text) if whole and re.fullmatch(r"-?[0-9]+", text) else text
            answer = await rig.till.get(path, params={parameter["name"]: text})
            accepted = accepts(value, parameter["schema"])
            assert (answer.status_code == 200) == accepted, f"{text!r}: {answer.status_code}"


async def test_an_id_is_accepted_exactly_if_the_document_accepts_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    operation = DOCUMENT["paths"]["/v1/payments/{id}"]["put"]
    schema = operation["parameters"][0]["schema"]
    names = [text for text in TEXTS if text and "/" not in text]
    async with lane(tmp_path, payment={"confirm": "button"}) as rig:
        for name in names:
            url = f"/v1/payments/{quote(name)}"
            answer = await rig.till.put(url, content=b'{"amount": "1"}')
            assert (answer.status_code == 201) == accepts(name, schema), repr(name)
            if answer.status_code == 201:
                await rig.post(f"/v1/payments/{name}/abort")


# -- Its truth about events -----------------------------------------------------------------------


async def test_every_event_is_one_of_its_schemas(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with (
        lane(tmp_path, "signature-approved", payment={"signature": "button"}) as rig,
        rig.stream() as stream,
    ):
        await rig.put()
        await stream.until("prompt", kind="signature")
        await rig.press("confirm")
        await rig.payment(wait=60)
        await rig.settled()
        names = {told.name for told in stream.told}
        assert names >= {"lane", "session", "payment", "display", "prompt", "print", "card"}
        for told in stream.told:
            fits = [
                name
                for name, schema in DOCUMENT["components"]["schemas"].items()
                if set(schema.get("properties", {})) == set(told.data)
                and accepts(told.data, schema)
            ]
            assert fits, f"{told.name}: {told.data}"
