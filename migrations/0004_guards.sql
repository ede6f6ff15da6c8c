-- What guards hold back, and what people answer.

-- As before, and more: holds over a whole class of changes, and answers. A number is never given
-- twice, so that an answer can never meet another hold than the one that was looked at.
CREATE TABLE hold_now (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    since      TEXT NOT NULL,
    kind       TEXT NOT NULL,
    class      TEXT NOT NULL,             -- of a record: 'conflict', 'delete', 'duplicate'; of a kind: 'create', 'update', 'clear', 'delete', 'ticket', 'listing'
    side       TEXT,
    record     INTEGER,                   -- for a pair, its CRM record; NULL: a whole class waits
    field      TEXT NOT NULL DEFAULT '',
    count      INTEGER NOT NULL DEFAULT 1,-- how many changes wait
    detail     TEXT NOT NULL DEFAULT '{}',
    reason     TEXT NOT NULL,
    first      INTEGER NOT NULL DEFAULT 0,-- whether it came of a kind's first sync
    approvable INTEGER NOT NULL DEFAULT 1,-- whether approving it is something that we can carry out
    answer     TEXT                       -- 'approve', 'discard', or the side whose value is taken; NULL: none yet
) STRICT;
INSERT INTO hold_now (id, since, kind, class, side, record, field, detail, reason, approvable)
    SELECT id, since, kind, class, side, record, field, detail, reason, class <> 'duplicate' FROM hold ORDER BY id;
DROP TABLE hold;
ALTER TABLE hold_now RENAME TO hold;
CREATE UNIQUE INDEX hold_record ON hold (record, class, field) WHERE record IS NOT NULL;
CREATE UNIQUE INDEX hold_class ON hold (kind, class, coalesce(side, '')) WHERE record IS NULL;
CREATE INDEX hold_answer ON hold (id) WHERE answer IS NOT NULL;

-- The changes that wait behind a hold over their class, or were answered and are not carried out yet.
-- Their records are planned again only when they change, or when the answer comes.
CREATE TABLE guarded (
    record INTEGER NOT NULL,              -- for a pair, its CRM record; for a create, the one without a counterpart
    class  TEXT NOT NULL,
    kind   TEXT NOT NULL,
    count  INTEGER NOT NULL,
    answer TEXT,                          -- 'approve', 'discard'; NULL: waits
    PRIMARY KEY (record, class)
) STRICT, WITHOUT ROWID;
CREATE INDEX guarded_class ON guarded (kind, class, answer);
CREATE INDEX guarded_answer ON guarded (record) WHERE answer IS NOT NULL;

-- How much of each class was sent in which hour since 1970, for the line over 24 hours.
CREATE TABLE guard_hour (
    kind  TEXT NOT NULL,
    class TEXT NOT NULL,
    hour  INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (kind, class, hour)
) STRICT, WITHOUT ROWID;
