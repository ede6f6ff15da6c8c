-- All tickets are read for the summaries in a pass of its own, so that what changes does not wait for it.
CREATE TABLE pass_now (
    side       TEXT NOT NULL,
    kind       TEXT NOT NULL,
    feed       TEXT NOT NULL CHECK (feed IN ('all', 'changes', 'trash', 'support')),
    mark       INTEGER,                   -- when the last complete pass began, by the server's clock
    started_at INTEGER,                   -- when the running pass began, by the server's clock
    since      INTEGER,                   -- what the running pass asked for
    cursor     TEXT,                      -- where the running pass goes on
    PRIMARY KEY (side, kind, feed)
) STRICT, WITHOUT ROWID;
INSERT INTO pass_now SELECT side, kind, feed, mark, started_at, since, cursor FROM pass;
-- Where tickets are summed up already, the first look at what changed has read all of them.
INSERT INTO pass_now (side, kind, feed, mark)
SELECT side, kind, 'support', mark FROM pass
WHERE kind = 'ticket' AND feed = 'changes' AND mark IS NOT NULL
  AND EXISTS (SELECT 1 FROM meta WHERE key = 'support');
DROP TABLE pass;
ALTER TABLE pass_now RENAME TO pass;
