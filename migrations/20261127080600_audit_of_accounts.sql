-- What concerns an account and no tenant has no tenant: a transaction of no tenant sees those rows, and no other.
ALTER TABLE audit_events ALTER COLUMN tenant_id DROP NOT NULL;
DROP POLICY tenant ON audit_events;
CREATE POLICY tenant ON audit_events
    USING (tenant_id IS NOT DISTINCT FROM NULLIF(current_setting('pinfold.tenant', true), '')::uuid)
    WITH CHECK (tenant_id IS NOT DISTINCT FROM NULLIF(current_setting('pinfold.tenant', true), '')::uuid);
