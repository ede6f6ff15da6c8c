-- An answer is one to what the person was shown: which changes that were, and how many.

-- Over a class of changes: how many they were when the hold got its number.
ALTER TABLE hold ADD COLUMN shown INTEGER NOT NULL DEFAULT 0;
-- Over a class of records' changes: whether all of them are written down in `guarded`, which a cycle that
-- is cut short leaves undone.
ALTER TABLE hold ADD COLUMN whole INTEGER NOT NULL DEFAULT 1;
UPDATE hold SET shown = count;

-- The hold whose answer is about this change, from when it is given to when it is carried out.
ALTER TABLE guarded ADD COLUMN answering INTEGER;
UPDATE guarded SET answering = (
    SELECT h.id FROM hold AS h
    WHERE h.record IS NULL AND h.kind = guarded.kind AND h.class = guarded.class AND h.answer IS NOT NULL
) WHERE answer IS NULL;
