"""The simulated terminal's TCP port: open only while the terminal can be reached.

A terminal without power or network refuses connections; one that is silent still accepts them, and
answers nothing. Where the terminal moves, its port moves with it.
"""

from collections.abc import Sequence
from functools import partial

import trio

from laned.http.listen import Listener, listen_tcp
from laned.http.serve import Limits, serve
from laned.simulator.app import simulator_app
from laned.simulator.device import Link
from laned.simulator.terminal import Terminal

LIMITS = Limits(max_connections=512, max_per_peer=512, graceful_timeout=0.0)
"""Without power or network, open connections break at once. There is room for those that a lane has
given up while the terminal was silent: for a minute they look half-closed."""


async def serve_terminal(terminal: Terminal, listeners: Sequence[Listener]) -> None:
    """Serve a terminal on these listeners, which are at its address, until cancelled.

    They are closed whenever it becomes unreachable or moves, and opened again at its address when
    it is reachable. Raises OSError or ValueError where that cannot be had.
    """
    while True:
        await _serve(terminal, listeners, terminal.address)
        await terminal.until(lambda: _open(terminal))
        listeners = await listen_tcp(terminal.address)


async def _serve(terminal: Terminal, listeners: Sequence[Listener], address: str) -> None:
    """Until it is not reachable at this address any more."""
    closed = trio.Event()
    app = simulator_app(terminal)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(serve, app, listeners, stop=closed, limits=LIMITS))
        await terminal.until(lambda: not _open(terminal) or terminal.address != address)
        closed.set()


def _open(terminal: Terminal) -> bool:
    return terminal.powered and terminal.link is not Link.REFUSED
