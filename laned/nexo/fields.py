"""How a decoder asks elements for values, and the parts that many messages have.

Singular elements are looked for with `find`: two where one is meant leave a choice that nobody
may make where money is concerned. Texts for people are taken with ``Element.find``, the first.
"""

import base64
import re
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar
from xml.etree.ElementTree import Element

from laned.nexo.messages import Response
from laned.nexo.xml import NexoError, shown

_AMOUNT = re.compile(r"\+?(?:[0-9]{1,12}(?:\.[0-9]{0,6})?|\.[0-9]{1,6})")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}

_E = TypeVar("_E", bound=StrEnum)


def find(parent: Element, *path: str) -> Element | None:
    """Follow `path` downwards; None where it ends.

    Raises:
        NexoError: an element of the path is there more than once.

    """
    element = parent
    for name in path:
        found = element.findall(name)
        if not found:
            return None
        if len(found) > 1:
            raise NexoError(f"{element.tag}/{name}: found {len(found)} of them, expected one")
        element = found[0]
    return element


def require(parent: Element, *path: str) -> Element:
    """Like `find`, but an element that is not there is a NexoError."""
    element = find(parent, *path)
    if element is None:
        raise NexoError(f"{'/'.join((parent.tag, *path))}: found none, expected one")
    return element


def content(element: Element | None) -> str:
    """All text of an element, as it is; empty if there is no element."""
    return "" if element is None else "".join(element.itertext())


def optional(element: Element, name: str) -> str | None:
    """The attribute as it came, None if missing or blank."""
    value = element.get(name, "")
    return value if value.strip() else None


def required(element: Element, name: str) -> str:
    """The attribute as it came; missing or blank is a NexoError."""
    value = optional(element, name)
    if value is None:
        found = "no attribute" if element.get(name) is None else "a blank one"
        raise NexoError(f"{element.tag}/@{name}: found {found}, expected a value")
    return value


def enumeration(values: type[_E], found: str, name: str) -> _E:
    """`found` as one of `values`; anything else is a NexoError about `name`."""
    try:
        return values(found)
    except ValueError:
        expected = ", ".join(values)
        raise NexoError(f"{name}: found {shown(found)}, expected one of {expected}") from None


def truth(text: str) -> bool | None:
    """`text` as xs:boolean, None if it is none."""
    return _BOOLEANS.get(text.strip().lower())


def flag(element: Element, name: str) -> bool | None:
    """The attribute as xs:boolean, None if missing or anything else."""
    return truth(element.get(name, ""))


def whole_number(element: Element, name: str) -> int | None:
    """The attribute as a whole number from 0 of at most 9 digits, None if anything else."""
    value = element.get(name, "").strip()
    return int(value) if _WHOLE_NUMBER.fullmatch(value) else None


def amount(element: Element, name: str) -> Decimal:
    """The attribute as an amount from 0, at most 12 digits and 6 decimals.

    Raises:
        NexoError: it is missing or anything else.

    """
    value = required(element, name).strip()
    if not _AMOUNT.fullmatch(value):
        expected = "an amount such as 12.50, at most 12 digits and 6 decimals"
        raise NexoError(f"{element.tag}/@{name}: found {shown(value)}, expected {expected}")
    return Decimal(value)


def optional_amount(element: Element, name: str) -> Decimal | None:
    """Like `amount`, but None if there is no such attribute."""
    return None if element.get(name) is None else amount(element, name)


def from_base64(text: str) -> bytes:
    """Bytes of base64 that may be broken into lines; ValueError if it is something else."""
    return base64.b64decode("".join(text.split()), validate=True)


def response(parent: Element) -> Response:
    """Read the Response of a body; without Result it is a NexoError."""
    element = require(parent, "Response")
    return Response(
        result=required(element, "Result"),
        error_condition=optional(element, "ErrorCondition"),
        additional_response=content(element.find("AdditionalResponse")),
    )


def output_texts(parent: Element) -> list[str]:
    """Read every OutputText of the OutputContent in `parent`, as they are."""
    return [content(text) for text in parent.findall("OutputContent/OutputText")]
