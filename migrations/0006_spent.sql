-- The calls of the last hour, for those who want to know where the budget goes.
CREATE TABLE spent (
    at       INTEGER NOT NULL,            -- when the cycle ended, in milliseconds since 1970
    side     TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    lane     TEXT NOT NULL,
    calls    INTEGER NOT NULL,
    refused  INTEGER NOT NULL,
    PRIMARY KEY (at, side, endpoint, lane)
) STRICT, WITHOUT ROWID;
