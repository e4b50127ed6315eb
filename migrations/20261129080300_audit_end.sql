-- The end of a chain. Below row-level security no index finds it: the whole chain would be read for every batch of events that is numbered.
GRANT SELECT (sequence, hash) ON audit_seals TO pinfold_lookup;

CREATE FUNCTION lookup.end_of_audit(wanted_tenant uuid)
RETURNS TABLE (
    sequence bigint,
    hash bytea
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF wanted_tenant IS NULL THEN
        RETURN QUERY
            SELECT s.sequence, s.hash FROM public.audit_seals AS s
            WHERE s.tenant_id IS NULL ORDER BY s.sequence DESC LIMIT 1;
    ELSE
        RETURN QUERY
            SELECT s.sequence, s.hash FROM public.audit_seals AS s
            WHERE s.tenant_id = wanted_tenant ORDER BY s.sequence DESC LIMIT 1;
    END IF;
END
$$;
ALTER FUNCTION lookup.end_of_audit(uuid) OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.end_of_audit(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.end_of_audit(uuid) TO pinfold_app;
