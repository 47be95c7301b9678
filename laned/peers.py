"""Who may post to the listener: the terminal's own address, or those that the file names."""

import ipaddress
from collections.abc import Iterable
from typing import Final

import trio

from laned.config import Config, Network

RESOLVED_FOR: Final = 30.0  # seconds for which a name's addresses are believed


class Peers:
    """Decides by address; a terminal that is configured by name is looked up now and then."""

    def __init__(self, config: Config) -> None:
        self._networks: tuple[Network, ...] = tuple(config.listener.networks)
        self._name = ""
        self._look_up_at = 0.0
        host_port = config.terminal.host_port
        if not self._networks and host_port is not None:
            try:
                self._networks = (ipaddress.ip_network(host_port[0]),)
            except ValueError:
                self._name = host_port[0]
                self._look_up_at = -1.0

    async def admits(self, peer: str) -> bool:
        """Whether the peer with this address may be heard."""
        if self._name and trio.current_time() >= self._look_up_at:
            self._look_up_at = trio.current_time() + RESOLVED_FOR
            self._networks = await _addresses(self._name)
        return _within(peer, self._networks)


async def _addresses(name: str) -> tuple[Network, ...]:
    """The addresses of `name` as networks; none while it has none."""
    try:
        found = await trio.socket.getaddrinfo(name, None)
    except OSError:
        return ()
    return tuple(ipaddress.ip_network(entry[4][0]) for entry in found)


def _within(peer: str, networks: Iterable[Network]) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    address = mapped or address
    return any(address in network for network in networks)
