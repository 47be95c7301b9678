"""Does inside a container or virtual machine what the rig outside asks for.

Requests come and replies go as lines of JSON over one file: stdin and stdout, or the device given
as argument. Each request runs in a thread of its own, so that a till can wait while other things
happen. All times are seconds of CLOCK_MONOTONIC. Only Debian's bare python3 is needed.
"""

import base64
import http.client
import json
import os
import pwd
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

Value = dict[str, Any]


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("lane", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Agent:
    """The operations; each public method is one."""

    def __init__(self) -> None:
        self._said: dict[str, list[tuple[float, str]]] = {}
        self._processes: dict[str, subprocess.Popen[str]] = {}

    def run(self, argv: list[str], timeout: float, user: str = "") -> Value:
        """Run a command to its end, as `user` with that user's groups."""
        identity: Value = {}
        if user:
            who = pwd.getpwnam(user)
            groups = os.getgrouplist(user, who.pw_gid)
            identity = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": groups}
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            check=False,
            **identity,
        )
        return {"code": done.returncode, "out": done.stdout, "err": done.stderr}

    def ask(
        self, socket: str, method: str, path: str, body: object, headers: Value, timeout: float
    ) -> Value:
        """One request over a unix socket."""
        connection = _Connection(socket, timeout)
        began = time.monotonic()
        try:
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            content = base64.b64encode(answer.read()).decode()
            took = time.monotonic() - began
            return {"status": answer.status, "content": content, "took": took}
        finally:
            connection.close()

    def read(self, path: str) -> str:
        """A file's content, in Base64."""
        return base64.b64encode(Path(path).read_bytes()).decode()

    def write(self, path: str, text: str) -> float:
        """Write a file and say when: for pulling a line."""
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        now = time.monotonic()
        file.write_text(text, encoding="utf-8")
        return now

    def spawn(self, name: str, argv: list[str]) -> int:
        """Start a command in the background; what it says is kept with the times."""
        said = self._said[name] = []
        process = self._processes[name] = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

        def listen() -> None:
            assert process.stdout is not None
            said.extend((time.monotonic(), line.rstrip("\n")) for line in process.stdout)

        threading.Thread(target=listen, daemon=True).start()
        return process.pid

    def said(self, name: str) -> list[tuple[float, str]]:
        """The lines of a command in the background, so far."""
        return list(self._said[name])

    def end(self, name: str) -> None:
        """Stop a command in the background."""
        process = self._processes.pop(name)
        process.terminate()
        process.wait(20)


def serve(requests: IO[str], replies: IO[str]) -> None:
    """Answer requests until the other side hangs up."""
    agent, turn = Agent(), threading.Lock()

    def work(number: int, operation: str, arguments: Value) -> None:
        reply: Value = {"number": number}
        try:
            reply["value"] = getattr(agent, operation)(**arguments)
        except Exception as error:  # the rig's to judge
            reply["error"] = f"{type(error).__name__}: {error}"
        with turn:
            replies.write(json.dumps(reply) + "\n")
            replies.flush()

    for line in requests:
        threading.Thread(target=work, args=json.loads(line), daemon=True).start()


def main() -> None:
    """Serve stdin and stdout, or the port given as argument."""
    if len(sys.argv) == 1:
        serve(sys.stdin, sys.stdout)
        return
    port = os.open(sys.argv[1], os.O_RDWR)
    with os.fdopen(port) as requests, os.fdopen(port, "w", closefd=False) as replies:
        serve(requests, replies)


if __name__ == "__main__":
    main()
