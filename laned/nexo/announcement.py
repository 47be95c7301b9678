"""The terminal's own address, as it announces it in a TransmitRequest.

Source: protocol description, section "What the terminal posts to us": a message for port 15022 is
JSON with the address at which the terminal is to be reached from now on.
"""

import ipaddress
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from laned.nexo.messages import TransmitRequest

CONFIGURATION_PORT = ":15022"
MAX_BYTES = 4096  # of JSON

Port = Annotated[str, Meta(pattern=r"\A[1-9][0-9]{0,4}\Z")]


class _EndPoint(Struct, rename="camel"):
    ip_v4_address: str = msgspec.field(name="ipV4Address")
    ip_port: Port | int


class _Configuration(Struct, rename="camel"):
    ip_end_point: _EndPoint


class _Message(Struct):
    configuration: _Configuration = msgspec.field(name="saleTerminalconfiguration")


def announced_address(request: TransmitRequest) -> tuple[str, str] | None:
    """Host and "host:port" that a configuration message announces; None for any other message.

    Never raises.
    """
    if not request.destination.endswith(CONFIGURATION_PORT) or len(request.message) > MAX_BYTES:
        return None
    try:
        message = msgspec.json.decode(request.message, type=_Message)
        end_point = message.configuration.ip_end_point
        host, port = str(ipaddress.IPv4Address(end_point.ip_v4_address)), int(end_point.ip_port)
    except (ValueError, RecursionError):
        return None
    return (host, f"{host}:{port}") if 0 < port < 65536 else None
