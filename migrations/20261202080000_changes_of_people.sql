-- Logins, API keys and who belongs to which tenant are remembered as agents' keys are: their changes leave rows, too.
CREATE TRIGGER note_change AFTER UPDATE ON sessions FOR EACH ROW
    WHEN ((OLD.overseer_id, OLD.token_hash, OLD.expires_at) IS DISTINCT FROM (NEW.overseer_id, NEW.token_hash, NEW.expires_at))
    EXECUTE FUNCTION lookup.note_change('id');
-- One that ended by itself is judged by its end; the hour is for clocks that differ.
CREATE TRIGGER note_removal AFTER DELETE ON sessions FOR EACH ROW WHEN (OLD.expires_at > now() - interval '1 hour')
    EXECUTE FUNCTION lookup.note_change('id');

CREATE TRIGGER note_change AFTER UPDATE ON api_keys FOR EACH ROW
    WHEN ((OLD.tenant_id, OLD.overseer_id, OLD.key_hash, OLD.scopes, OLD.expires_at, OLD.revoked_at)
        IS DISTINCT FROM (NEW.tenant_id, NEW.overseer_id, NEW.key_hash, NEW.scopes, NEW.expires_at, NEW.revoked_at))
    EXECUTE FUNCTION lookup.note_change('id');
CREATE TRIGGER note_removal AFTER DELETE ON api_keys FOR EACH ROW EXECUTE FUNCTION lookup.note_change('id');

CREATE TRIGGER note_change AFTER UPDATE ON memberships FOR EACH ROW
    WHEN ((OLD.tenant_id, OLD.overseer_id, OLD.role) IS DISTINCT FROM (NEW.tenant_id, NEW.overseer_id, NEW.role))
    EXECUTE FUNCTION lookup.note_change('overseer_id');
CREATE TRIGGER note_removal AFTER DELETE ON memberships FOR EACH ROW EXECUTE FUNCTION lookup.note_change('overseer_id');

CREATE TRIGGER note_change AFTER UPDATE ON overseers FOR EACH ROW
    WHEN ((OLD.blocked_at, OLD.deleted_at) IS DISTINCT FROM (NEW.blocked_at, NEW.deleted_at))
    EXECUTE FUNCTION lookup.note_change('id');
CREATE TRIGGER note_removal AFTER DELETE ON overseers FOR EACH ROW EXECUTE FUNCTION lookup.note_change('id');
