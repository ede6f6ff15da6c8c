-- What ticket rules need: who has which standing, and which tickets that concerns.

-- Customers who have the standing of a rule, as the CRM last said.
CREATE TABLE standing (
    rule   TEXT NOT NULL,
    record INTEGER NOT NULL,              -- the customer's record in the CRM
    phase  TEXT NOT NULL CHECK (phase IN ('begun', 'sweeping', 'read')), -- whether their tickets were read since it began
    since  TEXT NOT NULL,
    PRIMARY KEY (rule, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX standing_record ON standing (record);
CREATE INDEX standing_begun ON standing (phase, record) WHERE phase <> 'read';

-- CRM records whose standing has to be looked at.
CREATE TABLE unjudged (
    record INTEGER PRIMARY KEY
) STRICT;

-- Tickets that a rule has, or had, to do with.
CREATE TABLE ticket (
    id         TEXT PRIMARY KEY,
    requester  TEXT NOT NULL,             -- Freshdesk's ids
    company    TEXT,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    presence   TEXT NOT NULL CHECK (presence IN ('live', 'trashed', 'gone')),
    image      TEXT NOT NULL,             -- what a rule may set, as it stands there
    memory     TEXT NOT NULL DEFAULT '{}',-- what we did to it, and what stood there before
    pending    TEXT,                      -- a change that was sent and whose outcome is not known
    journal    INTEGER,                   -- the journal row of that change
    in_doubt   INTEGER NOT NULL DEFAULT 0,-- whether the ticket was not looked at since that change was sent
    job        TEXT,                      -- the bulk job that makes that change
    written_at INTEGER,                   -- the version that our last confirmed change made
    noting     TEXT,                      -- the rule whose note was sent with an outcome that is not known
    note_journal INTEGER,                 -- the journal row of that note
    owes       INTEGER NOT NULL DEFAULT 0,-- whether a note is still to be posted
    dirty      INTEGER NOT NULL DEFAULT 1,
    ours       INTEGER NOT NULL DEFAULT 0,-- whether something of ours stands on it that may have to be given back
    wake_at    INTEGER,                   -- when age alone may change what the rules say
    fought     INTEGER NOT NULL DEFAULT 0,-- whether something undid our change at once
    state      TEXT CHECK (state IN ('failed', 'refused')),
    attempts   INTEGER NOT NULL DEFAULT 0,-- changes in a row that came to nothing
    due_at     INTEGER,
    error      TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX ticket_requester ON ticket (requester);
CREATE INDEX ticket_company ON ticket (company) WHERE company IS NOT NULL;
CREATE INDEX ticket_dirty ON ticket (id) WHERE dirty = 1;
CREATE INDEX ticket_wake ON ticket (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX ticket_due ON ticket (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX ticket_owes ON ticket (id) WHERE owes = 1;
CREATE INDEX ticket_ours ON ticket (id) WHERE ours = 1;

-- So that nobody who asks how many there were has to read the whole journal.
CREATE INDEX journal_ticket ON journal (action, outcome) WHERE kind = 'ticket';
CREATE INDEX ticket_doubt ON ticket (id) WHERE in_doubt = 1;
