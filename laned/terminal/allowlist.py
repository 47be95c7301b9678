"""Who may post to the listener: the terminal's present address, or those that the file names.

While a Login is out, the present address is where it went: a terminal posts as soon as it has it.
So it is with the question that a new journal begins with.
While a payment is unfinished, it is where that was asked.

Connections are let in by the same rule, each kind with a share that nobody else can take. Of others
only a few at a time, and not for long: an address is announced in one small message.
"""

import ipaddress
from collections.abc import Iterable
from typing import Final

from laned.config.schema import Network, host_port
from laned.http.slots import Share
from laned.lane.addresses import heard_at
from laned.lane.state import LaneState
from laned.terminal.names import Names

TERMINAL: Final = Share(name="connections for the terminal", connections=32, per_peer=32)
ALLOWED: Final = Share(name="connections for listener.allow", connections=32, per_peer=8)
STRANGERS: Final = Share(
    name="connections for announcements", connections=4, per_peer=1, seconds=2.0, oldest_goes=True
)


class Peers:
    """Decides by address, of a terminal that is configured by name by those that are known."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def admits(self, peer: str, state: LaneState) -> bool:
        """Whether the peer with this address may be heard."""
        if state.config.listener.networks:
            return _within(peer, state.config.listener.networks)
        return self._is_terminal(peer, state)

    def share(self, peer: str, state: LaneState) -> Share:
        """What the peer with this address may hold of the listener's connections."""
        if not self.admits(peer, state):
            return STRANGERS
        return TERMINAL if self._is_terminal(peer, state) else ALLOWED

    def _is_terminal(self, peer: str, state: LaneState) -> bool:
        address = heard_at(state)
        known = self._names.known(host_port(address)[0]) if address else ()
        return _plain(peer) in {_plain(place) for place in known} - {None}


def _within(peer: str, networks: Iterable[Network]) -> bool:
    address = _plain(peer)
    return address is not None and any(address in network for network in networks)


def _plain(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Parse an address; an IPv4 address that is written as IPv6 is the IPv4 address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
