-- Runs, conversations, events, checkpoints, snapshots, leases and the ledger.
--
-- Table and scalar column names of `agent_sessions` and `advisor_conversations` are those of the data model that the
-- product grew from; its JSON arrays (messages, output, changed_files, session_ids) are tables here, and are put
-- together again on export. Times are integers: milliseconds since the Unix epoch. Ids are hyphenated lower-case UUIDs.

-- 'ASST': tells our files from those of other programs.
PRAGMA application_id = 0x41535354;

CREATE TABLE advisor_conversations (
    id               TEXT PRIMARY KEY NOT NULL,
    project_id       TEXT NOT NULL,
    -- 'assist' for conversations with the user; 'code' | 'growth' | 'analytics' for internal ones
    module           TEXT NOT NULL DEFAULT 'assist',
    title            TEXT,
    -- JSON: what was known when the conversation began
    context_snapshot TEXT,
    outcome          TEXT CHECK (outcome IN ('tasked', 'declined', 'deferred', 'monitoring')),
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL
) STRICT;

CREATE INDEX advisor_conversations_by_age ON advisor_conversations (updated_at);

CREATE TABLE agent_sessions (
    id              TEXT PRIMARY KEY NOT NULL,
    project_id      TEXT NOT NULL,
    -- 'code' | 'growth' | 'analytics'
    module          TEXT NOT NULL DEFAULT 'code',
    app_name        TEXT NOT NULL,
    app_path        TEXT NOT NULL,
    task            TEXT NOT NULL,
    -- JSON
    plan            TEXT,
    -- the states of a run; moves between them are checked in code, in the transaction that makes them
    status          TEXT NOT NULL DEFAULT 'pending',
    error           TEXT,
    started_at      INTEGER,
    completed_at    INTEGER,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    -- ours
    intent          TEXT NOT NULL,
    pause_reason    TEXT,
    summary         TEXT,
    conversation_id TEXT NOT NULL REFERENCES advisor_conversations (id),
    client          TEXT NOT NULL
) STRICT;

CREATE INDEX agent_sessions_by_age ON agent_sessions (created_at);
CREATE INDEX agent_sessions_by_status ON agent_sessions (status, created_at);
CREATE INDEX agent_sessions_by_conversation ON agent_sessions (conversation_id);

-- `advisor_conversations.session_ids` of the data model: the runs a conversation led to.
CREATE TABLE conversation_sessions (
    conversation_id TEXT NOT NULL REFERENCES advisor_conversations (id) ON DELETE CASCADE,
    session_id      TEXT NOT NULL REFERENCES agent_sessions (id) ON DELETE CASCADE,
    PRIMARY KEY (conversation_id, session_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX conversation_sessions_by_session ON conversation_sessions (session_id);

-- `advisor_conversations.messages` of the data model.
CREATE TABLE messages (
    id              TEXT PRIMARY KEY NOT NULL,
    conversation_id TEXT NOT NULL REFERENCES advisor_conversations (id) ON DELETE CASCADE,
    run_id          TEXT REFERENCES agent_sessions (id) ON DELETE SET NULL,
    -- order within the conversation, from 1
    position        INTEGER NOT NULL,
    role            TEXT NOT NULL CHECK (role IN ('user', 'assistant', 'system', 'tool')),
    content         TEXT NOT NULL,
    -- 1: the text broke off
    partial         INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    UNIQUE (conversation_id, position)
) STRICT;

CREATE INDEX messages_by_run ON messages (run_id);

-- `agent_sessions.output` of the data model. `id` is the order across runs, `seq` the gap-free number within one.
CREATE TABLE events (
    id     INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES agent_sessions (id) ON DELETE CASCADE,
    seq    INTEGER NOT NULL,
    v      INTEGER NOT NULL,
    ts     INTEGER NOT NULL,
    type   TEXT NOT NULL,
    -- JSON
    data   TEXT NOT NULL,
    UNIQUE (run_id, seq)
) STRICT;

CREATE TABLE checkpoints (
    id         INTEGER PRIMARY KEY,
    run_id     TEXT NOT NULL REFERENCES agent_sessions (id) ON DELETE CASCADE,
    stage      TEXT NOT NULL,
    component  TEXT,
    -- JSON
    data       TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX checkpoints_by_run ON checkpoints (run_id, id);

-- Content, once for each hash.
CREATE TABLE blobs (
    hash     TEXT PRIMARY KEY NOT NULL,
    -- bytes when unpacked
    size     INTEGER NOT NULL,
    encoding TEXT NOT NULL CHECK (encoding IN ('raw', 'deflate')),
    data     BLOB NOT NULL
) STRICT;

-- What a change set found and what it leaves, one row a file. A row that is not applied is what a crash left.
CREATE TABLE snapshots (
    id            INTEGER PRIMARY KEY,
    run_id        TEXT NOT NULL REFERENCES agent_sessions (id) ON DELETE CASCADE,
    change_set_id TEXT NOT NULL,
    path          TEXT NOT NULL,
    -- NULL: there was no file
    before_hash   TEXT REFERENCES blobs (hash),
    -- NULL: there is no file afterwards
    after_hash    TEXT REFERENCES blobs (hash),
    applied       INTEGER NOT NULL DEFAULT 0,
    created_at    INTEGER NOT NULL,
    UNIQUE (change_set_id, path)
) STRICT;

CREATE INDEX snapshots_by_run ON snapshots (run_id, path, id);
CREATE INDEX snapshots_by_before ON snapshots (before_hash);
CREATE INDEX snapshots_by_after ON snapshots (after_hash);

-- `agent_sessions.changed_files` of the data model: the net effect of a run. Outlives its snapshots.
CREATE TABLE changed_files (
    run_id     TEXT NOT NULL REFERENCES agent_sessions (id) ON DELETE CASCADE,
    path       TEXT NOT NULL,
    change     TEXT NOT NULL CHECK (change IN ('created', 'modified', 'deleted')),
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (run_id, path)
) STRICT, WITHOUT ROWID;

-- Who owns what: one process owns a run or a file at a time.
CREATE TABLE leases (
    name         TEXT PRIMARY KEY NOT NULL,
    pid          INTEGER NOT NULL,
    boot         TEXT NOT NULL,
    started      TEXT NOT NULL,
    label        TEXT NOT NULL,
    acquired_at  INTEGER NOT NULL,
    heartbeat_at INTEGER NOT NULL
) STRICT;

-- One row a model call: reserved before it, settled after it. Outlives the runs, so that costs by day stay true.
CREATE TABLE ledger (
    id                   INTEGER PRIMARY KEY,
    run_id               TEXT NOT NULL,
    agent                TEXT NOT NULL,
    model                TEXT NOT NULL,
    tier                 TEXT NOT NULL,
    reserved_tokens      INTEGER NOT NULL,
    -- US dollars; NULL where the price is not known
    reserved_usd         REAL,
    input_tokens         INTEGER,
    output_tokens        INTEGER,
    cache_read_tokens    INTEGER,
    cache_write_tokens   INTEGER,
    cost_usd             REAL,
    -- 1: the provider gave no figures, these are reckoned
    estimated            INTEGER NOT NULL DEFAULT 0,
    created_at           INTEGER NOT NULL,
    settled_at           INTEGER
) STRICT;

CREATE INDEX ledger_by_run ON ledger (run_id);
CREATE INDEX ledger_by_time ON ledger (created_at);
