"""The simulated terminal's port over real sockets: open, closed, silent, elsewhere."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import trio
from msgspec.structs import replace
from simtill import PATH, XML, login_body, payment_body, request

from laned.http.listen import listen_tcp
from laned.simulator import Settings, Terminal
from laned.simulator.port import serve_terminal

LONGEST = 10.0  # seconds; a connection is made or refused at once


@asynccontextmanager
async def served(settings: Settings | None = None) -> AsyncIterator[Terminal]:
    listeners = await listen_tcp("127.0.0.1:0")
    address = f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"
    with trio.fail_after(LONGEST):
        async with trio.open_nursery() as nursery:
            terminal = Terminal(settings=replace(settings or Settings(), address=address))
            await nursery.start(terminal.run)
            nursery.start_soon(serve_terminal, terminal, listeners)
            yield terminal
            nursery.cancel_scope.cancel()


async def post(address: str, service_id: str) -> int:
    """The status with which a Login is answered; raises httpx.ConnectError."""
    return await send(address, request("Login", service_id, login_body()))


async def send(address: str, body: bytes) -> int:
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=None) as client:
        answer = await client.post(f"http://{address}{PATH}", content=body, headers=XML)
        return answer.status_code


async def connects_again(address: str, service_id: str) -> int:
    while True:
        try:
            return await post(address, service_id)
        except httpx.ConnectError:
            await trio.sleep(0.01)


async def test_no_power_and_no_network_refuse_connections() -> None:
    async with served(Settings(boot_time=0.3)) as terminal, trio.open_nursery() as nursery:
        assert await post(terminal.address, "1") == 200
        for number, trouble in enumerate((terminal.reboot, lambda: terminal.outage(0.3))):
            nursery.start_soon(trouble)
            await terminal.until(lambda: not terminal.reachable)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(httpx.ConnectError):
                await post(terminal.address, f"1{number}")
            await terminal.until(lambda: terminal.reachable)
            assert await connects_again(terminal.address, f"2{number}") == 200


async def test_a_held_connection_breaks_when_the_power_goes() -> None:
    async with served(Settings(boot_time=0.1, busy_after_login=0.0)) as terminal:
        assert await post(terminal.address, "1") == 200
        broken: list[bool] = []

        async def wait() -> None:
            with pytest.raises(httpx.RemoteProtocolError):
                await send(terminal.address, request("Payment", "2", payment_body()))
            broken.append(True)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await terminal.until(lambda: terminal.running == "2")
            await terminal.reboot()
        assert broken


async def test_a_silent_terminal_accepts_and_says_nothing() -> None:
    async with served() as terminal:
        terminal.unplug(silent=True)
        with trio.move_on_after(0.3) as patience:
            await post(terminal.address, "1")
        assert patience.cancelled_caught
        assert not terminal.requests


async def test_the_port_moves_with_the_terminal() -> None:
    async with served() as terminal:
        before = terminal.address
        (free,) = await listen_tcp("127.0.0.2:0")
        port = free.socket.getsockname()[1]
        await free.aclose()
        await terminal.move(f"127.0.0.2:{port}")
        assert await connects_again(terminal.address, "1") == 200
        with pytest.raises(httpx.ConnectError):
            await post(before, "2")
