"""`laned simulate`: the simulated terminal on a TCP port, for till and kiosk developers."""

import signal
from functools import partial

import trio

from laned import exits
from laned.http.listen import listen_tcp, split_bind
from laned.simulator.listener import callback_client
from laned.simulator.port import serve_terminal
from laned.simulator.scenarios import SCENARIOS
from laned.simulator.settings import Settings
from laned.simulator.terminal import Terminal


def simulate(listen: str, callback: str, scenario: str, speed: float) -> int:
    """Run a simulated terminal until SIGTERM or SIGINT; the exit status."""
    run = partial(trio.run, _simulate, listen, callback, scenario, speed)
    return exits.of(run, OSError, ValueError)


async def _simulate(listen: str, callback: str, scenario: str, speed: float) -> None:
    listeners = await listen_tcp(listen)
    async with callback_client() as client, trio.open_nursery() as nursery:
        port = listeners[0].socket.getsockname()[1]
        terminal = Terminal(
            scenario=SCENARIOS[scenario],
            settings=Settings(speed=speed, address=f"{split_bind(listen)[0]}:{port}"),
            callback=callback,
            callback_client=client,
            on_event=lambda line: print(line, flush=True),
        )
        await nursery.start(terminal.run)
        nursery.start_soon(serve_terminal, terminal, listeners)
        print(f"simulated terminal, scenario {scenario}, on port {port}", flush=True)
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
            async for _ in received:
                break
        nursery.cancel_scope.cancel()
