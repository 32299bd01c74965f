-- The schema for PostgreSQL, table by table as SQLite has it. Times are microseconds since 1970, UTC.

CREATE TABLE facts (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE taxonomies (
    workspace  TEXT NOT NULL,
    version    BIGINT NOT NULL,
    document   TEXT NOT NULL,      -- JSON
    created_at BIGINT NOT NULL,   -- microseconds since 1970, UTC, as every time here
    PRIMARY KEY (workspace, version)
);

CREATE TABLE tickets (
    id               BYTEA PRIMARY KEY,
    workspace        TEXT NOT NULL,
    source_system    TEXT,
    source_id        TEXT,
    source_url       TEXT,
    subject          TEXT NOT NULL,
    body             TEXT NOT NULL,
    messages         TEXT NOT NULL,  -- JSON
    requester        TEXT,
    language         TEXT,
    created_at       BIGINT,        -- as the source system says
    received_at      BIGINT NOT NULL,
    category         TEXT,
    team             TEXT,
    priority         TEXT,
    resolution       TEXT,
    resolved_at      BIGINT,
    handling_minutes BIGINT,
    import_hash      TEXT            -- of the imported row; the same row again changes nothing
);

CREATE UNIQUE INDEX tickets_by_source ON tickets (workspace, source_system, source_id)
    WHERE source_id IS NOT NULL;
-- A hash, because a name may be longer than a tree can take.
CREATE INDEX tickets_by_requester ON tickets USING hash (requester);
CREATE INDEX tickets_by_age
    ON tickets (workspace, (coalesce(resolved_at, created_at, received_at)));

CREATE TABLE workspaces (
    name       TEXT PRIMARY KEY,
    settings   TEXT NOT NULL,        -- JSON
    created_at BIGINT NOT NULL
);

-- An entry holds what search shows, redacted. A listed one can be found; an unlisted one keeps the
-- vector for when its ticket gets an outcome; one without a vector is a tombstone. No foreign key:
-- a tombstone outlives its ticket, so that every view hears of it.
CREATE TABLE entries (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace  TEXT NOT NULL,
    encoder    TEXT NOT NULL,
    ticket_id  BYTEA NOT NULL,
    listed     BIGINT NOT NULL,
    vector     BYTEA,                 -- little-endian f32
    subject    TEXT NOT NULL,
    resolution TEXT,
    UNIQUE (workspace, encoder, ticket_id)
);
CREATE INDEX entries_by_workspace ON entries (workspace, encoder, seq);

CREATE TABLE suggestions (
    seq              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id               BYTEA NOT NULL UNIQUE,
    workspace        TEXT NOT NULL,
    ticket_id        BYTEA NOT NULL REFERENCES tickets (id),
    created_at       BIGINT NOT NULL,
    version          BIGINT NOT NULL,
    status           TEXT NOT NULL,
    category         TEXT,
    team             TEXT,
    decision         TEXT NOT NULL,  -- for the category: auto, suggest, abstain
    language         TEXT NOT NULL,
    bundle           TEXT NOT NULL,
    policy           TEXT NOT NULL,
    taxonomy_version BIGINT NOT NULL,
    document         TEXT NOT NULL   -- JSON, as it was answered, without the draft
);
CREATE INDEX suggestions_by_ticket ON suggestions (workspace, ticket_id);
CREATE INDEX suggestions_by_workspace ON suggestions (workspace, seq);

CREATE TABLE drafts (
    suggestion_id BYTEA PRIMARY KEY REFERENCES suggestions (id),
    workspace     TEXT NOT NULL,
    document      TEXT NOT NULL      -- JSON
);

-- Which suggestions show or quote a ticket: erasing it must reach them.
CREATE TABLE mentions (
    workspace     TEXT NOT NULL,
    ticket_id     BYTEA NOT NULL,
    suggestion_id BYTEA NOT NULL,
    PRIMARY KEY (workspace, ticket_id, suggestion_id)
);
CREATE INDEX mentions_by_suggestion ON mentions (suggestion_id);

CREATE TABLE decisions (
    seq           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            BYTEA NOT NULL UNIQUE,
    workspace     TEXT NOT NULL,
    ticket_id     BYTEA NOT NULL REFERENCES tickets (id),
    suggestion_id BYTEA,              -- NULL: how the ticket was resolved
    action        TEXT NOT NULL,
    actor         TEXT NOT NULL,
    at            BIGINT NOT NULL,
    document      TEXT NOT NULL,     -- JSON
    previous      TEXT NOT NULL,     -- JSON: what it replaced
    undone_at     BIGINT
);
CREATE UNIQUE INDEX decisions_in_force ON decisions (suggestion_id)
    WHERE suggestion_id IS NOT NULL AND undone_at IS NULL;
CREATE INDEX decisions_by_ticket ON decisions (workspace, ticket_id, seq);

CREATE TABLE jobs (
    id          BYTEA PRIMARY KEY,
    workspace   TEXT NOT NULL,
    kind        TEXT NOT NULL,
    subject     TEXT NOT NULL,
    run_at      BIGINT NOT NULL,
    lease       BYTEA,                -- who works on it
    lease_until BIGINT,
    attempts    BIGINT NOT NULL,
    last_error  TEXT
);
CREATE INDEX jobs_due ON jobs (run_at);

-- One row for each Idempotency-Key: claimed while the request runs, then its stored answer.
CREATE TABLE receipts (
    workspace  TEXT NOT NULL,
    route      TEXT NOT NULL,
    key        TEXT NOT NULL,
    body_hash  TEXT NOT NULL,
    claim      BYTEA NOT NULL,        -- fences off an attempt that was given up on
    claimed_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    status     BIGINT,              -- NULL while in flight
    headers    TEXT,                 -- JSON
    body       TEXT,
    PRIMARY KEY (workspace, route, key)
);
CREATE INDEX receipts_by_expiry ON receipts (expires_at);

CREATE TABLE imports (
    id          BYTEA PRIMARY KEY,
    workspace   TEXT NOT NULL,
    state       TEXT NOT NULL,       -- receiving, queued, running, done, failed
    source      TEXT NOT NULL,       -- the ticketing system that the ids belong to
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    document    TEXT NOT NULL        -- JSON: progress, faults
);

CREATE TABLE import_chunks (
    import_id BYTEA NOT NULL REFERENCES imports (id),
    n         BIGINT NOT NULL,
    bytes     BYTEA NOT NULL,
    PRIMARY KEY (import_id, n)
);

CREATE TABLE audit (
    seq       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace TEXT NOT NULL,
    at        BIGINT NOT NULL,
    actor     TEXT NOT NULL,
    action    TEXT NOT NULL,
    subject   TEXT NOT NULL,
    detail    TEXT NOT NULL          -- JSON; never ticket text
);
CREATE INDEX audit_by_workspace ON audit (workspace, seq);

CREATE TABLE api_keys (
    id           BYTEA PRIMARY KEY,
    workspace    TEXT NOT NULL,
    name         TEXT NOT NULL,
    secret_hash  BYTEA NOT NULL,      -- SHA-256 of 32 random bytes' text
    scopes       TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    last_used_at BIGINT,
    revoked_at   BIGINT
);

CREATE TABLE users (
    id            BYTEA PRIMARY KEY,
    workspace     TEXT NOT NULL,
    name          TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,     -- argon2id, PHC string
    scopes        TEXT NOT NULL,
    created_at    BIGINT NOT NULL
);

CREATE TABLE sessions (
    token_hash BYTEA PRIMARY KEY,
    user_id    BYTEA NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    csrf       TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
