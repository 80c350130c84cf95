-- Schema 5: what came after a person had let the chain go on without it.

-- One row for each record that came so.
CREATE TABLE late (record INTEGER PRIMARY KEY) STRICT;

-- resumed: of a gap, the sequence with which the chain went on over it.
ALTER TABLE fault ADD COLUMN resumed INTEGER;
UPDATE fault SET resumed = (
  SELECT min(r.id) & ((1 << 40) - 1) FROM record r
  WHERE r.id > (fault.host_key << 40 | fault.expected) AND r.id < (fault.host_key + 1) << 40)
WHERE kind = 'gap'
  AND expected <= (SELECT k.seq FROM host_key k WHERE k.id = fault.host_key)
  AND NOT EXISTS (SELECT 1 FROM record r WHERE r.id = (fault.host_key << 40 | fault.expected));
