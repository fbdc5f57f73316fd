-- What budgets and breakers need: why a model was chosen, what caches saved, whose a reservation is, and how breakers are.

-- Why this model, in words. NULL in rows of older versions.
ALTER TABLE ledger ADD COLUMN reason TEXT;
-- US dollars that the call would have cost more without caches; below zero where filling one cost more than it saved.
ALTER TABLE ledger ADD COLUMN saved_usd REAL NOT NULL DEFAULT 0;
-- How the answer ended, and the provider's name for the request.
ALTER TABLE ledger ADD COLUMN stop TEXT;
ALTER TABLE ledger ADD COLUMN request_id TEXT;
-- The process that reserved. NULL in rows of older versions.
ALTER TABLE ledger ADD COLUMN owner_pid INTEGER;
ALTER TABLE ledger ADD COLUMN owner_boot TEXT;
ALTER TABLE ledger ADD COLUMN owner_started TEXT;
-- 1: settled at its estimate because its owner died. A settlement by the owner, should it live after all, replaces this.
ALTER TABLE ledger ADD COLUMN presumed INTEGER NOT NULL DEFAULT 0;

CREATE INDEX ledger_open ON ledger (id) WHERE settled_at IS NULL;

-- Circuit breakers that have heard of a failure, kept over restarts and shared by processes.
CREATE TABLE breakers (
    -- what it stands before: 'provider/model', 'search:name'
    name       TEXT PRIMARY KEY NOT NULL,
    -- JSON, as the gateway writes it
    status     TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
