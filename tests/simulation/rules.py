"""What may leave, when, and what may be told: the rules that hold at every moment.

They are written down a second time here, from the contract and not from the code. What was
sent is read from the bytes on the wire, what happened from the terminals' ledgers, what is
recorded from the journal's file through a connection of its own.
"""

import json
import re
import sqlite3
from typing import TYPE_CHECKING, Any

import msgspec
import trio
from exchanges import Exchange, read_answer
from msgspec import Struct

from laned.lane import effects as fx
from laned.lane.payment import Order, Payment
from laned.runner import WRITE_FOR
from laned.simulator import Terminal

if TYPE_CHECKING:
    from world import World

NO_SESSION = ("NotAllowed", "LoggedOut")
REFUSED = ("Busy", *NO_SESSION)
FINAL = ("approved", "declined", "aborted", "failed", "reversed")
ALONE = ("Payment", "Reversal", "Logout", "Admin")
"""Requests of which only one may be out at a time."""
CONNECTS = 10.0
"""Seconds that a connection takes at the most here."""
ABORTS, ABORTS_APART = 7, 5.0
"""Six of a wish to abort, and one that makes an end of a doubt (rule 14)."""
ENDED_AFTER = 60.0
"""Seconds from that one to the Login."""
UNDECIDED_APART = 10.0
"""Seconds between two answers that decide nothing."""


class Recorded(Struct, frozen=True):
    """An attempt as it came to the disk, and when."""

    payment_id: str
    serial: str
    at: float


class Sent(Struct):
    """One request for money that left, or may have left."""

    payment_id: str
    service_id: str
    refused: bool = False  # as its own response said


class Rules:
    """Looks at everything that leaves, arrives and is told; `wrong` has what must never be."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.wrong: list[str] = []
        self.orders: dict[str, Order] = {}
        self.said_yes: set[str] = set()
        self.lost: dict[str, Any] = {}  # rows of journals that are gone, by id
        self.last_told: dict[str, Any] = {}
        self.sent: dict[str, Sent] = {}  # by ServiceID
        self.recorded: dict[str, Recorded] = {}  # attempts on disk, by ServiceID
        self.sessions_lost: list[tuple[Terminal, float]] = []
        self._service_ids: set[str] = set()
        self._no_session: set[str] = set()  # attempts of which the terminal said so last
        self._asked_for: dict[str, str] = {}  # which attempt a TransactionStatus was about
        self._aborts: dict[tuple[int, str], list[float]] = {}  # when, by life and attempt
        self._asked_since: dict[str, float] = {}
        self._over_at: dict[str, float] = {}  # attempts: since when nobody asks about them
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

    def repeatable(self) -> list[Order]:
        """What tills have asked for and may ask for again: the journal that had it is not lost."""
        return [order for order in self.orders.values() if order.id not in self.lost]

    def unfinished(self) -> tuple[str, str | None] | None:
        """The id of the payment that is waited for, and the ServiceID of its newest attempt."""
        found = self.rows("SELECT seq, id FROM payments WHERE final = 0 AND set_aside = 0")
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
            if isinstance(entry, fx.PaymentChanged) and entry.payment.settled:
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
        elif (found[0][1], bool(found[0][2])) != (told["state"], is_final(told)):
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

    def leaves(self, exchange: Exchange) -> None:
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
            self._attempt(exchange)
        elif category == "TransactionStatus":
            unfinished = self.unfinished()
            about = unfinished[1] if unfinished else None
            self._asked_for[service_id] = exchange.about or about or ""
            self._asked_since.setdefault(exchange.about, trio.current_time())
            ours = exchange.about in ("", about) or self._may_tell(exchange.about)
            if not ours and not self._just_over(exchange.about):
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

    def _may_tell(self, service_id: str) -> bool:
        """Whether the terminal may still tell of the attempt: it is set aside, or resolved."""
        sql = (
            "SELECT 1 FROM attempts JOIN payments ON payment = payments.seq"
            " WHERE service_id = ? AND ask_until IS NOT NULL"
        )
        return bool(self.rows(sql, service_id))

    def _just_over(self, service_id: str) -> bool:
        """Whether the attempt was not over yet when the lane began to connect for its sake."""
        return trio.current_time() - self._over_at.get(service_id, -CONNECTS) < CONNECTS

    def _session_request(self, category: str) -> None:
        unfinished = self.unfinished()
        if not self._surveyed:
            self.fault(f"{category} before the terminal's last transaction was asked for")
        if unfinished is None:
            return
        service_id = unfinished[1] or ""
        said_so = service_id in self._no_session or self._ended(service_id)
        if category == "Logout" or not said_so:
            self.fault(f"{category} while {unfinished} is unfinished")
        self._no_session.discard(unfinished[1] or "")

    def _ended(self, service_id: str) -> bool:
        """Whether an end may have been made of the doubt about it, as rule 14 says."""
        since = self._asked_since.get(service_id, trio.current_time())
        return trio.current_time() - since >= UNDECIDED_APART + ENDED_AFTER - 0.001

    def _attempt(self, exchange: Exchange) -> None:
        service_id, category = exchange.service_id, exchange.category
        sql = (
            "SELECT id, category, transaction_id, type FROM attempts JOIN payments"
            " ON payment = payments.seq WHERE service_id = ? AND final = 0"
        )
        found = self.rows(sql, service_id)
        if len(found) != 1:
            self.fault(f"{category} {service_id} left without being on disk: {found}")
            return
        payment_id, recorded, transaction_id, kind = found[0]
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
        self.sent[service_id] = Sent(payment_id, service_id)

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
        if exchange.category == "Login":
            running = str(terminal.running or "")
            if running and terminal.powered and not self._ended(running):
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


def is_final(payment: Any) -> bool:
    """Whether nothing of a payment, as tills see it, runs or is unknown."""
    reversal = payment["reversal"]
    return payment["state"] in FINAL and (
        reversal is None or reversal["state"] in ("done", "refused")
    )
