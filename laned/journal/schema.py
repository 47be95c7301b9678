"""The journal's tables, as migrations: each brings a journal of one version to the next."""

import sqlite3
from typing import Final

MIGRATIONS: Final = (
    """
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
    category TEXT NOT NULL,           -- Payment or Reversal
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

-- Transactions that a terminal showed us and that are not in this journal.
CREATE TABLE foreign_transactions (
    seq INTEGER PRIMARY KEY,
    seen_at TEXT NOT NULL,
    serial TEXT NOT NULL,
    service_id TEXT NOT NULL,
    poi_transaction TEXT,
    document BLOB NOT NULL
) STRICT;
""",
    """
-- The terminal has shown that it has the attempt. Of older journals' attempts that may be so.
ALTER TABLE attempts ADD COLUMN reached INTEGER NOT NULL DEFAULT 1;
""",
    """
-- What the terminal has shown of an attempt decides nothing any more. A payment may be set aside,
-- and one that is, or that a person has resolved, is asked after until a time (NULL: no more).
ALTER TABLE attempts DROP COLUMN reached;
ALTER TABLE payments ADD COLUMN set_aside INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN ask_until TEXT;
UPDATE payments SET ask_until = strftime('%Y-%m-%dT%H:%M:%S+00:00', updated_at, '+7 days')
    WHERE json_extract(CAST(document AS TEXT), '$.resolved') IS NOT NULL;
CREATE INDEX payments_asked_after ON payments (ask_until) WHERE ask_until IS NOT NULL;
CREATE INDEX changes_by_payment ON changes (payment);
CREATE INDEX attempts_by_payment ON attempts (payment);
""",
)
SCHEMA_VERSION: Final = len(MIGRATIONS)


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Bring a journal of `version` (0: empty) to SCHEMA_VERSION, in the caller's transaction."""
    for migration in MIGRATIONS[version:]:
        for statement in migration.split(";\n"):
            if statement.strip():
                db.execute(statement)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
