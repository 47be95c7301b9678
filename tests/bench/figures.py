"""Figures of a running lane, beside a bare server, in one run: `python tests/bench/figures.py`.

Everything is real: `laned run` and `laned simulate` as processes, TCP on loopback, the till's unix
socket. Times depend on the machine, so each is printed beside what it is to be compared with.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from laned.till.client import Till, Unreachable

POI_ID = f"BENCH-{os.getpid()}"  # one daemon for each on a machine
DISPLAY = (
    '<SaleToPOIRequest><MessageHeader MessageClass="Device" MessageCategory="Display"'
    f' MessageType="Request" DeviceID="7" SaleID="1" POIID="{POI_ID}"/><DisplayRequest>'
    '<DisplayOutput Device="CashierDisplay" InfoQualify="Status" ResponseRequiredFlag="false">'
    '<OutputContent OutputFormat="Text"><OutputText>101,"Bench {}"</OutputText></OutputContent>'
    "</DisplayOutput></DisplayRequest></SaleToPOIRequest>"
)
CONFIG = """
[terminal]
address = "127.0.0.1:{terminal}"
poi_id = "{poi_id}"
[listener]
bind = "127.0.0.1:{listener}"
[till]
socket = "{folder}/till.sock"
[display]
driver = "virtual"
[buttons]
driver = "virtual"
[journal]
path = "{folder}/journal.sqlite3"
"""
BARE = """
import sys, trio
from hypercorn.config import Config
from hypercorn.trio import serve

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})

config = Config()
config.bind = [f"127.0.0.1:{sys.argv[1]}"]
config.errorlog = None
trio.run(serve, app, config)
"""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def process(
    *arguments: str, environ: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | (environ or {}),
    ) as running:
        try:
            yield running
        finally:
            running.terminate()
            running.wait(15)


def until(what: str, ready: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.005)


def answers(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def post(port: int, body: bytes) -> float:
    """POST on a new connection; seconds until the status line is there."""
    head = (
        "POST /EPASSaleToPOI/3.1 HTTP/1.1\r\nHost: lane\r\nConnection: close\r\n"
        f"Content-Type: application/xml; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    begin = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(head + body)
        answer = sock.recv(4096)
        taken = time.perf_counter() - begin
    assert answer.startswith(b"HTTP/1.1 204"), answer
    return taken


def quantiles(times: list[float]) -> tuple[float, float]:
    ordered = sorted(times)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


class FakeTerminal:
    """Logs everybody in, keeps payments open, and notes when an AbortRequest arrives."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self.paying = threading.Event()
        self.aborted = threading.Event()
        self.aborted_at = 0.0
        self._open: list[tuple[socket.socket, bytes]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._server.accept()
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        first = connection.recv(65536)
        arrived = time.monotonic()
        request = first
        while b"</SaleToPOIRequest>" not in request:
            if not (more := connection.recv(65536)):
                return
            request += more
        if b"<AbortRequest" in request:
            self.aborted_at = arrived
            connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            connection.close()
            self.aborted.set()
            for waiting, header in self._open:
                self._respond(waiting, header, "Payment", 'Failure" ErrorCondition="Aborted')
            self._open.clear()
        elif b"<PaymentRequest" in request:
            self._open.append((connection, request))
            self.paying.set()
        elif b"<TransactionStatusRequest" in request:
            refused = 'Failure" ErrorCondition="NotAllowed'
            self._respond(connection, request, "TransactionStatus", refused)
        else:
            name = "Login" if b"<LoginRequest" in request else "Logout"
            self._respond(connection, request, name, "Success")

    def _respond(self, connection: socket.socket, request: bytes, name: str, result: str) -> None:
        service_id = request.split(b'ServiceID="')[1].split(b'"')[0].decode()
        body = (
            f'<SaleToPOIResponse><MessageHeader MessageClass="Service" MessageCategory="{name}"'
            f' MessageType="Response" ServiceID="{service_id}" SaleID="1" POIID="{POI_ID}"/>'
            f'<{name}Response><Response Result="{result}"/></{name}Response></SaleToPOIResponse>'
        ).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode() + body)
        connection.close()


@contextmanager
def lane(folder: Path, terminal: int) -> Iterator[tuple[Till, int, int]]:
    """A running daemon: its till, its listener's port, its pid."""
    listener = free_port()
    config = folder / "laned.toml"
    config.write_text(
        CONFIG.format(terminal=terminal, listener=listener, poi_id=POI_ID, folder=folder)
    )
    with process("-m", "laned", "run", "--config", str(config)) as daemon:
        till = Till(folder / "till.sock")
        until("the daemon", lambda: state(till) == "ready")
        yield till, listener, daemon.pid


def state(till: Till) -> str:
    try:
        return str(till.ask("GET", "/v1/lane").body["session"]["state"])
    except Unreachable:
        return ""


def display_to_204(count: int) -> list[tuple[str, str, str]]:
    terminal, bare = FakeTerminal(), free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        lane(Path(folder), terminal.port) as (_, port, _),
        process("-c", BARE, str(bare)),
    ):
        until("the bare server", lambda: answers(bare))
        bodies = [DISPLAY.format(number).encode() for number in range(count)]
        for body in bodies[:50]:
            post(port, body)
            post(bare, body)
        ours, theirs = [], []
        for body in bodies:  # by turns, so that both meet the same machine
            ours.append(post(port, body))
            theirs.append(post(bare, body))
    (median, worst), (bare_median, bare_worst) = quantiles(ours), quantiles(theirs)
    return [
        (
            "DisplayRequest -> 204, new connection, median",
            f"{median * 1000:.2f} ms",
            f"{median / bare_median:.2f} x bare hypercorn ({bare_median * 1000:.2f} ms)",
        ),
        (
            "the same, 99th percentile",
            f"{worst * 1000:.2f} ms",
            f"{worst / bare_worst:.2f} x bare hypercorn ({bare_worst * 1000:.2f} ms); goal 10 ms",
        ),
    ]


def button_to_abort(count: int) -> list[tuple[str, str, str]]:
    terminal = FakeTerminal()
    times = []
    with tempfile.TemporaryDirectory() as folder, lane(Path(folder), terminal.port) as (till, _, _):
        events = till.events()
        next(events)
        for number in range(count):
            terminal.paying.clear()
            terminal.aborted.clear()
            till.ask("PUT", f"/v1/payments/{number}", {"amount": "1.00"})
            assert terminal.paying.wait(5)
            time.sleep(0.05)
            pressed = time.monotonic()
            till.ask("POST", "/v1/buttons/abort/press", {"seconds": 0.02})
            assert terminal.aborted.wait(5)
            times.append(terminal.aborted_at - pressed)
            until("the end", partial(final, till, str(number)))
            time.sleep(0.1)
    median, worst = quantiles(times)
    settle = 0.005
    return [
        (
            "virtual press -> AbortRequest at the terminal, median",
            f"{(median - settle) * 1000:.2f} ms",
            "without the 5 ms that a press must last; with the HTTP request that presses",
        ),
        ("the same, worst", f"{(worst - settle) * 1000:.2f} ms", "goal 10 ms"),
    ]


def final(till: Till, payment_id: str) -> bool:
    reply = till.ask("GET", f"/v1/payments/{payment_id}")
    return reply.body["state"] not in ("pending", "processing", "unknown")


def start_to_ready(count: int) -> list[tuple[str, str, str]]:
    times, bare = [], []
    for _ in range(count):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            (path / "laned.toml").write_text(
                CONFIG.format(
                    terminal=free_port(), listener=free_port(), poi_id=POI_ID, folder=folder
                )
            )
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.bind(f"{folder}/notify")
                manager.settimeout(20)
                begin = time.perf_counter()
                with process(
                    *("-m", "laned", "run", "--config", f"{folder}/laned.toml"),
                    environ={"NOTIFY_SOCKET": f"{folder}/notify"},
                ):
                    while not manager.recv(4096).startswith(b"READY=1"):
                        pass
                    times.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import trio, hypercorn.trio"], check=True)
        bare.append(time.perf_counter() - begin)
    median, base = statistics.median(times), statistics.median(bare)
    return [
        (
            "start -> READY=1, warm",
            f"{median * 1000:.0f} ms",
            f"{median / base:.2f} x importing trio and hypercorn ({base * 1000:.0f} ms); goal 250",
        )
    ]


def memory(payments: int) -> list[tuple[str, str, str]]:
    terminal = free_port()
    with tempfile.TemporaryDirectory() as folder:
        listener = free_port()
        (Path(folder) / "laned.toml").write_text(
            CONFIG.format(terminal=terminal, listener=listener, poi_id=POI_ID, folder=folder)
        )
        simulate = ["-m", "laned", "simulate", "--listen", f"127.0.0.1:{terminal}"]
        simulate += ["--callback", f"http://127.0.0.1:{listener}", "--speed", "500"]
        with (
            process(*simulate),
            process("-m", "laned", "run", "--config", f"{folder}/laned.toml") as daemon,
        ):
            till = Till(Path(folder) / "till.sock")
            until("a session", lambda: state(till) == "ready")
            before = resident(daemon.pid)
            for number in range(payments):
                till.ask("PUT", f"/v1/payments/{number}", {"amount": "1.00"})
                until("the end", partial(final, till, str(number)))
            after = resident(daemon.pid)
    return [
        (f"resident memory after {payments} payments", f"{after:.1f} MB", "goal 50 MB"),
        ("of it, since the first login", f"{after - before:.1f} MB", ""),
    ]


def two_lanes() -> list[tuple[str, str, str]]:
    """Two lanes on one box share the pages of what they run."""
    with ExitStack() as both:
        daemons = []
        for number in (1, 2):
            folder = both.enter_context(tempfile.TemporaryDirectory())
            settings = CONFIG.format(
                terminal=free_port(),
                listener=free_port(),
                poi_id=f"{POI_ID}-{number}",
                folder=folder,
            )
            (Path(folder) / "laned.toml").write_text(settings)
            run = ("-m", "laned", "run", "--config", f"{folder}/laned.toml")
            daemons.append(both.enter_context(process(*run)))
            till = Till(Path(folder) / "till.sock")
            until("an answer", lambda till=till: state(till) == "offline")  # type: ignore[misc]
        total = sum(resident(daemon.pid) for daemon in daemons) / 2
        own = sum(proportional(daemon.pid) for daemon in daemons) / 2
    return [
        ("two lanes, resident memory of each", f"{total:.1f} MB", ""),
        ("the same, shared pages counted once", f"{own:.1f} MB", f"{own / total:.2f} of it"),
    ]


def proportional(pid: int) -> float:
    """Memory with each shared page divided by those that share it."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in rollup if line.startswith("Pss:")) * 1024 / 1e6


def resident(pid: int) -> float:
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    quick = parser.parse_args().quick
    rows = [
        *display_to_204(200 if quick else 2000),
        *button_to_abort(10 if quick else 100),
        *start_to_ready(3 if quick else 11),
        *memory(20 if quick else 100),
        *two_lanes(),
    ]
    width = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print(f"{row[0]:{width[0]}}  {row[1]:>{width[1]}}  {row[2]}".rstrip())


if __name__ == "__main__":
    main()
