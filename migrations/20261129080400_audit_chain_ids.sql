-- Row-level security finds a chain by an index. None serves `tenant_id IS NOT DISTINCT FROM ...`, and so a whole table was read for
-- every batch of events that is numbered and for every page that is shown. A chain is named by its tenant, and by zeroes if it is the
-- one of no tenant.
ALTER TABLE audit_events
    ADD COLUMN chain uuid NOT NULL GENERATED ALWAYS AS (coalesce(tenant_id, '00000000-0000-0000-0000-000000000000')) STORED;
ALTER TABLE audit_unsealed
    ADD COLUMN chain uuid NOT NULL GENERATED ALWAYS AS (coalesce(tenant_id, '00000000-0000-0000-0000-000000000000')) STORED;
ALTER TABLE audit_seals
    ADD COLUMN chain uuid NOT NULL GENERATED ALWAYS AS (coalesce(tenant_id, '00000000-0000-0000-0000-000000000000')) STORED;
ALTER TABLE audit_heads
    ADD COLUMN chain uuid NOT NULL GENERATED ALWAYS AS (coalesce(tenant_id, '00000000-0000-0000-0000-000000000000')) STORED;

CREATE INDEX audit_events_chain ON audit_events (chain, id);
CREATE INDEX audit_unsealed_chain ON audit_unsealed (chain, event_id);
CREATE UNIQUE INDEX audit_seals_chain ON audit_seals (chain, sequence);
CREATE UNIQUE INDEX audit_heads_chain ON audit_heads (chain);
DROP INDEX audit_unsealed_tenant;
DROP INDEX audit_seals_sequence;

ALTER POLICY tenant ON audit_events USING (
    chain = coalesce(NULLIF(current_setting('pinfold.tenant', true), ''), '00000000-0000-0000-0000-000000000000')::uuid
);
ALTER POLICY tenant ON audit_unsealed USING (
    chain = coalesce(NULLIF(current_setting('pinfold.tenant', true), ''), '00000000-0000-0000-0000-000000000000')::uuid
);
ALTER POLICY tenant ON audit_seals USING (
    chain = coalesce(NULLIF(current_setting('pinfold.tenant', true), ''), '00000000-0000-0000-0000-000000000000')::uuid
);
ALTER POLICY tenant ON audit_heads USING (
    chain = coalesce(NULLIF(current_setting('pinfold.tenant', true), ''), '00000000-0000-0000-0000-000000000000')::uuid
);

-- The way around the policy that found the end of a chain.
DROP FUNCTION lookup.end_of_audit(uuid);
REVOKE SELECT (sequence, hash) ON audit_seals FROM pinfold_lookup;
