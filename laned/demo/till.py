"""The demonstration's till: it speaks to laned through the unix socket, as any till does."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx

from laned.http.sse import Event, EventReader

PATIENCE: Final = 600  # seconds that laned may take to settle a payment: the most it grants
ANSWER_WITHIN: Final = 10.0  # seconds for any other answer


class Refused(Exception):  # noqa: N818 - read as a sentence
    """laned did not do what was asked; the text is its code and what it said."""


class Till:
    """Asks and listens on the unix socket at `path`. To be closed."""

    def __init__(self, path: Path) -> None:
        # A bare context: nothing here is encrypted, and loading the CA bundle takes long.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        transport = httpx.AsyncHTTPTransport(uds=str(path), verify=context, trust_env=False)
        self._http = httpx.AsyncClient(
            transport=transport, base_url="http://lane", timeout=ANSWER_WITHIN, trust_env=False
        )

    async def aclose(self) -> None:
        """Close what is open."""
        await self._http.aclose()

    async def pay(self, payment_id: str, amount: str, *, wait: bool) -> dict[str, Any]:
        """Ask for a payment; as it stands, or with `wait` as it ended: Refused."""
        prefer = {"Prefer": f"wait={PATIENCE}"} if wait else {}
        path = f"/v1/payments/{payment_id}"
        return await self._ask("PUT", path, {"amount": amount}, headers=prefer)

    async def payment(self, payment_id: str) -> dict[str, Any]:
        """A payment as laned's journal has it: Refused."""
        return await self._ask("GET", f"/v1/payments/{payment_id}")

    async def lane(self) -> dict[str, Any]:
        """How the lane is: Refused."""
        return await self._ask("GET", "/v1/lane")

    async def press(self, button: str, seconds: float) -> None:
        """Hold a virtual button down: Refused."""
        await self._ask("POST", f"/v1/buttons/{button}/press", {"seconds": seconds})

    async def events(self) -> AsyncIterator[Event]:
        """Everything that laned tells, `lane` first, until it ends."""
        timeout = httpx.Timeout(ANSWER_WITHIN, read=None)
        async with self._http.stream("GET", "/v1/events", timeout=timeout) as response:
            reader = EventReader()
            async for line in response.aiter_lines():
                event = reader.take(line)
                if event is not None:
                    yield event

    async def _ask(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        timeout = ANSWER_WITHIN + (PATIENCE if headers else 0)
        reply = await self._http.request(method, path, json=body, headers=headers, timeout=timeout)
        answer: dict[str, Any] = reply.json()
        if reply.is_success:
            return answer
        raise Refused(f"{answer.get('code')}: {answer.get('detail')}")
