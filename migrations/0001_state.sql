-- What deskbridge remembers. Times are RFC 3339 in UTC with milliseconds; versions are milliseconds since 1970.

-- Whose data this is, what the mapping was, the last cycle.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Two records of which we know that they are the same.
CREATE TABLE link (
    id    INTEGER PRIMARY KEY,
    kind  TEXT NOT NULL,
    crm   INTEGER NOT NULL UNIQUE,
    desk  INTEGER NOT NULL UNIQUE,
    found TEXT NOT NULL,                  -- how: 'email', 'created in freshdesk', ...
    since TEXT NOT NULL,
    cycle INTEGER NOT NULL
) STRICT;

-- The last version of every record that we have seen.
CREATE TABLE record (
    id        INTEGER PRIMARY KEY,
    side      TEXT NOT NULL CHECK (side IN ('crm', 'freshdesk')),
    kind      TEXT NOT NULL CHECK (kind IN ('company', 'contact')),
    remote_id TEXT NOT NULL,
    version   INTEGER NOT NULL,
    presence  TEXT NOT NULL CHECK (presence IN ('live', 'trashed', 'gone')),
    image     TEXT NOT NULL,              -- the mapped fields as the side showed them, canonical JSON
    base      TEXT,                       -- the same when both sides last agreed; NULL: as the image
    keys      TEXT NOT NULL DEFAULT '[]', -- [[key, value]]: its rows in match_key
    link      INTEGER,
    standing  TEXT,                       -- why an unlinked record is left alone: 'shadowed', 'detached', 'single'
    because   TEXT,                       -- in words
    dirty     INTEGER NOT NULL DEFAULT 1, -- whether it has to be planned
    UNIQUE (side, kind, remote_id)
) STRICT;
CREATE INDEX record_dirty ON record (kind, link) WHERE dirty = 1;
CREATE INDEX record_standing ON record (kind, standing) WHERE standing IS NOT NULL;

-- Under which normalised keys a live record can be found.
CREATE TABLE match_key (
    kind   TEXT NOT NULL,
    key    INTEGER NOT NULL,              -- which of the mapping's match keys, from 0
    value  TEXT NOT NULL,
    record INTEGER NOT NULL,
    PRIMARY KEY (kind, key, value, record)
) STRICT, WITHOUT ROWID;

-- Contacts whose company has no counterpart yet.
CREATE TABLE waiting (
    side    TEXT NOT NULL,
    company TEXT NOT NULL,                -- the company's id there
    record  INTEGER NOT NULL,             -- the contact's record there
    PRIMARY KEY (side, company, record)
) STRICT, WITHOUT ROWID;

-- How far each feed was read. A mark moves only when a pass is complete.
CREATE TABLE pass (
    side       TEXT NOT NULL,
    kind       TEXT NOT NULL,
    feed       TEXT NOT NULL CHECK (feed IN ('all', 'changes', 'trash')),
    mark       INTEGER,                   -- when the last complete pass began, by the server's clock
    started_at INTEGER,                   -- when the running pass began, by the server's clock
    since      INTEGER,                   -- what the running pass asked for
    cursor     TEXT,                      -- where the running pass goes on
    PRIMARY KEY (side, kind, feed)
) STRICT, WITHOUT ROWID;

-- The records that the running pass over everything has met.
CREATE TABLE seen (
    record INTEGER PRIMARY KEY
) STRICT;

-- Writes whose outcome is not known yet, and writes that failed.
CREATE TABLE outbox (
    record   INTEGER NOT NULL,            -- the record to write, or the one to make a counterpart of
    action   TEXT NOT NULL CHECK (action IN ('create', 'update', 'delete')),
    side     TEXT NOT NULL,               -- where
    kind     TEXT NOT NULL,
    state    TEXT NOT NULL CHECK (state IN ('sent', 'failed', 'refused')),
    journal  INTEGER NOT NULL,            -- its journal row, which has the fields
    attempts INTEGER NOT NULL,
    since    TEXT NOT NULL,
    due_at   TEXT NOT NULL,
    error    TEXT,
    PRIMARY KEY (record, action)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_due ON outbox (due_at) WHERE state <> 'sent';

-- Every write: what was there, what was written, why, and what became of it.
CREATE TABLE journal (
    id         INTEGER PRIMARY KEY,
    cycle      INTEGER NOT NULL,
    at         TEXT NOT NULL,
    side       TEXT NOT NULL,             -- the side written
    kind       TEXT NOT NULL,
    action     TEXT NOT NULL,
    link       INTEGER,
    crm_id     TEXT,
    desk_id    TEXT,
    fields     TEXT NOT NULL,             -- [{"field", "base", "crm", "freshdesk", "set", "rule"}]
    outcome    TEXT,                      -- NULL: sent, not known yet
    request_id TEXT,
    message    TEXT
) STRICT;
CREATE INDEX journal_cycle ON journal (cycle);
CREATE INDEX journal_link ON journal (link);

-- What waits for a person.
CREATE TABLE hold (
    id     INTEGER PRIMARY KEY,
    since  TEXT NOT NULL,
    kind   TEXT NOT NULL,
    class  TEXT NOT NULL,                 -- 'conflict', 'delete', 'duplicate'
    side   TEXT,
    record INTEGER NOT NULL,              -- for a pair, its CRM record
    field  TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT '{}',
    reason TEXT NOT NULL,
    UNIQUE (record, class, field)
) STRICT;

-- Values that cannot cross over: said once, then remembered here.
CREATE TABLE notice (
    record INTEGER NOT NULL,
    field  TEXT NOT NULL,
    reason TEXT NOT NULL,
    since  TEXT NOT NULL,
    PRIMARY KEY (record, field)
) STRICT, WITHOUT ROWID;

-- Cycles in which something happened.
CREATE TABLE cycle (
    id          INTEGER PRIMARY KEY,
    started_at  TEXT NOT NULL,
    finished_at TEXT NOT NULL,
    report      TEXT NOT NULL
) STRICT;
