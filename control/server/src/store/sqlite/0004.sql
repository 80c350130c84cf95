-- Schema 4: what many faults and many commits of one host cost, and up to which fault a person looked.

-- The commit of which one host alone spoke and that stands among the first: one row for each host.
CREATE INDEX revision_first ON revision (lone) WHERE place > 1099511627776;

-- more_last: the newest fault of a key that is only counted.
ALTER TABLE host_key ADD COLUMN more_last INTEGER NOT NULL DEFAULT 0;

-- The newest of the breaks that are only counted: one that comes again is no other.
CREATE TABLE story (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  host_key INTEGER NOT NULL REFERENCES host_key (id),
  kind TEXT NOT NULL,
  place INTEGER NOT NULL,
  digest BLOB NOT NULL,
  UNIQUE (host_key, kind, place, digest)
) STRICT;
