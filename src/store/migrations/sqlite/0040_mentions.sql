-- Which tickets a suggestion shows or quotes, in one row: written with every answer, and read as a
-- whole where something is erased.
CREATE TABLE mentions_new (
    workspace     TEXT NOT NULL,
    suggestion_id BLOB NOT NULL,
    tickets       BLOB NOT NULL,     -- their ids, one after the other
    PRIMARY KEY (workspace, suggestion_id)
) STRICT, WITHOUT ROWID;

INSERT INTO mentions_new (workspace, suggestion_id, tickets)
    SELECT workspace, suggestion_id, unhex(group_concat(hex(ticket_id), ''))
    FROM mentions GROUP BY workspace, suggestion_id;
DROP TABLE mentions;
ALTER TABLE mentions_new RENAME TO mentions;

-- A draft stands in its suggestion's row.
ALTER TABLE suggestions ADD COLUMN draft TEXT;  -- JSON
UPDATE suggestions SET draft = (SELECT document FROM drafts WHERE suggestion_id = suggestions.id);
DROP TABLE drafts;
