"""A till in a few lines: the till API's client, used by laned's own commands.

Synchronous and standard library only, so that a command starts quickly on a small board.
"""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from errno import ETIMEDOUT
from pathlib import Path
from typing import Any, Final, NamedTuple

from laned.http.sse import Event, EventReader

CONNECT_WITHIN: Final = 5.0  # seconds
AGAIN_AFTER: Final = 0.05  # seconds until a connection for which there was no room is tried again
OK: Final = 200
QUIET_LIMIT: Final = 40.0  # seconds; the daemon writes a comment line every 15 s at the latest
NO_MONEY: Final = "/v1/session/"  # what is asked there never is about a payment


class Unreachable(Exception):  # noqa: N818 - read as a sentence
    """No daemon answers on the socket: nothing was asked."""


class ConnectionLost(Exception):  # noqa: N818
    """The daemon went away after it was asked: what became of it is not known here."""


class Reply(NamedTuple):
    """An answer of the daemon: HTTP status, and the decoded JSON (or the bytes of a picture)."""

    status: int
    body: Any
    method: str = "GET"

    @property
    def code(self) -> str:
        """The problem's code of a refusal."""
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""

    @property
    def detail(self) -> str:
        """The problem's detail of a refusal."""
        return str(self.body.get("detail", "")) if isinstance(self.body, dict) else ""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("lane", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(CONNECT_WITHIN)
        deadline = time.monotonic() + CONNECT_WITHIN
        while True:
            try:
                self.sock.connect(str(self._path))
            except BlockingIOError:  # others wait to be let in, as many as the kernel keeps
                if time.monotonic() >= deadline:
                    raise TimeoutError(ETIMEDOUT, "too many others wait to be let in") from None
                time.sleep(AGAIN_AFTER)
            else:
                break
        self.sock.settimeout(self.timeout)


class Till:
    """Speaks to the daemon on the unix socket at `path`.

    `may_have_moved_money`: whether a request about a payment may have left, unanswered or not.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.may_have_moved_money = False

    def ask(
        self, method: str, path: str, body: object = None, *, timeout: float | None = None
    ) -> Reply:
        """One request and its answer.

        Raises:
            Unreachable: no connection; nothing was asked.
            ConnectionLost: the answer did not come.

        """
        connection = self._connect(timeout)
        try:
            content = None if body is None else json.dumps(body).encode()
            if method != "GET" and not path.startswith(NO_MONEY):
                self.may_have_moved_money = True
            connection.request(method, path, content)
            response = connection.getresponse()
            data = response.read()
            kind = response.getheader("content-type", "")
            return Reply(response.status, json.loads(data) if "json" in kind else data, method)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise ConnectionLost(_words(error)) from error
        finally:
            connection.close()

    def events(self) -> Iterator[Event | None]:
        """The lane's events, `lane` first, until the daemon ends: ConnectionLost, Unreachable.

        Unreachable also where the daemon gives no stream: too many are open.

        None for each comment line: one comes at least every 15 s, so that nobody waits unawares.
        """
        connection = self._connect(QUIET_LIMIT)
        try:
            connection.request("GET", "/v1/events")
            response = connection.getresponse()
            if response.status != OK:
                raise Unreachable(json.loads(response.read())["detail"])
            reader = EventReader()
            while line := response.readline():
                event = reader.take(line.decode())
                if event is not None or line.startswith(b":"):
                    yield event
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise ConnectionLost(_words(error)) from error
        finally:
            connection.close()
        raise ConnectionLost("the daemon has ended")

    def _connect(self, timeout: float | None) -> _Connection:
        connection = _Connection(self._path, timeout)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            text = (
                f"no daemon answers: {self._path}: {_words(error)}; does it run (systemctl status"
                " laned), and is this its socket (--socket PATH)?"
            )
            if isinstance(error, PermissionError):
                text = (
                    f"{self._path} may not be used by you: be root, or of its group (laned-till);"
                    " who was just added to it must log in again"
                )
            raise Unreachable(text) from error
        return connection


def _words(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) else None
    return text or str(error) or type(error).__name__
