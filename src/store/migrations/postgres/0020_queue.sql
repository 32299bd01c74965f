-- What the queue of open suggestions is ordered, filtered and counted by, without reading documents.
ALTER TABLE suggestions ADD COLUMN priority TEXT;
UPDATE suggestions SET priority = document::json #>> '{priority,label}';

CREATE INDEX suggestions_open
    ON suggestions (workspace, seq, decision, team, category, priority, created_at)
    WHERE status = 'open';
