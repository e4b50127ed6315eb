-- Keys that programs send, known by their SHA-256. A personal key has no tenant: it acts for whoever made it.
CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    tenant_id uuid REFERENCES tenants (id),
    -- Who made it.
    overseer_id uuid NOT NULL REFERENCES overseers (id),
    kind text NOT NULL CHECK (kind IN ('personal', 'tenant', 'e2b')),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    key_hash bytea NOT NULL UNIQUE CHECK (octet_length(key_hash) = 32),
    hint text NOT NULL CHECK (char_length(hint) <= 12),
    scopes text[] NOT NULL CHECK (cardinality(scopes) BETWEEN 1 AND 64),
    created_at timestamptz NOT NULL,
    expires_at timestamptz CHECK (expires_at > created_at),
    -- Written at most once a minute.
    used_at timestamptz,
    revoked_at timestamptz,
    CHECK ((kind = 'personal') = (tenant_id IS NULL))
);
CREATE INDEX api_keys_tenant_id ON api_keys (tenant_id, id);
CREATE INDEX api_keys_overseer_id ON api_keys (overseer_id, id) WHERE tenant_id IS NULL;

ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON api_keys
    USING (tenant_id IS NOT DISTINCT FROM NULLIF(current_setting('pinfold.tenant', true), '')::uuid)
    WITH CHECK (tenant_id IS NOT DISTINCT FROM NULLIF(current_setting('pinfold.tenant', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON api_keys TO pinfold_app;

-- A program that asks shows its key, and only the key says whose it is.
CREATE POLICY lookup ON api_keys FOR SELECT TO pinfold_lookup USING (true);
GRANT SELECT ON api_keys TO pinfold_lookup;

CREATE FUNCTION lookup.api_key_of_hash(wanted_hash bytea)
RETURNS TABLE (
    id uuid,
    tenant_id uuid,
    overseer_id uuid,
    scopes text[],
    expires_at timestamptz,
    used_at timestamptz,
    revoked_at timestamptz
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT k.id, k.tenant_id, k.overseer_id, k.scopes, k.expires_at, k.used_at, k.revoked_at
    FROM public.api_keys AS k
    WHERE k.key_hash = wanted_hash
$$;
ALTER FUNCTION lookup.api_key_of_hash(bytea) OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.api_key_of_hash(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.api_key_of_hash(bytea) TO pinfold_app;
