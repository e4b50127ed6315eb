-- Look-ups that stand before every request. PostgreSQL plans the query of a function in SQL anew at each call, which takes it far longer
-- than to answer; that of a function in PL/pgSQL it plans once for a connection. Owners and grants stay.

CREATE OR REPLACE FUNCTION lookup.agent_of_key(wanted_agent uuid, wanted_key uuid)
RETURNS TABLE (
    tenant_id uuid,
    owner_id uuid,
    public_key bytea,
    expires_at timestamptz,
    revoked_at timestamptz
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT a.tenant_id, a.owner_id, k.public_key, a.expires_at, k.revoked_at
        FROM public.agent_keys AS k
        JOIN public.agents AS a ON a.tenant_id = k.tenant_id AND a.id = k.agent_id
        WHERE k.id = wanted_key AND a.id = wanted_agent;
END
$$;

CREATE OR REPLACE FUNCTION lookup.api_key_of_hash(wanted_hash bytea)
RETURNS TABLE (
    id uuid,
    tenant_id uuid,
    overseer_id uuid,
    scopes text[],
    expires_at timestamptz,
    used_at timestamptz,
    revoked_at timestamptz
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT k.id, k.tenant_id, k.overseer_id, k.scopes, k.expires_at, k.used_at, k.revoked_at
        FROM public.api_keys AS k
        WHERE k.key_hash = wanted_hash;
END
$$;

CREATE OR REPLACE FUNCTION lookup.seat_of_overseer(wanted_overseer uuid, wanted_name text)
RETURNS TABLE (
    tenant_id uuid,
    role text,
    runs_version bigint
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT t.id, m.role, t.runs_version
        FROM public.tenants AS t
        JOIN public.memberships AS m ON m.tenant_id = t.id
        WHERE t.name = wanted_name AND m.overseer_id = wanted_overseer AND t.deleted_at IS NULL;
END
$$;

CREATE OR REPLACE FUNCTION lookup.tenant_named(wanted_name text)
RETURNS TABLE (
    tenant_id uuid,
    runs_version bigint
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT t.id, t.runs_version FROM public.tenants AS t WHERE t.name = wanted_name AND t.deleted_at IS NULL;
END
$$;

CREATE OR REPLACE FUNCTION lookup.tenants_of_overseer(wanted_overseer uuid)
RETURNS TABLE (
    tenant_id uuid,
    name text,
    kind text,
    plan text,
    created_at timestamptz,
    role text
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT t.id, t.name, t.kind, t.plan, t.created_at, m.role
        FROM public.memberships AS m
        JOIN public.tenants AS t ON t.id = m.tenant_id
        WHERE m.overseer_id = wanted_overseer AND t.deleted_at IS NULL;
END
$$;

CREATE OR REPLACE FUNCTION lookup.tenant_of_organisation(wanted_issuer text, wanted_id text)
RETURNS TABLE (
    tenant_id uuid,
    name text,
    kind text,
    plan text,
    created_at timestamptz,
    runs_version bigint
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT t.id, t.name, t.kind, t.plan, t.created_at, t.runs_version
        FROM public.tenants AS t
        WHERE t.organisation_issuer = wanted_issuer AND t.organisation_id = wanted_id AND t.deleted_at IS NULL;
END
$$;
