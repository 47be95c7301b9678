"""How this machine reaches another: its own address, and its networks."""

import ipaddress
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

from laned.check.box import Box

Address = ipaddress.IPv4Address


class Route(NamedTuple):
    """A line of the IPv4 routing table; without `gateway` this machine is in the network."""

    interface: str
    network: ipaddress.IPv4Network
    gateway: Address | None


def own_address(host_port: tuple[str, int] | None) -> str | None:
    """The address that this machine has for another one; None when it has no way there."""
    if host_port is None:
        return None
    try:
        family, kind, _, _, address = socket.getaddrinfo(*host_port, type=socket.SOCK_DGRAM)[0]
        with closing(socket.socket(family, kind)) as probe:
            probe.connect(address)  # UDP: nothing is sent
            own: str = probe.getsockname()[0]
    except OSError:
        return None
    return own


def routes(box: Box) -> Iterator[Route]:
    """The IPv4 routes. Source: /proc/net/route, hexadecimal in the byte order of the machine."""
    for line in box.lines("/proc/net/route")[1:]:
        fields = line.split()
        try:
            target, gateway, mask = (_address(fields[n]) for n in (1, 2, 7))
            network = ipaddress.IPv4Network(f"{target}/{mask}")
        except (IndexError, ValueError):
            continue
        yield Route(fields[0], network, gateway if int(gateway) else None)


def _address(text: str) -> Address:
    return Address(int(text, 16).to_bytes(4, sys.byteorder))


def way_to(address: str, box: Box) -> Route | None:
    """The route that an IPv4 address is reached by; None for any other, and where there is none."""
    try:
        target = Address(address)
    except ValueError:
        return None
    if target.is_loopback:  # which the table leaves out
        return None
    fitting = [route for route in routes(box) if target in route.network]
    return max(fitting, key=lambda route: route.network.prefixlen, default=None)
