"""Reversals, verdicts, lost journals and the whole list, by the real commands."""

import csv
import json
import os
import re
import signal
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from faketill import daemon
from processes import Done, Site, site, until

from laned.cli import commands
from laned.cli import main as cli
from laned.journal.store import Journal
from laned.lane.effects import PaymentOpened
from laned.lane.payment import Order, Payment, PaymentState, Problem

ONE_LINE = re.compile(r"laned: [^\n]+\n")
NOTE = "the acquirer's portal lists it; 11:42, line 3"


def failed(done: Done, *words: str) -> None:
    """Exit 1, with one clear line on stderr."""
    assert done.status == 1, done
    assert ONE_LINE.fullmatch(done.err), done
    for word in words:
        assert word in done.err, done


def listed(lane: Site, *arguments: str) -> list[Any]:
    done = lane.command("payments", "--json", *arguments)
    assert done.status == 0, done
    payments: list[Any] = json.loads(done.out)["payments"]
    return payments


def state_of(lane: Site, payment_id: str) -> Any:
    return lane.ask("GET", f"/v1/payments/{payment_id}")[1].get("state")


# -- reverse --------------------------------------------------------------------------------------


def test_reverse_takes_back_the_last_payment_only() -> None:
    with site("happy") as lane:
        for name in ("older", "newer"):
            assert lane.command("pay", "38.00", "--id", name).status == 0
            until(lambda: lane.lane()["display"]["lines"] == ["Welcome"], "the next customer")
        failed(lane.command("reverse", "none"), "not_found")
        failed(lane.command("reverse", "older"), "not_reversible", "newer")
        done = lane.command("reverse", "newer")
        assert (done.status, done.err) == (0, ""), done
        assert done.lines[-1] == "done"
        assert "Cancelling last payment" in done.lines
        assert lane.terminal.out.count("reversed") == 1
        assert [payment["state"] for payment in listed(lane)] == ["reversed", "approved"]
        failed(lane.command("reverse", "newer"), "not_reversible", "reversed")
        failed(lane.command("pay", "38.00", "--id", "newer"), "payment newer reversed")


def test_reverse_tells_the_terminal_that_the_product_did_not_drop() -> None:
    with site("happy") as lane:
        assert lane.command("pay", "38.00", "--id", "p").status == 0
        done = lane.command("reverse", "p", "--malfunction", "--json")
        assert (done.status, done.err) == (0, ""), done
        (line,) = done.lines
        payment = json.loads(line)
        assert payment["state"] == "reversed"
        assert (payment["reversal"]["state"], payment["reversal"]["reason"]) == (
            "done",
            "Malfunction",
        )


def test_a_reversal_whose_daemon_dies_is_not_known_here_and_found_by_the_next() -> None:
    with site("happy") as lane:
        assert lane.command("pay", "38.00", "--id", "p").status == 0
        until(lambda: lane.lane()["display"]["lines"] == ["Welcome"], "the next customer")
        lane.terminal.signal(signal.SIGSTOP)
        reverse = lane.background("reverse", "p")
        until(lambda: lane.lane()["payment"] == "p", "the reversal to begin")
        failed(lane.command("pay", "1.00"), "lane_busy")
        lane.daemon.kill()
        assert reverse.ended() == 3
        assert reverse.err.endswith(f"Ask again with: laned payments --socket {lane.socket}\n")
        assert "payment p is not known here" in reverse.err
        assert "Traceback" not in reverse.err
        lane.terminal.signal(signal.SIGCONT)
        lane.terminal.says("reversed")
        lane.run(ready=False)
        until(lambda: state_of(lane, "p") == "reversed", "the reversal's outcome")
        assert lane.terminal.out.count("till: Reversal") == 1


# -- pay, in doubt; resolve -----------------------------------------------------------------------


def test_pay_gets_its_outcome_although_the_answer_is_lost() -> None:
    with site("lost-response") as lane:
        paid = lane.command("pay", "38.00", "--id", "p")
        assert (paid.status, paid.lines[-1], paid.err) == (0, "approved", ""), paid
        assert "cut off before answering Payment" in lane.terminal.out
        assert lane.terminal.out.count("till: Payment") == 1


def test_pay_waits_for_a_terminal_that_restarts() -> None:
    with site("reboot") as lane:
        paid = lane.command("pay", "38.00", "--id", "p")
        assert (paid.status, paid.lines[-1]) == (0, "approved"), paid
        assert paid.err == "the terminal does not answer; asking what became of it\n"
        assert "Checking last payment" in paid.lines
        assert lane.terminal.out.count("till: Payment") == 1


@pytest.mark.parametrize(("verdict", "status"), [("approved", 0), ("failed", 1)])
def test_what_the_terminal_has_forgotten_is_resolved_by_a_person(verdict: str, status: int) -> None:
    with site("reboot-forgets") as lane:
        failed(lane.command("resolve", "p", verdict, "--note", NOTE), "not_found")
        pay = lane.command("pay", "38.00", "--id", "p")
        assert (pay.status, pay.lines[-1]) == (3, "unknown"), pay
        assert pay.err.splitlines()[-1] == (
            "laned: the outcome of the payment p is not known, it is set aside;"
            " close it with: laned resolve p approved|failed --note TEXT"
        )
        assert lane.lane()["set_aside"] == ["p"]
        until(lambda: lane.lane()["session"]["state"] == "ready", "the session")
        [aside, how] = [
            line for line in lane.command("status").lines if "aside" in line or "resolve" in line
        ]
        assert aside.startswith("set aside p payment 38.00 SEK unknown (NotFound ")
        assert how.endswith(" laned resolve ID approved|failed --note TEXT")
        assert "p payment 38.00" in lane.command("payments", "--state", "unknown").out
        again = lane.command("pay", "38.00", "--id", "p")
        assert (again.status, again.err) == (3, pay.err.splitlines()[-1] + "\n")
        assert lane.command("resolve", "p", verdict, "--note", "").status == 2
        assert state_of(lane, "p") == "unknown"
        done = lane.command("resolve", "p", verdict, "--note", NOTE, "--json")
        assert (done.status, done.err) == (0, ""), done
        payment = json.loads(done.out)
        assert payment["state"] == verdict
        assert (payment["resolved"]["by"], payment["resolved"]["note"]) == (os.getuid(), NOTE)
        assert lane.lane()["set_aside"] == []
        assert "set aside" not in lane.command("status").out
        assert lane.command("payments", "--state", "unknown").lines == ["no payments"]
        failed(lane.command("resolve", "p", verdict, "--note", NOTE), "not_unknown")
        (row,) = csv.DictReader(lane.command("payments", "--csv").lines)
        assert (row["resolved_by"], row["resolved_note"]) == (str(os.getuid()), NOTE)
        assert row["resolved_at"] == payment["resolved"]["at"]
        assert listed(lane) == [payment]
        until(lambda: lane.lane()["display"]["lines"] == ["Welcome"], "the next customer")
        assert lane.command("pay", "38.00", "--id", "p").status == status


# -- acknowledge-journal --------------------------------------------------------------------------


def lose_journal(lane: Site) -> None:
    for suffix in ("", "-wal", "-shm"):
        (lane.folder / f"journal.sqlite3{suffix}").unlink(missing_ok=True)


def test_a_lost_journal_is_acknowledged() -> None:
    with site("happy") as lane:
        assert lane.command("pay", "38.00", "--id", "p").status == 0
        lane.daemon.kill()
        lose_journal(lane)
        lane.run(ready=False)
        until(lambda: lane.lane().get("session", {}).get("state") == "ready", "a session")
        assert lane.lane()["display"]["lines"] == ["Out of service"]
        assert "journal   new" in lane.command("status").out
        failed(lane.command("pay", "1.00"), "journal_unavailable", "acknowledge")
        assert lane.command("payments").out == "no payments\n"
        done = lane.command("acknowledge-journal")
        assert (done.status, done.out, done.err) == (0, "payments are taken again\n", "")
        as_json = lane.command("acknowledge-journal", "--json")
        assert as_json.status == 0
        assert json.loads(as_json.out)["journal"] == "ok"
        assert lane.command("pay", "1.00").status == 0


def test_a_damaged_journal_is_not_mended_by_acknowledging_it() -> None:
    with site("happy", run=False) as lane:
        (lane.folder / "journal.sqlite3").write_bytes(b"This is not a database. " * 1000)
        lane.run(ready=False)
        until(lambda: lane.lane().get("journal") == "corrupt", "the daemon")
        assert "journal   corrupt" in lane.command("status").out
        for command in (
            ["pay", "1.00"],
            ["payments"],
            ["payments", "--csv", "--all"],
            ["login"],
            ["reverse", "p"],
            ["resolve", "p", "failed", "--note", NOTE],
        ):
            failed(lane.command(*command), "journal_unavailable")
        failed(lane.command("acknowledge-journal"), "journal_unavailable")
        assert "till: " not in lane.terminal.out
        lane.daemon.signal(signal.SIGTERM)
        assert lane.daemon.ended() == 0, lane.daemon.err[-2000:]


# -- payments -------------------------------------------------------------------------------------

MANY = 2003


def kept(folder: Path) -> None:
    """A journal with MANY payments, more than two of the API's pages."""
    journal = Journal(folder / "journal.sqlite3", 1)
    start = datetime(2025, 3, 4, 11, 30, tzinfo=UTC)
    entries = []
    for number in range(MANY):
        at = start + timedelta(minutes=number)
        payment = Payment(
            id=f"n-{number}",
            type="refund" if number % 2 else "payment",
            amount=Decimal("1.50") + number,
            currency="SEK",
            state=PaymentState.ABORTED if number % 10 else PaymentState.DECLINED,
            created_at=at,
            updated_at=at,
            error=Problem("Refusal", 'says "no", and\nmore'),
        )
        order = Order(
            id=payment.id, type=payment.type, amount=payment.amount, currency=payment.currency
        )
        entries.append(PaymentOpened(payment, order))
    journal.write(entries)
    journal.close()


def test_the_list_of_payments() -> None:
    with site("happy", run=False) as lane:
        kept(lane.folder)
        lane.run()
        newest_first = [f"n-{number}" for number in reversed(range(MANY))]

        assert len(lane.command("payments").lines) == 20 * 2  # each says why, in two lines
        assert [payment["id"] for payment in listed(lane)] == newest_first[:20]
        assert [p["id"] for p in listed(lane, "--limit", "3")] == newest_first[:3]
        assert [payment["id"] for payment in listed(lane, "--all")] == newest_first
        declined = [name for name in newest_first if name.endswith("0")]
        found = listed(lane, "--all", "--state", "declined")
        assert [payment["id"] for payment in found] == declined
        for limit in ("0", "1001", "-1"):
            assert lane.command("payments", "--limit", limit).status == 2

        assert lane.command("pay", "1234.50", "--id", "paid").status == 0
        done = lane.command("payments", "--csv", "--all")
        assert (done.status, done.err) == (0, "")
        rows = list(csv.DictReader(done.lines))
        assert [row["id"] for row in rows] == ["paid", *newest_first]
        assert None not in rows[0]
        paid, last = rows[:2]
        assert (paid["type"], paid["amount"], paid["currency"]) == ("payment", "1234.50", "SEK")
        assert (paid["state"], paid["error"], paid["reversal"]) == ("approved", "", "")
        assert Decimal(paid["authorized_amount"]) == Decimal("1234.50")
        assert len(paid["approval_code"]) == 6
        assert (
            paid["poi_transaction"]
            in lane.ask("GET", "/v1/payments/paid")[1]["poi_transaction"].values()
        )
        assert (last["state"], last["error"], last["amount"]) == ("aborted", "Refusal", "2003.50")
        assert datetime.fromisoformat(last["created_at"]).utcoffset() == timedelta(0)
        assert len(lane.command("payments", "--csv", "--limit", "2").lines) == 3
        empty = lane.command("payments", "--csv", "--state", "reversed")
        assert (empty.status, len(empty.lines)) == (0, 1)
        assert empty.lines[0].split(",") == list(paid)


# -- Beside a daemon that says what it is told to --------------------------------------------------


def test_pay_gives_up_also_when_nothing_happens_any_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "UNKNOWN_PATIENCE", 0.3)
    payment = {"id": "p", "state": "unknown", "error": None, "reversal": None}
    payment |= {"set_aside_at": None}
    with site() as lane:
        answers = {"events": "event: lane\ndata: {}\n\n", "p": json.dumps(payment)}
        with daemon(lane.socket, **answers):
            assert cli.main(["pay", "38.00", "--id", "p", "--socket", str(lane.socket)]) == 3
    out, err = capsys.readouterr()
    assert out == "unknown\n"
    assert err.splitlines() == [
        "the terminal does not answer; asking what became of it",
        "laned: the outcome of the payment p is not known yet",
    ]


def test_an_acknowledgement_does_not_hide_a_full_disk(capsys: pytest.CaptureFixture[str]) -> None:
    with site() as lane, daemon(lane.socket, acknowledge_journal='{"journal": "full"}'):
        assert cli.main(["acknowledge-journal", "--socket", str(lane.socket)]) == 1
    assert capsys.readouterr() == ("", "laned: the journal is full, not new\n")


# -- Wrong usage, and nobody there ----------------------------------------------------------------


def test_wrong_usage_and_no_daemon() -> None:
    with site() as lane:
        for wrong in (
            ["reverse"],
            ["resolve", "p"],
            ["resolve", "p", "approved"],
            ["resolve", "p", "declined", "--note", NOTE],
            ["acknowledge-journal", "p"],
            ["payments", "--limit", "many"],
        ):
            done = lane.command(*wrong)
            assert (done.status, done.out) == (2, ""), (wrong, done)
        for right in (
            ["reverse", "p"],
            ["resolve", "p", "failed", "--note", NOTE],
            ["acknowledge-journal"],
            ["payments", "--csv", "--all"],
        ):
            failed(lane.command(*right), "no daemon answers")
