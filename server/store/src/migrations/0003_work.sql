-- What is made and said while a run works: tasks, documents with their versions, messages between roles, approvals, the
-- cache of answers, what other processes have open and steer, and what was learned.

-- The nodes of a run's dependency graph.
CREATE TABLE tasks (
    number       INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    run_id       TEXT NOT NULL REFERENCES agent_sessions (id) ON DELETE CASCADE,
    -- order within the run, from 1
    position     INTEGER NOT NULL,
    title        TEXT NOT NULL,
    description  TEXT NOT NULL,
    agent        TEXT NOT NULL,
    tier         TEXT NOT NULL CHECK (tier IN ('A', 'B', 'C')),
    status       TEXT NOT NULL DEFAULT 'pending',
    attempts     INTEGER NOT NULL DEFAULT 0,
    -- JSON: what it was given, what came of it
    input        TEXT NOT NULL,
    output       TEXT,
    error        TEXT,
    created_at   INTEGER NOT NULL,
    started_at   INTEGER,
    completed_at INTEGER,
    updated_at   INTEGER NOT NULL,
    UNIQUE (run_id, position)
) STRICT;

CREATE TABLE task_dependencies (
    task_id    TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    depends_on TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    PRIMARY KEY (task_id, depends_on)
) STRICT, WITHOUT ROWID;

CREATE INDEX task_dependencies_by_other ON task_dependencies (depends_on);

-- Documents of the society. They outlive the runs that made them.
CREATE TABLE documents (
    number        INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    project_id    TEXT NOT NULL,
    -- the run that began it; no reference, since it outlives the run
    run_id        TEXT,
    doc_type      TEXT NOT NULL,
    parent_doc_id TEXT REFERENCES documents (id) ON DELETE SET NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX documents_by_run ON documents (run_id);
CREATE INDEX documents_by_type ON documents (project_id, doc_type, updated_at);
CREATE INDEX documents_by_parent ON documents (parent_doc_id);

CREATE TABLE document_versions (
    document_id        TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    -- from 1
    version            INTEGER NOT NULL,
    title              TEXT NOT NULL,
    status             TEXT NOT NULL DEFAULT 'draft'
        CHECK (status IN ('draft', 'in_review', 'approved', 'rejected', 'superseded')),
    created_by         TEXT NOT NULL,
    run_id             TEXT,
    -- JSON
    content            TEXT NOT NULL,
    metadata           TEXT NOT NULL,
    changes_since_last TEXT,
    approved_by        TEXT,
    approved_at        INTEGER,
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    PRIMARY KEY (document_id, version)
) STRICT;

CREATE TABLE document_dependencies (
    document_id        TEXT NOT NULL,
    version            INTEGER NOT NULL,
    depends_on         TEXT NOT NULL,
    depends_on_version INTEGER NOT NULL,
    PRIMARY KEY (document_id, version, depends_on),
    FOREIGN KEY (document_id, version) REFERENCES document_versions (document_id, version) ON DELETE CASCADE,
    FOREIGN KEY (depends_on, depends_on_version)
        REFERENCES document_versions (document_id, version) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX document_dependencies_by_other ON document_dependencies (depends_on, depends_on_version);

CREATE TABLE document_reviews (
    id          INTEGER PRIMARY KEY,
    document_id TEXT NOT NULL,
    version     INTEGER NOT NULL,
    reviewer    TEXT NOT NULL,
    verdict     TEXT NOT NULL CHECK (verdict IN ('comment', 'approved', 'rejected')),
    comment     TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    FOREIGN KEY (document_id, version) REFERENCES document_versions (document_id, version) ON DELETE CASCADE
) STRICT;

CREATE INDEX document_reviews_by_version ON document_reviews (document_id, version, id);

-- Which version a run used.
CREATE TABLE document_uses (
    run_id      TEXT NOT NULL,
    document_id TEXT NOT NULL,
    version     INTEGER NOT NULL,
    agent       TEXT NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (run_id, document_id, version, agent),
    FOREIGN KEY (document_id, version) REFERENCES document_versions (document_id, version) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX document_uses_by_version ON document_uses (document_id, version);

-- What roles say to each other.
CREATE TABLE agent_messages (
    number            INTEGER PRIMARY KEY,
    msg_id            TEXT NOT NULL UNIQUE,
    run_id            TEXT NOT NULL REFERENCES agent_sessions (id) ON DELETE CASCADE,
    from_agent        TEXT NOT NULL,
    to_agent          TEXT NOT NULL,
    -- 'document' | 'question' | 'feedback' | 'command' | ...
    msg_type          TEXT NOT NULL,
    -- JSON
    payload           TEXT NOT NULL,
    requires_response INTEGER NOT NULL DEFAULT 0,
    in_reply_to       TEXT REFERENCES agent_messages (msg_id) ON DELETE CASCADE,
    timestamp         INTEGER NOT NULL,
    read_at           INTEGER
) STRICT;

CREATE INDEX agent_messages_by_run ON agent_messages (run_id, number);
CREATE INDEX agent_messages_by_receiver ON agent_messages (run_id, to_agent, read_at);
CREATE INDEX agent_messages_by_reply ON agent_messages (in_reply_to) WHERE in_reply_to IS NOT NULL;

-- What a run keeps in mind: its decisions and what it is at.
CREATE TABLE run_decisions (
    id      INTEGER PRIMARY KEY,
    run_id  TEXT NOT NULL REFERENCES agent_sessions (id) ON DELETE CASCADE,
    agent   TEXT NOT NULL,
    what    TEXT NOT NULL,
    why     TEXT,
    at      INTEGER NOT NULL
) STRICT;

CREATE INDEX run_decisions_by_run ON run_decisions (run_id, id);

CREATE TABLE run_focus (
    run_id TEXT PRIMARY KEY NOT NULL REFERENCES agent_sessions (id) ON DELETE CASCADE,
    focus  TEXT NOT NULL,
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What only the user may decide.
CREATE TABLE approvals (
    number           INTEGER PRIMARY KEY,
    id               TEXT NOT NULL UNIQUE,
    run_id           TEXT NOT NULL REFERENCES agent_sessions (id) ON DELETE CASCADE,
    -- 'after_prd' | 'after_design' | 'before_deployment' | 'command' | ...
    checkpoint       TEXT NOT NULL,
    message          TEXT NOT NULL,
    -- JSON
    data             TEXT NOT NULL,
    document_id      TEXT,
    document_version INTEGER,
    status           TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'rejected', 'timed_out')),
    feedback         TEXT,
    decided_by       TEXT,
    requested_at     INTEGER NOT NULL,
    decided_at       INTEGER,
    expires_at       INTEGER
) STRICT;

CREATE INDEX approvals_by_run ON approvals (run_id, number);
CREATE INDEX approvals_by_status ON approvals (status, number);

-- Answers of models, to be given again for the same question.
CREATE TABLE response_cache (
    key          TEXT PRIMARY KEY NOT NULL,
    model        TEXT NOT NULL,
    -- JSON
    value        TEXT NOT NULL,
    bytes        INTEGER NOT NULL,
    hits         INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL
) STRICT;

CREATE INDEX response_cache_by_use ON response_cache (last_used_at);

-- Which process holds a document open, so that an edit reaches the buffer and not the file below it.
CREATE TABLE open_documents (
    path       TEXT NOT NULL,
    pid        INTEGER NOT NULL,
    boot       TEXT NOT NULL,
    started    TEXT NOT NULL,
    label      TEXT NOT NULL,
    version    INTEGER NOT NULL,
    -- the hash of the text that the process holds
    revision   TEXT,
    dirty      INTEGER NOT NULL DEFAULT 0,
    opened_at  INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (path, pid, boot, started)
) STRICT, WITHOUT ROWID;

CREATE INDEX open_documents_by_owner ON open_documents (boot, pid, started);

-- Steering from another process: answers, confirmations, cancellation, words for a run on its way.
CREATE TABLE run_inputs (
    id         INTEGER PRIMARY KEY,
    run_id     TEXT NOT NULL REFERENCES agent_sessions (id) ON DELETE CASCADE,
    kind       TEXT NOT NULL,
    -- JSON
    data       TEXT NOT NULL,
    sender     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- NULL until the run's owner has taken it
    taken_at   INTEGER
) STRICT;

CREATE INDEX run_inputs_by_run ON run_inputs (run_id, id) WHERE taken_at IS NULL;
CREATE INDEX run_inputs_all ON run_inputs (run_id);

-- What was learned from doing.
CREATE TABLE experiences (
    number     INTEGER PRIMARY KEY,
    agent      TEXT NOT NULL,
    task       TEXT NOT NULL,
    outcome    TEXT NOT NULL CHECK (outcome IN ('success', 'failure', 'needs_improvement')),
    strategy   TEXT,
    lesson     TEXT,
    -- JSON
    metadata   TEXT NOT NULL,
    run_id     TEXT,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX experiences_by_agent ON experiences (agent, outcome);
CREATE INDEX experiences_by_age ON experiences (created_at);

CREATE VIRTUAL TABLE experience_words USING fts5 (
    task, lesson, content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2'
);

CREATE TRIGGER experiences_added AFTER INSERT ON experiences BEGIN
    INSERT INTO experience_words (rowid, task, lesson) VALUES (new.number, new.task, new.lesson);
END;

CREATE TRIGGER experiences_removed AFTER DELETE ON experiences BEGIN
    DELETE FROM experience_words WHERE rowid = old.number;
END;

-- Failures that came back, by what their messages have in common.
CREATE TABLE failure_patterns (
    number      INTEGER PRIMARY KEY,
    signature   TEXT NOT NULL UNIQUE,
    stage       TEXT NOT NULL,
    example     TEXT NOT NULL,
    root_cause  TEXT,
    solution    TEXT,
    -- 0 to 1
    confidence  REAL NOT NULL DEFAULT 0,
    occurrences INTEGER NOT NULL DEFAULT 0,
    -- how often the solution was tried, and helped
    tried       INTEGER NOT NULL DEFAULT 0,
    helped      INTEGER NOT NULL DEFAULT 0,
    first_seen  INTEGER NOT NULL,
    last_seen   INTEGER NOT NULL
) STRICT;

-- What Assist proposes to do better.
CREATE TABLE improvements (
    number      INTEGER PRIMARY KEY,
    target      TEXT NOT NULL,
    description TEXT NOT NULL,
    -- JSON: what is to be changed
    change      TEXT NOT NULL,
    -- 0 to 1
    confidence  REAL NOT NULL,
    risk        TEXT NOT NULL CHECK (risk IN ('low', 'medium', 'high')),
    status      TEXT NOT NULL DEFAULT 'proposed'
        CHECK (status IN ('proposed', 'applied', 'kept', 'reverted', 'rejected')),
    -- JSON: the figures before it was applied, and since
    before      TEXT,
    after       TEXT,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX improvements_by_status ON improvements (status, number);
