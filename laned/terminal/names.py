"""Addresses of a terminal that is configured by name.

A name is looked up beside everything else, again and again; what was found before stands until
something else is found. So a name server that falls silent, or forgets the terminal, changes
nothing for a lane that is up, and delays no post and no request.

A session stays where its Login went: a payment, and whatever is asked about it, goes to the address
that answered the Login, whatever the name means by then (money rule 3).
"""

import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import trio

from laned.config.schema import host_port
from laned.lane.state import LaneState
from laned.publishing import Watch

LOOK_UP_WITHIN: Final = 5.0  # seconds that anybody waits for a name server
LOOK_UP_EVERY: Final = 30.0  # seconds after which a name that is in use is looked up again
MAX_LOOK_UPS: Final = 2  # threads that may hang in one at a time
MAX_ADDRESSES: Final = 8  # of one name

LookUp = Callable[[str], Awaitable[Sequence[str]]]
"""The addresses of a name: OSError where there are none. Cancelled when it takes too long."""


class Names:
    """What names mean, as far as it is known. Addresses mean themselves.

    `on_first` is told what a name means, once; what it raises goes to whoever had it looked up.
    """

    def __init__(
        self,
        look_up: LookUp | None = None,
        on_first: Callable[[str, Sequence[str]], None] = lambda host, addresses: None,
    ) -> None:
        self._look_up = look_up or _SystemLookUp()
        self._on_first = on_first
        self._found: dict[str, tuple[str, ...]] = {}
        self._connected: dict[str, str] = {}

    def known(self, host: str) -> tuple[str, ...]:
        """All that `host` may be, without a look-up: where its session is, and what was found."""
        if _is_address(host):
            return (host,)
        connected = self._connected.get(host)
        found = self._found.get(host, ())
        return found if connected is None else tuple(dict.fromkeys((connected, *found)))

    async def for_login(self, host: str) -> tuple[str, ...]:
        """Where a Login goes, each to be tried in turn; nothing if that cannot be found out."""
        if _is_address(host):
            return (host,)
        if host not in self._found:
            await self.refresh(host)
        return self._found.get(host) or self.known(host)

    async def in_session(self, host: str) -> tuple[str, ...]:
        """Where all else goes: to where the Login went, if it is known."""
        connected = self._connected.get(host)
        return (connected,) if connected is not None else await self.for_login(host)

    def connected(self, host: str, address: str) -> None:
        """Stay at this address of `host`."""
        if not _is_address(host):
            self._connected[host] = address

    async def refresh(self, host: str) -> None:
        """Look `host` up; what was found before stands if nothing is found in time."""
        with trio.move_on_after(LOOK_UP_WITHIN):
            try:
                found = await self._look_up(host)
            except OSError:
                return
            # A terminal has an IPv4 address; a network without IPv6 costs a connect time-out.
            usable = filter(_is_address, dict.fromkeys(found))
            in_order = sorted(usable, key=lambda address: ":" in address)[:MAX_ADDRESSES]
            if in_order and host not in self._found:
                self._on_first(host, in_order)
            if in_order:
                self._found[host] = tuple(in_order)


class _SystemLookUp:
    """The system's look-up, in threads of its own: nobody else waits for one that hangs."""

    def __init__(self) -> None:
        self._threads: trio.CapacityLimiter | None = None

    async def __call__(self, host: str) -> list[str]:
        if self._threads is None:  # only in trio there can be one
            self._threads = trio.CapacityLimiter(MAX_LOOK_UPS)
        look_up = partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
        found = await trio.to_thread.run_sync(
            look_up, abandon_on_cancel=True, limiter=self._threads
        )
        return [str(entry[4][0]) for entry in found]


async def watch(lane: Watch, names: Names) -> None:
    """Look up what the lane uses, as long as it is used."""
    async with trio.open_nursery() as nursery:
        looking = trio.CancelScope()
        async for hosts in lane.changes(_in_use):
            looking.cancel()
            looking = trio.CancelScope()
            if hosts:
                nursery.start_soon(_watch, names, hosts, looking)
        looking.cancel()


def _in_use(state: LaneState) -> tuple[str, ...]:
    attempt = state.attempt.address if state.attempt is not None else ""
    places = (state.terminal.address, state.login_to, attempt)
    hosts = dict.fromkeys(host_port(place)[0] for place in places if place)
    return tuple(host for host in hosts if not _is_address(host))


async def _watch(names: Names, hosts: tuple[str, ...], scope: trio.CancelScope) -> None:
    with scope:
        while True:
            for host in hosts:
                await names.refresh(host)
            await trio.sleep(LOOK_UP_EVERY)


def _is_address(host: str) -> bool:
    """Whether it is an address that a URL takes: an IPv6 address with a scope is none."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host
