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
from pathlib import Path
from typing import Final

from laned.config.schema import TerminalConfig

LONGEST_NAME: Final = 107  # bytes of an abstract name after its NUL
NAMES: Final = Path("/proc/net/unix")


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
                name = _name("terminal", f"{address} {place[1]}")
                stack.enter_context(_claim(name, f"terminal {terminal.address}"))
                held.add(address)

        if place is not None:
            hold(place[0], ())
        text = f"POIID {terminal.poi_id!r} with SaleID {terminal.sale_id!r}"
        stack.enter_context(_claim(_identity(terminal), text))
        yield hold


def claimed(terminal: TerminalConfig) -> bool:
    """Tell whether a laned of this machine holds one of the claims. Anybody may look."""
    held = (line.split(maxsplit=7)[7:] for line in NAMES.read_text(errors="replace").splitlines())
    names = [_identity(terminal)]
    if (place := terminal.host_port) is not None:
        names.append(_name("terminal", f"{_spelt(place[0])} {place[1]}"))
    wanted = [[name.replace("\0", "@")] for name in names]
    return any(name in wanted for name in held)


def _identity(terminal: TerminalConfig) -> str:
    return _name("identity", f"{terminal.poi_id} {terminal.sale_id}")


def _spelt(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host.lower()


def _name(kind: str, value: str) -> str:
    name = f"\0laned/{kind}/{value}"
    if len(name.encode()) > LONGEST_NAME + 1:
        name = f"\0laned/{kind}/{hashlib.sha256(name.encode()).hexdigest()}"
    return name


def _claim(name: str, text: str) -> socket.socket:
    """Take a name that the kernel gives to one process only."""
    held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        held.bind(name.encode())  # never listens: nobody can connect to it
    except OSError as error:
        held.close()
        if error.errno == errno.EADDRINUSE:
            raise Claimed(f"another laned on this machine uses {text}") from None
        raise
    return held
