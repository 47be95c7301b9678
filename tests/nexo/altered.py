"""Every small alteration of a message: what a schema is there to tell from the message itself.

An alteration has a name that does not depend on the message it was made in, since a schema judges
an element by its own parts alone.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import pairwise
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

VALUES = (
    *("", " ", "x", "?", "7", "0", "-1", "+1", "1.5", ".5", "1e3", "true", "yes"),
    *("sv", "SV", "swe", "SEK", "sek", "1234567890", "12345678901", "Payment", "Pay"),
    *("2025-06-07T08:09:10+02:00", "2025-06-07T08:09:10Z", "2025-13-07T08:09:10Z", "2025-06-07"),
    *("Success", "Normal", "Request", "Device", "Attended", "Busy", "Customer", "Loyalty PIN"),
    *("GetConfirmation", "CashierDisplay", "Status", "Malfunction", "CashierReceipt", "Extended"),
    *("PrinterReceipt", "PrinterReceipt ICC", "printerreceipt"),
)
"""What attributes and texts are tried with: of every kind a right one, and wrong ones."""


def alterations(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The message with one child removed, repeated, strange or out of order, or one attribute."""
    root = ElementTree.fromstring(data)
    for at, element in enumerate(root.iter()):
        if element is not root:
            for name, change in (*_of_children(element), *_of_attributes(element)):
                yield f"{element.tag} {name}", _with(root, at, change)


def valued(data: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Where, a value of VALUES, and the message with it in place of that attribute or text."""
    root = ElementTree.fromstring(data)
    for at, element in enumerate(root.iter()):
        for value in VALUES:
            for name in element.attrib:
                yield f"{element.tag} @{name}", value, _with(root, at, _setting(name, value))
            if (element.text or "").strip():
                yield element.tag, value, _with(root, at, _texting(value))


Change = Callable[[Element], None]


def _with(root: Element, at: int, change: Change) -> bytes:
    altered = deepcopy(root)
    change(list(altered.iter())[at])
    written: bytes = ElementTree.tostring(altered, encoding="utf-8")
    return written


def _of_children(element: Element) -> Iterator[tuple[str, Change]]:
    tags = [child.tag for child in element]
    for at, tag in enumerate(tags):
        yield f"without {tag}", lambda e, at=at: e.remove(e[at])  # type: ignore[misc]
        yield f"twice {tag}", lambda e, at=at: e.insert(at, e[at])  # type: ignore[misc]
    for at, (one, other) in enumerate(pairwise(tags)):
        if one != other:

            def swap(e: Element, at: int = at) -> None:
                e[at], e[at + 1] = e[at + 1], e[at]

            yield f"with {other} before {one}", swap
    yield "with a strange child", lambda e: e.append(Element("Weather"))
    if not (element.text or "").strip():
        yield "with a text", _texting("mild")


def _of_attributes(element: Element) -> Iterator[tuple[str, Change]]:
    for name in element.attrib:
        yield f"without @{name}", lambda e, name=name: e.attrib.pop(name)  # type: ignore[misc]
    yield "with a strange @", _setting("Weather", "mild")


def _setting(name: str, value: str) -> Change:
    return lambda element: element.set(name, value)


def _texting(value: str) -> Change:
    def change(element: Element) -> None:
        element.text = value

    return change
