-- Knowledge articles. The number grows with every change, so that a view knows by the highest one
-- whether it is up to date; one that is gone leaves an empty row behind.
CREATE TABLE articles (
    seq        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace  TEXT NOT NULL,
    id         TEXT NOT NULL,
    title      TEXT NOT NULL,
    category   TEXT,
    language   TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    hash       TEXT NOT NULL,
    gone       BIGINT NOT NULL,
    UNIQUE (workspace, id)
);

CREATE INDEX articles_by_workspace ON articles (workspace, seq);

-- The parts of an article, redacted, as drafts quote them.
CREATE TABLE passages (
    workspace  TEXT NOT NULL,
    encoder    TEXT NOT NULL,
    article_id TEXT NOT NULL,
    n          BIGINT NOT NULL,
    text       TEXT NOT NULL,
    vector     BYTEA NOT NULL,
    PRIMARY KEY (workspace, encoder, article_id, n)
);

-- Which suggestions quote an article: erasing it must reach them.
CREATE TABLE article_mentions (
    workspace     TEXT NOT NULL,
    article_id    TEXT NOT NULL,
    suggestion_id BYTEA NOT NULL,
    PRIMARY KEY (workspace, article_id, suggestion_id)
);

CREATE INDEX article_mentions_by_suggestion ON article_mentions (suggestion_id);

-- What decisions made of a draft's sentences, each known by a number made of its words.
CREATE TABLE sentence_votes (
    decision_id BYTEA NOT NULL,
    workspace   TEXT NOT NULL,
    sentence    BIGINT NOT NULL,
    kept        BIGINT NOT NULL,
    PRIMARY KEY (decision_id, sentence)
);

CREATE INDEX sentence_votes_by_sentence ON sentence_votes (workspace, sentence);
