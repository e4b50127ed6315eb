-- OAuth clients that tenants registered: their metadata (RFC 7591, section 2), and the SHA-256 of their secrets.
CREATE TABLE oauth_clients (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    -- What the client calls itself by (RFC 6749, section 2.2): the text of its id, or what another system called it.
    client_id text NOT NULL UNIQUE CHECK (octet_length(client_id) BETWEEN 1 AND 255),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    application_type text NOT NULL CHECK (application_type IN ('web', 'native')),
    token_endpoint_auth_method text NOT NULL
        CHECK (token_endpoint_auth_method IN ('none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt')),
    grant_types text[] NOT NULL CHECK (cardinality(grant_types) BETWEEN 1 AND 16),
    redirect_uris text[] NOT NULL CHECK (cardinality(redirect_uris) <= 20),
    scopes text[] NOT NULL CHECK (cardinality(scopes) BETWEEN 1 AND 64),
    jwks jsonb,
    jwks_uri text CHECK (octet_length(jwks_uri) <= 2000),
    dpop_bound_access_tokens boolean NOT NULL,
    secret_hash bytea CHECK (octet_length(secret_hash) = 32),
    secret_created_at timestamptz,
    -- The one before is good for a while, so that a client can change over.
    previous_secret_hash bytea CHECK (octet_length(previous_secret_hash) = 32),
    previous_secret_expires_at timestamptz,
    -- Who registered it.
    created_by uuid NOT NULL REFERENCES overseers (id),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CHECK ((token_endpoint_auth_method = 'private_key_jwt') = (num_nonnulls(jwks, jwks_uri) = 1)),
    CHECK (num_nonnulls(jwks, jwks_uri) <= 1),
    CHECK ((secret_hash IS NULL) = (secret_created_at IS NULL)),
    CHECK ((previous_secret_hash IS NULL) = (previous_secret_expires_at IS NULL)),
    CHECK (num_nonnulls(secret_hash, previous_secret_hash) = 0
        OR token_endpoint_auth_method IN ('client_secret_basic', 'client_secret_post'))
);

ALTER TABLE oauth_clients ENABLE ROW LEVEL SECURITY;
ALTER TABLE oauth_clients FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON oauth_clients
    USING (tenant_id = NULLIF(current_setting('pinfold.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('pinfold.tenant', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_clients TO pinfold_app;

-- A client names itself, and only its name says whose it is; nobody's if its tenant has ended.
CREATE POLICY lookup ON oauth_clients FOR SELECT TO pinfold_lookup USING (true);
GRANT SELECT ON oauth_clients TO pinfold_lookup;

CREATE FUNCTION lookup.oauth_client(wanted_client_id text)
RETURNS TABLE (
    tenant_id uuid,
    id uuid,
    personal_owner uuid,
    token_endpoint_auth_method text,
    grant_types text[],
    scopes text[],
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
        c.id,
        (
            SELECT m.overseer_id
            FROM public.memberships AS m
            WHERE m.tenant_id = c.tenant_id AND m.role = 'owner' AND t.kind = 'personal'
            LIMIT 1
        ),
        c.token_endpoint_auth_method,
        c.grant_types,
        c.scopes,
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
