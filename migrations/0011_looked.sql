-- When a create of which nobody knows what became was first looked for in vain: from then on the time is measured
-- that its system has to show it. Our own clock may be set meanwhile.
ALTER TABLE outbox ADD COLUMN looked INTEGER; -- by the server's clock, in milliseconds since 1970
