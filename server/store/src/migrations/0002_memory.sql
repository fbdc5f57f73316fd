-- What Assist remembers, and the indexes by which memory and past conversations are searched.
--
-- The columns of `advisor_memory` are those of the data model that the product grew from, and ours after them. `number`
-- is what the indexes call a row; it stays the same when the file is compacted, which a hidden row number would not.

CREATE TABLE advisor_memory (
    number                 INTEGER PRIMARY KEY,
    id                     TEXT NOT NULL UNIQUE,
    project_id             TEXT NOT NULL,
    category               TEXT NOT NULL CHECK (category IN ('decision', 'preference', 'open', 'context', 'experiment')),
    -- short label
    key                    TEXT NOT NULL,
    value                  TEXT NOT NULL,
    -- 0 to 1; decays when contradicted
    confidence             REAL NOT NULL DEFAULT 1.0 CHECK (confidence BETWEEN 0 AND 1),
    source_conversation_id TEXT REFERENCES advisor_conversations (id) ON DELETE SET NULL,
    created_at             INTEGER NOT NULL,
    updated_at             INTEGER NOT NULL,
    -- ours
    contradicted_by        TEXT REFERENCES advisor_memory (id) ON DELETE SET NULL,
    -- a duplicate; what it says is in the other. Forgetting the other forgets it too
    merged_into            TEXT REFERENCES advisor_memory (id) ON DELETE CASCADE,
    expires_at             INTEGER,
    used_count             INTEGER NOT NULL DEFAULT 0,
    last_used_at           INTEGER
) STRICT;

CREATE INDEX advisor_memory_by_key ON advisor_memory (project_id, category, key);
CREATE INDEX advisor_memory_by_age ON advisor_memory (updated_at);
CREATE INDEX advisor_memory_by_contradiction ON advisor_memory (contradicted_by) WHERE contradicted_by IS NOT NULL;
CREATE INDEX advisor_memory_by_merge ON advisor_memory (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX advisor_memory_by_source ON advisor_memory (source_conversation_id);

-- Where a memory comes from and what became of it, in order: every time it was said, confirmed, changed, contradicted.
CREATE TABLE memory_sources (
    id              INTEGER PRIMARY KEY,
    memory_id       TEXT NOT NULL REFERENCES advisor_memory (id) ON DELETE CASCADE,
    change          TEXT NOT NULL,
    conversation_id TEXT REFERENCES advisor_conversations (id) ON DELETE SET NULL,
    -- no reference: a memory outlives the runs
    run_id          TEXT,
    -- the words it was taken from
    note            TEXT,
    -- what it said before, where that changed
    before          TEXT,
    at              INTEGER NOT NULL
) STRICT;

CREATE INDEX memory_sources_by_memory ON memory_sources (memory_id, id);
CREATE INDEX memory_sources_by_conversation ON memory_sources (conversation_id);

-- What was used in an answer.
CREATE TABLE memory_uses (
    id              INTEGER PRIMARY KEY,
    memory_id       TEXT NOT NULL REFERENCES advisor_memory (id) ON DELETE CASCADE,
    conversation_id TEXT REFERENCES advisor_conversations (id) ON DELETE SET NULL,
    run_id          TEXT,
    message_id      TEXT,
    score           REAL,
    at              INTEGER NOT NULL
) STRICT;

CREATE INDEX memory_uses_by_memory ON memory_uses (memory_id);
CREATE INDEX memory_uses_by_conversation ON memory_uses (conversation_id);
CREATE INDEX memory_uses_by_run ON memory_uses (run_id);

-- Words of memories, stemmed; and every three characters of them, for words of code and misspelt ones. Neither holds the
-- text itself.
CREATE VIRTUAL TABLE memory_words USING fts5 (
    key, value, content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE VIRTUAL TABLE memory_trigrams USING fts5 (
    text, content = '', contentless_delete = 1, tokenize = 'trigram remove_diacritics 1'
);

CREATE TRIGGER advisor_memory_added AFTER INSERT ON advisor_memory WHEN new.merged_into IS NULL BEGIN
    INSERT INTO memory_words (rowid, key, value) VALUES (new.number, new.key, new.value);
    INSERT INTO memory_trigrams (rowid, text) VALUES (new.number, new.key || ' ' || new.value);
END;

CREATE TRIGGER advisor_memory_changed AFTER UPDATE OF key, value, merged_into ON advisor_memory BEGIN
    DELETE FROM memory_words WHERE rowid = old.number;
    DELETE FROM memory_trigrams WHERE rowid = old.number;
    INSERT INTO memory_words (rowid, key, value)
        SELECT new.number, new.key, new.value WHERE new.merged_into IS NULL;
    INSERT INTO memory_trigrams (rowid, text)
        SELECT new.number, new.key || ' ' || new.value WHERE new.merged_into IS NULL;
    -- The vectors were of the words before.
    DELETE FROM vectors WHERE kind = 'memory' AND subject = old.number;
    DELETE FROM vector_sketches WHERE kind = 'memory' AND subject = old.number;
END;

CREATE TRIGGER advisor_memory_removed AFTER DELETE ON advisor_memory BEGIN
    DELETE FROM memory_words WHERE rowid = old.number;
    DELETE FROM memory_trigrams WHERE rowid = old.number;
    DELETE FROM vectors WHERE kind = 'memory' AND subject = old.number;
    DELETE FROM vector_sketches WHERE kind = 'memory' AND subject = old.number;
END;

-- Embeddings, where an endpoint for them is configured. `data` holds one signed byte a dimension, `bits` one bit: the
-- bits are looked through, the bytes decide among the best of them.
CREATE TABLE vector_models (
    number     INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    dimensions INTEGER NOT NULL
) STRICT;

CREATE TABLE vectors (
    model   INTEGER NOT NULL REFERENCES vector_models (number) ON DELETE CASCADE,
    -- 'memory' | 'message'
    kind    TEXT NOT NULL,
    subject INTEGER NOT NULL,
    data    BLOB NOT NULL,
    PRIMARY KEY (kind, subject, model)
) STRICT;

CREATE TABLE vector_sketches (
    model   INTEGER NOT NULL REFERENCES vector_models (number) ON DELETE CASCADE,
    kind    TEXT NOT NULL,
    subject INTEGER NOT NULL,
    bits    BLOB NOT NULL,
    PRIMARY KEY (kind, model, subject)
) STRICT, WITHOUT ROWID;

CREATE INDEX vector_sketches_by_subject ON vector_sketches (kind, subject);

-- What was said, for search over past conversations: the user's words and the answers.
CREATE TABLE message_index (
    number     INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL UNIQUE REFERENCES messages (id) ON DELETE CASCADE
) STRICT;

CREATE VIRTUAL TABLE message_words USING fts5 (
    content, content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2'
);

CREATE TRIGGER messages_added AFTER INSERT ON messages WHEN new.role IN ('user', 'assistant') BEGIN
    INSERT INTO message_index (message_id) VALUES (new.id);
    INSERT INTO message_words (rowid, content)
        SELECT number, substr(new.content, 1, 65536) FROM message_index WHERE message_id = new.id;
END;

-- While an answer streams, its beginning is in the index; the whole of it when it is complete.
CREATE TRIGGER messages_completed AFTER UPDATE OF content, partial ON messages
    WHEN new.role IN ('user', 'assistant') AND new.partial = 0 BEGIN
    DELETE FROM message_words WHERE rowid = (SELECT number FROM message_index WHERE message_id = new.id);
    INSERT INTO message_words (rowid, content)
        SELECT number, substr(new.content, 1, 65536) FROM message_index WHERE message_id = new.id;
    DELETE FROM vectors
        WHERE kind = 'message' AND subject = (SELECT number FROM message_index WHERE message_id = new.id);
    DELETE FROM vector_sketches
        WHERE kind = 'message' AND subject = (SELECT number FROM message_index WHERE message_id = new.id);
END;

CREATE TRIGGER message_index_removed AFTER DELETE ON message_index BEGIN
    DELETE FROM message_words WHERE rowid = old.number;
    DELETE FROM vectors WHERE kind = 'message' AND subject = old.number;
    DELETE FROM vector_sketches WHERE kind = 'message' AND subject = old.number;
END;

-- Past runs: what was asked and what came of it.
CREATE TABLE session_index (
    number     INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL UNIQUE REFERENCES agent_sessions (id) ON DELETE CASCADE
) STRICT;

CREATE VIRTUAL TABLE session_words USING fts5 (
    task, summary, error, content = '', contentless_delete = 1, tokenize = 'porter unicode61 remove_diacritics 2'
);

CREATE TRIGGER agent_sessions_added AFTER INSERT ON agent_sessions BEGIN
    INSERT INTO session_index (session_id) VALUES (new.id);
    INSERT INTO session_words (rowid, task, summary, error)
        SELECT number, new.task, new.summary, new.error FROM session_index WHERE session_id = new.id;
END;

CREATE TRIGGER agent_sessions_changed AFTER UPDATE OF task, summary, error ON agent_sessions
    WHEN new.task IS NOT old.task OR new.summary IS NOT old.summary OR new.error IS NOT old.error BEGIN
    DELETE FROM session_words WHERE rowid = (SELECT number FROM session_index WHERE session_id = new.id);
    INSERT INTO session_words (rowid, task, summary, error)
        SELECT number, new.task, new.summary, new.error FROM session_index WHERE session_id = new.id;
END;

CREATE TRIGGER session_index_removed AFTER DELETE ON session_index BEGIN
    DELETE FROM session_words WHERE rowid = old.number;
END;

-- What was there before there was an index.
INSERT INTO message_index (message_id)
    SELECT id FROM messages WHERE role IN ('user', 'assistant') ORDER BY created_at, position;
INSERT INTO message_words (rowid, content)
    SELECT i.number, substr(m.content, 1, 65536) FROM message_index AS i JOIN messages AS m ON m.id = i.message_id;
INSERT INTO session_index (session_id) SELECT id FROM agent_sessions ORDER BY created_at, rowid;
INSERT INTO session_words (rowid, task, summary, error)
    SELECT i.number, s.task, s.summary, s.error
    FROM session_index AS i JOIN agent_sessions AS s ON s.id = i.session_id;
