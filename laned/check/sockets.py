"""The sockets that a lane listens on: the till's, and the one that the terminal posts to."""

import errno
import ipaddress
import socket
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from laned.check.box import Box
from laned.check.daemon import Daemon
from laned.check.finding import Finding, broken, ok, warning
from laned.check.network import own_address
from laned.config.schema import Config, TillConfig
from laned.http.listen import is_ours

TILL: Final = "till socket"
LISTENER: Final = "listener"
LISTENS: Final = "00010000"
"""The flag in /proc/net/unix of a socket that accepts; source: linux/net.h, __SO_ACCEPTCON."""


def check_till(config: Config, box: Box, daemon: Daemon) -> Iterator[Finding]:
    """Check the till's socket. It is never connected to while no daemon runs: systemd would."""
    till = config.till
    if till.group and till.group not in box.groups():
        yield broken(
            TILL,
            f'till.group = "{till.group}": this machine has no such group',
            f"sudo groupadd --system {till.group}, or name another",
        )
    if daemon.lane is not None:
        yield _answered(box, till.socket)
    elif daemon.running and not box.service:  # which asked as root, before it became the service
        yield from _silent(box, till.socket)
    elif daemon.running:
        return
    elif _listened_on(box, till.socket):
        yield from _passed(till, daemon)
    else:
        yield _to_be_made(box, Path(till.socket))


def _answered(box: Box, path: str) -> Finding:
    try:
        found = box.path(path).stat()
    except OSError:
        return ok(TILL, f"{path}: the daemon answers")
    mode = stat.S_IMODE(found.st_mode)
    group = next((name for name, gid in _gids(box) if gid == found.st_gid), str(found.st_gid))
    return ok(TILL, f"{path}: the daemon answers; mode {mode:04o}, group {group}")


def _silent(box: Box, path: str) -> Iterator[Finding]:
    try:
        gid = box.path(path).stat().st_gid
    except OSError:
        return  # that no daemon answers there is said already
    if not box.may_use(box.path(path)):
        group = next((name for name, number in _gids(box) if number == gid), str(gid))
        yield broken(TILL, f"{path} is not for {box.user}", box.joining(group))


def _gids(box: Box) -> Iterator[tuple[str, int]]:
    for line in box.lines("/etc/group"):
        name, _, rest = line.partition(":")
        number = rest.split(":")[1:2]
        if number and number[0].isdecimal():
            yield name, int(number[0])


def _listened_on(box: Box, path: str) -> bool:
    entries = (line.split(maxsplit=7) for line in box.lines("/proc/net/unix"))
    return any(entry[3] == LISTENS and entry[7:] == [path] for entry in entries if len(entry) > 3)


def _passed(till: TillConfig, daemon: Daemon) -> Iterator[Finding]:
    if daemon.running is None:
        yield ok(TILL, f"{till.socket} is listened on")
    elif till.sets_access:
        yield broken(
            TILL,
            f"{till.socket} is listened on by systemd, and till.mode or till.group are set",
            "take them out of the configuration; use SocketMode= and SocketGroup= in laned.socket",
        )
    else:
        yield ok(TILL, f"{till.socket} is listened on for the daemon (by systemd, laned.socket)")


def _to_be_made(box: Box, path: Path) -> Finding:
    real = box.path(path)
    try:
        if real.exists() and not stat.S_ISSOCK(real.lstat().st_mode):
            return broken(TILL, f"{path} is there, and is no socket", f"sudo rm {path}")
        folder = box.nearest(path.parent)
    except OSError as error:
        return warning(TILL, f"{path} may not be looked at: {error.strerror}", "use sudo")
    if box.service and not box.may_use(folder):
        return ok(TILL, f"{path} will be made by laned.socket")
    if not box.may_use(folder):
        return warning(
            TILL,
            f"{path} cannot be made by {box.user}: the folder may not be written",
            "start it as a service, whose laned.socket makes it, or name another till.socket",
        )
    return ok(TILL, f"{path} will be made when the daemon starts")


def check_listener(config: Config, daemon: Daemon) -> Iterator[Finding]:
    """Check that the terminal can post to the configured address and port."""
    if config.lane.mode == "light":
        yield ok(LISTENER, 'is not used: lane.mode = "light"')
        return
    yield _port(config.listener.bind, config.listener.host_port, daemon)
    yield from _reachable(config)


def _port(bind: str, host_port: tuple[str, int], daemon: Daemon) -> Finding:
    host, port = host_port
    if not is_ours(host):
        return broken(
            LISTENER,
            f"{bind}: this machine does not have that address, or not yet",
            f'ip address shows those it has; listener.bind = "0.0.0.0:{port}" takes any',
        )
    if daemon.running:
        return ok(LISTENER, f"{bind} is left to the daemon")
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with closing(socket.socket(family, kind)) as probe:
            # Bound only, never listening: a daemon that starts meanwhile is not in the way.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        cure = _listener_cure(error, port)
        if daemon.running is None and error.errno == errno.EADDRINUSE:
            return warning(LISTENER, f"{bind} is in use, perhaps by the daemon", cure)
        return broken(LISTENER, f"{bind}: {error.strerror or error}", cure)
    return ok(LISTENER, f"{bind} is free")


def _listener_cure(error: OSError, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"sudo ss -ltnp 'sport = :{port}' names the program that has it; stop it"
        case errno.EACCES:
            return "only root may use a port below 1024: choose another"
        case _:
            return f'set listener.bind = "0.0.0.0:{port}"'


def _reachable(config: Config) -> Iterator[Finding]:
    """The address that the terminal has to post to, and whether that is listened on."""
    own = own_address(config.terminal.host_port)
    if own is None:
        return
    host, port = config.listener.host_port
    any_address = host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
    try:
        elsewhere = not any_address and ipaddress.ip_address(host) != ipaddress.ip_address(own)
    except ValueError:  # a name
        return
    if elsewhere:
        yield warning(
            LISTENER,
            f"only {host} is listened on, and this machine is {own} for the terminal",
            f'set listener.bind = "0.0.0.0:{port}"',
        )
    else:
        yield ok(LISTENER, f"in the terminal's menu the address to post to must be {own}:{port}")
