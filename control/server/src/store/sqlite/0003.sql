-- Schema 3: what was told differently is kept, who decided what, hosts that are gone, and each host's own
-- words for what it runs.

-- What hosts call a revision, and its subject as they tell it. Honest hosts share one row.
CREATE TABLE wording (
  id INTEGER PRIMARY KEY,
  revision INTEGER NOT NULL REFERENCES revision (id),
  name TEXT NOT NULL,
  subject TEXT NOT NULL,
  UNIQUE (revision, name, subject)
) STRICT;
INSERT INTO wording (revision, name, subject) SELECT id, name, coalesce(subject, '') FROM revision;

-- spoke: the key whose record was taken last. wording: of what it runs.
ALTER TABLE host ADD COLUMN retired INTEGER;
ALTER TABLE host ADD COLUMN spoke INTEGER REFERENCES host_key (id);
ALTER TABLE host ADD COLUMN wording INTEGER REFERENCES wording (id);
CREATE INDEX host_retired ON host (id) WHERE retired IS NOT NULL;

ALTER TABLE deployment ADD COLUMN wording INTEGER REFERENCES wording (id);
ALTER TABLE landing ADD COLUMN wording INTEGER REFERENCES wording (id);
ALTER TABLE landing ADD COLUMN host_key INTEGER REFERENCES host_key (id);
UPDATE landing SET host_key = (
  SELECT d.record >> 40 FROM deployment d
  WHERE d.host = landing.host AND d.revision = landing.revision ORDER BY d.id DESC LIMIT 1)
WHERE (SELECT count(*) FROM host_key k WHERE k.host = landing.host AND k.seq > 0) > 1;
UPDATE landing SET host_key = (
  SELECT max(k.id) FROM host_key k WHERE k.host = landing.host AND k.seq > 0)
WHERE host_key IS NULL;

-- hosts: how many spoke of it. lone: the one that did so alone. place: newest first, but behind the others
-- those of which one host alone spoke and that are not its newest one.
ALTER TABLE revision ADD COLUMN hosts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE revision ADD COLUMN lone INTEGER;
ALTER TABLE revision ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
UPDATE revision SET hosts = (SELECT count(*) FROM landing l WHERE l.revision = revision.id);
UPDATE revision SET lone = (SELECT l.host FROM landing l WHERE l.revision = revision.id) WHERE hosts = 1;
UPDATE revision SET place = id + CASE
  WHEN hosts > 1 OR id IN (SELECT max(v.id) FROM revision v WHERE v.lone IS NOT NULL GROUP BY v.lone)
  THEN 1 << 40 ELSE 0 END;
CREATE INDEX revision_place ON revision (place);
CREATE INDEX revision_lone ON revision (lone) WHERE lone IS NOT NULL;
ALTER TABLE revision DROP COLUMN name;
ALTER TABLE revision DROP COLUMN subject;

-- more: breaks that were only counted; more_seen: up to how many a person looked after them. resume: the
-- sequence with which a person lets the chain go on over a gap.
ALTER TABLE host_key ADD COLUMN more INTEGER NOT NULL DEFAULT 0;
ALTER TABLE host_key ADD COLUMN more_seen INTEGER NOT NULL DEFAULT 0;
ALTER TABLE host_key ADD COLUMN resume INTEGER;

-- One row for each place at which a chain broke, and of a fork for each story that was told there.
CREATE TABLE fault (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  host_key INTEGER NOT NULL REFERENCES host_key (id),
  kind TEXT NOT NULL,
  place INTEGER NOT NULL,
  digest BLOB NOT NULL,
  seq INTEGER NOT NULL,
  expected INTEGER NOT NULL,
  count INTEGER NOT NULL DEFAULT 1,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  said TEXT,
  payload BLOB,
  signature BLOB,
  acknowledged INTEGER,
  acknowledged_by TEXT,
  note TEXT,
  UNIQUE (host_key, kind, place, digest)
) STRICT;
INSERT INTO fault (id, host_key, kind, place, digest, seq, expected, count, first, last,
    acknowledged, acknowledged_by, note)
  SELECT id, host_key, kind, place, x'', seq, expected, count, first, last,
    acknowledged, acknowledged_by, note FROM alarm ORDER BY id;
DROP TABLE alarm;

-- What people decided, and who they were by the system's word.
CREATE TABLE decision (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  host INTEGER NOT NULL REFERENCES host (id),
  at INTEGER NOT NULL,
  verb TEXT NOT NULL,
  what TEXT NOT NULL,
  account TEXT NOT NULL,
  note TEXT
) STRICT;
CREATE INDEX decision_host ON decision (host);
