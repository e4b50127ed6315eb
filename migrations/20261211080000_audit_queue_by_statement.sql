-- What one statement stores waits for its numbers in one row: with a row for each event, the queue cost a sixth of all that PostgreSQL does for a token.
--
-- A replica of the release before that takes such a row meanwhile numbers its first event; the others are then found by those that look for events
-- without a number.
ALTER TABLE audit_unsealed
    -- The events that were stored together with `event_id`.
    ADD COLUMN others bigint[] NOT NULL DEFAULT '{}';
