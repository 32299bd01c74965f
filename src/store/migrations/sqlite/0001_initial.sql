-- Facts about the data folder itself, such as the encoder that its vectors come from.
CREATE TABLE facts (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE taxonomies (
    workspace  TEXT NOT NULL,
    version    INTEGER NOT NULL,
    document   TEXT NOT NULL,      -- JSON
    created_at INTEGER NOT NULL,   -- microseconds since 1970, UTC, as every time here
    PRIMARY KEY (workspace, version)
) STRICT;

CREATE TABLE tickets (
    id               BLOB PRIMARY KEY,
    workspace        TEXT NOT NULL,
    source_system    TEXT,
    source_id        TEXT,
    source_url       TEXT,
    subject          TEXT NOT NULL,
    body             TEXT NOT NULL,
    messages         TEXT NOT NULL,  -- JSON
    requester        TEXT,
    language         TEXT,
    created_at       INTEGER,        -- as the source system says
    received_at      INTEGER NOT NULL,
    category         TEXT,
    team             TEXT,
    priority         TEXT,
    resolution       TEXT,
    resolved_at      INTEGER,
    handling_minutes INTEGER,
    import_hash      TEXT            -- of the imported row; the same row again changes nothing
) STRICT;

CREATE UNIQUE INDEX tickets_by_source ON tickets (workspace, source_system, source_id)
    WHERE source_id IS NOT NULL;

-- Embeddings of tickets with an outcome. The number grows with every change, so that an in-memory
-- view follows by reading what is above the last number it has seen. A NULL vector takes the
-- ticket out again.
CREATE TABLE vectors (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace TEXT NOT NULL,
    encoder   TEXT NOT NULL,
    ticket_id BLOB NOT NULL REFERENCES tickets (id),
    vector    BLOB,                  -- little-endian f32
    UNIQUE (workspace, encoder, ticket_id)
) STRICT;

CREATE INDEX vectors_by_workspace ON vectors (workspace, encoder, seq);

CREATE TABLE suggestions (
    id         BLOB PRIMARY KEY,
    workspace  TEXT NOT NULL,
    ticket_id  BLOB NOT NULL REFERENCES tickets (id),
    created_at INTEGER NOT NULL,
    document   TEXT NOT NULL         -- JSON, as it was answered
) STRICT;

CREATE INDEX suggestions_by_ticket ON suggestions (workspace, ticket_id);
