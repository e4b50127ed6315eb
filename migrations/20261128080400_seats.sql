-- The newest version of a run that a write through the API gave. A replica that has not seen it yet reads the cluster
-- itself: whoever wrote finds what they wrote, whichever replica they ask.
ALTER TABLE tenants ADD COLUMN runs_version bigint NOT NULL DEFAULT 0;

-- A person's seat in the tenant that a request names.
CREATE FUNCTION lookup.seat_of_overseer(wanted_overseer uuid, wanted_name text)
RETURNS TABLE (
    tenant_id uuid,
    role text,
    runs_version bigint
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.id, m.role, t.runs_version
    FROM public.tenants AS t
    JOIN public.memberships AS m ON m.tenant_id = t.id
    WHERE t.name = wanted_name AND m.overseer_id = wanted_overseer AND t.deleted_at IS NULL
$$;
ALTER FUNCTION lookup.seat_of_overseer(uuid, text) OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.seat_of_overseer(uuid, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.seat_of_overseer(uuid, text) TO pinfold_app;

-- An agent or a tenant's key knows its tenant; the request names one.
CREATE FUNCTION lookup.tenant_named(wanted_name text)
RETURNS TABLE (
    tenant_id uuid,
    runs_version bigint
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.id, t.runs_version FROM public.tenants AS t WHERE t.name = wanted_name AND t.deleted_at IS NULL
$$;
ALTER FUNCTION lookup.tenant_named(text) OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.tenant_named(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.tenant_named(text) TO pinfold_app;

-- Nothing that was released calls it.
DROP FUNCTION lookup.tenant_of_name(text);
