"""`laned run` and `laned simulate` as processes, with the real commands as the till."""

import json
import re
import signal
import socket
from typing import Any

import pytest
from processes import Done, Site, free_port, site, until

BUTTON = {"signature": "button"}
TILL = {"signature": "till"}
ONE_LINE = re.compile(r"laned: [^\n]+\n")


def failed(done: Done, *words: str) -> None:
    """Exit 1, with one clear line on stderr."""
    assert done.status == 1, done
    assert ONE_LINE.fullmatch(done.err), done
    for word in words:
        assert word in done.err, done


# -- Paying ---------------------------------------------------------------------------------------


def test_a_day_at_the_till() -> None:
    with site("happy") as lane:
        paid = lane.command("pay", "38.00", "--id", "kvitto-1")
        assert paid.status == 0, paid
        assert paid.err == ""
        assert paid.lines[-1] == "approved"
        shown = ["Present card", "Enter PIN", "Enter PIN: **", "Authorizing", "Approved"]
        places = [paid.lines.index(text) for text in shown]
        assert places == sorted(places)

        until(lambda: lane.lane()["display"]["lines"] == ["Welcome"], "the next customer")
        again = lane.command("pay", "38.00", "--id", "kvitto-1", "--json")
        assert again.status == 0, again
        assert json.loads(again.out)["state"] == "approved"
        other = lane.command("pay", "39.00", "--id", "kvitto-1")
        failed(other, "payment_conflict")

        refund = lane.command("refund", "8.00", "--id", "retur-1")
        assert (refund.status, refund.lines[-1]) == (0, "approved"), refund

        status = lane.command("status")
        assert status.status == 0
        for text in ("lane1", "ready", f"127.0.0.1:{lane.terminal_port}", "none running", "ok"):
            assert text in status.out, status
        assert json.loads(lane.command("status", "--json").out)["session"]["state"] == "ready"

        listed = lane.command("payments")
        assert (listed.status, len(listed.lines)) == (0, 2), listed
        assert "retur-1 refund 8.00 SEK approved" in listed.lines[0]
        assert "kvitto-1 payment 38.00 SEK approved" in listed.lines[1]
        page = json.loads(lane.command("payments", "--json", "--limit", "1").out)
        assert [payment["id"] for payment in page["payments"]] == ["retur-1"]
        assert lane.command("payments", "--state", "declined").out == "no payments\n"

        assert lane.command("logout").status == 0
        assert lane.lane()["session"]["state"] == "logged_out"
        failed(lane.command("pay", "1.00"), "terminal_unavailable")
        assert lane.command("login").status == 0
        assert lane.command("logout", "--maintenance").status == 0
        assert lane.lane()["session"]["state"] == "maintenance"

        log = lane.daemon.err
        assert "kvitto-1" in log
        for secret in ("4478", "*", "Kiosk", "Enter PIN", "Traceback"):
            assert secret not in log


def test_wrong_usage() -> None:
    with site("happy") as lane:
        for arguments in (
            ["pay"],
            ["pay", "1e3"],
            ["pay", "0"],
            ["pay", "1.00", "--id", "x" * 37],
            ["pay", "1.00", "--currency", "USD"],
            ["prompt", "x", "perhaps"],
            ["payments", "--state", "final"],
            ["nonsense"],
            [],
        ):
            done = lane.command(*arguments)
            assert done.status == 2, (arguments, done)
            assert done.err
            assert "Traceback" not in done.err
        assert lane.command("payments").out == "no payments\n"


def test_press_abort_ends_a_running_payment() -> None:
    with site("aborted") as lane:
        failed(lane.command("abort"), "no payment")
        pay = lane.background("pay", "38.00")
        pay.says("Present card")
        assert lane.command("press", "abort").status == 0
        assert pay.ended() == 1
        assert pay.out.splitlines()[-1] == "aborted"
        assert ONE_LINE.fullmatch(pay.err), pay.err

        until(lambda: lane.lane()["display"]["lines"] == ["Welcome"], "the next customer")
        pay = lane.background("pay", "38.00", "--id", "second")
        pay.says("Present card")
        busy = lane.command("pay", "1.00")
        failed(busy, "lane_busy")
        assert lane.command("abort", "second").status == 0
        assert pay.ended() == 1
        failed(lane.command("abort", "second"), "not_abortable")
        failed(lane.command("press", "approve"), "not_found")


@pytest.mark.parametrize(("button", "status"), [("confirm", 0), ("abort", 1)])
def test_a_signature_by_button(button: str, status: int) -> None:
    with site("signature-approved", payment=BUTTON) as lane:
        pay = lane.background("pay", "38.00")
        pay.says("prompt ")
        assert lane.command("press", button).status == 0
        assert pay.ended() == status
        assert pay.out.splitlines()[-1] == ("declined" if status else "approved")


@pytest.mark.parametrize(("answer", "status"), [("yes", 0), ("no", 1)])
def test_a_signature_by_the_till(answer: str, status: int) -> None:
    with site("signature-approved", payment=TILL) as lane:
        pay = lane.background("pay", "38.00")
        prompt = until(lambda: re.search(r"prompt (\S+): Signature approved\?", pay.out), "prompt")
        assert lane.command("prompt", prompt[1], answer).status == 0
        assert pay.ended() == status
        failed(lane.command("prompt", prompt[1], answer), "prompt_closed")


def test_confirmation_and_events() -> None:
    with site("declined", payment={"confirm": "button"}) as lane:
        events = lane.background("events")
        as_json = lane.background("events", "--json")
        events.says("lane1: session ready")
        as_json.says("lane")
        assert lane.command("pay", "5.00", "--id", "c-1", "--no-wait").out == "c-1\n"
        assert lane.lane()["display"]["lines"] == ["Pay?"]
        assert lane.command("confirm", "c-1").status == 0
        failed(lane.command("confirm", "c-1"), "not_pending")
        pay = lane.command("pay", "5.00", "--id", "c-1")
        assert (pay.status, pay.lines[-1]) == (1, "declined"), pay
        assert "Refusal" in pay.err
        events.says("c-1 payment 5.00 SEK declined")
        as_json.says("declined")
        told = [json.loads(line) for line in as_json.out.splitlines()[:-1]]
        assert told[0]["event"] == "lane"
        assert {"payment", "display", "prompt", "card"} <= {event["event"] for event in told}
        lane.daemon.signal(signal.SIGTERM)
        assert lane.daemon.ended() == 0
        assert events.ended() == 1
        assert ONE_LINE.fullmatch(events.err), events.err


def test_ctrl_c_tells_that_the_payment_goes_on() -> None:
    with site("aborted") as lane:
        pay = lane.background("pay", "38.00", "--id", "c-9")
        pay.says("Present card")
        pay.signal(signal.SIGINT)
        assert pay.ended() == 130
        assert "c-9" in pay.err
        assert "Traceback" not in pay.err
        assert lane.lane()["payment"] == "c-9"


def test_put_twice_by_hand() -> None:
    """As curl does it, down to the bytes."""
    body = b'{"amount": "12.50"}'
    head = (
        f"PUT /v1/payments/raw-1 HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nPrefer: wait=20\r\n"
        "Connection: close\r\n\r\n"
    )
    with site("happy") as lane:
        answers = []
        for _ in range(2):
            with lane.connect() as raw:
                raw.sendall(head.encode() + body)
                answers.append(b"".join(iter(lambda: raw.recv(65536), b"")))
        for answer, status in zip(answers, (b"201", b"200"), strict=True):
            line, _, rest = answer.partition(b"\r\n")
            assert line.split()[:2] == [b"HTTP/1.1", status]
            payment = json.loads(rest.partition(b"\r\n\r\n")[2])
            assert (payment["state"], payment["amount"]) == ("approved", "12.50")
        assert lane.terminal.out.count("till: Payment") == 1


# -- Ends -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_orderly_stop(number: int) -> None:
    with site("happy") as lane:
        lane.daemon.signal(signal.SIGHUP)
        assert lane.lane()["session"]["state"] == "ready"
        lane.daemon.signal(number)
        assert lane.daemon.ended() == 0, lane.daemon.err[-2000:]
        assert "Traceback" not in lane.daemon.err
        lane.terminal.says("logged out, maintenance allowed: False")
        assert not lane.socket.exists()
        lane.terminal.signal(signal.SIGTERM)
        assert lane.terminal.ended() == 0


def test_a_till_that_does_not_read_does_not_hold_up_the_stop() -> None:
    with site("happy") as lane, lane.connect() as deaf, lane.connect() as idle:
        deaf.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        idle.sendall(b"GET /v1/la")
        for number in range(12):
            post_display(lane, f"{number} ".ljust(100_000, "x"))
        lane.daemon.signal(signal.SIGTERM)
        assert lane.daemon.ended() == 0, lane.daemon.err[-2000:]
        assert "Traceback" not in lane.daemon.err


def post_display(lane: Site, text: str) -> None:
    """Post a DisplayRequest as the terminal would."""
    header = (
        '<MessageHeader MessageClass="Device" MessageCategory="Display" MessageType="Request"'
        f' DeviceID="1" SaleID="1" POIID="{lane.poi_id}"/>'
    )
    body = (
        f"<SaleToPOIRequest>{header}<DisplayRequest>"
        '<DisplayOutput Device="CashierDisplay" InfoQualify="Status" ResponseRequiredFlag="false">'
        f'<OutputContent OutputFormat="Text"><OutputText>{text}</OutputText></OutputContent>'
        "</DisplayOutput></DisplayRequest></SaleToPOIRequest>"
    )
    with socket.create_connection(("127.0.0.1", lane.listener_port), 10) as raw:
        raw.sendall(
            b"POST /EPASSaleToPOI/3.1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body.encode())
        )
        assert b" 204 " in raw.recv(65536)


@pytest.mark.parametrize("verb", ["pay", "refund"])
def test_a_daemon_that_dies_in_the_middle_of_a_payment(verb: str) -> None:
    with site("happy") as lane:
        pay = lane.background(verb, "38.00", "--id", "k-1")
        pay.says("Present card")
        lane.daemon.kill()
        assert pay.ended() == 3
        again = f"laned {verb} 38.00 --id k-1 --socket {lane.socket}"
        assert pay.err.endswith(f"Ask again with: {again}\n")
        failed(lane.command("pay", "1.00"), "no daemon answers")
        failed(lane.command("status"), "no daemon answers")
        lane.terminal.says("answered Payment")
        lane.run()  # the socket that was left behind is no hindrance
        paid = lane.command(verb, "38.00", "--id", "k-1")
        assert (paid.status, paid.lines[-1]) == (0, "approved"), paid
        assert lane.terminal.out.count("till: Payment") == 1
        sent = [line.split()[1] for line in lane.terminal.out.splitlines() if "till: " in line]
        assert sent == ["TransactionStatus", "Login", "Payment", "TransactionStatus", "Login"]


def test_a_stop_in_the_middle_of_a_payment_leaves_it_to_the_terminal() -> None:
    with site("aborted") as lane:
        pay = lane.background("pay", "38.00", "--id", "s-1")
        pay.says("Present card")
        lane.daemon.signal(signal.SIGTERM)
        assert lane.daemon.ended() == 0, lane.daemon.err[-2000:]
        assert pay.ended() == 3
        sent = [line.split()[1] for line in lane.terminal.out.splitlines() if "till: " in line]
        assert sent == ["TransactionStatus", "Login", "Payment"]


# -- Starts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("shared", ["journal", "till", "listener", "address", "name", "poi_id"])
def test_a_second_daemon_does_not_disturb_the_first(shared: str) -> None:
    with site("happy") as lane:
        others: dict[str, Any] = {
            "journal": {"path": str(lane.folder / "other.sqlite3")},
            "till": {"socket": str(lane.folder / "other.sock")},
            "listener": {"bind": f"127.0.0.1:{free_port()}"},
            "terminal": {"address": f"127.0.0.1:{free_port()}", "poi_id": "OTHER"},
        }
        if shared in ("address", "poi_id"):
            del others["terminal"][shared]
        elif shared == "name":  # another one for the same terminal
            others["terminal"]["address"] = f"localhost:{lane.terminal_port}"
        else:
            del others[shared]
        second = lane.start("run", "--config", str(lane.configure("second.toml", **others)))
        assert second.ended() == 1
        names = {
            "journal": "journal.sqlite3",
            "till": "till.sock",
            "listener": f"127.0.0.1:{lane.listener_port}",
            "address": f"terminal 127.0.0.1:{lane.terminal_port}",
            "name": f"terminal localhost:{lane.terminal_port}",
            "poi_id": f"POIID '{lane.poi_id}' with SaleID '1'",
        }
        last = second.err.splitlines()[-1]
        assert last.startswith("laned: ")
        assert names[shared] in last
        assert "Traceback" not in second.err
        paid = lane.command("pay", "38.00")
        assert (paid.status, paid.lines[-1]) == (0, "approved"), paid


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("payment", "signature", "maybe"),
        ("terminal", "address", "nowhere"),
        ("terminal", "adress", "x"),
        ("till", "mode", "rw"),
    ],
)
def test_a_wrong_configuration(table: str, key: str, value: str) -> None:
    with site() as lane:
        changes: dict[str, Any] = {table: {key: value}}
        path = lane.configure(**changes)
        daemon = lane.start("run", "--config", str(path))
        assert daemon.ended() == 2
        assert str(path) in daemon.err
        assert f"{table}.{key}" in daemon.err
        assert len(daemon.err.splitlines()) == 1
        assert not lane.socket.exists()


def test_a_configuration_that_is_not_there() -> None:
    with site() as lane:
        daemon = lane.start("run", "--config", str(lane.folder / "none.toml"))
        assert daemon.ended() == 2
        assert "none.toml" in daemon.err


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("till", "socket", "/proc/laned/till.sock"),
        ("till", "group", "no-such-group"),
    ],
)
def test_what_cannot_be_opened_is_named(table: str, key: str, value: str) -> None:
    with site() as lane:
        changes: dict[str, Any] = {table: {key: value}}
        daemon = lane.start("run", "--config", str(lane.configure(**changes)))
        assert daemon.ended() == 1
        assert value in daemon.err.splitlines()[-1], daemon.err
        assert "Traceback" not in daemon.err


def test_a_journal_that_cannot_be_opened_leaves_the_daemon_up_but_takes_no_payment() -> None:
    with site() as lane:
        path = "/proc/laned/journal.sqlite3"
        lane.simulate()
        lane.run(ready=False, journal={"path": path})
        until(lambda: lane.lane().get("journal") == "read_only", "the daemon")
        assert path in lane.daemon.err
        paid = lane.command("pay", "1.00")
        assert paid.status == 1
        assert "journal_unavailable" in paid.err
        assert lane.terminal.out.count("till:") == 0, "and sends no Login"


def test_the_socket_has_the_mode_that_is_configured() -> None:
    with site("happy", till={"mode": "0600"}) as lane:
        assert lane.socket.stat().st_mode & 0o777 == 0o600


def test_without_a_terminal_the_daemon_runs_and_says_so() -> None:
    with site() as lane:
        lane.run(ready=False)
        until(lambda: lane.lane().get("session", {}).get("reason") == "unreachable", "a try")
        failed(lane.command("pay", "1.00"), "terminal_unavailable")
        failed(lane.command("login"), "terminal_unavailable")
        lane.simulate()
        until(lambda: lane.lane()["display"]["lines"] == ["Welcome"], "the terminal's welcome")
        assert lane.command("pay", "1.00").status == 0
