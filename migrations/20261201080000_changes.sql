-- Replicas remember whose a key is and which tenant has a name. Each change of that leaves a row here, whoever makes it and
-- in whichever way, and a replica that reads it forgets what it remembered of the subject.
CREATE TABLE changes (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Who follows the changes reads by transaction: the order of positions is not the order of commits.
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    subject_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX changes_transaction_id ON changes (transaction_id);
CREATE INDEX changes_at ON changes (at);

GRANT SELECT, DELETE ON changes TO pinfold_app;
GRANT INSERT ON changes TO pinfold_lookup;

-- Nobody adds rows but by a change. The argument is the column with the subject's id.
CREATE FUNCTION lookup.note_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO public.changes (subject_id) VALUES ((to_jsonb(OLD) ->> TG_ARGV[0])::uuid);
    RETURN NULL;
END
$$;
ALTER FUNCTION lookup.note_change() OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.note_change() FROM PUBLIC;

CREATE TRIGGER note_change AFTER UPDATE ON agents FOR EACH ROW
    WHEN ((OLD.tenant_id, OLD.owner_id, OLD.expires_at, OLD.ended_at)
        IS DISTINCT FROM (NEW.tenant_id, NEW.owner_id, NEW.expires_at, NEW.ended_at))
    EXECUTE FUNCTION lookup.note_change('id');
CREATE TRIGGER note_removal AFTER DELETE ON agents FOR EACH ROW EXECUTE FUNCTION lookup.note_change('id');

CREATE TRIGGER note_change AFTER UPDATE ON agent_keys FOR EACH ROW
    WHEN ((OLD.tenant_id, OLD.agent_id, OLD.public_key, OLD.revoked_at)
        IS DISTINCT FROM (NEW.tenant_id, NEW.agent_id, NEW.public_key, NEW.revoked_at))
    EXECUTE FUNCTION lookup.note_change('agent_id');
CREATE TRIGGER note_removal AFTER DELETE ON agent_keys FOR EACH ROW EXECUTE FUNCTION lookup.note_change('agent_id');

CREATE TRIGGER note_change AFTER UPDATE ON tenants FOR EACH ROW
    WHEN ((OLD.name, OLD.deleted_at) IS DISTINCT FROM (NEW.name, NEW.deleted_at))
    EXECUTE FUNCTION lookup.note_change('id');
CREATE TRIGGER note_removal AFTER DELETE ON tenants FOR EACH ROW EXECUTE FUNCTION lookup.note_change('id');

-- The newest version of a run that a write through the API gave, of all tenants: a replica that begins to listen to the others starts
-- from it.
CREATE FUNCTION lookup.newest_runs_version() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(max(t.runs_version), 0) FROM public.tenants AS t
$$;
ALTER FUNCTION lookup.newest_runs_version() OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.newest_runs_version() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.newest_runs_version() TO pinfold_app;
