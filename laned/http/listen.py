"""Sockets to listen on: TCP, a unix path that is nobody else's, or one passed by systemd."""

import errno
import fcntl
import os
import shutil
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import trio

from laned.config.schema import host_port

BACKLOG = 512
"""Connections that the kernel keeps waiting for `accept`, per listener.

More than come at once while something else is being done: where it is full, a unix socket refuses
whoever connects with a time-out (EAGAIN).
"""
FREEBIND: Final = {
    socket.AF_INET: (socket.IPPROTO_IP, 15),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 78),
}
"""The option to bind to an address that is not ours, which needs no privilege; source: ip(7)."""

Listener = trio.abc.Listener[trio.SocketStream]


def split_bind(bind: str) -> tuple[str, int]:
    """Split "host:port", where port 0 is a free one; ValueError says what is wrong."""
    try:
        return host_port(bind, lowest=0)
    except ValueError:
        expected = 'expected "host:port" or "[IPv6 address]:port", port 0..65535'
        raise ValueError(f"{bind!r}: {expected}") from None


async def listen_tcp(bind: str, *, before_it_is_ours: bool = False) -> list[trio.SocketListener]:
    """Listen on "host:port", on each address the host has; port 0 takes a free one.

    With `before_it_is_ours` also on an address that this machine does not have, or not yet: from
    the moment that it has it, connections come.

    Raises ValueError for a malformed `bind`, OSError naming it where the system refuses.
    """
    host, port = split_bind(bind)
    with _naming(bind), ExitStack() as opened:
        found = await trio.socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listeners = []
        for family, kind, protocol, _, address in found:
            try:
                sock = opened.enter_context(trio.socket.socket(family, kind, protocol))
            except OSError as error:
                if error.errno == errno.EAFNOSUPPORT and len(found) > 1:
                    continue  # a name of both families, and a kernel of one
                raise
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if before_it_is_ours:
                sock.setsockopt(*FREEBIND[family], 1)
            await sock.bind(address)
            sock.listen(BACKLOG)
            listeners.append(trio.SocketListener(sock))
        opened.pop_all()  # they stay open
        return listeners


def is_ours(host: str) -> bool:
    """Tell whether this machine has the address `host`; a name is taken to be one of its own."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, 0, flags=socket.AI_NUMERICHOST)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind(address)
    except socket.gaierror:
        return True
    except OSError as error:
        return error.errno != errno.EADDRNOTAVAIL
    return True


class UnixListener(trio.abc.Listener[trio.SocketStream]):
    """A listener on a path, which it removes when closed, unless another socket lies there now."""

    def __init__(self, sock: socket.socket, path: Path) -> None:
        self._path = path
        self._identity = _identity(path)
        self._listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))

    @property
    def socket(self) -> trio.socket.SocketType:
        """The listening socket."""
        return self._listener.socket

    async def accept(self) -> trio.SocketStream:
        """Wait for a connection."""
        return await self._listener.accept()

    async def aclose(self) -> None:
        """Stop listening."""
        with suppress(OSError):
            if _identity(self._path) == self._identity:
                self._path.unlink()
        await self._listener.aclose()


def listen_unix(path: Path, mode: int, group: str = "") -> UnixListener:
    """Listen on a socket at `path` with `mode` and `group` (name or number; "": the process's).

    A dead socket in the way is removed, a live one never: that and anything else that hinders is
    an OSError naming the path.
    """
    with _naming(str(path)), _claimed(path.parent):
        _remove_dead(path)
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.bind(os.fspath(path))
            try:
                # Nobody can connect before listen(), so nobody does with the wrong permissions.
                if group:
                    _give(path, group)
                path.chmod(mode)
                sock.listen(BACKLOG)
                return UnixListener(sock, path)
            except BaseException:
                path.unlink()
                raise
        except BaseException:
            sock.close()
            raise


def from_fd(fd: int) -> trio.SocketListener:
    """Adopt a listening stream socket passed by systemd; subprocesses will not inherit it.

    Raises OSError if `fd` is not one.
    """
    with _naming(f"file descriptor {fd}"):
        os.set_inheritable(fd, False)
        sock = socket.socket(fileno=fd)
        if (
            sock.family not in {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6}
            or sock.type != socket.SOCK_STREAM
            or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        ):
            sock.detach()
            raise OSError(errno.EINVAL, "not a listening TCP or unix stream socket")
        return trio.SocketListener(trio.socket.from_stdlib_socket(sock))


@contextmanager
def _naming(where: str) -> Iterator[None]:
    """Add to an OSError what could not be listened on."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(error.errno, f"cannot listen on {where}: {reason}") from error


@contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Lock `folder`, so that of two daemons starting at once neither takes the other for dead."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(errno.EBUSY, "another process is starting to listen there") from None
        yield
    finally:
        os.close(fd)


def _remove_dead(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise OSError(errno.EEXIST, "something that is not a socket is in the way")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:  # its backlog is full: very much alive
            pass
    raise OSError(errno.EADDRINUSE, "another process listens there")


def _give(path: Path, group: str) -> None:
    try:
        shutil.chown(path, group=int(group) if group.isdecimal() else group)
    except LookupError:
        raise OSError(errno.EINVAL, f"till.group: there is no group {group!r}") from None


def _identity(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino
