-- An event is written by one statement into its chain and the queue, and moved by one transaction from the queue to its place: nothing is gained by
-- asking four times whether the event and its tenant are there, which cost more than all the rest. That the tenant is there, audit_events asks; that a
-- numbered event is, whoever reads the chain finds out (`pinfold-api verify-audit`).

-- A reference goes under a lock of both its tables, which those who are served meanwhile hold one after the other: all or none, and none is waited for so
-- long that PostgreSQL would end somebody's request for it.
DO $$
BEGIN
    SET LOCAL lock_timeout = '500ms';
    FOR attempt IN 1..60 LOOP
        BEGIN
            LOCK TABLE tenants, audit_events, audit_unsealed, audit_seals IN ACCESS EXCLUSIVE MODE;
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            IF attempt = 60 THEN
                RAISE;
            END IF;
            PERFORM pg_sleep(0.5);
        END;
    END LOOP;
END
$$;

ALTER TABLE audit_unsealed
    DROP CONSTRAINT audit_unsealed_event_id_fkey,
    DROP CONSTRAINT audit_unsealed_tenant_id_fkey;
ALTER TABLE audit_seals
    DROP CONSTRAINT audit_seals_event_id_fkey,
    DROP CONSTRAINT audit_seals_tenant_id_fkey;
