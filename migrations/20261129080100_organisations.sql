-- A tenant may be an issuer's organisation: whoever acts in the one by that issuer's word acts in the other, as long as the word
-- counts. That makes nobody a member.
ALTER TABLE tenants
    ADD COLUMN organisation_issuer text CHECK (char_length(organisation_issuer) BETWEEN 8 AND 512),
    ADD COLUMN organisation_id text CHECK (char_length(organisation_id) BETWEEN 1 AND 255),
    ADD CONSTRAINT tenants_whole_organisation CHECK ((organisation_issuer IS NULL) = (organisation_id IS NULL));
CREATE UNIQUE INDEX tenants_organisation ON tenants (organisation_issuer, organisation_id) WHERE deleted_at IS NULL;

-- Whoever asks proves the organisation, and only it says whether there is a tenant for them.
CREATE FUNCTION lookup.tenant_of_organisation(wanted_issuer text, wanted_id text)
RETURNS TABLE (
    tenant_id uuid,
    name text,
    kind text,
    plan text,
    created_at timestamptz,
    runs_version bigint
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.id, t.name, t.kind, t.plan, t.created_at, t.runs_version
    FROM public.tenants AS t
    WHERE t.organisation_issuer = wanted_issuer AND t.organisation_id = wanted_id AND t.deleted_at IS NULL
$$;
ALTER FUNCTION lookup.tenant_of_organisation(text, text) OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.tenant_of_organisation(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.tenant_of_organisation(text, text) TO pinfold_app;
