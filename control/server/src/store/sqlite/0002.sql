-- Schema 2: what the pages show of a host, and that a person looked after an alarm.
ALTER TABLE revision ADD COLUMN subject TEXT;

ALTER TABLE host ADD COLUMN environment TEXT;
ALTER TABLE host ADD COLUMN reason TEXT;
ALTER TABLE host ADD COLUMN since TEXT;
ALTER TABLE host ADD COLUMN health TEXT;

ALTER TABLE alarm ADD COLUMN acknowledged INTEGER;
ALTER TABLE alarm ADD COLUMN acknowledged_by TEXT;
ALTER TABLE alarm ADD COLUMN note TEXT;

-- Keys that wait are few, and every page asks for them.
CREATE INDEX host_key_pending ON host_key (since) WHERE state = 'pending';
