-- All rows are read for this, but nobody waits meanwhile.
ALTER TABLE audit_events VALIDATE CONSTRAINT audit_events_actor_kind_check;
