-- Which tickets a suggestion shows or quotes, in one row: written with every answer, and read as a
-- whole where something is erased.
CREATE TABLE mentions_new (
    workspace     TEXT NOT NULL,
    suggestion_id BYTEA NOT NULL,
    tickets       BYTEA NOT NULL,    -- their ids, one after the other
    PRIMARY KEY (workspace, suggestion_id)
);

INSERT INTO mentions_new (workspace, suggestion_id, tickets)
    SELECT workspace, suggestion_id, string_agg(ticket_id, ''::bytea)
    FROM mentions GROUP BY workspace, suggestion_id;
DROP TABLE mentions;
ALTER TABLE mentions_new RENAME TO mentions;
ALTER INDEX mentions_new_pkey RENAME TO mentions_pkey;

-- A draft stands in its suggestion's row.
ALTER TABLE suggestions ADD COLUMN draft TEXT;  -- JSON
UPDATE suggestions SET draft = d.document FROM drafts d WHERE d.suggestion_id = suggestions.id;
DROP TABLE drafts;
