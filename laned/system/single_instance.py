"""One lane for one terminal: what two daemons on one box must not share.

A claim is an abstract unix socket's name. It needs no folder that both can write to, whatever their
units' sandboxes, and goes with the process, however that ends. Source: unix(7).
"""

import errno
import hashlib
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from laned.config.schema import TerminalConfig

LONGEST_NAME: Final = 107  # bytes of an abstract name after its NUL
NAMES: Final = Path("/proc/net/unix")


class Claimed(Exception):  # noqa: N818 - read as a sentence
    """Another laned on this machine has it; the text says what."""


@contextmanager
def claims(terminal: TerminalConfig) -> Iterator[None]:
    """Hold the terminal's address, and its POIID with our SaleID, or raise Claimed.

    An address that is learnt is not held: whoever answers there must have the right serial number.
    """
    with ExitStack() as held:
        for name, text in _names(terminal).items():
            held.enter_context(_claim(name, text))
        yield


def claimed(terminal: TerminalConfig) -> bool:
    """Tell whether a laned of this machine holds one of the claims. Anybody may look."""
    held = (line.split(maxsplit=7)[7:] for line in NAMES.read_text(errors="replace").splitlines())
    wanted = [[name.replace("\0", "@")] for name in _names(terminal)]
    return any(name in wanted for name in held)


def _names(terminal: TerminalConfig) -> dict[str, str]:
    """The names to be held, and what each of them stands for."""
    address = _address(terminal)
    identity = f"{terminal.poi_id} {terminal.sale_id}"
    text = f"POIID {terminal.poi_id!r} with SaleID {terminal.sale_id!r}"
    found = {} if address is None else {_name("terminal", address): f"terminal {terminal.address}"}
    return found | {_name("identity", identity): text}


def _name(kind: str, value: str) -> str:
    name = f"\0laned/{kind}/{value}"
    if len(name.encode()) > LONGEST_NAME + 1:
        name = f"\0laned/{kind}/{hashlib.sha256(name.encode()).hexdigest()}"
    return name


def _address(terminal: TerminalConfig) -> str | None:
    found = terminal.host_port
    return None if found is None else f"{found[0].lower()} {found[1]}"


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
