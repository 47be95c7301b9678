"""Whether the terminal is still there while nothing is asked of it.

A TCP connection, closed at once, disturbs no terminal and costs next to nothing. One that cannot be
made is tried again soon; the second failure is told. Two tries and their time-outs are over within
a minute. Source: protocol, section Transport.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import trio

from laned.config.schema import host_port
from laned.inbox import Submit
from laned.lane import events as ev
from laned.lane.state import LaneState, Phase
from laned.publishing import Watch
from laned.terminal.names import Names

PROBE_EVERY: Final = 20.0  # seconds between two connections while all is well
PROBE_AGAIN: Final = 5.0  # seconds after one that failed
LONGEST_PROBE: Final = 10.0  # seconds for one connection at the most

Probe = Callable[[str], Awaitable[bool]]
"""Whether a connection to an address ("host:port") can be made."""


def tcp_probe(connect_timeout: float, names: Names | None = None) -> Probe:
    """A probe that connects within so many seconds."""
    within = min(connect_timeout, LONGEST_PROBE)
    return partial(_connects, within=within, names=names or Names())


async def _connects(address: str, within: float, names: Names) -> bool:
    host, port = host_port(address)
    for place in await names.in_session(host):
        try:
            with trio.fail_after(within):
                stream = await trio.open_tcp_stream(place, port)
        except (OSError, trio.TooSlowError):
            continue
        await trio.aclose_forcefully(stream)
        return True
    return False


async def watch(lane: Watch, inbox: Submit, probe: Probe) -> None:
    """Probe the terminal as long as the lane is idle with a session; tell when that changes."""
    async with trio.open_nursery() as nursery:
        watching = trio.CancelScope()
        async for address in lane.changes(_idle_at):
            watching.cancel()
            watching = trio.CancelScope()
            if address is not None:
                nursery.start_soon(_watch, inbox, probe, address, watching)
        watching.cancel()


def _idle_at(state: LaneState) -> str | None:
    return state.terminal.address if state.phase is Phase.READY else None


async def _watch(inbox: Submit, probe: Probe, address: str, scope: trio.CancelScope) -> None:
    with scope:
        failed = False
        while True:
            await trio.sleep(PROBE_AGAIN if failed else PROBE_EVERY)
            reached = await probe(address)
            if failed:  # gone; or back, perhaps restarted and without the session
                inbox.submit_nowait(ev.TerminalProbed(address, reached))
            failed = not reached
