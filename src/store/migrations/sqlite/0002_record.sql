-- The service of record: decisions, drafts, jobs, receipts, accounts, audit.

CREATE TABLE workspaces (
    name       TEXT PRIMARY KEY,
    settings   TEXT NOT NULL,        -- JSON
    created_at INTEGER NOT NULL
) STRICT;

-- An entry holds what search shows, redacted. A listed one can be found; an unlisted one keeps the
-- vector for when its ticket gets an outcome; one without a vector is a tombstone. No foreign key:
-- a tombstone outlives its ticket, so that every view hears of it.
CREATE TABLE entries (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace  TEXT NOT NULL,
    encoder    TEXT NOT NULL,
    ticket_id  BLOB NOT NULL,
    listed     INTEGER NOT NULL,
    vector     BLOB,                 -- little-endian f32
    subject    TEXT NOT NULL,
    resolution TEXT,
    UNIQUE (workspace, encoder, ticket_id)
) STRICT;

INSERT INTO entries (seq, workspace, encoder, ticket_id, listed, vector, subject, resolution)
    SELECT v.seq, v.workspace, v.encoder, v.ticket_id, v.vector IS NOT NULL, v.vector, t.subject,
           t.resolution
    FROM vectors v JOIN tickets t ON t.id = v.ticket_id;

DROP TABLE vectors;

CREATE INDEX entries_by_workspace ON entries (workspace, encoder, seq);

CREATE INDEX tickets_by_requester ON tickets (workspace, requester);
CREATE INDEX tickets_by_age
    ON tickets (workspace, coalesce(resolved_at, created_at, received_at));

CREATE TABLE suggestions_new (
    seq              INTEGER PRIMARY KEY AUTOINCREMENT,
    id               BLOB NOT NULL UNIQUE,
    workspace        TEXT NOT NULL,
    ticket_id        BLOB NOT NULL REFERENCES tickets (id),
    created_at       INTEGER NOT NULL,
    version          INTEGER NOT NULL,
    status           TEXT NOT NULL,
    category         TEXT,
    team             TEXT,
    decision         TEXT NOT NULL,  -- for the category: auto, suggest, abstain
    language         TEXT NOT NULL,
    bundle           TEXT NOT NULL,
    policy           TEXT NOT NULL,
    taxonomy_version INTEGER NOT NULL,
    document         TEXT NOT NULL   -- JSON, as it was answered, without the draft
) STRICT;

CREATE TABLE drafts (
    suggestion_id BLOB PRIMARY KEY REFERENCES suggestions_new (id),
    workspace     TEXT NOT NULL,
    document      TEXT NOT NULL      -- JSON
) STRICT;

INSERT INTO suggestions_new (id, workspace, ticket_id, created_at, version, status, category, team,
        decision, language, bundle, policy, taxonomy_version, document)
    SELECT id, workspace, ticket_id, created_at, 1,
        CASE WHEN EXISTS (SELECT 1 FROM suggestions n
            WHERE n.ticket_id = s.ticket_id AND (n.created_at, n.id) > (s.created_at, s.id))
        THEN 'superseded' ELSE 'open' END,
        json_extract(document, '$.category.label'),
        json_extract(document, '$.team.label'), json_extract(document, '$.category.decision'),
        json_extract(document, '$.language'), json_extract(document, '$.model.bundle'),
        json_extract(document, '$.model.policy'), 0, json_remove(document, '$.draft')
    FROM suggestions s ORDER BY created_at, id;

INSERT INTO drafts (suggestion_id, workspace, document)
    SELECT id, workspace, json_extract(document, '$.draft') FROM suggestions
    WHERE json_type(document, '$.draft') = 'object';

DROP TABLE suggestions;
ALTER TABLE suggestions_new RENAME TO suggestions;

CREATE INDEX suggestions_by_ticket ON suggestions (workspace, ticket_id);
CREATE INDEX suggestions_by_workspace ON suggestions (workspace, seq);

-- Which suggestions show or quote a ticket: erasing it must reach them.
CREATE TABLE mentions (
    workspace     TEXT NOT NULL,
    ticket_id     BLOB NOT NULL,
    suggestion_id BLOB NOT NULL,
    PRIMARY KEY (workspace, ticket_id, suggestion_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX mentions_by_suggestion ON mentions (suggestion_id);

-- A ticket's id in a document is `tkt_` and 32 hexadecimal digits.
INSERT OR IGNORE INTO mentions (workspace, ticket_id, suggestion_id)
    SELECT s.workspace, unhex(substr(json_extract(shown.value, '$.ticket_id'), 5)), s.id
    FROM suggestions s, json_each(s.document, '$.similar') shown
    WHERE json_extract(shown.value, '$.ticket_id') LIKE 'tkt_%';
INSERT OR IGNORE INTO mentions (workspace, ticket_id, suggestion_id)
    SELECT d.workspace, unhex(substr(json_extract(source.value, '$.id'), 5)), d.suggestion_id
    FROM drafts d, json_each(d.document, '$.sentences') sentence,
         json_each(sentence.value, '$.sources') source
    WHERE json_extract(source.value, '$.kind') = 'ticket';

CREATE TABLE decisions (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    id            BLOB NOT NULL UNIQUE,
    workspace     TEXT NOT NULL,
    ticket_id     BLOB NOT NULL REFERENCES tickets (id),
    suggestion_id BLOB,              -- NULL: how the ticket was resolved
    action        TEXT NOT NULL,
    actor         TEXT NOT NULL,
    at            INTEGER NOT NULL,
    document      TEXT NOT NULL,     -- JSON
    previous      TEXT NOT NULL,     -- JSON: what it replaced
    undone_at     INTEGER
) STRICT;

CREATE UNIQUE INDEX decisions_in_force ON decisions (suggestion_id)
    WHERE suggestion_id IS NOT NULL AND undone_at IS NULL;
CREATE INDEX decisions_by_ticket ON decisions (workspace, ticket_id, seq);

CREATE TABLE jobs (
    id          BLOB PRIMARY KEY,
    workspace   TEXT NOT NULL,
    kind        TEXT NOT NULL,
    subject     TEXT NOT NULL,
    run_at      INTEGER NOT NULL,
    lease       BLOB,                -- who works on it
    lease_until INTEGER,
    attempts    INTEGER NOT NULL,
    last_error  TEXT
) STRICT;

CREATE INDEX jobs_due ON jobs (run_at);

-- One row for each Idempotency-Key: claimed while the request runs, then its stored answer.
CREATE TABLE receipts (
    workspace  TEXT NOT NULL,
    route      TEXT NOT NULL,
    key        TEXT NOT NULL,
    body_hash  TEXT NOT NULL,
    claim      BLOB NOT NULL,        -- fences off an attempt that was given up on
    claimed_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    status     INTEGER,              -- NULL while in flight
    headers    TEXT,                 -- JSON
    body       TEXT,
    PRIMARY KEY (workspace, route, key)
) STRICT;

CREATE INDEX receipts_by_expiry ON receipts (expires_at);

CREATE TABLE imports (
    id          BLOB PRIMARY KEY,
    workspace   TEXT NOT NULL,
    state       TEXT NOT NULL,       -- receiving, queued, running, done, failed
    source      TEXT NOT NULL,       -- the ticketing system that the ids belong to
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    document    TEXT NOT NULL        -- JSON: progress, faults
) STRICT;

CREATE TABLE import_chunks (
    import_id BLOB NOT NULL REFERENCES imports (id),
    n         INTEGER NOT NULL,
    bytes     BLOB NOT NULL,
    PRIMARY KEY (import_id, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace TEXT NOT NULL,
    at        INTEGER NOT NULL,
    actor     TEXT NOT NULL,
    action    TEXT NOT NULL,
    subject   TEXT NOT NULL,
    detail    TEXT NOT NULL          -- JSON; never ticket text
) STRICT;

CREATE INDEX audit_by_workspace ON audit (workspace, seq);

CREATE TABLE api_keys (
    id           BLOB PRIMARY KEY,
    workspace    TEXT NOT NULL,
    name         TEXT NOT NULL,
    secret_hash  BLOB NOT NULL,      -- SHA-256 of 32 random bytes' text
    scopes       TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    last_used_at INTEGER,
    revoked_at   INTEGER
) STRICT;

CREATE TABLE users (
    id            BLOB PRIMARY KEY,
    workspace     TEXT NOT NULL,
    name          TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,     -- argon2id, PHC string
    scopes        TEXT NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    token_hash BLOB PRIMARY KEY,
    user_id    BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    csrf       TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
