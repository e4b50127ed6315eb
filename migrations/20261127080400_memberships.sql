-- Who belongs to which tenant, and as what.
CREATE TABLE memberships (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    overseer_id uuid NOT NULL REFERENCES overseers (id),
    role text NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'billing', 'viewer')),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, overseer_id)
);
CREATE INDEX memberships_overseer_id ON memberships (overseer_id);

ALTER TABLE memberships ENABLE ROW LEVEL SECURITY;
ALTER TABLE memberships FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON memberships
    USING (tenant_id = NULLIF(current_setting('pinfold.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('pinfold.tenant', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON memberships TO pinfold_app;

-- A person who asks names a tenant, and only the membership says whether there is one for them.
CREATE POLICY lookup ON memberships FOR SELECT TO pinfold_lookup USING (true);
CREATE POLICY lookup ON tenants FOR SELECT TO pinfold_lookup USING (true);
GRANT SELECT ON memberships, tenants TO pinfold_lookup;

CREATE FUNCTION lookup.tenants_of_overseer(wanted_overseer uuid)
RETURNS TABLE (
    tenant_id uuid,
    name text,
    kind text,
    plan text,
    created_at timestamptz,
    role text
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.id, t.name, t.kind, t.plan, t.created_at, m.role
    FROM public.memberships AS m
    JOIN public.tenants AS t ON t.id = m.tenant_id
    WHERE m.overseer_id = wanted_overseer AND t.deleted_at IS NULL
$$;
ALTER FUNCTION lookup.tenants_of_overseer(uuid) OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.tenants_of_overseer(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.tenants_of_overseer(uuid) TO pinfold_app;

-- An agent or a tenant's key knows its tenant; the request names one.
CREATE FUNCTION lookup.tenant_of_name(wanted_name text)
RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.id FROM public.tenants AS t WHERE t.name = wanted_name AND t.deleted_at IS NULL
$$;
ALTER FUNCTION lookup.tenant_of_name(text) OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.tenant_of_name(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.tenant_of_name(text) TO pinfold_app;
