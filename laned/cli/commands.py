"""The till's side of the command line: each command is a till in a few lines."""

import argparse
import csv
import json
import secrets
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from laned.cli.endings import Ended, command
from laned.cli.lines import closing, event_line, payment_line
from laned.cli.output import Output
from laned.exits import DONE, FAILED, UNKNOWN, USAGE
from laned.till.client import ConnectionLost, Reply, Till

ANSWER_WITHIN: Final = 30.0  # seconds; a Login takes up to terminal.status_timeout
LOGOUT_WITHIN: Final = 60.0  # seconds; a terminal that is busy is asked again for half of them
MAX_PAGE: Final = 1000  # payments in one answer of the API
CSV_FIELDS: Final = (
    *("created_at", "updated_at", "id", "type", "amount", "currency", "state", "error"),
    *("authorized_amount", "tip_amount", "approval_code", "poi_transaction", "signature"),
    *("reversal", "resolved_at", "resolved_by", "resolved_note", "set_aside_at"),
)
UNKNOWN_PATIENCE: Final = 120.0  # seconds for which an unknown outcome is waited for
LISTED: Final = 5  # payments that are set aside which `status` tells about

Options = argparse.Namespace


def _json(value: object) -> str:
    """Write the API's object, in letters that stdout has."""
    encoding = sys.stdout.encoding or "ascii"
    return json.dumps(value, ensure_ascii=not encoding.lower().startswith("utf"))


def _show(options: Options, reply: Reply, text: str) -> int:
    """Print the answer, as the API's object or as `text`; or the refusal."""
    if reply.status >= 300:
        return _refused(options, reply)
    print(_json(reply.body) if options.json else text)
    return DONE


def _refused(options: Options, reply: Reply) -> int:
    if options.json:
        print(_json(reply.body))
    active = reply.body.get("active")
    which = f" ({active})" if active else ""
    print(f"laned: {reply.code}: {reply.detail}{which}", file=sys.stderr)
    if reply.status == 500 and reply.method != "GET":
        return UNKNOWN  # a fault in the daemon: how far it got is not said
    return USAGE if reply.status in (400, 422) else FAILED


@command
def status(till: Till, options: Options) -> int:
    """`laned status`."""
    reply = till.ask("GET", "/v1/lane", timeout=ANSWER_WITHIN)
    if reply.status >= 300:
        return _refused(options, reply)
    lane = reply.body
    session, terminal = lane["session"], lane["session"]["terminal"]
    why = f": {session['reason']}" if session["reason"] else ""
    if session["reason"] == "doubts":
        why += " (too many in a row are set aside; it goes on by itself, or with: laned login)"
    lines = [
        f"lane      {lane['name']} ({lane['mode']}), laned {lane['version']}",
        f"session   {session['state']}{why}",
        f"terminal  {terminal['address']} {terminal['serial_number']} {terminal['software']}",
        f"display   {' / '.join(lane['display']['lines'])}",
        f"payment   {_running(till, lane['payment'])}",
        *_undecided(till, lane["set_aside"]),
        f"journal   {lane['journal']}",
        "hardware  " + ", ".join(f"{part} {how}" for part, how in lane["hardware"].items()),
    ]
    if lane["prompt"]:
        prompt = lane["prompt"]
        lines.append(f"prompt    {prompt['id']} {prompt['kind']}: {prompt['text']}")
    return _show(options, reply, "\n".join(line.rstrip() for line in lines))


def _running(till: Till, payment_id: str | None) -> str:
    """The unfinished payment, and how it stands."""
    if payment_id is None:
        return "none running"
    reply = till.ask("GET", _path(payment_id), timeout=ANSWER_WITHIN)
    return payment_line(reply.body) if reply.status < 300 else payment_id


def _undecided(till: Till, set_aside: list[str]) -> list[str]:
    """The payments that are set aside, the newest first, and how a person closes one."""
    lines = [f"set aside {_running(till, payment_id)}" for payment_id in set_aside[:LISTED]]
    if len(set_aside) > LISTED:
        lines.append(
            f"          and {len(set_aside) - LISTED} more: laned payments --state unknown"
        )
    if set_aside:
        lines.append(f"          each is decided by the terminal, or with: {closing('ID')}")
    return lines


@command
def events(till: Till, options: Options) -> int:
    """`laned events`: one line per event, until interrupted."""
    for event in till.events():
        if event is None:
            continue
        data = _json(event.data)
        print(f'{{"event": "{event.name}", "data": {data}}}' if options.json else event_line(event))
        if isinstance(sys.stdout, Output) and sys.stdout.fault is not None:
            break  # nobody reads on
    return DONE


class Standing(NamedTuple):
    """How something stands that was asked for, and why."""

    what: str
    state: str
    error: dict[str, str] | None
    set_aside: bool = False

    @property
    def unfinished(self) -> bool:
        """Whether it is not final."""
        return self.state in ("pending", "processing", "unknown")

    @property
    def open(self) -> bool:
        """Whether its outcome is worth waiting for: not when the lane has gone on without it."""
        return self.unfinished and not self.set_aside


def payment_standing(payment: dict[str, Any]) -> Standing:
    """The payment itself; while it is being reversed, the reversal."""
    reversal = reversal_standing(payment)
    if payment["reversal"] is not None and reversal.unfinished:
        return reversal
    what, aside = f"payment {payment['id']}", payment["set_aside_at"] is not None
    return Standing(what, payment["state"], payment["error"], aside)


def reversal_standing(payment: dict[str, Any]) -> Standing:
    """The payment's reversal."""
    reversal = payment["reversal"] or {"state": "processing", "error": None}
    what, aside = f"reversal of {payment['id']}", payment["set_aside_at"] is not None
    return Standing(what, reversal["state"], reversal["error"], aside)


class Asked(NamedTuple):
    """What a command waits for, and how to ask again in a way that cannot pay twice."""

    standing: Callable[[dict[str, Any]], Standing]
    again: str


@command
def pay(till: Till, options: Options) -> int:
    """`laned pay` and `laned refund`: the terminal's display live, then the outcome."""
    payment_id = options.id or f"cli-{secrets.token_hex(8)}"
    body = {"amount": options.amount, "type": options.type}
    if options.currency:
        body["currency"] = options.currency
    verb = "refund" if options.type == "refund" else "pay"
    again = ["laned", verb, options.amount, "--id", payment_id, "--socket", str(options.socket)]
    again += ["--currency", options.currency] if options.currency else []
    asked = Asked(payment_standing, shlex.join(again))
    events = till.events()
    next(events)  # the stream stands before the payment begins: nothing is missed
    with _telling_what_goes_on(till, payment_id, asked):
        reply = till.ask("PUT", _path(payment_id), body, timeout=ANSWER_WITHIN)
        if reply.status >= 300:
            return _refused(options, reply)
        if options.no_wait:
            print(_json(reply.body) if options.json else payment_id)
            return DONE
        return _follow(events, reply.body, options, asked)


@contextmanager
def _telling_what_goes_on(till: Till, payment_id: str, asked: Asked) -> Iterator[None]:
    """When the command ends early, say what is not known here, and how to ask again."""
    text = f"what became of payment {payment_id} is not known here. Ask again with: {asked.again}"
    try:
        yield
    except BaseException as error:
        if not till.may_have_moved_money:
            raise
        if isinstance(error, ConnectionLost):
            raise ConnectionLost(f"{error}; {text}") from error
        if isinstance(error, KeyboardInterrupt | Ended):
            text = f"\npayment {payment_id} goes on without us"
        print(text, file=sys.stderr)
        raise


def _follow(events: Any, payment: dict[str, Any], options: Options, asked: Asked) -> int:
    """Wait for the outcome of what was asked for, showing what the customer sees."""
    patience: float | None = None
    while asked.standing(payment).open:
        if asked.standing(payment).state == "unknown" and patience is None:
            print("the terminal does not answer; asking what became of it", file=sys.stderr)
            patience = time.monotonic() + UNKNOWN_PATIENCE
        if patience is not None and time.monotonic() > patience:
            break
        event = next(events)
        if event is None:
            continue
        name, data = event
        if name == "payment" and data["id"] == payment["id"]:
            payment = data
        elif name == "display" and not options.json:
            print(" / ".join(data["lines"]))
        elif name == "prompt" and not options.json and "by" not in data:
            print(f"prompt {data['id']}: {data['text']}")
    return _outcome(payment, options, asked.standing(payment))


def _outcome(payment: dict[str, Any], options: Options, standing: Standing) -> int:
    print(_json(payment) if options.json else standing.state)
    if standing.state in ("approved", "done"):
        return DONE
    if standing.state == "unknown":
        how = "not known yet"
        if standing.set_aside:
            how = f"not known, it is set aside; close it with: {closing(payment['id'])}"
        print(f"laned: the outcome of the {standing.what} is {how}", file=sys.stderr)
        return UNKNOWN
    why = " ".join(part for part in (standing.error or {}).values() if part)
    print(f"laned: {standing.what} {standing.state}: {why}".rstrip(": "), file=sys.stderr)
    return FAILED


@command
def abort(till: Till, options: Options) -> int:
    """`laned abort [ID]`: the running payment, unless it is named."""
    payment_id = options.id or till.ask("GET", "/v1/lane", timeout=ANSWER_WITHIN).body["payment"]
    if payment_id is None:
        print("laned: no payment is running", file=sys.stderr)
        return FAILED
    reply = till.ask("POST", _path(payment_id, "abort"), timeout=ANSWER_WITHIN)
    return _show(options, reply, f"asked for {payment_id} to end")


@command
def confirm(till: Till, options: Options) -> int:
    """`laned confirm ID`."""
    reply = till.ask("POST", _path(options.id, "confirm"), timeout=ANSWER_WITHIN)
    return _show(options, reply, f"{options.id} is confirmed")


@command
def reverse(till: Till, options: Options) -> int:
    """`laned reverse ID [--malfunction]`: waits for what becomes of it."""
    body = {"reason": "Malfunction" if options.malfunction else "MerchantCancel"}
    again = ["laned", "payments", "--socket", str(options.socket)]  # the list tells it
    asked = Asked(reversal_standing, shlex.join(again))
    events = till.events()
    next(events)
    with _telling_what_goes_on(till, options.id, asked):
        reply = till.ask("POST", _path(options.id, "reversal"), body, timeout=ANSWER_WITHIN)
        if reply.status >= 300:
            return _refused(options, reply)
        return _follow(events, reply.body, options, asked)


@command
def resolve(till: Till, options: Options) -> int:
    """`laned resolve ID approved|failed --note TEXT`."""
    body = {"state": options.state, "note": options.note}
    reply = till.ask("POST", _path(options.id, "resolve"), body, timeout=ANSWER_WITHIN)
    return _show(options, reply, f"{options.id} is {options.state}, by your word")


@command
def acknowledge_journal(till: Till, options: Options) -> int:
    """`laned acknowledge-journal`."""
    reply = till.ask("POST", "/v1/session/acknowledge-journal", timeout=ANSWER_WITHIN)
    if reply.status < 300 and reply.body["journal"] != "ok":
        print(f"laned: the journal is {reply.body['journal']}, not new", file=sys.stderr)
        return FAILED
    return _show(options, reply, "payments are taken again")


@command
def prompt(till: Till, options: Options) -> int:
    """`laned prompt ID yes|no`."""
    body = {"confirmed": options.answer == "yes"}
    path = f"/v1/prompts/{quote(options.id, safe='')}"
    return _show(options, till.ask("POST", path, body, timeout=ANSWER_WITHIN), options.answer)


@command
def payments(till: Till, options: Options) -> int:
    """`laned payments`: the newest, or with --csv and --all the whole journal."""
    reply, found = _pages(till, options)
    if reply.status < 300 and options.csv:
        _write_csv(found)
        return DONE
    lines = [f"{payment['created_at'][:19]}Z {payment_line(payment)}" for payment in found]
    return _show(options, reply, "\n".join(lines) or "no payments")


def _pages(till: Till, options: Options) -> tuple[Reply, list[dict[str, Any]]]:
    """The payments that were asked for, page by page; the last answer stands for all of them."""
    found: list[dict[str, Any]] = []
    query = {"limit": MAX_PAGE if options.all else options.limit}
    query |= {"state": options.state} if options.state else {}
    while True:
        reply = till.ask("GET", f"/v1/payments?{urlencode(query)}", timeout=ANSWER_WITHIN)
        page = reply.body.get("payments", ())
        found += page
        if reply.status >= 300 or not options.all or len(page) < MAX_PAGE:
            break
        query["before"] = page[-1]["id"]
    return Reply(reply.status, {"payments": found} if reply.status < 300 else reply.body), found


def _write_csv(found: list[dict[str, Any]]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(CSV_FIELDS)
    for payment in found:
        poi, reversal, error = payment["poi_transaction"], payment["reversal"], payment["error"]
        resolved = payment["resolved"] or {}
        flat = payment | {
            "poi_transaction": poi["id"] if poi else "",
            "reversal": reversal["state"] if reversal else "",
            "error": error["condition"] if error else "",
            **{f"resolved_{key}": resolved.get(key) for key in ("at", "by", "note")},
        }
        writer.writerow("" if flat[field] is None else flat[field] for field in CSV_FIELDS)


@command
def press(till: Till, options: Options) -> int:
    """`laned press BUTTON`."""
    path = f"/v1/buttons/{quote(options.name, safe='')}/press"
    reply = till.ask("POST", path, {"seconds": options.seconds}, timeout=ANSWER_WITHIN)
    return _show(options, reply, f"{options.name} is pressed")


@command
def login(till: Till, options: Options) -> int:
    """`laned login`."""
    reply = till.ask("POST", "/v1/session/login", timeout=ANSWER_WITHIN)
    return _show(options, reply, "logged in")


@command
def logout(till: Till, options: Options) -> int:
    """`laned logout [--maintenance]`."""
    body = {"maintenance": options.maintenance}
    reply = till.ask("POST", "/v1/session/logout", body, timeout=LOGOUT_WITHIN)
    return _show(options, reply, "logged out")


@command
def learn(till: Till, options: Options) -> int:
    """`laned learn`."""
    reply = till.ask("POST", "/v1/session/learn", timeout=ANSWER_WITHIN)
    return _show(options, reply, "for 10 minutes: press Save in the terminal's menu")


def _path(payment_id: str, verb: str = "") -> str:
    path = f"/v1/payments/{quote(payment_id, safe='')}"
    return f"{path}/{verb}" if verb else path
