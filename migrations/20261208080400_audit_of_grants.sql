-- An OAuth client does something for a person: what it does is its grant's.
ALTER TABLE audit_events
    DROP CONSTRAINT audit_events_actor_kind_check,
    ADD CONSTRAINT audit_events_actor_kind_check
        CHECK (actor_kind IN ('agent', 'client', 'grant', 'kubernetes', 'overseer', 'run', 'system')) NOT VALID;
