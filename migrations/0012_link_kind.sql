-- Whether a kind has any pair is asked in every cycle; where it has none, all of the other's were gone through.
CREATE INDEX link_kind ON link (kind);
