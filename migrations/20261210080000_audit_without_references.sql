-- An event is written by one statement into its chain and the queue, and moved by one transaction from the queue to its place: nothing is gained by
-- asking four times whether the event and its tenant are there, which cost more than all the rest. That the tenant is there, audit_events asks; that an
-- event is, whoever reads the chain finds out (`pinfold-api verify-audit`).
ALTER TABLE audit_unsealed
    DROP CONSTRAINT audit_unsealed_event_id_fkey,
    DROP CONSTRAINT audit_unsealed_tenant_id_fkey;
ALTER TABLE audit_seals
    DROP CONSTRAINT audit_seals_event_id_fkey,
    DROP CONSTRAINT audit_seals_tenant_id_fkey;
