"""The terminal: whether it can be connected to. Nothing is sent to it."""

import errno
import socket
from collections.abc import Iterator
from typing import Final

from laned.check.box import Box
from laned.check.daemon import Daemon
from laned.check.finding import Finding, broken, ok, warning
from laned.check.network import routes, way_to
from laned.config import Config

SUBJECT: Final = "terminal"


def check(config: Config, box: Box, daemon: Daemon) -> Iterator[Finding]:
    """Connect to the terminal, unless a daemon has a session with it, or its address is learnt."""
    if daemon.lane is not None and daemon.lane["session"]["state"] != "offline":
        session = daemon.lane["session"]
        yield ok(SUBJECT, f"{session['terminal']['address']}: the daemon says {session['state']}")
        return
    if daemon.lane is not None:
        reason = daemon.lane["session"]["reason"] or "no reason"
        yield warning(SUBJECT, f"the daemon says offline: {reason}", "see the next line")
    if config.terminal.host_port is None:
        yield warning(
            SUBJECT,
            'terminal.address = "auto": there is none to try',
            "start laned, run: laned learn, and press Save in the terminal's menu within 10"
            " minutes; or give its address",
        )
        return
    yield connect(config, box)


def connect(config: Config, box: Box) -> Finding:
    """Connect to the configured address, and hang up."""
    address, host_port = config.terminal.address, config.terminal.host_port
    assert host_port is not None
    try:
        with socket.create_connection(host_port, config.terminal.connect_timeout) as connection:
            own, peer = connection.getsockname()[0], connection.getpeername()[0]
    except OSError as error:
        text = f"{address}: {reason(error, config.terminal.connect_timeout)}"
        return broken(SUBJECT, text, cure(error, host_port[0], box))
    way = way_to(peer, box)
    if own != peer and way is not None and way.gateway is not None:
        return warning(
            SUBJECT,
            f"{address} can be connected to, by the router {way.gateway}",
            f"see to it that the terminal can reach {own} as well; better, give both an address"
            " in the same network",
        )
    return ok(SUBJECT, f"{address} can be connected to, from {own}")


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
