"""One lane for one terminal: what two daemons on one box must not share.

A claim is an abstract unix socket's name. It needs no folder that both can write to, whatever their
units' sandboxes, and goes with the process, however that ends. Source: unix(7).
"""

import errno
import hashlib
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from laned.config.schema import TerminalConfig

LONGEST_NAME: Final = 107  # bytes of an abstract name after its NUL


class Claimed(Exception):  # noqa: N818 - read as a sentence
    """Another laned on this machine has it; the text says what."""


@contextmanager
def claims(terminal: TerminalConfig) -> Iterator[None]:
    """Hold the terminal's address, and its POIID with our SaleID, or raise Claimed.

    An address that is learnt is not held: whoever answers there must have the right serial number.
    """
    with ExitStack() as held:
        address = _address(terminal)
        if address is not None:
            held.enter_context(_claim("terminal", address, f"terminal {terminal.address}"))
        identity = f"{terminal.poi_id} {terminal.sale_id}"
        text = f"POIID {terminal.poi_id!r} with SaleID {terminal.sale_id!r}"
        held.enter_context(_claim("identity", identity, text))
        yield


def _address(terminal: TerminalConfig) -> str | None:
    found = terminal.host_port
    return None if found is None else f"{found[0].lower()} {found[1]}"


def _claim(kind: str, value: str, text: str) -> socket.socket:
    """Take a name that the kernel gives to one process only."""
    name = f"\0laned/{kind}/{value}".encode()
    if len(name) > LONGEST_NAME + 1:
        name = f"\0laned/{kind}/{hashlib.sha256(name).hexdigest()}".encode()
    held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        held.bind(name)  # never listens: nobody can connect to it
    except OSError as error:
        held.close()
        if error.errno == errno.EADDRINUSE:
            raise Claimed(f"another laned on this machine uses {text}") from None
        raise
    return held
