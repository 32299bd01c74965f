-- People who come from a provider of identities: the provider and its name for them. They have no
-- password.
ALTER TABLE users ADD COLUMN issuer TEXT;
ALTER TABLE users ADD COLUMN subject TEXT;
CREATE UNIQUE INDEX users_identity ON users (issuer, subject);

-- Sign-ins that have begun there and have not come back.
CREATE TABLE sign_in_attempts (
    state_hash   BLOB NOT NULL PRIMARY KEY,
    browser_hash BLOB NOT NULL,
    nonce        TEXT NOT NULL,
    verifier     TEXT NOT NULL,
    next         TEXT NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
