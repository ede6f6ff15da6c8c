-- Records that a list shows and whose own read fails: read again until it succeeds.
CREATE TABLE unread (
    side      TEXT NOT NULL,
    kind      TEXT NOT NULL,
    remote_id TEXT NOT NULL,
    since     TEXT NOT NULL,
    attempts  INTEGER NOT NULL,           -- reads in vain
    due_at    TEXT NOT NULL,              -- when it is read again
    error     TEXT NOT NULL,
    PRIMARY KEY (side, kind, remote_id)
) STRICT, WITHOUT ROWID;
