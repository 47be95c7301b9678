"""Money rule 1, as the kernel sees it: synced first, then sent or told."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import trio

from kill.shop import Shop, Till, shop
from kill.traces import CALLS, LONGEST_STRING, calls, faults

PATIENCE = 20.0
TICK = 0.01
TERMINAL = "127.0.0.1:45501"
WAL = "10</tmp/laned/journal.sqlite3-wal>"
OUT = "16<TCP:[127.0.0.1:57184->127.0.0.1:45501]>"
TILL = '15<UNIX-STREAM:[498154->498144,"/tmp/laned/till.sock"]>'
WROTE_ATTEMPT = f'12 pwrite64({WAL}, "\\r\\0(k1.Ab3\\0001772885527", 4096, 74216) = 4096'
SYNCED = f"12 fdatasync({WAL}) = 0"
HEADERS = f'11 sendto({OUT}, "POST /EPASSaleToPOI/3.1 HTTP/1.1\\r\\n", 34, 0, NULL, 0) = 34'
REQUEST = (
    f'11 sendto({OUT}, "<SaleToPOIRequest><MessageHeader MessageCategory=\\"Payment\\"'
    ' MessageType=\\"Request\\" ServiceID=\\"1772885527\\" SaleID=\\"1\\"/><PaymentRequest>",'
    " 700, 0, NULL, 0) = 700"
)
RESPONSE = (
    f'11 recvfrom({OUT}, "HTTP/1.1 200 \\r\\n\\r\\n<SaleToPOIResponse>(<PaymentResponse>) = 3",'
    " 65536, 0, NULL, NULL) = 900"
)
WROTE_OUTCOME = f'12 pwrite64({WAL}, "k1\\"state\\":\\"approved\\"", 4096, 80000) = 4096'
LOGGED = '11 write(2</tmp/laned/laned.log>, "payment k1 5.00 SEK approved\\n", 30) = 30'
TOLD = f'11 sendto({TILL}, "{{\\"id\\":\\"k1\\",\\"state\\":\\"approved\\"}}", 40, 0, NULL, 0) = 40'
GOOD = (
    WROTE_ATTEMPT,
    SYNCED,
    HEADERS,
    REQUEST,
    RESPONSE,
    WROTE_OUTCOME,
    SYNCED,
    LOGGED,
    TOLD,
)


# -- The real daemon ------------------------------------------------------------------------------


def _need_strace() -> str:
    found = shutil.which("strace")
    if found is None and os.geteuid() == 0:
        pytest.fail("strace is not installed: apt-get install strace", pytrace=False)
    if found is None:
        pytest.skip("strace is not installed, and only root is sure to be able to use it")
    return found


@contextmanager
def _traced(strace: str, pid: int, output: Path) -> Iterator[None]:
    """Watch all threads of a process while the block runs."""
    complaints = output.with_suffix(".err")
    with complaints.open("wb") as err:
        tracer = subprocess.Popen(
            [
                *(strace, "-f", "-yy", "-s", str(LONGEST_STRING), "-e", f"trace={CALLS}"),
                *("-o", str(output), "-p", str(pid)),
            ],
            stderr=err,
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while "attached" not in complaints.read_text():
            if tracer.poll() is not None or time.monotonic() > deadline:
                text = f"strace cannot attach: {complaints.read_text()}"
                pytest.fail(text) if os.geteuid() == 0 else pytest.skip(text)
            time.sleep(TICK)
        yield
    finally:
        tracer.send_signal(signal.SIGINT)  # it lets go of the process, and writes all it has
        tracer.wait(PATIENCE)


async def _ready(found: Shop) -> None:
    with trio.fail_after(PATIENCE):
        while True:
            status, lane = await found.till.ask("GET", "/v1/lane")
            if status == 200 and lane["display"]["lines"] == ["Welcome"]:
                return
            await trio.sleep(TICK)


async def _listen(till: Till, *, task_status: trio.TaskStatus[None]) -> None:
    """Follow the events until one says approved."""
    with trio.fail_after(PATIENCE):
        async with till.http.stream("GET", "/v1/events") as events:
            assert isinstance(events, httpx.Response)
            async for line in events.aiter_lines():
                if line.startswith("event: lane"):
                    task_status.started()
                if '"approved"' in line:
                    return


# httpx leaves generators behind when a stream is left before its end
@pytest.mark.filterwarnings("ignore:Async generator 'http:ResourceWarning")
async def test_on_disk_before_sent_and_before_told(tmp_path: Path) -> None:
    strace, output = _need_strace(), tmp_path / "trace"
    async with shop(seed=1) as found:
        found.daemon.start()
        await _ready(found)
        address = found.daemon.terminal_address
        with _traced(strace, found.daemon.pid, output):
            async with trio.open_nursery() as nursery:
                await nursery.start(_listen, found.till)
                payment = await found.till.pay("disk-1", {"amount": "5.00"})
            assert payment["state"] == "approved"
            await found.till.ask(
                "GET", "/v1/lane"
            )  # the calls before it are over, and in the trace
        found.daemon.must_live()
    lines = output.read_text().splitlines()
    assert faults(lines, address, "disk-1") == []
    told = [call for call in calls(lines) if "till.sock" in call.what and "approved" in call.rest]
    assert len(told) >= 2, "the stream and the answer"


# -- The check itself, on traces that are made up -------------------------------------------------


def _made(*lines: str) -> list[str]:
    return faults(lines, TERMINAL, "k1")


def test_a_good_trace_has_no_faults() -> None:
    assert _made(*GOOD) == []


def test_sent_before_the_attempt_is_on_disk() -> None:
    early = _made(HEADERS, REQUEST, WROTE_ATTEMPT, SYNCED, *GOOD[4:])
    assert early == [
        "the attempt 1772885527 was not written when sendto to"
        " TCP:[127.0.0.1:57184->127.0.0.1:45501] began"
    ]
    between = _made(WROTE_ATTEMPT, HEADERS, SYNCED, *GOOD[3:])
    assert len(between) == 1
    assert "not on disk" in between[0]


def test_told_before_the_outcome_is_on_disk() -> None:
    faulty = _made(*GOOD[:5], WROTE_OUTCOME, TOLD, SYNCED, LOGGED)
    assert len(faulty) == 1
    assert "the outcome was not on disk when sendto to UNIX-STREAM" in faulty[0]
    faulty = _made(*GOOD[:5], LOGGED, WROTE_OUTCOME, SYNCED, TOLD)
    assert len(faulty) == 1
    assert "the outcome was not written when write to /tmp/laned/laned.log" in faulty[0]


@pytest.mark.parametrize(
    "instead",
    [
        f"12 fdatasync({WAL}) = -1 EIO (Input/output error)",
        "12 fdatasync(9</tmp/laned/journal.sqlite3>) = 0",
        "",
    ],
    ids=["failed", "another file", "none"],
)
def test_a_sync_that_is_none(instead: str) -> None:
    found = _made(*(instead if line == SYNCED else line for line in GOOD))
    assert len(found) == 3  # the attempt, and the outcome for the log and for the till


def test_a_sync_that_lies_across_the_send() -> None:
    begun, ended = f"12 fdatasync({WAL} <unfinished ...>", "12 <... fdatasync resumed>) = 0"
    across = _made(WROTE_ATTEMPT, begun, HEADERS, ended, *GOOD[3:])
    assert len(across) == 1
    assert "not on disk" in across[0]
    assert _made(WROTE_ATTEMPT, begun, ended, *GOOD[2:]) == []


def test_a_trace_that_shows_nothing_proves_nothing() -> None:
    assert _made() == ["0 PaymentRequests were sent, expected one"]
    assert _made(*GOOD[:4]) == ["no PaymentResponse came"]
    assert _made(*GOOD[:-1]) == ["the till was not told"]
