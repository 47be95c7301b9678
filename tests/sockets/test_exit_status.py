"""An exit status is a statement about money: no trouble with output, signals or letters changes it.

Each command, as a process, beside a daemon that says what it is told to.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from faketill import daemon
from processes import PATIENCE, REPOSITORY, site, until

from laned.cli import main as cli
from laned.config.schema import Currency


def payment(state: str, reversal: str = "") -> str:
    """A payment as the daemon tells of it, with letters that ASCII has not."""
    taken = {"state": reversal, "error": None} if reversal else None
    values: dict[str, Any] = {"id": "p", "type": "payment", "amount": "38.00", "currency": "SEK"}
    values |= {"state": state, "reversal": taken, "error": None, "resolved": None, "card": None}
    values["set_aside_at"] = None
    return json.dumps(values)


LANE = json.dumps(
    {
        "name": "kiosk åäö €",
        "mode": "default",
        "set_aside": [],
        "version": "1",
        "payment": "p",
        "prompt": None,
        "session": {
            "state": "ready",
            "reason": "",
            "terminal": {"address": "a", "serial_number": "1", "software": "x"},
        },
        "display": {"lines": ["Sätt in kort"]},
        "journal": "ok",
        "hardware": {"display": "ok", "buttons": "ok"},
    }
)
LISTED: dict[str, Any] = json.loads(payment("approved")) | dict.fromkeys(
    (
        *("created_at", "updated_at", "authorized_amount", "tip_amount", "approval_code"),
        *("poi_transaction", "signature"),
    ),
    "åäö",
)
LISTED["poi_transaction"] = None
FIRST = f"event: lane\ndata: {LANE}\n\n"


def stream(*payments: str) -> str:
    """Events: the lane, the display, then the payment as it goes on."""
    display = 'event: display\ndata: {"lines": ["Sätt in kort"]}\n\n'
    told = "".join(f"event: payment\ndata: {one}\n\n" for one in payments)
    return FIRST + display + told


ANSWERS: dict[str, Any] = {
    "events": FIRST,
    "lane": LANE,
    "p": payment("approved"),
    "payments": json.dumps({"payments": [LISTED]}),
    "abort": payment("processing"),
    "confirm": payment("processing"),
    "reversal": payment("reversed", "done"),
    "resolve": payment("approved"),
    "7": "{}",
    "press": "{}",
    "login": "{}",
    "logout": "{}",
    "learn": "{}",
    "acknowledge_journal": LANE,
}
PAY = ("pay", "38.00", "--id", "p")
BUSY = (409, json.dumps({"code": "lane_busy", "detail": "upptagen åäö", "active": "q"}))
CASES: dict[str, tuple[int, tuple[str, ...], dict[str, Any]]] = {
    "approved": (0, PAY, {}),
    "approved in the end": (
        0,
        PAY,
        {"p": payment("processing"), "events": stream(payment("approved"))},
    ),
    "declined": (1, PAY, {"p": payment("declined")}),
    "refused": (1, PAY, {"p": BUSY}),
    "invalid": (2, PAY, {"p": (422, json.dumps({"code": "invalid", "detail": "€"}))}),
    "the daemon hangs up": (3, PAY, {"p": (0, "")}),
    "a fault in the daemon": (3, PAY, {"p": (500, '{"code": "internal", "detail": "å"}')}),
    "no answer that can be read": (3, PAY, {"p": "{"}),
    "an answer of another kind": (3, PAY, {"p": "[]"}),
    "the stream ends as something else": (
        3,
        PAY,
        {"p": payment("processing"), "events": FIRST + "event: payment\ndata: {\n\n"},
    ),
    "refund": (0, ("refund", "8.00", "--id", "p"), {}),
    "no wait": (0, (*PAY, "--no-wait"), {"p": payment("processing")}),
    "as JSON": (0, (*PAY, "--json"), {}),
    "reverse": (0, ("reverse", "p"), {}),
    "reverse: hangs up": (3, ("reverse", "p"), {"reversal": (0, "")}),
    "reverse: refused": (1, ("reverse", "p"), {"reversal": BUSY}),
    "abort": (0, ("abort",), {}),
    "abort: hangs up": (3, ("abort",), {"abort": (0, "")}),
    "confirm": (0, ("confirm", "p"), {}),
    "confirm: hangs up": (3, ("confirm", "p"), {"confirm": (0, "")}),
    "resolve": (0, ("resolve", "p", "approved", "--note", "åäö"), {}),
    "prompt": (0, ("prompt", "7", "yes"), {}),
    "press": (0, ("press", "confirm"), {}),
    "login": (0, ("login",), {}),
    "login: hangs up": (1, ("login",), {"login": (0, "")}),
    "logout": (0, ("logout", "--maintenance"), {}),
    "learn": (0, ("learn",), {}),
    "acknowledge-journal": (0, ("acknowledge-journal",), {}),
    "wrong usage": (2, ("pay", "38,00"), {}),
}
TELLING: dict[str, tuple[int, tuple[str, ...], dict[str, Any]]] = {
    "status": (0, ("status",), {}),
    "payments": (0, ("payments",), {}),
    "payments as CSV": (0, ("payments", "--csv", "--all"), {}),
    "events": (0, ("events",), {}),
}
DAEMON_SIDE: dict[str, tuple[int, tuple[str, ...]]] = {
    "run": (2, ("--config", "/no/laned.toml")),
    "check": (2, ("--config", "/no/laned.toml")),
    "demo": (2, ("--scenario", "none")),
    "simulate": (1, ("--listen", "203.0.113.9:11001")),
    "--version": (0, ()),
    "--help": (0, ()),
    "none": (2, ()),
}
TROUBLES = ("closed", "full", "gone", "ascii")


@contextmanager
def trouble(kind: str) -> Iterator[dict[str, Any]]:
    """Arguments for Popen: its stdout and stderr as they should not be."""
    opened: list[int] = []
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)}
    made: dict[str, Any] = {"env": environ}
    try:
        if kind == "closed":
            made["preexec_fn"] = lambda: os.closerange(1, 3)
        elif kind == "full":
            opened = [os.open("/dev/full", os.O_WRONLY)]
            made |= {"stdout": opened[0], "stderr": opened[0]}
        elif kind == "gone":
            reader, writer = os.pipe()
            os.close(reader)
            opened = [writer]
            made |= {"stdout": writer, "stderr": writer}
        else:
            environ |= {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
            made |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        yield made
    finally:
        for fd in opened:
            os.close(fd)


def start(path: Path, arguments: tuple[str, ...], made: dict[str, Any]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "laned", *arguments]
    command += [] if arguments[0] in DAEMON_SIDE else ["--socket", str(path)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, **made)


def ended(path: Path, arguments: tuple[str, ...], *kinds: str) -> dict[str, tuple[int, bytes]]:
    """By the kind of trouble: the exit status, and what was written where something can be."""
    with ExitStack() as stack:
        running = {
            kind: stack.enter_context(start(path, arguments, stack.enter_context(trouble(kind))))
            for kind in kinds
        }
        texts = {kind: one.communicate(timeout=PATIENCE) for kind, one in running.items()}
        return {
            kind: (one.returncode, b"".join(text or b"" for text in texts[kind]))
            for kind, one in running.items()
        }


@pytest.mark.parametrize("name", CASES)
def test_the_status_is_the_outcomes_whatever_becomes_of_the_output(name: str) -> None:
    status, arguments, answers = CASES[name]
    with site() as lane, daemon(lane.socket, **ANSWERS | answers):
        for kind, (found, text) in ended(lane.socket, arguments, *TROUBLES).items():
            assert found == status, (kind, text)
            if name not in ("no answer that can be read", "an answer of another kind"):
                assert b"Traceback" not in text, text


@pytest.mark.parametrize("name", TELLING)
def test_what_only_tells_has_failed_when_it_could_not(name: str) -> None:
    _, arguments, answers = TELLING[name]
    events = {"events": FIRST + FIRST}
    with site() as lane, daemon(lane.socket, **ANSWERS | answers | events):
        ends = ended(lane.socket, arguments, "closed", "full", "gone")
        assert set(ends.values()) == {(1, b"")}, ends
        if name != "events":
            found, text = ended(lane.socket, arguments, "ascii")["ascii"]
            assert found == 0, text
            assert b"Traceback" not in text
            assert text.isascii()


@pytest.mark.parametrize("name", DAEMON_SIDE)
def test_the_daemons_side_ends_as_it_does_otherwise(name: str, tmp_path: Path) -> None:
    status, arguments = DAEMON_SIDE[name]
    for kind, (found, text) in ended(tmp_path, (name, *arguments), *TROUBLES).items():
        assert found == status, (kind, text)
        assert b"Traceback" not in text, text


@pytest.mark.parametrize("kind", TROUBLES)
def test_a_daemon_does_without_its_output(kind: str) -> None:
    with site("happy", run=False) as lane, trouble(kind) as made:
        command = [sys.executable, "-m", "laned", "run", "--config", str(lane.configure())]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, **made) as daemon:
            try:
                until(lambda: lane.lane()["display"]["lines"] == ["Welcome"], "the daemon")
                assert lane.command("pay", "38.00").status == 0
            finally:
                daemon.terminate()
                daemon.communicate(timeout=PATIENCE)
        assert daemon.returncode == 0


def test_a_full_disk_is_named_where_that_can_be_read() -> None:
    with site() as lane, daemon(lane.socket, **ANSWERS), trouble("full") as made:
        for arguments, status in ((PAY, 0), (("payments", "--csv"), 1)):
            with start(lane.socket, arguments, made | {"stderr": subprocess.PIPE}) as process:
                _, err = process.communicate(timeout=PATIENCE)
            assert process.returncode == status, err
            assert err == b"laned: stdout could not be written to: No space left on device\n"


@pytest.mark.parametrize(("number", "status"), [("SIGTERM", 3), ("SIGHUP", 3), ("SIGINT", 130)])
def test_signals_while_a_payment_runs(number: str, status: int) -> None:
    answers = ANSWERS | {"p": payment("processing"), "events": stream()}
    with site() as lane, daemon(lane.socket, **answers):
        pay = lane.background(*PAY)
        pay.says("Sätt in kort")
        pay.signal(getattr(signal, number))
        assert pay.ended() == status
        assert "payment p goes on without us" in pay.err
        assert "Traceback" not in pay.err


def test_a_signal_before_anything_was_asked_is_no_doubt() -> None:
    with site() as lane, socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(lane.socket))
        silent.listen()
        pay = lane.background(*PAY)
        peer, _ = silent.accept()  # asks for the events, and waits
        with peer:
            until(lambda: peer.recv(1024), "its first request")
            pay.signal(signal.SIGTERM)
            assert pay.ended() == 1
            assert pay.err == "laned: ended by SIGTERM\n"


def test_json_is_json_also_in_ascii() -> None:
    with site() as lane, daemon(lane.socket, **ANSWERS):
        status, text = ended(lane.socket, ("status", "--json"), "ascii")["ascii"]
        assert status == 0
        assert text.isascii()
        assert json.loads(text)["name"] == "kiosk åäö €"


@pytest.mark.parametrize(
    ("given", "note"),
    [("åäö", "åäö"), ("\udce5", "?"), ("\udcc3\udca5", "å")],
    ids=["letters", "no UTF-8", "UTF-8"],
)
def test_notes_as_they_are_given(given: str, note: str) -> None:
    options = cli._parser().parse_args(["resolve", "p", "failed", "--note", given])
    assert options.note == note


def test_a_note_in_a_locale_without_its_letters_arrives() -> None:
    """The bytes are UTF-8, whatever the locale says."""
    heard: list[bytes] = []
    with site() as lane, socket.socket(socket.AF_UNIX) as server:
        server.bind(str(lane.socket))
        server.listen()

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                while b"}" not in b"".join(heard):
                    heard.append(peer.recv(65536))
                peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                             b"content-length: 2\r\n\r\n{}")  # fmt: skip

        thread = threading.Thread(target=answer)
        thread.start()
        note_it = ("resolve", "p", "failed", "--note", "åäö")
        status, text = ended(lane.socket, note_it, "ascii")["ascii"]
        thread.join(PATIENCE)
        assert status == 0, text
        note = json.loads(b"".join(heard).partition(b"\r\n\r\n")[2])["note"]
        assert note == "åäö"


# -- Before anything is asked ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("pay", "38,00"),
        ("pay", "0.00"),
        ("pay", "38.001"),
        ("pay", "1e3"),
        ("refund", "-1"),
        ("pay", "1.00", "--id", "a b"),
        ("pay", "1.00", "--currency", "USD"),
    ],
)
def test_wrong_usage_is_found_before_the_daemon_is_looked_for(arguments: tuple[str, ...]) -> None:
    with site() as lane:
        done = lane.command(*arguments)
        assert done.status == 2, done
        assert "no daemon" not in done.err
        assert arguments[-1] in done.err


def test_the_commands_know_the_currencies_of_the_configuration() -> None:
    assert Currency.__args__ == cli.CURRENCIES  # type: ignore[attr-defined]


def test_no_daemon_is_told_with_its_cure() -> None:
    with site() as lane:
        done = lane.command("pay", "38.00")
        assert done.status == 1
        assert "no daemon answers" in done.err
        assert "systemctl status laned" in done.err
        assert "--socket" in done.err


@pytest.mark.parametrize("lets_in", [True, False])
def test_a_till_that_finds_no_room_tries_again(lets_in: bool) -> None:
    """The kernel keeps a few connections until they are accepted, and turns others away at once."""
    with site() as lane, socket.socket(socket.AF_UNIX) as server:
        server.bind(str(lane.socket))
        server.listen(0)
        waiting = []
        try:
            while True:
                one = socket.socket(socket.AF_UNIX)
                waiting.append(one)
                one.setblocking(False)
                one.connect(str(lane.socket))
        except BlockingIOError:
            pass
        status = lane.background("status")
        try:
            if lets_in:
                time.sleep(0.5)
                for _ in waiting:
                    server.accept()[0].close()
                assert status.ended() == 1
                assert "the daemon went away" in status.err
            else:
                assert status.ended() == 1
                assert "too many others wait to be let in" in status.err
        finally:
            for one in waiting:
                one.close()
