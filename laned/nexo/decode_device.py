"""Reading what the terminal posts (display, input, print, events, its address), and the answers.

Nothing here decides about money, so whatever is missing gets the value that does least harm.
Source: protocol description, section "What the terminal posts to us". Every function takes the
body element and raises NexoError as `laned.nexo.decode.decode` describes.
"""

import re
from xml.etree.ElementTree import Element

from laned.nexo import messages as m
from laned.nexo.fields import (
    content,
    find,
    flag,
    from_base64,
    optional,
    output_texts,
    require,
    required,
    response,
    truth,
    whole_number,
)
from laned.nexo.receipts import decode_receipt
from laned.nexo.xml import NexoError, shown

MAX_DISPLAY_TIME = 999  # seconds, as in the schema

# A code, then a text that does not begin with a digit: "550,00 SEK" is a text and has no code.
_CODE_AND_TEXT = re.compile(r"\s*([0-9]{1,9})\s*,(?!\s*[0-9])\s*(.*)", re.DOTALL)
_QUOTED_FIELD = re.compile(r'"((?:[^"]++|"")*+)"')
_QUOTED_FIELDS = re.compile(rf"\s*{_QUOTED_FIELD.pattern}(?:\s*,\s*{_QUOTED_FIELD.pattern})*+\s*")


def parse_text(text: str) -> m.OutputText:
    """Split an OutputText such as ``9202,"Approved"`` into text and code; never raises.

    Several quoted fields are joined by a space, ``""`` within quotes is a quote. Anything else is
    all text, as it came.
    """
    code, rest = None, text
    if match := _CODE_AND_TEXT.fullmatch(text):
        code, rest = int(match[1]), match[2]
    if _QUOTED_FIELDS.fullmatch(rest):
        rest = " ".join(field.replace('""', '"') for field in _QUOTED_FIELD.findall(rest))
    return m.OutputText(rest, code)


def display_request(element: Element) -> m.DisplayRequest:
    """Read a DisplayRequest."""
    outputs = element.findall("DisplayOutput")
    return m.DisplayRequest(outputs=tuple(_display_output(output) for output in outputs))


def _display_output(element: Element) -> m.DisplayOutput:
    display_time = whole_number(element, "MinimumDisplayTime") or 0
    return m.DisplayOutput(
        device=optional(element, "Device") or "CashierDisplay",
        info_qualify=_info_qualify(element) or "Display",
        texts=tuple(parse_text(text) for text in output_texts(element)),
        response_required=flag(element, "ResponseRequiredFlag"),
        minimum_display_time=min(display_time, MAX_DISPLAY_TIME),
    )


def _info_qualify(element: Element) -> str | None:
    return optional(element, "InfoQualify") or optional(element, "InfoQuality")


def display_response(element: Element) -> m.DisplayResponse:
    """Read a DisplayResponse."""
    results = element.findall("OutputResult")
    return m.DisplayResponse(results=tuple(_output_result(result) for result in results))


def _output_result(element: Element) -> m.OutputResult:
    return m.OutputResult(
        device=optional(element, "Device") or "CashierDisplay",
        info_qualify=_info_qualify(element) or "Display",
        response=response(element),
    )


def input_request(element: Element) -> m.InputRequest:
    """Read an InputRequest."""
    display = find(element, "DisplayOutput")
    data = require(element, "InputData")
    return m.InputRequest(
        device=optional(data, "Device") or "CashierInput",
        info_qualify=_info_qualify(data) or "Input",
        command=required(data, "InputCommand"),
        display=None if display is None else _display_output(display),
        max_input_time=whole_number(data, "MaxInputTime") or None,
    )


def input_response(element: Element) -> m.InputResponse:
    """Read an InputResponse."""
    output = find(element, "OutputResult")
    result = require(element, "InputResult")
    given = find(result, "Input")
    return m.InputResponse(
        device=optional(result, "Device") or "CashierInput",
        info_qualify=_info_qualify(result) or "Input",
        command="" if given is None else given.get("InputCommand", ""),
        response=response(result),
        output=None if output is None else _output_result(output),
        confirmed=None if given is None else truth(content(find(given, "ConfirmedFlag"))),
    )


def print_request(element: Element) -> m.PrintRequest:
    """Read a PrintRequest."""
    output = require(element, "PrintOutput")
    qualifier = optional(output, "DocumentQualifier") or "Document"
    return m.PrintRequest(
        response_mode=optional(output, "ResponseMode") or m.ResponseMode.NOT_REQUIRED,
        receipt=decode_receipt(qualifier, output_texts(output)),
    )


def print_response(element: Element) -> m.PrintResponse:
    """Read a PrintResponse."""
    qualifier = optional(element, "DocumentQualifier") or "Document"
    return m.PrintResponse(qualifier=qualifier, response=response(element))


def event_notification(element: Element) -> m.EventNotification:
    """Read an EventNotification."""
    rejected = element.find("RejectedMessage")
    return m.EventNotification(
        event=required(element, "EventToNotify"),
        timestamp=element.get("TimeStamp", ""),
        details=content(element.find("EventDetails")),
        maintenance_required=flag(element, "MaintenanceRequiredFlag") or False,
        rejected=None if rejected is None else _text_of(content(rejected)),
    )


def _text_of(encoded: str) -> str:
    try:
        return from_base64(encoded).decode(errors="replace")
    except ValueError:
        return encoded


def transmit_request(element: Element) -> m.TransmitRequest:
    """Read a TransmitRequest; its message is decoded from base64, not looked into."""
    written = content(require(element, "Message"))
    try:
        message = from_base64(written)
    except ValueError:
        found = shown(written)
        raise NexoError(f"TransmitRequest/Message: found {found}, expected base64") from None
    return m.TransmitRequest(
        destination=required(element, "DestinationAddress"),
        message=message,
        wait_response=flag(element, "WaitResponseFlag") or False,
    )
