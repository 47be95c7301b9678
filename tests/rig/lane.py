"""A lane and its simulated terminal on a machine of the rig, and a till that uses them."""

import base64
import re
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

from rig.machine import Machine, Reply, RigError

FINAL: Final = frozenset({"approved", "declined", "aborted", "failed", "reversed"})
SETTINGS: Final = Path(__file__).parents[2] / "config" / "laned.toml"


def settings(**changes: str) -> str:
    """The configuration that the package ships, with some keys of it (section_key) set."""
    text = SETTINGS.read_text(encoding="utf-8")
    for name, value in changes.items():
        section, _, key = name.partition("_")
        where = re.compile(rf"(\n\[{section}\][^\[]*?\n{key} = )[^#\n]*")
        text, found = where.subn(rf"\g<1>{value} ", text)
        if found != 1:
            raise RigError(f"config/laned.toml has no {section}.{key}")
    return text


class Lane:
    """A lane by its unit; `name` is empty for the box's only lane."""

    def __init__(self, machine: Machine, name: str = "") -> None:
        self.machine = machine
        self.service = f"laned@{name}.service" if name else "laned.service"
        self.socket_unit = f"laned@{name}.socket" if name else "laned.socket"
        self.socket = f"/run/laned/{name or 'till'}.sock"
        self.config = f"/etc/laned/{name or 'laned'}.toml"
        self.journal = "/".join(filter(None, ("/var/lib/laned", name, "journal.sqlite3")))

    @property
    def pid(self) -> int:
        """The daemon's process. RigError when none runs: a signal to 0 would be everybody's."""
        found = int(self.machine.show(self.service, "MainPID"))
        if not found:
            raise RigError(f"{self.service} has no process")
        return found

    def asking(
        self, method: str, path: str, body: object = None, *, wait: float = 0
    ) -> "Future[Any]":
        """Begin a request; `reply` waits for the answer."""
        headers = {"Prefer": f"wait={wait:g}"} if wait else {}
        return self.machine.later(
            "ask", socket=self.socket, method=method, path=path, body=body, headers=headers,
            timeout=wait + 30 * self.machine.slowness,
        )  # fmt: skip

    def ask(self, method: str, path: str, body: object = None, *, wait: float = 0) -> Reply:
        """A request and its answer. RigError when the connection fails."""
        return reply(self.asking(method, path, body, wait=wait))

    def state(self) -> str:
        """The session's state; empty while the lane does not answer."""
        try:
            return str(self.ask("GET", "/v1/lane").body["session"]["state"])
        except RigError:
            return ""

    def ready(self) -> None:
        """Wait until payments can be made."""
        self.machine.until(lambda: self.state() == "ready", f"{self.service} to be ready")

    def put(self, number: str, amount: str = "38.00", *, wait: float = 0) -> "Future[Any]":
        """Begin a payment."""
        return self.asking("PUT", f"/v1/payments/{number}", {"amount": amount}, wait=wait)

    def payment(self, number: str) -> Any:
        """A payment as it stands."""
        return self.ask("GET", f"/v1/payments/{number}").body

    def outcome(self, number: str, amount: str = "38.00") -> Any:
        """What the till is told that repeats its PUT until the payment is over."""

        def final() -> Any:
            try:
                answer = reply(self.put(number, amount, wait=5))
            except RigError:
                return None  # the daemon ended meanwhile: ask again
            return answer.body if answer.body.get("state") in FINAL else None

        return self.machine.until(final, f"the outcome of {number}", 60)


def reply(asked: "Future[Any]") -> Reply:
    """The answer to a request. RigError when the connection failed."""
    value = asked.result(600)
    return Reply(value["status"], base64.b64decode(value["content"]), value["took"])


class Terminal:
    """`laned simulate` on the machine."""

    def __init__(self, machine: Machine, scenario: str, *, speed: float = 3, port: int = 11001,
                 listener: int = 11000) -> None:  # fmt: skip
        self._machine = machine
        self._name = f"terminal-{port}"
        callback = f"http://127.0.0.1:{listener}"
        argv = ["laned", "simulate", "--listen", f"127.0.0.1:{port}", "--callback", callback]
        argv += ["--scenario", scenario, "--speed", f"{speed:g}"]
        machine.call("spawn", name=self._name, argv=argv)
        self.until("simulated terminal, scenario")

    def said(self) -> list[tuple[float, str]]:
        """What happened, with the machine's monotonic seconds."""
        return [(at, line) for at, line in self._machine.call("said", name=self._name)]

    def count(self, text: str) -> int:
        """How many lines have this text in them."""
        return sum(text in line for _, line in self.said())

    def until(self, text: str, after: int = 0) -> float:
        """Wait until this was said more than `after` times; when it was said last."""

        def found() -> list[float]:
            times = [at for at, line in self.said() if text in line]
            return times if len(times) > after else []

        times: list[float] = self._machine.until(found, f"the terminal to say {text!r}")
        return times[-1]

    def charges(self, amount: str = "38.00") -> int:
        """How many payments of this amount are in the terminal's books as charged."""
        return self.count(f"Normal {amount} SEK: charged")

    def end(self) -> None:
        """Switch it off."""
        self._machine.call("end", name=self._name)
