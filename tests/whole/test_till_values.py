"""The values that a till may write: amounts, references and ids."""

import json
from pathlib import Path

import pytest
from trio.testing import MockClock
from wholelane import lane, refused

PENDING = {"confirm": "button"}


# -- Amounts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("10", "10.00"),
        ("10.0", "10.00"),
        ("10.00", "10.00"),
        ("0.01", "0.01"),
        ("0.1", "0.10"),
        ("38.50", "38.50"),
        ("999999999.99", "999999999.99"),
    ],
)
async def test_amounts_that_are_taken(
    tmp_path: Path, autojump_clock: MockClock, written: str, meant: str
) -> None:
    async with lane(tmp_path, payment=PENDING) as rig:
        answer = await rig.put("p-1", written)
        assert (answer.status_code, answer.json()["amount"]) == (201, meant)
        assert (await rig.put("p-1", meant)).status_code == 200
        await rig.post("/v1/payments/p-1/abort")


@pytest.mark.parametrize(
    "written",
    [
        "0", "0.00", "00", "-1", "-0.01", "+1", "1e3", "1E3", "1.234", "0.001", "1.", ".5", "1,50",
        "1 000", " 1", "1 ", "1\n", "\n1", "1\u00a0", "NaN", "Infinity", "0x10", "1_000", "٣",
        "１０", "1.2.3", "--1", "1234567890", "1" * 5000, "SEK 10", "10 SEK", "ten",
    ],
)  # fmt: skip
async def test_amounts_that_are_refused(
    tmp_path: Path, autojump_clock: MockClock, written: str
) -> None:
    async with lane(tmp_path, payment=PENDING) as rig:
        content = json.dumps({"amount": written})
        problem = await refused(rig, "PUT", "/v1/payments/p-1", 422, "invalid", content=content)
        assert problem["field"] == "amount"


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (
            '{"amount": "1,00"}',
            'amount: "1,00" is not a decimal string above zero with at most two decimals,'
            ' such as "38.00"',
        ),
        ('{"amount": "1.00", "currency": "USD"}', 'currency: "USD" is not one of SEK, NOK,'),
        ('{"amount": "1.00", "type": 5}', "type: 5 is not one of payment, refund"),
        ('{"amount": "1.00", "token": "yes"}', 'token: "yes" is not true or false'),
        ("{}", "amount: not given; must be a decimal string"),
        ('{"amount": "1.00", "sum": 1}', "Object contains unknown field `sum`"),
    ],
)
async def test_what_was_found_and_what_is_expected(
    tmp_path: Path, autojump_clock: MockClock, content: str, detail: str
) -> None:
    async with lane(tmp_path, payment=PENDING) as rig:
        problem = await refused(rig, "PUT", "/v1/payments/p-1", 422, "invalid", content=content)
        assert problem["detail"].startswith(detail)


async def test_the_configured_limit(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with lane(tmp_path, payment=PENDING | {"max_amount": "500"}) as rig:
        assert (await rig.put("a", "500.00")).status_code == 201
        await rig.post("/v1/payments/a/abort")
        content = b'{"amount": "500.01"}'
        problem = await refused(rig, "PUT", "/v1/payments/b", 422, "invalid", content=content)
        assert problem["field"] == "amount"


# -- References and ids ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reference",
    ["7", "x" * 64, 'Bröd & <smör> "å"', "å" * 64, "€ 100", " ", "a\u0085b", "a\ufffe", "7\n"],
)
async def test_a_reference_reaches_the_terminal_or_is_refused(
    tmp_path: Path, autojump_clock: MockClock, reference: str
) -> None:
    """Whatever the API takes must not stop the lane afterwards."""
    async with lane(tmp_path) as rig:
        answer = await rig.put(reference=reference)
        assert answer.status_code in (201, 422), answer.text
        if answer.status_code == 201:
            assert (await rig.payment(wait=60))["state"] == "approved"
        else:
            assert answer.json()["field"] == "reference"
            assert reference in (" ", "a\u0085b", "a\ufffe", "7\n")


@pytest.mark.parametrize(
    "name", ["a", "A.b_c-9", "0", "x" * 36, "-", "_", "...", "%61", "2025-03-04T11.30"]
)
async def test_ids_that_are_taken(tmp_path: Path, autojump_clock: MockClock, name: str) -> None:
    async with lane(tmp_path) as rig:
        payment = await rig.pay(name)
        assert payment["state"] == "approved"
        assert payment["id"] == ("a" if name == "%61" else name)
        assert (await rig.payment(name)) == payment


@pytest.mark.parametrize(
    "name",
    ["x" * 37, "a b", "a%20b", "å", "a:b", "a+b", "a%0A", "%00", "a%2Bb", "a,b", "a@b", "x" * 999],
)
async def test_ids_that_are_refused(tmp_path: Path, autojump_clock: MockClock, name: str) -> None:
    async with lane(tmp_path) as rig:
        content = b'{"amount": "1"}'
        problem = await refused(rig, "PUT", f"/v1/payments/{name}", 422, "invalid", content=content)
        assert problem["field"] == "id"
        await refused(rig, "GET", f"/v1/payments/{name}", 404, "not_found")
        await refused(rig, "POST", f"/v1/payments/{name}/abort", 404, "not_found")
