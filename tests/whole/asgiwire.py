"""Carries httpx's requests to an ASGI app as a connection would: hang-ups arrive, streams stream.

`httpx.ASGITransport` buffers whole answers and never tells an app that its peer has gone.
"""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import trio

from laned.http.asgi import ASGIApp, Message, Scope


class Wire(httpx.AsyncBaseTransport):
    """A transport to `app`, whose side of each connection runs in `nursery`.

    `client` is the TCP peer that the app sees, `extensions` are those of its scope.
    """

    def __init__(
        self,
        app: ASGIApp,
        nursery: trio.Nursery,
        *,
        client: tuple[str, int] | None = None,
        extensions: dict[str, Any] | None = None,
    ) -> None:
        self._app = app
        self._nursery = nursery
        self._client = client
        self._extensions = extensions or {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        connection = _Connection(await request.aread())
        scope: Scope = {
            "type": "http",
            "http_version": "1.1",
            "method": request.method,
            "path": request.url.path,
            "raw_path": request.url.raw_path.partition(b"?")[0],
            "query_string": request.url.query,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": self._client,
            "server": None,
            "extensions": dict(self._extensions),
        }
        self._nursery.start_soon(connection.serve, self._app, scope)
        try:
            await connection.begun.wait()
        except BaseException:
            connection.gone.set()
            raise
        if connection.status is None:
            raise httpx.RemoteProtocolError("closed without an answer", request=request)
        return httpx.Response(connection.status, headers=connection.headers, stream=connection)


class _Connection(httpx.AsyncByteStream):
    """One connection: one request, one answer."""

    def __init__(self, body: bytes) -> None:
        self.begun = trio.Event()
        self.gone = trio.Event()
        self.status: int | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self._body: bytes | None = body
        self._whole = False
        self._to_peer, self._from_app = trio.open_memory_channel[bytes](10_000)

    async def serve(self, app: ASGIApp, scope: Scope) -> None:
        try:
            await app(scope, self._receive, self._send)
        finally:
            self.begun.set()
            self._to_peer.close()

    async def _receive(self) -> Message:
        await trio.lowlevel.checkpoint()
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        await trio.lowlevel.checkpoint()
        if self.gone.is_set():
            return  # as a server does: sending to nobody says nothing
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
            return
        if body := message.get("body", b""):
            self._to_peer.send_nowait(body)
        self.begun.set()
        if not message.get("more_body", False):
            self._whole = True
            self.gone.set()
            self._to_peer.close()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._from_app:
            yield chunk
        if not self._whole:
            raise httpx.RemoteProtocolError("the answer was cut off")

    async def aclose(self) -> None:
        self.gone.set()
