-- A client that registered itself (RFC 7591) was registered by nobody.
ALTER TABLE oauth_clients ALTER COLUMN created_by DROP NOT NULL;
CREATE INDEX oauth_clients_of_nobody ON oauth_clients (tenant_id, created_at) WHERE created_by IS NULL;

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
    access_token_signed_response_alg text,
    id_token_signed_response_alg text,
    secret_hash bytea,
    previous_secret_hash bytea,
    previous_secret_expires_at timestamptz,
    registered_itself boolean
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
        c.access_token_signed_response_alg,
        c.id_token_signed_response_alg,
        c.secret_hash,
        c.previous_secret_hash,
        c.previous_secret_expires_at,
        c.created_by IS NULL
    FROM public.oauth_clients AS c
    JOIN public.tenants AS t ON t.id = c.tenant_id
    WHERE c.client_id = wanted_client_id AND t.deleted_at IS NULL
$$;
ALTER FUNCTION lookup.oauth_client(text) OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.oauth_client(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.oauth_client(text) TO pinfold_app;

-- Those of a tenant that registered themselves before a moment, and that nobody has let in since: people of any tenant may have.
CREATE FUNCTION lookup.oauth_clients_that_nobody_uses(wanted_tenant uuid, before timestamptz)
RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.id
    FROM public.oauth_clients AS c
    WHERE c.tenant_id = wanted_tenant AND c.created_by IS NULL AND c.created_at < before
        AND NOT EXISTS (SELECT 1 FROM public.oauth_grants AS g WHERE g.client_id = c.client_id)
$$;
ALTER FUNCTION lookup.oauth_clients_that_nobody_uses(uuid, timestamptz) OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.oauth_clients_that_nobody_uses(uuid, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.oauth_clients_that_nobody_uses(uuid, timestamptz) TO pinfold_app;
CREATE INDEX oauth_grants_client ON oauth_grants (client_id);
