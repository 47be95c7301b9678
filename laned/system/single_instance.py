"""One lane for one terminal: what two daemons on one box must not share.

A claim is an abstract unix socket's name. It needs no folder that both can write to, whatever their
units' sandboxes, and goes with the process, however that ends. Source: unix(7).
"""

import errno
import hashlib
import ipaddress
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from laned.config.schema import TerminalConfig

LONGEST_NAME: Final = 107  # bytes of an abstract name after its NUL


class Claimed(Exception):  # noqa: N818 - read as a sentence
    """Another laned on this machine has it; the text says what."""


Found = Callable[[str, Sequence[str]], None]
"""Told what a name was found to stand for: Claimed if another laned has it."""


@contextmanager
def claims(terminal: TerminalConfig) -> Iterator[Found]:
    """Hold the terminal's address, and its POIID with our SaleID, or raise Claimed.

    Yields what holds the addresses of its name too, as soon as they are known: two names of one
    terminal are one terminal. An address that is learnt is not held: whoever answers there must
    have the right serial number.
    """
    place = terminal.host_port
    with ExitStack() as stack:
        held: set[str] = set()

        def hold(host: str, addresses: Sequence[str]) -> None:
            if place is None or _spelt(host) != _spelt(place[0]):
                return
            for address in {_spelt(one) for one in (host, *addresses)} - held:
                text = f"terminal {terminal.address}"
                stack.enter_context(_claim("terminal", f"{address} {place[1]}", text))
                held.add(address)

        if place is not None:
            hold(place[0], ())
        identity = f"{terminal.poi_id} {terminal.sale_id}"
        text = f"POIID {terminal.poi_id!r} with SaleID {terminal.sale_id!r}"
        stack.enter_context(_claim("identity", identity, text))
        yield hold


def _spelt(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host.lower()


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
