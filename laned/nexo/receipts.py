"""Receipts: from what OutputText carries, base64 of UTF-8 JSON, to lines that can be printed.

Source: protocol description, sections Payment and "Signature in light integration".
"""

from collections.abc import Iterable, Sequence

import msgspec

from laned.nexo.fields import from_base64
from laned.nexo.messages import Receipt

MAX_RECEIPT_BYTES = 64 * 1024  # of JSON
MAX_RECEIPT_DEPTH = 32
MAX_RECEIPT_LINES = 500

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def decode_receipt(qualifier: str, texts: Sequence[str]) -> Receipt:
    """Decode the OutputTexts of one document; never raises.

    Texts that are no receipt, or one beyond the limits, become the lines themselves, and `data`
    is None: whether a signature is needed is then not known, `signature_block` False says nothing.
    """
    data = _document("".join(texts))
    if data is None:
        return Receipt(qualifier=qualifier, lines=tuple(texts[:MAX_RECEIPT_LINES]))
    root = _inside(data, "Merchant") or _inside(data, "Cardholder")
    payment = _inside(_inside(root, "Mandatory"), "Payment")
    return Receipt(
        qualifier=qualifier,
        lines=_lines(_inside(root, "Optional").get("ReceiptString")),
        data=data,
        signature_block=_is_true(payment.get("SignatureBlock")),
    )


def _document(text: str) -> dict[str, object] | None:
    try:
        raw = from_base64(text)
        if len(raw) > MAX_RECEIPT_BYTES:
            return None
        # msgspec, not json: it refuses NaN, infinite numbers and lone surrogates.
        data = msgspec.json.decode(raw.removeprefix(_BYTE_ORDER_MARK))
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) and _is_shallow(data, MAX_RECEIPT_DEPTH) else None


def _is_shallow(value: object, levels: int) -> bool:
    """Whether nothing lies deeper than `levels`; later readers may bear less than msgspec does."""
    inner: Iterable[object]
    if isinstance(value, dict):
        inner = value.values()
    elif isinstance(value, list):
        inner = value
    else:
        return True
    return levels > 0 and all(_is_shallow(item, levels - 1) for item in inner)


def _inside(data: dict[str, object], name: str) -> dict[str, object]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _lines(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.splitlines()
    if not isinstance(value, list):
        return ()
    return tuple(line for line in value[:MAX_RECEIPT_LINES] if isinstance(line, str))


def _is_true(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")
