"""The till API request by request: routes, methods, bodies, fields, amounts, ids, headers."""

import json
from pathlib import Path
from typing import Any

import pytest
import trio
from contract import the_document
from trio.testing import MockClock
from wholelane import lane, refused

from laned.lane.state import Hardware

KIB = 1024
PENDING = {"confirm": "button"}

PATHS = sorted(the_document()["paths"])
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")


def real(template: str) -> str:
    return template.replace("{id}", "p-1").replace("{name}", "abort")


# -- Routes and methods ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/",
        "/v2/lane",
        "/v1/lane/",
        "/V1/LANE",
        "/v1//lane",
        "/v1/payments/",
        "/v1/payments//abort",
        "/v1/payments/a/b",
        "/v1/payments/a/abort/",
        "/v1/payments/a%2Fb",
        "/v1/buttons//press",
        "/v1/buttons/a/b/press",
        "/v1/prompts/",
        "/v1/%ff",
        "/v1/" + "x" * 8000,
    ],
)
async def test_what_is_not_there(tmp_path: Path, autojump_clock: MockClock, path: str) -> None:
    async with lane(tmp_path) as rig:
        for method in ("GET", "PUT", "POST"):
            await refused(rig, method, path, 404, "not_found", content=b"{}")


@pytest.mark.parametrize("path", PATHS)
async def test_methods_that_a_path_does_not_have(
    tmp_path: Path, autojump_clock: MockClock, path: str
) -> None:
    known = sorted(method.upper() for method in the_document()["paths"][path])
    async with lane(tmp_path) as rig:
        sent = rig.world.categories()
        for method in sorted(set(METHODS) - set(known)):
            answer = await rig.till.request(method, real(path))
            assert answer.status_code == 405, f"{method} {path}"
            assert answer.headers["allow"].split(", ") == known
            assert answer.json()["code"] == "method_not_allowed"
        assert rig.world.categories() == sent


async def test_any_host_and_any_content_type(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path, payment=PENDING) as rig:
        for number, kind in enumerate(
            ("application/x-www-form-urlencoded", "text/plain", "application/json", "x")
        ):
            headers = {"Content-Type": kind, "Host": "example.org"}
            answer = await rig.till.put(
                f"/v1/payments/{number}", content=b'{"amount": "1"}', headers=headers
            )
            assert answer.status_code == 201
            assert answer.headers["content-type"] == "application/json"
            await rig.post(f"/v1/payments/{number}/abort")


# -- Bodies ---------------------------------------------------------------------------------------


async def test_bodies_that_are_too_large(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path) as rig:
        for method, path in (("PUT", "/v1/payments/p-1"), ("GET", "/v1/lane"), ("POST", "/v1/no")):
            content = b" " * (64 * KIB + 1)
            await refused(rig, method, path, 413, "too_large", content=content)
        fits = b'{"amount": "x"}'.ljust(64 * KIB)
        await refused(rig, "PUT", "/v1/payments/p-1", 422, "invalid", content=fits)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"amount=10",
        b"nothing",
        b'{"amount": NaN}',
        b'{"amount": Infinity}',
        b"{'amount': '10'}",
        b'{"amount": "10"',
        b'{"amount": "10"} {}',
        b'{"amount": "10",}',
        b'{"amount": "\xff\xfe"}',
        b'{"\xff": "10"}',
        b"",
        b"\xef\xbb\xbf",
        b"\xff\xfe{\x00}\x00",
        b"\x00",
        b'{"amount": "1\n0"}',
        b'{"amount": "\\ud800"}',
        b'{"amount": "10", "reference": "\\udc00"}',
    ],
)
async def test_bodies_that_are_no_json(
    tmp_path: Path, autojump_clock: MockClock, body: bytes
) -> None:
    async with lane(tmp_path) as rig:
        answer = await rig.till.put("/v1/payments/p-1", content=body)
        assert answer.status_code == 400, answer.text
        assert answer.json()["code"] == "bad_request"
        assert (await rig.get("/v1/payments/p-1")).status_code == 404


async def test_a_byte_order_mark_is_not_looked_at(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig:
        body = b'\xef\xbb\xbf{"amount": "38.00", "reference": 7}'
        problem = await refused(rig, "PUT", "/v1/payments/p-1", 422, "invalid", content=body)
        assert problem["detail"].startswith("reference: 7 is not")
        body = body.replace(b"7", b'"A-7"')
        assert (await rig.till.put("/v1/payments/p-1", content=body)).status_code == 201
        again = await rig.till.put("/v1/payments/p-1", content=body[3:])
        assert again.status_code == 200, "the mark is no part of the content"
        await rig.payment(wait=60)


@pytest.mark.parametrize("nested", [b"[" * 30_000, b'{"a":' * 10_000, b"[" * 9000 + b"]" * 9000])
@pytest.mark.parametrize("body", [b"%s", b'{"amount": %s}', b'{"amount": "1", "x": %s}'])
async def test_deep_nesting_is_refused(
    tmp_path: Path, autojump_clock: MockClock, body: bytes, nested: bytes
) -> None:
    async with lane(tmp_path) as rig:
        answer = await rig.till.put("/v1/payments/p-1", content=body % nested)
        assert (answer.status_code, answer.json()["code"]) in (
            (400, "bad_request"),
            (422, "invalid"),
        )


@pytest.mark.parametrize("body", [b"", b"{}", b" {} ", b"\xef\xbb\xbf", b"\xef\xbb\xbf{}"])
async def test_no_body_is_an_empty_object_where_nothing_must_be_in_it(
    tmp_path: Path, autojump_clock: MockClock, body: bytes
) -> None:
    async with lane(tmp_path) as rig:
        if b"{" in body:
            problem = await refused(rig, "PUT", "/v1/payments/p", 422, "invalid", content=body)
            assert problem["field"] == "amount"
        else:
            await refused(rig, "PUT", "/v1/payments/p", 400, "bad_request", content=body)
        await refused(rig, "POST", "/v1/payments/p/abort", 404, "not_found", content=body)
        assert (await rig.till.post("/v1/session/logout", content=body)).status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", 10),
        ("amount", None),
        ("amount", ["10"]),
        ("amount", ""),
        ("currency", "USD"),
        ("currency", "sek"),
        ("currency", 752),
        ("type", "Payment"),
        ("type", None),
        ("cash_back", "0"),
        ("cash_back", "-1"),
        ("cash_back", "10.01"),
        ("confirm", True),
        ("confirm", "yes"),
        ("reference", ""),
        ("reference", "x" * 65),
        ("reference", "a\tb"),
        ("reference", 7),
        ("token", "true"),
        ("token", 1),
        ("token", None),
        ("id", "p-1"),
        ("Amount", "10"),
        ("x" * 64, 1),
    ],
)
async def test_a_refusal_names_the_field(
    tmp_path: Path, autojump_clock: MockClock, field: str, value: Any
) -> None:
    async with lane(tmp_path) as rig:
        content = json.dumps({"amount": "10"} | {field: value})
        problem = await refused(rig, "PUT", "/v1/payments/p-1", 422, "invalid", content=content)
        assert problem["field"] == field
        assert (await rig.get("/v1/payments/p-1")).status_code == 404


async def test_a_refund_has_no_cash_back(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path) as rig:
        content = json.dumps({"amount": "10", "cash_back": "5", "type": "refund"})
        problem = await refused(rig, "PUT", "/v1/payments/p-1", 422, "invalid", content=content)
        assert problem["field"] == "cash_back"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/prompts/x", {}, "confirmed"),
        ("/v1/prompts/x", {"confirmed": "yes"}, "confirmed"),
        ("/v1/prompts/x", {"confirmed": None}, "confirmed"),
        ("/v1/prompts/x", {"confirmed": True, "by": "me"}, "by"),
        ("/v1/session/logout", {"maintenance": 1}, "maintenance"),
        ("/v1/session/logout", {"maintenence": True}, "maintenence"),
        ("/v1/session/login", {"force": True}, "force"),
        ("/v1/payments/p-1/abort", {"reason": "x"}, "reason"),
        ("/v1/payments/p-1/confirm", {"confirmed": True}, "confirmed"),
        ("/v1/buttons/abort/press", {"seconds": 0}, "seconds"),
        ("/v1/buttons/abort/press", {"seconds": -1}, "seconds"),
        ("/v1/buttons/abort/press", {"seconds": 61}, "seconds"),
        ("/v1/buttons/abort/press", {"seconds": "1"}, "seconds"),
        ("/v1/buttons/abort/press", {"duration": 1}, "duration"),
    ],
)
async def test_every_posts_fields_are_checked(
    tmp_path: Path, autojump_clock: MockClock, path: str, body: Any, field: str
) -> None:
    async with lane(tmp_path) as rig:
        problem = await refused(rig, "POST", path, 422, "invalid", content=json.dumps(body))
        assert problem["field"] == field
        assert (await rig.view())["session"]["state"] == "ready"


# -- Queries --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=final", "state"),
        ("state=APPROVED", "state"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=1.5", "limit"),
        ("limit=%D9%A3", "limit"),
        ("limit=+5", "limit"),
        ("limit=", "limit"),
        ("state=", "state"),
        ("before=nobody", "before"),
        ("after=p-1", "after"),
        ("Limit=5", "Limit"),
    ],
)
async def test_queries_that_are_refused(
    tmp_path: Path, autojump_clock: MockClock, query: str, field: str
) -> None:
    async with lane(tmp_path) as rig:
        problem = await refused(rig, "GET", f"/v1/payments?{query}", 422, "invalid")
        assert problem["field"] == field


@pytest.mark.parametrize("path", PATHS)
async def test_an_unknown_query_field_is_refused_everywhere_as_documented(
    tmp_path: Path, autojump_clock: MockClock, path: str
) -> None:
    async with lane(tmp_path) as rig:
        for method in the_document()["paths"][path]:
            problem = await refused(rig, method.upper(), f"{real(path)}?x=1", 422, "invalid")
            assert problem["field"] == "x"


async def test_scale(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path) as rig:
        for scale in ("0", "9", "x", "1.0"):
            problem = await refused(rig, "GET", f"/v1/display.png?scale={scale}", 422, "invalid")
            assert problem["field"] == "scale"


# -- Headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=5", 5),
        ("Wait=5", 5),
        ("wait = 5", 5),
        ('wait="5"', 5),
        ("respond-async, wait=5", 5),
        ("wait=5; foo=bar", 5),
        ("handling=lenient,wait=5", 5),
        ("wait=0", 0),
        ("wait", 0),
        ("wait=", 0),
        ("wait=-5", 0),
        ("wait=x", 0),
        ("await=5", 0),
        ("no-wait=5", 0),
        ("", 0),
        ("wait=601", 600),
        ("wait=99999999999999999999", 600),
    ],
)
async def test_prefer(
    tmp_path: Path, autojump_clock: MockClock, prefer: str, seconds: float
) -> None:
    async with lane(tmp_path, payment=PENDING | {"confirm_timeout": 3000.0}) as rig:
        begun = trio.current_time()
        answer = await rig.till.put(
            "/v1/payments/p-1", content=b'{"amount": "1"}', headers={"Prefer": prefer}
        )
        assert (answer.status_code, answer.json()["state"]) == (201, "pending")
        assert trio.current_time() - begun == pytest.approx(seconds)
        await rig.post("/v1/payments/p-1/abort")


# -- Buttons --------------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", ["virtual", "none"])
async def test_only_virtual_buttons_that_exist_can_be_pressed(
    tmp_path: Path, autojump_clock: MockClock, driver: str
) -> None:
    async with lane(tmp_path, buttons={"driver": driver}) as rig:
        await refused(rig, "POST", "/v1/buttons/approve/press", 404, "not_found")
        answer = await rig.post("/v1/buttons/confirm/press")
        assert answer.status_code == (202 if driver == "virtual" else 404)
        await trio.sleep(1)


async def test_a_button_that_is_held_does_not_hold_up_the_stop(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path) as rig:
        answer = await rig.post("/v1/buttons/abort/press", {"seconds": 60})
        assert answer.json() == {"name": "abort", "seconds": 60.0}
        begun = trio.current_time()
        await rig.stop()
        assert trio.current_time() - begun < 2


async def test_without_a_display_there_is_no_picture(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with lane(tmp_path, display={"driver": "none"}) as rig:
        await refused(rig, "GET", "/v1/display.png", 404, "not_found")
        assert (await rig.view())["hardware"]["display"] == "off"


def test_hardware_that_was_not_opened_yet_is_starting() -> None:
    assert Hardware() == Hardware(display="starting", buttons="starting")
