-- What runs in a sandbox may prove itself, too, and then it is a run that did something.
ALTER TABLE audit_events
    DROP CONSTRAINT audit_events_actor_kind_check,
    ADD CONSTRAINT audit_events_actor_kind_check CHECK (actor_kind IN ('agent', 'overseer', 'run', 'system'));
