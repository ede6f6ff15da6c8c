-- What the running reading of everything has found that polling had not shown.
CREATE TABLE drift (
    kind    TEXT NOT NULL,
    side    TEXT NOT NULL,
    cause   TEXT NOT NULL CHECK (cause IN ('changed', 'vanished')),
    records INTEGER NOT NULL,
    PRIMARY KEY (kind, side, cause)
) STRICT, WITHOUT ROWID;

-- What the last complete reading of everything came to, by kind.
CREATE TABLE certificate (
    kind   TEXT PRIMARY KEY,
    report TEXT NOT NULL
) STRICT, WITHOUT ROWID;
