-- Schema 1. Integer keys throughout: an index over text was 2.4 times slower to write.
CREATE TABLE revision (
  id INTEGER PRIMARY KEY,
  sha TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  first INTEGER NOT NULL
) STRICT;

CREATE TABLE host (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  revision INTEGER REFERENCES revision (id),
  outcome TEXT,
  at TEXT,
  seen INTEGER
) STRICT;
CREATE INDEX host_revision ON host (revision);

-- A key has its own chain: it ends at seq, whose envelope has this digest.
CREATE TABLE host_key (
  id INTEGER PRIMARY KEY CHECK (id < 1 << 23),
  host INTEGER NOT NULL REFERENCES host (id),
  fingerprint TEXT NOT NULL UNIQUE,
  public BLOB NOT NULL CHECK (length(public) = 32),
  state TEXT NOT NULL,
  since INTEGER NOT NULL,
  seq INTEGER NOT NULL DEFAULT 0,
  digest BLOB NOT NULL DEFAULT (zeroblob(32)) CHECK (length(digest) = 32)
) STRICT;
CREATE INDEX host_key_host ON host_key (host);
-- Whatever a program does wrong: a host has one key whose records count.
CREATE UNIQUE INDEX host_key_enrolled ON host_key (host) WHERE state = 'enrolled';

CREATE TABLE enrol_token (
  id INTEGER PRIMARY KEY,
  digest BLOB NOT NULL UNIQUE,
  host TEXT NOT NULL,
  made INTEGER NOT NULL,
  until INTEGER NOT NULL,
  used_by BLOB
) STRICT;

-- The id is host_key << 40 | seq: one tree, and a record is found by its key and sequence.
CREATE TABLE record (
  id INTEGER PRIMARY KEY,
  digest BLOB NOT NULL,
  signature BLOB NOT NULL,
  payload BLOB NOT NULL,
  received INTEGER NOT NULL
) STRICT;

-- What is asked for, read out of records that name a revision.
CREATE TABLE deployment (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  record INTEGER NOT NULL,
  host INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  kind TEXT NOT NULL,
  deployment TEXT NOT NULL,
  outcome TEXT NOT NULL,
  reason TEXT NOT NULL,
  at TEXT NOT NULL
) STRICT;
CREATE INDEX deployment_host ON deployment (host);
CREATE INDEX deployment_outcome ON deployment (outcome);

-- The matrix of commits and hosts: each host's last word on each commit.
CREATE TABLE landing (
  revision INTEGER NOT NULL,
  host INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (revision, host)
) STRICT, WITHOUT ROWID;

-- One row for each place at which a chain broke, however often it is tried. The place of a gap is the
-- sequence that was expected, of a fork the one that was sent.
CREATE TABLE alarm (
  id INTEGER PRIMARY KEY,
  host_key INTEGER NOT NULL REFERENCES host_key (id),
  kind TEXT NOT NULL,
  place INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  expected INTEGER NOT NULL,
  count INTEGER NOT NULL DEFAULT 1,
  first INTEGER NOT NULL,
  last INTEGER NOT NULL,
  UNIQUE (host_key, kind, place)
) STRICT;
