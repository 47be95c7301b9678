"""The terminal: whether it can be connected to. Nothing is sent to it."""

import errno
import socket
from collections.abc import Iterator
from typing import Final

import msgspec

from laned.check.box import Box
from laned.check.daemon import Daemon
from laned.check.finding import Finding, broken, ok, warning
from laned.check.network import routes, way_to
from laned.config.schema import Config, TerminalConfig

SUBJECT: Final = "terminal"


def check(config: Config, box: Box, daemon: Daemon, learnt: str = "") -> Iterator[Finding]:
    """Connect to the terminal, unless a daemon has a session with it.

    `learnt` is the address that it was last at; it goes before the one that the file names.
    """
    if daemon.lane is not None:
        session = daemon.lane["session"]
        if session["state"] == "logged_out":
            yield warning(SUBJECT, "the daemon says logged_out: by hand", "laned login")
        elif session["state"] != "offline":
            address = session["terminal"]["address"]
            yield ok(SUBJECT, f"{address}: the daemon says {session['state']}")
            return
        else:
            why = session["reason"] or "no reason given"
            yield warning(SUBJECT, f"the daemon says offline: {why}", "see the next line")
    terminal = msgspec.structs.replace(config.terminal, address=learnt or config.terminal.address)
    if terminal.host_port is None:
        yield warning(
            SUBJECT,
            'terminal.address = "auto", and none was learnt yet',
            "start laned, run: laned learn, and press Save in the terminal's menu within 10"
            " minutes; or give its address",
        )
    else:
        yield connect(terminal, terminal.host_port, box)


def connect(terminal: TerminalConfig, host_port: tuple[str, int], box: Box) -> Finding:
    """Connect to a terminal, and hang up."""
    try:
        with socket.create_connection(host_port, terminal.connect_timeout) as connection:
            own, peer = connection.getsockname()[0], connection.getpeername()[0]
    except OSError as error:
        text = f"{terminal.address}: {reason(error, terminal.connect_timeout)}"
        return broken(SUBJECT, text, cure(error, host_port[0], box))
    way = way_to(peer, box)
    if own != peer and way is not None and way.gateway is not None:
        return warning(
            SUBJECT,
            f"{terminal.address} can be connected to, by the router {way.gateway}",
            f"see to it that the terminal can reach {own} as well; better, give both an address"
            " in the same network",
        )
    return ok(SUBJECT, f"{terminal.address} can be connected to, from {own}")


def reason(error: OSError, timeout: float) -> str:
    """What went wrong, in a few words."""
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s"
    if isinstance(error, socket.gaierror):
        return "this name has no address"
    if isinstance(error, ConnectionRefusedError):
        return "refuses the connection"
    return (error.strerror or str(error)).lower()


def cure(error: OSError, host: str, box: Box) -> str:
    """What helps, as far as the kind of error and this machine's networks tell."""
    if isinstance(error, socket.gaierror):
        return "give its number, or see to the name server: resolvectl status"
    if isinstance(error, ConnectionRefusedError):
        return (
            "something is there: is it the terminal, is its payment application running, and is"
            " this the port of its menu?"
        )
    networks = ", ".join(
        f"{route.network} ({route.interface})" for route in routes(box) if route.gateway is None
    )
    way = way_to(host, box)
    if way is None and error.errno == errno.ENETUNREACH:
        return f"there is no way to it from this machine's networks: {networks or 'it has none'}"
    if way is not None and way.gateway is not None:
        return (
            f"it is in none of this machine's networks, {networks}: its packets go to the router"
            f" {way.gateway}; give both an address in the same network"
        )
    return (
        "is it on, in the network, and is this the address that its menu shows?"
        f" This machine's networks: {networks or 'none'}"
    )
