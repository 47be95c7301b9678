"""Who may post to the listener: the terminal's present address, or those that the file names.

While a Login is out, the present address is where it went: a terminal posts as soon as it has it.
So it is with the question that a new journal begins with.
While a payment is unfinished, it is where that was asked.
"""

import ipaddress
from collections.abc import Iterable
from typing import Final

import trio

from laned.config.schema import Network, host_port
from laned.lane.addresses import heard_at
from laned.lane.state import LaneState

RESOLVED_FOR: Final = 30.0  # seconds for which a name's addresses are believed


class Peers:
    """Decides by address; a terminal that is configured by name is looked up now and then."""

    def __init__(self) -> None:
        self._name = ""
        self._addresses: tuple[Network, ...] = ()
        self._look_up_at = 0.0

    async def admits(self, peer: str, state: LaneState) -> bool:
        """Whether the peer with this address may be heard."""
        address = heard_at(state)
        return _within(peer, state.config.listener.networks or await self._of_terminal(address))

    async def _of_terminal(self, address: str) -> tuple[Network, ...]:
        if not address:
            return ()
        host = host_port(address)[0]
        try:
            return (ipaddress.ip_network(host),)
        except ValueError:
            pass
        if host != self._name or trio.current_time() >= self._look_up_at:
            self._name, self._look_up_at = host, trio.current_time() + RESOLVED_FOR
            self._addresses = await _addresses(host)
        return self._addresses


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
