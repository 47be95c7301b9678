"""systemd: telling it how we are, and taking the sockets it passes (sd_notify, sd_listen_fds).

A few lines of our own: the packages for this either block when systemd is slow or need a compiler.
"""

import os
import socket
from collections.abc import MutableMapping
from typing import Final

FIRST_FD: Final = 3


def notify(state: str, environ: MutableMapping[str, str]) -> bool:
    """Tell the service manager `state` ("READY=1"); whether it could be told. Never blocks."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.setblocking(False)
            sock.sendto(state.encode(), address)
    except OSError:
        return False
    return True


def passed_sockets(environ: MutableMapping[str, str]) -> list[int]:
    """The file descriptors that systemd passed to this process; taken out of `environ`."""
    pid = environ.pop("LISTEN_PID", "")
    count = environ.pop("LISTEN_FDS", "")
    environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    return list(range(FIRST_FD, FIRST_FD + int(count)))
