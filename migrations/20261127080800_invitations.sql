-- Invitations to a tenant, sent by mail. The link's secret is derived, so it is not here; the address is, until the
-- invitation ends.
CREATE TABLE invitations (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL UNIQUE,
    email text NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254),
    email_key text NOT NULL,
    role text NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'billing', 'viewer')),
    invited_by uuid NOT NULL REFERENCES overseers (id),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > created_at),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, email_key)
);

ALTER TABLE invitations ENABLE ROW LEVEL SECURITY;
ALTER TABLE invitations FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON invitations
    USING (tenant_id = NULLIF(current_setting('pinfold.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('pinfold.tenant', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON invitations TO pinfold_app;

-- Whoever follows the link shows the invitation's id, and only the invitation says to which tenant.
CREATE POLICY lookup ON invitations FOR SELECT TO pinfold_lookup USING (true);
GRANT SELECT ON invitations TO pinfold_lookup;

CREATE FUNCTION lookup.tenant_of_invitation(wanted_invitation uuid)
RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT i.tenant_id FROM public.invitations AS i WHERE i.id = wanted_invitation
$$;
ALTER FUNCTION lookup.tenant_of_invitation(uuid) OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.tenant_of_invitation(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.tenant_of_invitation(uuid) TO pinfold_app;
