-- What support summaries that wait come to, so that they are weighed once and not in every cycle.

-- Worked out, and to be written: whether fields get another value (0 or 1), and how many filled ones are
-- emptied. NULL: it has to be worked out, since something has changed.
ALTER TABLE support_due ADD COLUMN changes INTEGER;
ALTER TABLE support_due ADD COLUMN empties INTEGER;

-- Kinds whose first filling of fields has come to its end.
INSERT OR IGNORE INTO meta (key, value)
    SELECT DISTINCT 'summed_up_' || r.kind, 'all' FROM support_written AS w JOIN record AS r ON r.id = w.record;
