"""Receipts: base64 JSON to lines, and everything that is not."""

import base64

import pytest
from nexo_wire import CARDHOLDER, MERCHANT, base64_json

from laned.nexo.receipts import (
    MAX_RECEIPT_BYTES,
    MAX_RECEIPT_DEPTH,
    MAX_RECEIPT_LINES,
    decode_receipt,
)


def raw(document: bytes) -> str:
    return base64.b64encode(document).decode()


def test_merchant_receipt_with_signature() -> None:
    receipt = decode_receipt("CashierReceipt", [base64_json(MERCHANT)])
    assert receipt.qualifier == "CashierReceipt"
    assert receipt.lines == ("Fjällboden", "KÖP 120,00 SEK", "", "Underskrift")
    assert receipt.data == MERCHANT
    assert receipt.signature_block is True


def test_cardholder_receipt_without_signature() -> None:
    receipt = decode_receipt("CustomerReceipt", [base64_json(CARDHOLDER)])
    assert receipt.lines == ("Fjällboden", "Tack!")
    assert receipt.data == CARDHOLDER
    assert receipt.signature_block is False


def test_base64_may_be_broken_into_lines_and_texts_and_begin_with_a_mark() -> None:
    text = raw(b"\xef\xbb\xbf" + base64.b64decode(base64_json(MERCHANT)))
    half = len(text) // 2
    receipt = decode_receipt("CashierReceipt", [f"\n  {text[:half]}\r\n", f"\t{text[half:]}\n"])
    assert receipt.data == MERCHANT


@pytest.mark.parametrize(
    ("block", "signature"),
    [
        (True, True),
        ("true", True),
        (" TRUE ", True),
        (False, False),
        ("false", False),
        (None, False),
        ([], False),
    ],
)
def test_signature_block(block: object, signature: bool) -> None:
    document = {"Merchant": {"Mandatory": {"Payment": {"SignatureBlock": block}}}}
    assert decode_receipt("CashierReceipt", [base64_json(document)]).signature_block is signature


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ("one\ntwo", ("one", "two")),
        (["one", 2, None, "three"], ("one", "three")),
        (7, ()),
        (None, ()),
        (["x"] * (MAX_RECEIPT_LINES + 1), ("x",) * MAX_RECEIPT_LINES),
    ],
)
def test_receipt_string(value: object, lines: tuple[str, ...]) -> None:
    document = {"Cardholder": {"Optional": {"ReceiptString": value}}}
    receipt = decode_receipt("CustomerReceipt", [base64_json(document)])
    assert receipt.lines == lines
    assert receipt.data == document


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"Merchant": 1},
        {"Merchant": {"Optional": []}},
        {"Merchant": {"Mandatory": {"Payment": 0}}},
    ],
)
def test_documents_without_the_expected_parts_have_no_lines(document: dict[str, object]) -> None:
    receipt = decode_receipt("CashierReceipt", [base64_json(document)])
    assert (receipt.lines, receipt.data, receipt.signature_block) == ((), document, False)


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize(
    "text",
    [
        "Plain line of text",
        "",
        "åäö",
        "QUJ",
        raw(b"not json"),
        raw(b"\xff\xfe"),
        raw(b"[1, 2]"),
        raw(b'"text"'),
        raw(b'{"a": NaN}'),
        raw(b'{"a": Infinity}'),
        raw(b'{"a": 1e999}'),
        raw(b'{"a": "\\ud800"}'),
        raw(b'{"a": "\xe5"}'),
        raw(b'{"a": ' + b"9" * 5000 + b"}"),
        raw(nested(MAX_RECEIPT_DEPTH + 1)),
        raw(b"[" * 40_000),
        raw(nested(9_000)),
        raw(b'{"a": "' + b"x" * MAX_RECEIPT_BYTES + b'"}'),
    ],
)
def test_what_is_no_receipt_is_kept_as_lines(text: str) -> None:
    receipt = decode_receipt("CashierReceipt", [text, "second"])
    assert receipt.lines == (text, "second")
    assert receipt.data is None
    alone = decode_receipt("CashierReceipt", [text])
    assert (alone.lines, alone.data, alone.signature_block) == ((text,), None, False)


def test_limits_are_reached_but_not_passed() -> None:
    assert decode_receipt("CashierReceipt", [raw(nested(MAX_RECEIPT_DEPTH))]).data is not None
    filling = MAX_RECEIPT_BYTES - len('{"a": ""}')
    full = raw(b'{"a": "' + b"x" * filling + b'"}')
    assert decode_receipt("CashierReceipt", [full]).data is not None
    many = ["line"] * (MAX_RECEIPT_LINES + 1)
    assert len(decode_receipt("CashierReceipt", many).lines) == MAX_RECEIPT_LINES


def test_no_text_at_all() -> None:
    receipt = decode_receipt("Document", [])
    assert (receipt.lines, receipt.data) == ((), None)
