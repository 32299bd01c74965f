-- Back-tests of exports that were uploaded. They hold beginnings of tickets and their ids.
CREATE TABLE reports (
    id         BYTEA PRIMARY KEY,
    workspace  TEXT NOT NULL,
    open       BIGINT NOT NULL,     -- 1 while it waits or is being made
    created_at BIGINT NOT NULL,
    document   TEXT NOT NULL,        -- JSON: file, who, where it stands, the headline
    content    TEXT                  -- JSON: the report, once it is done
);

CREATE INDEX reports_by_workspace ON reports (workspace, created_at);
