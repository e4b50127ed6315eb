-- An agent whose program runs in the cluster is an Agent resource of its tenant's namespace: its id is that resource's UID, and
-- here is the resource's name.
ALTER TABLE agents ADD COLUMN resource_name text CHECK (char_length(resource_name) BETWEEN 1 AND 253);

-- A pod proves itself without a key: then the agent alone says whether it stands.
CREATE FUNCTION lookup.agent_of_id(wanted_agent uuid)
RETURNS TABLE (
    tenant_id uuid,
    owner_id uuid,
    expires_at timestamptz,
    ended_at timestamptz
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT a.tenant_id, a.owner_id, a.expires_at, a.ended_at FROM public.agents AS a WHERE a.id = wanted_agent;
END
$$;
ALTER FUNCTION lookup.agent_of_id(uuid) OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.agent_of_id(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.agent_of_id(uuid) TO pinfold_app;

-- The agents of resources, in all tenants: whoever follows the resources ends those whose resource is gone.
CREATE FUNCTION lookup.agents_of_resources()
RETURNS TABLE (
    tenant_id uuid,
    id uuid,
    resource_name text
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.tenant_id, a.id, a.resource_name
    FROM public.agents AS a
    WHERE a.resource_name IS NOT NULL AND a.ended_at IS NULL
$$;
ALTER FUNCTION lookup.agents_of_resources() OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.agents_of_resources() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.agents_of_resources() TO pinfold_app;
