-- A client that names itself is known with all that was registered of it, and with who registered it.
DROP FUNCTION lookup.oauth_client(text);
CREATE FUNCTION lookup.oauth_client(wanted_client_id text)
RETURNS TABLE (
    tenant_id uuid,
    tenant_name text,
    id uuid,
    personal_owner uuid,
    name text,
    application_type text,
    token_endpoint_auth_method text,
    grant_types text[],
    redirect_uris text[],
    scopes text[],
    jwks jsonb,
    jwks_uri text,
    dpop_bound_access_tokens boolean,
    secret_hash bytea,
    previous_secret_hash bytea,
    previous_secret_expires_at timestamptz
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        c.tenant_id,
        coalesce(t.display_name, t.name),
        c.id,
        (
            SELECT m.overseer_id
            FROM public.memberships AS m
            WHERE m.tenant_id = c.tenant_id AND m.role = 'owner' AND t.kind = 'personal'
            LIMIT 1
        ),
        c.name,
        c.application_type,
        c.token_endpoint_auth_method,
        c.grant_types,
        c.redirect_uris,
        c.scopes,
        c.jwks,
        c.jwks_uri,
        c.dpop_bound_access_tokens,
        c.secret_hash,
        c.previous_secret_hash,
        c.previous_secret_expires_at
    FROM public.oauth_clients AS c
    JOIN public.tenants AS t ON t.id = c.tenant_id
    WHERE c.client_id = wanted_client_id AND t.deleted_at IS NULL
$$;
ALTER FUNCTION lookup.oauth_client(text) OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.oauth_client(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.oauth_client(text) TO pinfold_app;
