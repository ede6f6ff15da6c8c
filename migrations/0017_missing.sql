-- A listing of everything has ended, and who is missing from it is being asked for, over as many cycles as that
-- takes.
CREATE TABLE asking (
    side   TEXT NOT NULL,
    kind   TEXT NOT NULL,
    after  INTEGER NOT NULL DEFAULT 0,    -- the last record that was asked for
    unread INTEGER NOT NULL DEFAULT 0,    -- records that could not be read
    PRIMARY KEY (side, kind)
) STRICT, WITHOUT ROWID;

-- Who was not found by that, and does not live on elsewhere: gone when all have been asked for, so that the
-- guards weigh them together.
CREATE TABLE missing (
    record INTEGER PRIMARY KEY
) STRICT;
