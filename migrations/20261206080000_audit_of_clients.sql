-- OAuth clients that act on their own do something too.
ALTER TABLE audit_events
    DROP CONSTRAINT audit_events_actor_kind_check,
    ADD CONSTRAINT audit_events_actor_kind_check
        CHECK (actor_kind IN ('agent', 'client', 'kubernetes', 'overseer', 'run', 'system')) NOT VALID;
