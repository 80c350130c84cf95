-- Schema 6: whose log lies beside the file.

-- mark changes when a log begins, and before it is folded into the file. base: the file's mark when the log began.
-- cookie: its schema_version then, which every copy that SQLite makes has another of.
CREATE TABLE lineage (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  mark BLOB NOT NULL,
  base BLOB NOT NULL,
  cookie INTEGER NOT NULL
) STRICT;
INSERT INTO lineage (id, mark, base, cookie) VALUES (1, randomblob(16), randomblob(16), -1);
