-- An agent that registered itself shows a code, and whoever has it becomes the agent's owner. Only the code's hash is here.
ALTER TABLE agents
    ADD COLUMN claim_hash bytea UNIQUE CHECK (octet_length(claim_hash) = 32),
    ADD COLUMN claim_expires_at timestamptz,
    ADD COLUMN ended_at timestamptz,
    ADD CONSTRAINT agents_claim CHECK ((claim_hash IS NULL) = (claim_expires_at IS NULL));

-- Keys go where their agent goes.
ALTER TABLE agent_keys
    DROP CONSTRAINT agent_keys_tenant_id_agent_id_fkey,
    ADD CONSTRAINT agent_keys_tenant_id_agent_id_fkey
        FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) ON UPDATE CASCADE ON DELETE CASCADE;

-- The one way from a tenant to another: out of the tenant of agents that registered themselves, by a code that is in force.
CREATE POLICY claim ON agents FOR UPDATE TO pinfold_lookup
    USING (tenant_id = '00000000-0000-8000-8000-000000000001' AND claim_hash IS NOT NULL)
    WITH CHECK (claim_hash IS NULL);
GRANT UPDATE (tenant_id, owner_id, expires_at, claim_hash, claim_expires_at) ON agents TO pinfold_lookup;
GRANT SELECT, DELETE ON overseers TO pinfold_lookup;

-- One UPDATE, so of those who come at once one finds the code. The stand-in goes with its last agent.
CREATE FUNCTION lookup.claim_agent(shown_hash bytea, new_tenant uuid, new_owner uuid, claimed_at timestamptz)
RETURNS TABLE (agent_id uuid, former_owner uuid)
LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    WITH open AS (
        SELECT a.id, a.owner_id
        FROM public.agents AS a
        WHERE a.claim_hash = shown_hash
            AND a.claim_expires_at > claimed_at
            AND a.tenant_id = '00000000-0000-8000-8000-000000000001'
            AND a.expires_at > claimed_at
            AND a.ended_at IS NULL
        FOR UPDATE
    ), moved AS (
        UPDATE public.agents AS a
        SET tenant_id = new_tenant, owner_id = new_owner, expires_at = NULL, claim_hash = NULL, claim_expires_at = NULL
        FROM open
        WHERE a.id = open.id
        RETURNING a.id, open.owner_id
    ), gone AS (
        DELETE FROM public.overseers AS o
        USING moved
        WHERE o.id = moved.owner_id
            AND o.kind = 'shadow'
            AND NOT EXISTS (SELECT FROM public.agents AS a WHERE a.owner_id = o.id AND a.id <> moved.id)
    )
    SELECT moved.id, moved.owner_id FROM moved
$$;
ALTER FUNCTION lookup.claim_agent(bytea, uuid, uuid, timestamptz) OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.claim_agent(bytea, uuid, uuid, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.claim_agent(bytea, uuid, uuid, timestamptz) TO pinfold_app;
