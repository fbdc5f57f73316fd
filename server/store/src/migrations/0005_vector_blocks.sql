-- The bits of vectors move into blocks: a search that reads a row for each vector spends most of its time on the rows.
-- Bits cannot be put together here, so the vectors there are go; they are asked for again like those of new memories.

DROP TRIGGER advisor_memory_changed;
DROP TRIGGER advisor_memory_removed;
DROP TRIGGER messages_completed;
DROP TRIGGER message_index_removed;
DROP TABLE vector_sketches;
DELETE FROM vectors;

-- The bits of the subjects number `block` * 1024 and the following, each at its place. A place of a vector that is gone
-- keeps its bits; `vectors` tells what is there.
CREATE TABLE vector_blocks (
    kind  TEXT NOT NULL,
    model INTEGER NOT NULL REFERENCES vector_models (number) ON DELETE CASCADE,
    block INTEGER NOT NULL,
    -- one bit a place: whether it was ever filled
    used  BLOB NOT NULL,
    bits  BLOB NOT NULL,
    PRIMARY KEY (kind, model, block)
) STRICT;

CREATE INDEX vector_blocks_by_model ON vector_blocks (model);
CREATE INDEX vectors_by_model ON vectors (model);

CREATE TRIGGER advisor_memory_changed AFTER UPDATE OF key, value, merged_into ON advisor_memory BEGIN
    DELETE FROM memory_words WHERE rowid = old.number;
    DELETE FROM memory_trigrams WHERE rowid = old.number;
    INSERT INTO memory_words (rowid, key, value)
        SELECT new.number, new.key, new.value WHERE new.merged_into IS NULL;
    INSERT INTO memory_trigrams (rowid, text)
        SELECT new.number, new.key || ' ' || new.value WHERE new.merged_into IS NULL;
    DELETE FROM vectors WHERE kind = 'memory' AND subject = old.number;
END;

CREATE TRIGGER advisor_memory_removed AFTER DELETE ON advisor_memory BEGIN
    DELETE FROM memory_words WHERE rowid = old.number;
    DELETE FROM memory_trigrams WHERE rowid = old.number;
    DELETE FROM vectors WHERE kind = 'memory' AND subject = old.number;
END;

CREATE TRIGGER messages_completed AFTER UPDATE OF content, partial ON messages
    WHEN new.role IN ('user', 'assistant') AND new.partial = 0 BEGIN
    DELETE FROM message_words WHERE rowid = (SELECT number FROM message_index WHERE message_id = new.id);
    INSERT INTO message_words (rowid, content)
        SELECT number, substr(new.content, 1, 65536) FROM message_index WHERE message_id = new.id;
    DELETE FROM vectors
        WHERE kind = 'message' AND subject = (SELECT number FROM message_index WHERE message_id = new.id);
END;

CREATE TRIGGER message_index_removed AFTER DELETE ON message_index BEGIN
    DELETE FROM message_words WHERE rowid = old.number;
    DELETE FROM vectors WHERE kind = 'message' AND subject = old.number;
END;
