-- Events are numbered and chained after they were stored, a tenant's in a chain of their own, and those of no tenant in one,
-- too: who changes, removes, adds or reorders some later breaks the chain, and who makes the chain anew cannot sign its head.
CREATE TABLE audit_seals (
    tenant_id uuid REFERENCES tenants (id),
    sequence bigint NOT NULL CHECK (sequence > 0),
    event_id bigint NOT NULL UNIQUE REFERENCES audit_events (id),
    -- SHA-256 over the hash before, the number and the event.
    hash bytea NOT NULL CHECK (octet_length(hash) = 32)
);
CREATE UNIQUE INDEX audit_seals_sequence ON audit_seals (tenant_id, sequence) NULLS NOT DISTINCT;

-- The end of each chain, signed with a key that is not in the database.
CREATE TABLE audit_heads (
    tenant_id uuid REFERENCES tenants (id),
    count bigint NOT NULL CHECK (count > 0),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    at timestamptz NOT NULL,
    -- Ed25519, in base64url.
    signature text NOT NULL CHECK (char_length(signature) = 86)
);
CREATE UNIQUE INDEX audit_heads_tenant ON audit_heads (tenant_id) NULLS NOT DISTINCT;

-- What is still to be numbered. A queue and not a position: an event whose transaction commits late is found all the same.
CREATE TABLE audit_unsealed (
    event_id bigint PRIMARY KEY REFERENCES audit_events (id),
    tenant_id uuid REFERENCES tenants (id)
);
CREATE INDEX audit_unsealed_tenant ON audit_unsealed (tenant_id, event_id);
ALTER TABLE audit_events DROP COLUMN transaction_id;

-- The events that are there; their owner is bound by row-level security as well.
ALTER TABLE audit_events NO FORCE ROW LEVEL SECURITY;
INSERT INTO audit_unsealed (event_id, tenant_id) SELECT id, tenant_id FROM audit_events;
ALTER TABLE audit_events FORCE ROW LEVEL SECURITY;

ALTER TABLE audit_seals ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_seals FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit_seals
    USING (tenant_id IS NOT DISTINCT FROM NULLIF(current_setting('pinfold.tenant', true), '')::uuid)
    WITH CHECK (tenant_id IS NOT DISTINCT FROM NULLIF(current_setting('pinfold.tenant', true), '')::uuid);
ALTER TABLE audit_heads ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_heads FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit_heads
    USING (tenant_id IS NOT DISTINCT FROM NULLIF(current_setting('pinfold.tenant', true), '')::uuid)
    WITH CHECK (tenant_id IS NOT DISTINCT FROM NULLIF(current_setting('pinfold.tenant', true), '')::uuid);
ALTER TABLE audit_unsealed ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_unsealed FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit_unsealed
    USING (tenant_id IS NOT DISTINCT FROM NULLIF(current_setting('pinfold.tenant', true), '')::uuid)
    WITH CHECK (tenant_id IS NOT DISTINCT FROM NULLIF(current_setting('pinfold.tenant', true), '')::uuid);

GRANT SELECT, INSERT ON audit_seals TO pinfold_app;
GRANT SELECT, INSERT, UPDATE ON audit_heads TO pinfold_app;
GRANT SELECT, INSERT, DELETE ON audit_unsealed TO pinfold_app;

-- Whose events there are, sealed or not: ids only. The work is then done a chain at a time, within row-level security.
CREATE POLICY lookup ON audit_events FOR SELECT TO pinfold_lookup USING (true);
CREATE POLICY lookup ON audit_unsealed FOR SELECT TO pinfold_lookup USING (true);
CREATE POLICY lookup ON audit_seals FOR SELECT TO pinfold_lookup USING (true);
CREATE POLICY lookup ON audit_heads FOR SELECT TO pinfold_lookup USING (true);
GRANT SELECT (tenant_id) ON audit_events, audit_unsealed, audit_seals, audit_heads TO pinfold_lookup;

CREATE FUNCTION lookup.audit_chains_unsealed() RETURNS TABLE (tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT DISTINCT u.tenant_id FROM public.audit_unsealed AS u
$$;
ALTER FUNCTION lookup.audit_chains_unsealed() OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.audit_chains_unsealed() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.audit_chains_unsealed() TO pinfold_app;

CREATE FUNCTION lookup.audit_chains() RETURNS TABLE (tenant_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT e.tenant_id FROM public.audit_events AS e
    UNION
    SELECT s.tenant_id FROM public.audit_seals AS s
    UNION
    SELECT h.tenant_id FROM public.audit_heads AS h
$$;
ALTER FUNCTION lookup.audit_chains() OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.audit_chains() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.audit_chains() TO pinfold_app;
