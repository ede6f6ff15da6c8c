-- Pairs that a deletion has parted, where the survivor was left alone: who comes back is who it was, whatever
-- its keys, or the survivor's, are by then.
CREATE TABLE parted (
    record   INTEGER PRIMARY KEY,         -- the one that was deleted
    survivor INTEGER NOT NULL UNIQUE      -- its counterpart until then
) STRICT;
