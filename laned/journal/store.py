"""The journal: the truth across lives, in one SQLite file.

Everything that `write` is given is on disk (WAL, `synchronous=FULL`) when it returns, or none of it
is. The methods block: they are called through an `Offload`. Every payment keeps its row for ever;
what `journal.keep_days` prunes is only the details (`document`).
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from laned.journal.files import BALLAST as BALLAST
from laned.journal.files import Ballast, has_room, hold, was_here
from laned.journal.files import BrokenJournal as BrokenJournal
from laned.journal.files import JournalBusy as JournalBusy
from laned.journal.files import JournalError as JournalError
from laned.journal.files import set_aside as set_aside
from laned.journal.schema import SCHEMA_VERSION as SCHEMA_VERSION
from laned.journal.schema import migrate
from laned.lane import effects as fx
from laned.lane.payment import Attempt, Order, Payment, PaymentState
from laned.lane.start import JournalSnapshot
from laned.lane.state import SetAside

MAX_PAGE: Final = 1000  # payments in one answer
MAX_PRUNED: Final = 200  # payments whose details are dropped in one transaction
PROBE: Final = 64 * 1024  # bytes; a payment writes a little more, over its time
ROOM: Final = 4 * PROBE  # bytes; where less is free, a write has to show that it can be done
BUSY_TIMEOUT: Final = 5.0  # seconds; only a person with a shell can hold the file besides us

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode_payment = msgspec.json.Decoder(Payment).decode


class Stored(Struct, frozen=True):
    """A payment of the journal, and the hashes of what was asked for it."""

    payment: Payment
    fingerprint: str
    content_hash: str

    def same(self, order: Order) -> bool:
        """Whether `order` asks for the same again (contract, `PUT /v1/payments/{id}`)."""
        return self.fingerprint == order.fingerprint or self.content_hash == content_hash(order)


def content_hash(order: Order) -> str:
    """The hash of an order with its defaults filled in."""
    return hash_of(msgspec.structs.replace(order, fingerprint=""))


def hash_of(value: object) -> str:
    """The SHA-256 of a value's JSON."""
    return hashlib.sha256(_encode(value)).hexdigest()


class Journal:
    """An open journal. `random` gives the first ServiceID of a new one (money rule 2).

    Its lock file stays when the journal is lost: that tells a lost one from a first start. `life`
    is the number of this run of the daemon.
    """

    life: int

    def __init__(self, path: Path, random: int) -> None:
        self.path = path
        self._ballast = Ballast(path)
        known, self._lock = hold(path)
        try:
            with self._errors("open"):
                self._db = sqlite3.connect(
                    path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
                )
                try:
                    self._prepare(random, known=known)
                except BaseException:
                    self._db.close()
                    raise
        except BaseException:
            self._lock.close()
            raise

    def _prepare(self, random: int, *, known: bool) -> None:
        db = self._db
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            with self._transaction():
                migrate(db, version)
                self._put("next_service_id", str(1 + random))
                self._put("surveyed", "0")
                self._put("acknowledged", "0" if known else "1")  # empty, or in place of a lost one
        elif version > SCHEMA_VERSION:
            raise JournalError(
                f"{self.path}: schema version {version}; this laned knows {SCHEMA_VERSION}"
            )
        elif (found := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise JournalError(f"{self.path}: damaged: {found}", "corrupt")
        elif version < SCHEMA_VERSION:
            with self._transaction():
                migrate(db, version)
        with self._transaction():  # a disk that is full or read only says so here
            self.life = int(self._get("run", "0")) + 1
            self._put("run", str(self.life))
        was_here(self._lock)

    def close(self) -> None:
        """Close the file and let go of its lock."""
        self._db.close()
        self._lock.close()

    # -- Room

    def make_room(self) -> None:
        """See to it that there is room for a payment and its outcome: JournalError `full`.

        Where the ballast cannot be written, no payment is begun; when an outcome cannot be
        written, it is let go.
        """
        self._ballast.keep()

    def release_ballast(self) -> None:
        """Let the ballast go, so that what has happened can be written."""
        self._ballast.release()

    def probe(self, *, by_writing: bool = False) -> None:
        """See whether a payment could be recorded now: JournalError. Leaves the ballast as it is.

        Writes only where there is little room, or `by_writing`; as much as a payment does.
        """
        if not by_writing and has_room(self.path, self._ballast.missing + ROOM):
            return
        if self._ballast.missing and not has_room(self.path, self._ballast.missing):
            raise JournalError(f"{self.path}: there is no room for its ballast", "full")
        with self._errors("write"):
            with self._transaction():
                self._put("probe", "." * PROBE)
            with self._transaction():
                self._db.execute("DELETE FROM meta WHERE key = 'probe'")

    def prune(self, keep_days: int, most: int = MAX_PRUNED) -> int:
        """Drop the details of `most` payments older than `keep_days` before the newest; how many.

        Their rows stay for ever. What is not final is never pruned. Age counts from the newest row,
        not from the clock, which may be wrong. Not all at once: a payment may want to be recorded.
        """
        with self._errors("write"), self._transaction():
            newest = self._db.execute(
                "SELECT created_at FROM payments ORDER BY seq DESC LIMIT 1"
            ).fetchone()
            if newest is None:
                return 0
            before = datetime.fromisoformat(newest[0]) - timedelta(days=keep_days)
            old = self._db.execute(
                "SELECT seq FROM payments WHERE final AND ask_until IS NULL"
                " AND document IS NOT NULL AND created_at < ? LIMIT ?",
                (before.isoformat(), most),
            ).fetchall()
            self._db.executemany("DELETE FROM changes WHERE payment = ?", old)
            self._db.executemany("UPDATE payments SET document = NULL WHERE seq = ?", old)
            return len(old)

    # -- Lives

    def past(self) -> JournalSnapshot:
        """What the lives before left behind."""
        with self._errors("read"):
            row = self._db.execute(
                "SELECT seq, document FROM payments WHERE final = 0 AND set_aside = 0"
            ).fetchone()
            return JournalSnapshot(
                next_service_id=int(self._get("next_service_id", "1")),
                surveyed=self._get("surveyed", "1") == "1",
                journal="ok" if self._get("acknowledged", "1") == "1" else "new",
                address=self._get("terminal_address", ""),
                serial=self._get("terminal_serial", ""),
                configured=self._get("terminal_configured", ""),
                payment=_decode_payment(row[1]) if row else None,
                attempt=self._newest_attempt(row[0]) if row else None,
                set_aside=tuple(self._set_aside()),
                doubts=int(self._get("doubts", "0")),
            )

    def _set_aside(self) -> Iterator[SetAside]:
        """What the terminal may still tell of, the newest last."""
        rows = self._db.execute(
            "SELECT seq, document, ask_until FROM payments WHERE ask_until IS NOT NULL"
            " AND (final OR set_aside) AND document IS NOT NULL ORDER BY updated_at"
        ).fetchall()
        for seq, document, until in rows:
            attempt = self._newest_attempt(seq)
            if attempt is not None:
                yield SetAside(
                    payment=_decode_payment(document),
                    attempt=attempt,
                    until=datetime.fromisoformat(until),
                )

    def _newest_attempt(self, payment: int) -> Attempt | None:
        row = self._db.execute(
            f"SELECT {_ATTEMPT} FROM attempts WHERE payment = ? ORDER BY seq DESC LIMIT 1",  # noqa: S608
            (payment,),
        ).fetchone()
        if row is None:
            return None
        return msgspec.convert(
            dict(zip(Attempt.__struct_fields__, row, strict=True)), Attempt, strict=False
        )

    # -- Reading

    def find(self, payment_id: str) -> Stored | None:
        """The payment with this id, pruned or not."""
        with self._errors("read"):
            row = self._db.execute(
                f"SELECT {_COLUMNS}, fingerprint, content_hash FROM payments WHERE id = ?",  # noqa: S608
                (payment_id,),
            ).fetchone()
        return Stored(_payment(row[:-2]), *row[-2:]) if row else None

    def payments(
        self, state: PaymentState | None, limit: int, before: str | None
    ) -> list[Payment] | None:
        """Payments, newest first; those before the payment `before`, None if there is none such."""
        where, values = ["1"], list[Any]()
        with self._errors("read"):
            if before is not None:
                row = self._db.execute(
                    "SELECT seq FROM payments WHERE id = ?", (before,)
                ).fetchone()
                if row is None:
                    return None
                where.append("seq < ?")
                values.append(row[0])
            if state is not None:
                where.append("state = ?")
                values.append(state)
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM payments WHERE {' AND '.join(where)}"  # noqa: S608
                " ORDER BY seq DESC LIMIT ?",
                (*values, min(limit, MAX_PAGE)),
            ).fetchall()
        return [_payment(row) for row in rows]

    def owner_of(self, poi_transaction: str) -> str | None:
        """The id of the payment that has this POITransactionID."""
        return self._first(
            "SELECT id FROM payments WHERE poi_transaction = ? LIMIT 1", poi_transaction
        )

    def payment_of(self, service_id: str, transaction_id: str | None) -> str | None:
        """The id of the payment that has this attempt; a reversal echoes no TransactionID."""
        return self._first(
            "SELECT payments.id FROM attempts JOIN payments ON payments.seq = attempts.payment"
            " WHERE service_id = ? AND (transaction_id = ? OR category = 'Reversal')",
            service_id,
            transaction_id,
        )

    def superseding(self, payment_id: str) -> str | None:
        """The newest payment after this one that the terminal has approved, or may have."""
        return self._first(
            "SELECT id FROM payments WHERE seq > (SELECT seq FROM payments WHERE id = ?)"
            " AND state IN ('approved', 'reversed', 'unknown') ORDER BY seq DESC LIMIT 1",
            payment_id,
        )

    def charged_by(self, payment_id: str) -> str:
        """The serial number of the terminal that was asked for this payment last; "": not known."""
        serial = self._first(
            "SELECT serial FROM attempts JOIN payments ON payments.seq = attempts.payment"
            " WHERE id = ? AND category = 'Payment' ORDER BY attempts.seq DESC LIMIT 1",
            payment_id,
        )
        return serial or ""

    # -- Writing

    def write(self, entries: Iterable[fx.Entry]) -> None:
        """Put all of `entries` on disk, or none: JournalError."""
        with self._errors("write"), self._transaction():
            for entry in entries:
                self._write(entry)

    def _write(self, entry: fx.Entry) -> None:
        match entry:
            case fx.PaymentOpened(payment, order):
                self._open_payment(payment, order)
            case fx.PaymentChanged(payment):
                self._change_payment(payment)
            case fx.AttemptOpened(payment_id, attempt):
                values = msgspec.structs.asdict(attempt) | {"payment_id": payment_id}
                self._db.execute(_OPEN_ATTEMPT, values)
            case fx.AttemptChanged(attempt):
                self._db.execute(
                    "UPDATE attempts SET refused = ?, session_lost = ?, address = ?"
                    " WHERE service_id = ?",
                    (attempt.refused, attempt.session_lost, attempt.address, attempt.service_id),
                )
            case fx.AskedAfter(payment_id, until):
                self._db.execute(
                    "UPDATE payments SET ask_until = ? WHERE id = ?",
                    (until.isoformat() if until is not None else None, payment_id),
                )
            case fx.DoubtsCounted(doubts):
                self._put("doubts", str(doubts))
            case fx.ForeignSeen():
                self._note_foreign(entry)
            case fx.Surveyed():
                self._put("surveyed", "1")
            case fx.Acknowledged():
                self._put("acknowledged", "1")
            case fx.ServiceIDsReserved(below):
                self._put("next_service_id", str(below))
            case fx.TerminalSeen(address, serial, configured):
                self._put("terminal_address", address)
                self._put("terminal_serial", serial)
                self._put("terminal_configured", configured)

    def _open_payment(self, payment: Payment, order: Order) -> None:
        self._db.execute(
            "INSERT INTO payments (id, fingerprint, content_hash, type, amount, currency, state,"
            " final, created_at, updated_at, document) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                payment.id,
                order.fingerprint,
                content_hash(order),
                payment.type,
                str(payment.amount),
                payment.currency,
                payment.state,
                payment.final,
                payment.created_at.isoformat(),
                payment.updated_at.isoformat(),
                _encode(payment),
            ),
        )
        self._note_change(payment)

    def _change_payment(self, payment: Payment) -> None:
        poi = payment.poi_transaction
        changed = self._db.execute(
            "UPDATE payments SET state = ?, final = ?, set_aside = ?, updated_at = ?,"
            " poi_transaction = ?, document = ? WHERE id = ?",
            (
                payment.state,
                payment.final,
                payment.set_aside_at is not None,
                payment.updated_at.isoformat(),
                poi.id if poi else None,
                _encode(payment),
                payment.id,
            ),
        )
        assert changed.rowcount == 1, payment.id
        self._note_change(payment)

    def _note_change(self, payment: Payment) -> None:
        error, reversal = payment.error, payment.reversal
        self._db.execute(
            "INSERT INTO changes (payment, at, state, abort_requested, signature, reversal, error)"
            " VALUES ((SELECT seq FROM payments WHERE id = ?), ?, ?, ?, ?, ?, ?)",
            (
                payment.id,
                payment.updated_at.isoformat(),
                payment.state,
                payment.abort_requested,
                payment.signature,
                reversal.state if reversal else None,
                f"{error.condition}: {error.message}" if error else None,
            ),
        )

    def _note_foreign(self, seen: fx.ForeignSeen) -> None:
        """Once for each: the terminal repeats its last transaction as often as it is asked."""
        self._db.execute(
            "INSERT INTO foreign_transactions (seen_at, serial, service_id, poi_transaction,"
            " document) SELECT ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM foreign_transactions"
            " WHERE serial = ? AND service_id = ? AND poi_transaction IS ?)",
            (
                seen.seen_at.isoformat(),
                seen.serial,
                seen.service_id,
                seen.poi_transaction,
                _encode(seen.response),
                seen.serial,
                seen.service_id,
                seen.poi_transaction,
            ),
        )

    # -- Underneath

    def _first(self, sql: str, *values: str | None) -> str | None:
        """The first row's only value: JournalError."""
        with self._errors("read"):
            row = self._db.execute(sql, values).fetchone()
        return row[0] if row else None

    def _get(self, key: str, default: str) -> str:
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else default

    def _put(self, key: str, value: str) -> None:
        self._db.execute(
            "INSERT INTO meta (key, value) VALUES (?, ?)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, value),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk has rolled back already
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise  # a duplicate that must never be: a bug, not a condition of the disk
        except msgspec.DecodeError as error:  # a row that is not what was written
            raise JournalError(f"{self.path}: damaged: {error}", "corrupt") from error
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0)
            condition = _CONDITIONS.get(code) or _CONDITIONS.get(code & 0xFF, "read_only")
            raise JournalError(f"{self.path}: cannot {doing}: {error}", condition) from error


_CONDITIONS: Final = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_IOERR_SHMSIZE: "full",  # no room for the shared memory's file
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_NOTADB: "corrupt",
}
_ATTEMPT: Final = ", ".join(Attempt.__struct_fields__)
_OPEN_ATTEMPT: Final = (
    f"INSERT INTO attempts (payment, {_ATTEMPT}) SELECT seq,"  # noqa: S608
    f" :{_ATTEMPT.replace(', ', ', :')} FROM payments WHERE id = :payment_id"
)
_COLUMNS: Final = "id, type, amount, currency, state, created_at, updated_at, document"


def _payment(row: tuple[Any, ...]) -> Payment:
    """A payment from its row: from the document, or what stays of a pruned one."""
    payment_id, kind, amount, currency, state, created_at, updated_at, document = row
    if document is not None:
        return _decode_payment(document)
    return Payment(
        id=payment_id,
        type=kind,
        amount=Decimal(amount),
        currency=currency,
        state=PaymentState(state),
        created_at=datetime.fromisoformat(created_at),
        updated_at=datetime.fromisoformat(updated_at),
    )


AnyJournal = Journal | BrokenJournal
