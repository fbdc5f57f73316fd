-- States of files by name: taken by hand, at the beginning of a run, at a checkpoint. The contents are in `blobs`.

CREATE TABLE snapshot_sets (
    number        INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    label         TEXT NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('manual', 'run', 'checkpoint')),
    run_id        TEXT REFERENCES agent_sessions (id) ON DELETE SET NULL,
    checkpoint_id INTEGER REFERENCES checkpoints (id) ON DELETE SET NULL,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX snapshot_sets_by_age ON snapshot_sets (created_at);
CREATE INDEX snapshot_sets_by_run ON snapshot_sets (run_id);
CREATE INDEX snapshot_sets_by_checkpoint ON snapshot_sets (checkpoint_id);

CREATE TABLE snapshot_files (
    set_id TEXT NOT NULL REFERENCES snapshot_sets (id) ON DELETE CASCADE,
    path   TEXT NOT NULL,
    -- NULL: there was no file
    hash   TEXT REFERENCES blobs (hash),
    PRIMARY KEY (set_id, path)
) STRICT, WITHOUT ROWID;

CREATE INDEX snapshot_files_by_hash ON snapshot_files (hash);

-- Finding old runs and conversations when they are pruned.
CREATE INDEX agent_sessions_by_end ON agent_sessions (completed_at);
CREATE INDEX snapshots_by_age ON snapshots (created_at);
