"""The journal: the truth across lives, in one SQLite file.

Everything that `write` is given is on disk (WAL, `synchronous=FULL`) when it returns, or none of it
is. The methods block: they are called through an `Offload`. Every payment keeps its row for ever;
what `journal.keep_days` prunes is only the details (`document`).
"""

import fcntl
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from laned.lane import effects as fx
from laned.lane.payment import Attempt, Order, Payment, PaymentState
from laned.lane.start import Past

SCHEMA_VERSION: Final = 1
MAX_PAGE: Final = 1000  # payments in one answer
BUSY_TIMEOUT: Final = 5.0  # seconds; only a person with a shell can hold the file besides us

_SCHEMA: Final = """
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- One row for each payment, for ever: a till's id is never free again. `document` is the payment as
-- tills see it, and NULL once it is pruned.
CREATE TABLE payments (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    fingerprint TEXT NOT NULL,        -- of what the till wrote
    content_hash TEXT NOT NULL,       -- of that with the defaults filled in
    type TEXT NOT NULL,
    amount TEXT NOT NULL,
    currency TEXT NOT NULL,
    state TEXT NOT NULL,
    final INTEGER NOT NULL,           -- 0 while anything of it runs or is not known
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    poi_transaction TEXT,             -- the terminal's own id: belongs to one payment only
    document BLOB
) STRICT;
CREATE INDEX payments_by_final ON payments (final) WHERE final = 0;
CREATE INDEX payments_by_poi_transaction ON payments (poi_transaction);

CREATE TABLE attempts (
    seq INTEGER PRIMARY KEY,
    payment INTEGER NOT NULL REFERENCES payments (seq),
    service_id TEXT NOT NULL UNIQUE,
    transaction_id TEXT NOT NULL UNIQUE,
    sale_id TEXT NOT NULL,
    poi_id TEXT NOT NULL,
    address TEXT NOT NULL,
    serial TEXT NOT NULL,             -- of the terminal that it was sent to
    refused TEXT,                     -- Busy, NotAllowed or LoggedOut, in its own PaymentResponse
    session_lost INTEGER NOT NULL     -- the terminal lost its session since
) STRICT;

-- Every change that a payment went through, in order.
CREATE TABLE changes (
    seq INTEGER PRIMARY KEY,
    payment INTEGER NOT NULL REFERENCES payments (seq),
    at TEXT NOT NULL,
    state TEXT NOT NULL,
    abort_requested INTEGER NOT NULL,
    signature TEXT,
    reversal TEXT,
    error TEXT
) STRICT;

CREATE TABLE reversals (
    seq INTEGER PRIMARY KEY,
    payment INTEGER NOT NULL REFERENCES payments (seq),
    service_id TEXT NOT NULL UNIQUE,
    reason TEXT NOT NULL,
    state TEXT NOT NULL,
    sale_id TEXT NOT NULL,
    poi_id TEXT NOT NULL,
    address TEXT NOT NULL,
    serial TEXT NOT NULL,
    session_lost INTEGER NOT NULL
) STRICT;

-- Transactions that a terminal showed us and that are not in this journal.
CREATE TABLE foreign_transactions (
    seq INTEGER PRIMARY KEY,
    seen_at TEXT NOT NULL,
    serial TEXT NOT NULL,
    service_id TEXT NOT NULL,
    poi_transaction TEXT,
    document BLOB NOT NULL
) STRICT;
"""

_encode = msgspec.json.Encoder(order="deterministic").encode
_decode_payment = msgspec.json.Decoder(Payment).decode


class JournalError(Exception):
    """The journal cannot be opened, read or written; the text says which file and why."""


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
    """An open journal. `random` gives the first ServiceID of a new one (money rule 2)."""

    def __init__(self, path: Path, random: int) -> None:
        self.path = path
        self._lock = _lock(path)
        try:
            with self._errors("open"):
                self._db = sqlite3.connect(
                    path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
                )
                self._prepare(random)
        except JournalError:
            self._lock.close()
            raise

    def _prepare(self, random: int) -> None:
        db = self._db
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            with self._transaction():
                for statement in _SCHEMA.split(";\n"):
                    if statement.strip():
                        db.execute(statement)
                db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                self._put("next_service_id", str(1 + random))
        elif version != SCHEMA_VERSION:
            raise JournalError(
                f"{self.path}: schema version {version}; this laned knows {SCHEMA_VERSION}"
            )
        elif (found := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise JournalError(f"{self.path}: damaged: {found}")

    def close(self) -> None:
        """Close the file and let go of its lock."""
        self._db.close()
        self._lock.close()

    # -- Lives

    def begin_life(self) -> int:
        """Count this run of the daemon; its number."""
        with self._errors("write"), self._transaction():
            run = int(self._get("run", "0")) + 1
            self._put("run", str(run))
            return run

    def past(self) -> Past:
        """What the lives before left behind."""
        with self._errors("read"):
            row = self._db.execute("SELECT seq, document FROM payments WHERE final = 0").fetchone()
            return Past(
                next_service_id=int(self._get("next_service_id", "1")),
                payment=_decode_payment(row[1]) if row else None,
                attempt=self._newest_attempt(row[0]) if row else None,
            )

    def _newest_attempt(self, payment: int) -> Attempt | None:
        row = self._db.execute(
            "SELECT service_id, transaction_id, sale_id, poi_id, address, serial, refused,"
            " session_lost FROM attempts WHERE payment = ? ORDER BY seq DESC LIMIT 1",
            (payment,),
        ).fetchone()
        if row is None:
            return None
        *ids, refused, session_lost = row
        names = ("service_id", "transaction_id", "sale_id", "poi_id", "address", "serial")
        return Attempt(
            **dict(zip(names, ids, strict=True)), refused=refused, session_lost=bool(session_lost)
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
        with self._errors("read"):
            row = self._db.execute(
                "SELECT id FROM payments WHERE poi_transaction = ? LIMIT 1", (poi_transaction,)
            ).fetchone()
        return row[0] if row else None

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
                self._db.execute(
                    "INSERT INTO attempts (payment, service_id, transaction_id, sale_id, poi_id,"
                    " address, serial, refused, session_lost)"
                    " VALUES ((SELECT seq FROM payments WHERE id = ?), ?, ?, ?, ?, ?, ?, ?, ?)",
                    (payment_id, *msgspec.structs.astuple(attempt)),
                )
            case fx.AttemptChanged(attempt):
                self._db.execute(
                    "UPDATE attempts SET refused = ?, session_lost = ? WHERE service_id = ?",
                    (attempt.refused, attempt.session_lost, attempt.service_id),
                )
            case fx.ServiceIDsReserved(below):
                self._put("next_service_id", str(below))
            case fx.TerminalSeen(address, serial):
                self._put("terminal_address", address)
                self._put("terminal_serial", serial)

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
            "UPDATE payments SET state = ?, final = ?, updated_at = ?, poi_transaction = ?,"
            " document = ? WHERE id = ?",
            (
                payment.state,
                payment.final,
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

    # -- Underneath

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
        except sqlite3.Error as error:
            raise JournalError(f"{self.path}: cannot {doing}: {error}") from error


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


def _lock(path: Path) -> Any:
    """Hold the journal's lock file as long as the process lives: one daemon for one journal."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(path.name + ".lock").open("a")
    except OSError as error:
        raise JournalError(f"{path}: cannot open: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise JournalError(f"{path}: another laned uses this journal") from error
    return lock
