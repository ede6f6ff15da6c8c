-- What [support_summary] is worked out from.

-- Every ticket, as far as a summary needs it.
CREATE TABLE support (
    ticket         TEXT PRIMARY KEY,
    requester      TEXT NOT NULL,         -- Freshdesk's ids
    company        TEXT,
    open           INTEGER NOT NULL,      -- neither resolved nor closed, and not in the trash
    created_at     INTEGER NOT NULL,
    answered_after INTEGER,               -- seconds from its opening to its first answer
    rating         INTEGER                -- the last one: 100 is neutral, above is content
) STRICT, WITHOUT ROWID;
CREATE INDEX support_requester ON support (requester);
CREATE INDEX support_company ON support (company) WHERE company IS NOT NULL;

-- Customers whose summary has to be worked out again, by their id in Freshdesk.
CREATE TABLE support_due (
    kind TEXT NOT NULL,
    desk TEXT NOT NULL,
    PRIMARY KEY (kind, desk)
) STRICT, WITHOUT ROWID;

-- What was last written into the CRM, so that it is written only when it changes.
CREATE TABLE support_written (
    record INTEGER PRIMARY KEY,           -- the customer's record in the CRM
    facts  TEXT NOT NULL
) STRICT;
