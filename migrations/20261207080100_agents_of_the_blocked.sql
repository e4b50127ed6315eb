-- An agent proves nothing while its owner is blocked, unless an Agent resource stands for it: that is the tenant's, whoever owns the tenant first.
DROP FUNCTION lookup.agent_of_key_beside_tenant(uuid, uuid, text);
CREATE FUNCTION lookup.agent_of_key_beside_tenant(wanted_agent uuid, wanted_key uuid, wanted_name text)
RETURNS TABLE (
    tenant_id uuid,
    owner_id uuid,
    public_key bytea,
    expires_at timestamptz,
    revoked_at timestamptz,
    named_id uuid,
    runs_version bigint,
    of_resource boolean
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT a.tenant_id, a.owner_id, k.public_key, a.expires_at, k.revoked_at, t.id, t.runs_version, a.resource_name IS NOT NULL
        FROM public.agent_keys AS k
        JOIN public.agents AS a ON a.tenant_id = k.tenant_id AND a.id = k.agent_id
        LEFT JOIN public.tenants AS t ON t.name = wanted_name AND t.deleted_at IS NULL
        WHERE k.id = wanted_key AND a.id = wanted_agent;
END
$$;
ALTER FUNCTION lookup.agent_of_key_beside_tenant(uuid, uuid, text) OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.agent_of_key_beside_tenant(uuid, uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.agent_of_key_beside_tenant(uuid, uuid, text) TO pinfold_app;
