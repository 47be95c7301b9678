"""A machine of the rig: a container or a virtual one, spoken to through inside/agent.py."""

import base64
import json
import shlex
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import IO, Any, Final

from msgspec import Struct

PATIENCE: Final = 30.0
"""Seconds after which what is waited for has failed, in a container."""
TICK: Final = 0.03


class RigError(AssertionError):
    """Something on the machine was not as it must be; the text says what."""


class Reply(Struct, frozen=True):
    """What a lane's socket answered."""

    status: int
    content: bytes
    took: float

    @property
    def body(self) -> Any:
        """The JSON in it."""
        return json.loads(self.content)


class Machine:
    """`slowness` says how many times longer than a container everything may take."""

    def __init__(self, requests: IO[str], replies: IO[str], *, slowness: float = 1.0) -> None:
        self.slowness = slowness
        self._requests = requests
        self._waiting: dict[int, Future[Any]] = {}
        self._turn = threading.Lock()
        self._last = 0
        threading.Thread(target=self._listen, args=(replies,), daemon=True).start()

    def _listen(self, replies: IO[str]) -> None:
        for line in replies:
            reply = json.loads(line)
            waiting = self._waiting.pop(reply["number"])
            if "error" in reply:
                waiting.set_exception(RigError(reply["error"]))
            else:
                waiting.set_result(reply["value"])
        for waiting in list(self._waiting.values()):
            waiting.set_exception(RigError("the machine hung up"))

    def later(self, operation: str, **arguments: object) -> "Future[Any]":
        """Have the agent begin an operation."""
        future: Future[Any] = Future()
        with self._turn:
            self._last += 1
            self._waiting[self._last] = future
            self._requests.write(json.dumps([self._last, operation, arguments]) + "\n")
            self._requests.flush()
        return future

    def call(self, operation: str, *, patience: float = 120.0, **arguments: object) -> Any:
        """Have the agent do an operation; RigError if it could not."""
        return self.later(operation, **arguments).result(patience)

    def sh(self, script: str, *, check: bool = True, user: str = "", patience: float = 0) -> str:
        """Run a shell script; its output. Raises RigError if it fails, unless `check` is false."""
        timeout = patience or PATIENCE * self.slowness
        done = self.call(
            "run", argv=["/bin/sh", "-c", script], timeout=timeout, user=user, patience=timeout + 30
        )
        if check and done["code"] != 0:
            said = (done["err"] or done["out"]).strip()[-400:]
            raise RigError(f"{script}: exit status {done['code']}: {said}")
        text: str = done["out"] + ("" if check else done["err"])
        return text.strip()

    def code(self, script: str, *, user: str = "") -> int:
        """Run a shell script; its exit status."""
        return int(self.call("run", argv=["/bin/sh", "-c", script], timeout=60, user=user)["code"])

    def read(self, path: str) -> bytes:
        """A file's content."""
        return base64.b64decode(self.call("read", path=path))

    def write(self, path: str, text: str) -> float:
        """Write a file; when, in the machine's monotonic seconds."""
        when: float = self.call("write", path=path, text=text)
        return when

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.sh(f"systemctl show -P {name} {shlex.quote(unit)}")

    def until(self, view: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
        """The first true value of `view`; RigError when it takes too long."""
        deadline = time.monotonic() + patience * self.slowness
        while True:
            found = view()
            if found:
                return found
            if time.monotonic() > deadline:
                raise RigError(f"waited {patience * self.slowness:g} s for {what}")
            time.sleep(TICK)
