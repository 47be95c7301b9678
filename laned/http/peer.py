"""Who is at the other end of a connection."""

import ipaddress
import socket
import struct

import trio
from msgspec import Struct

PEER_CREDENTIALS = struct.Struct("iII")


class Peer(Struct, frozen=True):
    """The process at the other end of a unix socket when it connected (SO_PEERCRED)."""

    pid: int
    uid: int
    gid: int


def endpoints(
    sock: trio.socket.SocketType,
) -> tuple[tuple[str, int] | None, tuple[str, int] | None, Peer | None]:
    """Return the peer's and our own TCP address, or the peer's credentials on a unix socket."""
    if sock.family == socket.AF_UNIX:
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER_CREDENTIALS.size)
        return None, None, Peer(*PEER_CREDENTIALS.unpack(raw))
    return _plain(sock.getpeername()), _plain(sock.getsockname()), None


def _plain(address: tuple[str, int]) -> tuple[str, int]:
    """Return host and port; an IPv4 peer of a dual-stack socket has its IPv4 address."""
    host = ipaddress.ip_address(address[0])
    mapped = host.ipv4_mapped if isinstance(host, ipaddress.IPv6Address) else None
    return str(mapped or host), address[1]
