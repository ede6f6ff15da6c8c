-- What is ours and what is others' doing: rows that are taken out of the journal, and changes of records.

-- How many rows a run had in the journal when it ended; NULL: an earlier version ran.
ALTER TABLE cycle ADD COLUMN journalled INTEGER;
-- How many rows were written into the journal, without those that grew too old; NULL: nobody has counted yet.
ALTER TABLE generation ADD COLUMN rows INTEGER;
CREATE TRIGGER journal_counted AFTER INSERT ON journal BEGIN
    UPDATE generation SET rows = rows + 1;
END;

-- When a record was last changed by somebody else than us, where our own write was the last one; NULL: `version`.
ALTER TABLE record ADD COLUMN edited INTEGER;
