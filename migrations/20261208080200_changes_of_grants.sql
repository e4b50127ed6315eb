-- Grants are remembered as well, and so is that a client is not blocked.
CREATE TRIGGER note_change AFTER UPDATE ON oauth_grants FOR EACH ROW
    WHEN ((OLD.scopes, OLD.expires_at, OLD.revoked_at) IS DISTINCT FROM (NEW.scopes, NEW.expires_at, NEW.revoked_at))
    EXECUTE FUNCTION lookup.note_change('id');
CREATE TRIGGER note_removal AFTER DELETE ON oauth_grants FOR EACH ROW EXECUTE FUNCTION lookup.note_change('id');

-- What is new changes somebody, too.
CREATE FUNCTION lookup.note_addition() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO public.changes (subject_id) VALUES ((to_jsonb(NEW) ->> TG_ARGV[0])::uuid);
    RETURN NULL;
END
$$;
ALTER FUNCTION lookup.note_addition() OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.note_addition() FROM PUBLIC;

CREATE TRIGGER note_addition AFTER INSERT ON client_blocks FOR EACH ROW EXECUTE FUNCTION lookup.note_addition('overseer_id');
CREATE TRIGGER note_removal AFTER DELETE ON client_blocks FOR EACH ROW EXECUTE FUNCTION lookup.note_change('overseer_id');
CREATE TRIGGER note_addition AFTER INSERT ON agent_client_blocks FOR EACH ROW EXECUTE FUNCTION lookup.note_addition('agent_id');
CREATE TRIGGER note_removal AFTER DELETE ON agent_client_blocks FOR EACH ROW EXECUTE FUNCTION lookup.note_change('agent_id');

CREATE TRIGGER note_change AFTER UPDATE ON oversights FOR EACH ROW
    WHEN ((OLD.agent_id, OLD.overseer_id, OLD.relation) IS DISTINCT FROM (NEW.agent_id, NEW.overseer_id, NEW.relation))
    EXECUTE FUNCTION lookup.note_change('overseer_id');
CREATE TRIGGER note_removal AFTER DELETE ON oversights FOR EACH ROW EXECUTE FUNCTION lookup.note_change('overseer_id');

-- Who registered a client is shown by what people call the tenant.
CREATE TRIGGER note_display_name AFTER UPDATE ON tenants FOR EACH ROW
    WHEN (OLD.display_name IS DISTINCT FROM NEW.display_name)
    EXECUTE FUNCTION lookup.note_change('id');
