-- The desks that a user may work at besides their own, and at which one a session does.
CREATE TABLE memberships (
    user_id   BYTEA NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    workspace TEXT NOT NULL,
    scopes    TEXT NOT NULL,
    PRIMARY KEY (user_id, workspace)
);

ALTER TABLE sessions ADD COLUMN workspace TEXT;
