"""The books: what really happened, beside what the lane wrote down and told.

The rules are written down a second time here, from the contract and not from the code. What was
sent is read from the bytes on the wire, what happened from the terminals' ledgers, what is
recorded from the journal's file through a connection of its own.
"""

import json
import re
import sqlite3
from typing import TYPE_CHECKING, Any

import msgspec
import trio
from faults import Exchange
from msgspec import Struct

from laned.lane import effects as fx
from laned.lane.payment import Order, Payment
from laned.runner import WRITE_FOR
from laned.simulator import State, Terminal, Transaction

if TYPE_CHECKING:
    from world import World

NO_SESSION = ("NotAllowed", "LoggedOut")
REFUSED = ("Busy", *NO_SESSION)
FINAL = ("approved", "declined", "aborted", "failed", "reversed")
ALONE = ("Payment", "Reversal", "Logout", "Admin")
"""Requests of which only one may be out at a time."""
UNSEEN = "Abort while the signature question is open"
"""A question that has not reached the lane binds nobody; one that has is looked at here."""
CONNECTS = 10.0
"""Seconds that a connection takes at the most here."""
ABORTS, ABORTS_APART = 6, 5.0


class Answer(Struct, frozen=True):
    """A response as it came over the wire: the outer outcome, and what it repeats."""

    result: str
    condition: str
    repeated_id: str = ""
    repeated_condition: str = ""


def read_answer(raw: bytes) -> Answer:
    """The outcome in a response's bytes."""
    outer, _, inner = raw.partition(b"<RepeatedMessageResponse")
    responses = re.findall(rb"<Response\b[^>]*>", outer)
    repeated = re.findall(rb"<Response\b[^>]*>", inner)
    header = re.search(rb"<MessageHeader\b[^>]*>", inner)
    return Answer(
        result=_value(responses[0], "Result") if responses else "",
        condition=_value(responses[0], "ErrorCondition") if responses else "",
        repeated_id=_value(header[0], "ServiceID") if header else "",
        repeated_condition=_value(repeated[0], "ErrorCondition") if repeated else "",
    )


def _value(tag: bytes, name: str) -> str:
    found = re.search(rf'\b{name}="([^"]*)"'.encode(), tag)
    return found[1].decode() if found else ""


class Recorded(Struct, frozen=True):
    """An attempt as it came to the disk, and when."""

    payment_id: str
    serial: str
    at: float


class Sent(Struct):
    """One request for money that left, or may have left."""

    payment_id: str
    service_id: str
    at: float
    to: Terminal
    reached: bool = False
    refused: bool = False  # as its own response said


class Books:
    """Looks at everything that leaves, arrives and is told; `wrong` has what must never be."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.wrong: list[str] = []
        self.orders: dict[str, Order] = {}
        self.said_yes: set[str] = set()
        self.resolved: set[str] = set()
        self.lost: dict[str, Any] = {}  # rows of journals that are gone, by id
        self.given_up: set[str] = set()
        self.last_told: dict[str, Any] = {}
        self.sent: dict[str, Sent] = {}  # by ServiceID
        self.recorded: dict[str | None, Recorded] = {}  # attempts on disk, by ServiceID
        self.sessions_lost: list[tuple[Terminal, float]] = []
        self._service_ids: set[str] = set()
        self._no_session: set[str] = set()  # attempts of which the terminal said so last
        self._asked_for: dict[str, str] = {}  # which attempt a TransactionStatus was about
        self._aborts: dict[tuple[int, str], list[float]] = {}  # when, by life and attempt
        # attempts: since when nothing is asked about them
        self._over_at: dict[str | None, float] = {}
        self._surveyed = True
        self._logged_in = False  # in this life
        self._db: sqlite3.Connection | None = None

    def fault(self, text: str) -> None:
        """Something that must never be."""
        self.wrong.append(f"{trio.current_time():.3f} {text}")
        self.world.say(f"WRONG {text}")

    # -- The journal's file

    def life_begins(self) -> None:
        """A journal is open, or cannot be used."""
        self.close()
        self._logged_in = False
        try:
            self._db = sqlite3.connect(self.world.path)
            run = self._db.execute("SELECT value FROM meta WHERE key = 'run'").fetchone()[0]
        except sqlite3.Error:
            self.close()
            return
        if run == "1":
            self._surveyed = False

    def close(self) -> None:
        """Let go of the file."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def rows(self, sql: str, *values: object) -> list[Any]:
        """What is on disk."""
        assert self._db is not None
        return self._db.execute(sql, values).fetchall()

    def journal_goes(self) -> None:
        """The journal is about to be lost: what was in it nobody will ever look up again."""
        self.life_begins()
        if self._db is not None:
            for payment_id, state, final in self.rows("SELECT id, state, final FROM payments"):
                self.lost[payment_id] = (state, bool(final))
        self.close()

    def unfinished(self) -> tuple[str, str | None] | None:
        """The id of the payment that is not final, and the ServiceID of its newest attempt."""
        found = self.rows("SELECT seq, id FROM payments WHERE final = 0")
        if not found:
            return None
        if len(found) > 1:
            self.fault(f"{len(found)} payments are unfinished")
        sql = "SELECT service_id FROM attempts WHERE payment = ? ORDER BY seq DESC LIMIT 1"
        attempt = self.rows(sql, found[0][0])
        return found[0][1], attempt[0][0] if attempt else None

    def written(self, entries: list[fx.Entry]) -> None:
        """These are on disk now."""
        for entry in entries:
            if isinstance(entry, fx.PaymentChanged) and entry.payment.final:
                self._all_over(entry.payment.id)
            elif isinstance(entry, fx.AttemptOpened):
                self._all_over(entry.payment_id)
                attempt = entry.attempt
                recorded = Recorded(entry.payment_id, attempt.serial, trio.current_time())
                self.recorded[attempt.service_id] = recorded

    def _all_over(self, payment_id: str) -> None:
        """No attempt that was made for the payment so far is of interest any more."""
        for service_id, recorded in self.recorded.items():
            if recorded.payment_id == payment_id:
                self._over_at.setdefault(service_id, trio.current_time())

    # -- What is told

    def told(self, payment: Payment) -> None:
        """A till hears this: it must stand on disk just so (rule 1), and contradict nothing."""
        told = json.loads(msgspec.json.encode(payment))
        if self._db is None:
            self.fault(f"{payment.id} told without a journal")
            return
        found = self.rows("SELECT document, state, final FROM payments WHERE id = ?", payment.id)
        if not found or json.loads(found[0][0]) != told:
            self.fault(f"{payment.id} told as {payment.state}, not as on disk: {found}")
        elif (found[0][1], bool(found[0][2])) != (told["state"], _final(told)):
            self.fault(f"{payment.id} is in its row as {found[0][1:]}, told as {told['state']}")
        earlier = self.last_told.get(payment.id)
        if earlier is not None and earlier["state"] in FINAL:
            self._contradiction(payment.id, earlier, told)
        self.last_told[payment.id] = told

    def _contradiction(self, payment_id: str, earlier: Any, told: Any) -> None:
        before, now = earlier["state"], told["state"]
        late = earlier["resolved"] and told["error"] and told["error"]["condition"] == "LateAnswer"
        reversed_since = (before, now) == ("approved", "reversed") and told["reversal"]
        if before != now and not late and not reversed_since:
            self.fault(f"{payment_id} was told as {before}, now as {now}")

    # -- What leaves

    def leaves(self, exchange: Exchange, terminal: Terminal) -> None:
        """A request's first byte leaves."""
        category, service_id = exchange.category, exchange.service_id
        if self._db is None:
            self.fault(f"{category} sent without a journal")
            return
        if service_id in self._service_ids:
            self.fault(f"ServiceID {service_id} was used before")
        self._service_ids.add(service_id)
        out = [other.category for other in self.world.open if self._is_out(other)]
        if category in ALONE and out:
            self.fault(f"{category} sent while {out} are out")
        if category in ("Login", "Logout"):
            self._session_request(category)
        elif category in ("Payment", "Reversal"):
            self._attempt(exchange, terminal)
        elif category == "TransactionStatus":
            unfinished = self.unfinished()
            about = unfinished[1] if unfinished else None
            self._asked_for[service_id] = about or ""
            if exchange.about and exchange.about != about and not self._just_over(exchange.about):
                self.fault(f"asked about {exchange.about}, but {unfinished} is unfinished")
        elif category == "Abort":
            self._abort(exchange)

    def _is_out(self, other: Exchange) -> bool:
        """Whether a request that must be alone is unanswered, and its outcome not known either."""
        if other.cut or other.category not in ALONE:
            return False
        sent = self.sent.get(other.service_id)
        unfinished = self.unfinished()
        asked = unfinished is not None and unfinished[1] == other.service_id
        return sent is None or (asked and not sent.refused)

    def _just_over(self, service_id: str) -> bool:
        """Whether the attempt was not over yet when the lane began to connect for its sake."""
        return trio.current_time() - self._over_at.get(service_id, -CONNECTS) < CONNECTS

    def _session_request(self, category: str) -> None:
        unfinished = self.unfinished()
        if not self._surveyed:
            self.fault(f"{category} before the terminal's last transaction was asked for")
        if unfinished is None:
            return
        if category == "Logout" or unfinished[1] not in self._no_session:
            self.fault(f"{category} while {unfinished} is unfinished")
        self._no_session.discard(unfinished[1] or "")

    def _attempt(self, exchange: Exchange, terminal: Terminal) -> None:
        service_id, category = exchange.service_id, exchange.category
        sql = (
            "SELECT id, category, transaction_id, type, amount FROM attempts JOIN payments"
            " ON payment = payments.seq WHERE service_id = ? AND final = 0"
        )
        found = self.rows(sql, service_id)
        if len(found) != 1:
            self.fault(f"{category} {service_id} left without being on disk: {found}")
            return
        payment_id, recorded, transaction_id, kind, _ = found[0]
        if recorded != category:
            self.fault(f"{category} {service_id} is on disk as {recorded}")
        if category == "Payment":
            order = self.orders[payment_id]
            wanted = f'RequestedAmount="{order.amount}"'.encode()
            if exchange.transaction_id != transaction_id or kind != order.type:
                self.fault(f"{service_id} is not on disk as it was sent")
            if not re.fullmatch(rf"{re.escape(payment_id)}\.[a-z0-9]{{8}}", transaction_id):
                self.fault(f"{transaction_id} is no TransactionID for {payment_id}")
            if wanted not in exchange.raw:
                self.fault(f"{service_id} does not ask for {wanted!r}")
        if self.rows("SELECT 1 FROM meta WHERE key = 'acknowledged' AND value = '0'"):
            self.fault(f"{category} {service_id} sent before the new journal was acknowledged")
        for sent in self.sent.values():
            # What may never happen twice: a second attempt while the first may have been done.
            if sent.payment_id == payment_id and category == "Payment" and not sent.refused:
                self.fault(f"{payment_id} sent again, but {sent.service_id} was not refused")
        self.sent[service_id] = Sent(payment_id, service_id, exchange.at, terminal)

    def _abort(self, exchange: Exchange) -> None:
        unfinished = self.unfinished()
        if unfinished is None or unfinished[1] != exchange.about:
            if not self._just_over(exchange.about):
                self.fault(f"an Abort of {exchange.about}, which does not run")
            return
        life = self.world.life
        prompt = life.runner.state.prompt if life is not None else None
        if prompt is not None and prompt.kind == "signature":
            self.fault("an Abort while the signature question is open")
        aborts = self._aborts.setdefault((self.world.lives, exchange.about), [])
        full = trio.current_time() - self.world.trouble.last < 2 * WRITE_FOR  # which takes its time
        if aborts and exchange.at - aborts[-1] < ABORTS_APART - 0.001 and not full:
            self.fault(f"an Abort {exchange.at - aborts[-1]:g} s after another")
        aborts.append(exchange.at)
        if len(aborts) > ABORTS:
            self.fault(f"{len(aborts)} Aborts of {exchange.about}")

    # -- What arrives

    def reached(self, exchange: Exchange, terminal: Terminal) -> None:
        """The terminal reads a request."""
        if exchange.service_id in self.sent:
            self.sent[exchange.service_id].reached = True
        if exchange.category == "Login":
            if terminal.running and terminal.powered:
                self.fault(f"Login while the terminal works on {terminal.running}")
            self.sessions_lost.append((terminal, trio.current_time()))

    def delivered(self, exchange: Exchange) -> None:
        """The lane gets a whole answer, as the terminal gave it."""
        if exchange.status != 200 or exchange.answer is None:
            return
        answer = read_answer(exchange.answer)
        if exchange.category in ("Payment", "Reversal"):
            if answer.condition in REFUSED:
                self.sent[exchange.service_id].refused = True
        elif exchange.category == "Login":
            self._logged_in = answer.result == "Success"
        elif exchange.category == "TransactionStatus":
            about = self._asked_for[exchange.service_id]
            if answer.condition in NO_SESSION:
                self._no_session.add(about)
            else:
                self._no_session.discard(about)
            if answer.repeated_id in self.sent and answer.repeated_condition in REFUSED:
                self.sent[answer.repeated_id].refused = True
            if not exchange.about and answer.condition not in ("Busy", "InProgress"):
                self._surveyed = True

    # -- What may stay unknown

    def excuse(self) -> str:
        """Why the terminal cannot tell what became of what is unfinished; empty: it can."""
        unfinished = self.unfinished()
        assert unfinished is not None
        payment_id, service_id = unfinished
        terminal = self.world.terminal
        if service_id not in self.recorded:
            return ""  # there is nothing of it but the wish
        recorded = self.recorded[service_id]
        if recorded.serial != terminal.settings.serial:
            return "another terminal"
        if service_id in self.world.lies:
            return "another amount"
        if terminal._memory.find({"ServiceID": service_id or ""}) is not None:
            return ""
        document = json.loads(
            self.rows("SELECT document FROM payments WHERE id = ?", payment_id)[0][0]
        )
        reversal = document["reversal"]
        if any(of is terminal and at >= recorded.at for of, at in self.sessions_lost):
            last = terminal._memory.find({})
            older = self.sent.get(last.header["ServiceID"]) if last else None
            # what has the payment for its last has not reversed it
            tells = older is not None and (older.payment_id == payment_id) == bool(reversal)
            if older is None or not tells or older.payment_id in self.lost:
                return "forgotten"
            if not self._logged_in:
                return "who answers is not known"
        error = (reversal or document)["error"]
        if error and error["condition"] == "ForeignAnswer":
            return "a foreign answer came"
        return ""

    def truth(self, payment_id: str) -> str:
        """What a person finds in the bank's books; empty while the terminal is still at it."""
        states = {entry.state for entry in self._entries(payment_id)}
        if State.RUNNING in states:
            return ""
        return "approved" if State.CHARGED in states else "failed"

    def _entries(self, payment_id: str) -> list[Transaction]:
        return [
            entry
            for terminal in self.world.terminals
            for entry in terminal.ledger
            if entry.sale_transaction_id.rpartition(".")[0] == payment_id
        ]

    # -- At the end

    def compare(self) -> None:
        """The ledgers of all terminals against the journal, payment by payment."""
        found = {
            payment_id: json.loads(document)
            for payment_id, document in self.rows("SELECT id, document FROM payments")
        }
        for terminal in self.world.terminals:
            for violation in terminal.violations:
                if violation != UNSEEN:
                    self.fault(f"the terminal: {violation}")
            for entry in terminal.ledger:
                payment_id = entry.sale_transaction_id.rpartition(".")[0]
                if payment_id not in found and payment_id not in self.lost:
                    self.fault(f"{payment_id} is in the ledger and in no journal")
                if self.recorded[entry.service_id].serial != terminal.settings.serial:
                    self.fault(f"{payment_id} was asked of another terminal than is on disk")
                if entry.state is State.RUNNING:
                    self.fault(f"{payment_id} still runs at the terminal")
        for payment_id, order in self.orders.items():
            self._compare(payment_id, order, found.get(payment_id))
        ids = [ids["service_id"] for payment in found.values() for ids in payment["attempts"]]
        if len(ids) != len(set(ids)):
            self.fault("two attempts have the same ServiceID")

    def _compare(self, payment_id: str, order: Order, payment: Any) -> None:
        entries = self._entries(payment_id)
        moved = [entry for entry in entries if entry.state in (State.CHARGED, State.REVERSED)]
        charged = [entry for entry in moved if entry.state is State.CHARGED]
        if len(moved) > 1:
            self.fault(f"{payment_id} was charged {len(moved)} times")
        kind = "Refund" if order.type == "refund" else "Normal"
        for entry in entries:
            if (entry.amount, entry.currency, entry.type) != (order.amount, order.currency, kind):
                self.fault(f"{payment_id} was asked as {order}, done as {entry}")
        if payment is None:
            self._compare_lost(payment_id, len(charged))
            return
        state, reversal = payment["state"], payment["reversal"]
        if reversal and reversal["state"] in ("unknown", "processing"):
            return
        if not _final(payment):
            self.fault(f"{payment_id} is {state} at the end")
        elif (state == "approved") != bool(charged):
            self.fault(f"{payment_id} is {state}, charged {len(charged)} times")
        elif (state == "reversed") != (bool(moved) and not charged):
            self.fault(f"{payment_id} is {state}, and not so in the ledger")
        elif state == "approved" and not payment["resolved"]:
            self._same(payment_id, payment, charged[0])

    def _compare_lost(self, payment_id: str, charged: int) -> None:
        """The journal that had it is gone: only what tills were told before can be held to."""
        told = self.last_told.get(payment_id)
        state, final = self.lost.get(payment_id, ("", False))
        if payment_id not in self.lost:
            if charged or told:
                self.fault(f"{payment_id} was charged or told of, and is in no journal")
        elif final and state != "reversed" and (state == "approved") != bool(charged):
            self.fault(f"{payment_id} was {state} in a lost journal, charged {charged} times")

    def _same(self, payment_id: str, payment: Any, entry: Transaction) -> None:
        poi = payment["poi_transaction"]
        if poi != {"id": entry.poi_transaction_id, "timestamp": entry.timestamp}:
            self.fault(f"{payment_id} has {poi}, and is {entry.poi_transaction_id}")
        if str(entry.amount + entry.tip) != str(payment["authorized_amount"]):
            authorized = float(payment["authorized_amount"])
            if authorized != float(entry.amount + entry.tip):
                self.fault(f"{payment_id}: {authorized} authorized, {entry.amount}+{entry.tip}")
        if self._signed(entry) and payment_id not in self.said_yes:
            self.fault(f"{payment_id} approved though nobody said that the signature is good")

    def _signed(self, entry: Transaction) -> bool:
        for terminal in self.world.terminals:
            if entry in list(terminal.ledger):
                return terminal.chosen[entry.service_id].signature
        return False


def _final(payment: Any) -> bool:
    reversal = payment["reversal"]
    return payment["state"] in FINAL and (
        reversal is None or reversal["state"] in ("done", "refused")
    )
