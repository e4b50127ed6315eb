-- Agents' identities and the keys they prove themselves with.
CREATE TABLE agents (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL UNIQUE,
    owner_id uuid NOT NULL REFERENCES overseers (id),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    created_at timestamptz NOT NULL,
    expires_at timestamptz CHECK (expires_at > created_at),
    PRIMARY KEY (tenant_id, id)
);

CREATE TABLE agent_keys (
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    id uuid NOT NULL UNIQUE,
    public_key bytea NOT NULL CHECK (octet_length(public_key) = 32),
    -- RFC 7638, of the key as a JWK. A key is one agent's, for ever: a revoked one never comes back.
    thumbprint text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) ON DELETE CASCADE
);

ALTER TABLE agents ENABLE ROW LEVEL SECURITY;
ALTER TABLE agents FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON agents
    USING (tenant_id = NULLIF(current_setting('pinfold.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('pinfold.tenant', true), '')::uuid);

ALTER TABLE agent_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE agent_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON agent_keys
    USING (tenant_id = NULLIF(current_setting('pinfold.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('pinfold.tenant', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON agents, agent_keys TO pinfold_app;

-- An agent that proves itself names its key, and only the key says whose it is.
CREATE POLICY lookup ON agents FOR SELECT TO pinfold_lookup USING (true);
CREATE POLICY lookup ON agent_keys FOR SELECT TO pinfold_lookup USING (true);
GRANT SELECT ON agents, agent_keys TO pinfold_lookup;

CREATE FUNCTION lookup.agent_of_key(wanted_agent uuid, wanted_key uuid)
RETURNS TABLE (
    tenant_id uuid,
    owner_id uuid,
    public_key bytea,
    expires_at timestamptz,
    revoked_at timestamptz
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.tenant_id, a.owner_id, k.public_key, a.expires_at, k.revoked_at
    FROM public.agent_keys AS k
    JOIN public.agents AS a ON a.tenant_id = k.tenant_id AND a.id = k.agent_id
    WHERE k.id = wanted_key AND a.id = wanted_agent
$$;
ALTER FUNCTION lookup.agent_of_key(uuid, uuid) OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.agent_of_key(uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.agent_of_key(uuid, uuid) TO pinfold_app;
