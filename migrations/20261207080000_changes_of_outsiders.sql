-- Whom issuers outside vouch for, which organisation a tenant is, and OAuth clients are remembered as well.
CREATE TRIGGER note_change AFTER UPDATE ON identities FOR EACH ROW
    WHEN ((OLD.issuer, OLD.subject, OLD.overseer_id) IS DISTINCT FROM (NEW.issuer, NEW.subject, NEW.overseer_id))
    EXECUTE FUNCTION lookup.note_change('overseer_id');
CREATE TRIGGER note_removal AFTER DELETE ON identities FOR EACH ROW EXECUTE FUNCTION lookup.note_change('overseer_id');

CREATE TRIGGER note_organisation AFTER UPDATE ON tenants FOR EACH ROW
    WHEN ((OLD.organisation_issuer, OLD.organisation_id) IS DISTINCT FROM (NEW.organisation_issuer, NEW.organisation_id))
    EXECUTE FUNCTION lookup.note_change('id');

CREATE TRIGGER note_change AFTER UPDATE ON oauth_clients FOR EACH ROW
    WHEN (OLD IS DISTINCT FROM NEW)
    EXECUTE FUNCTION lookup.note_change('id');
CREATE TRIGGER note_removal AFTER DELETE ON oauth_clients FOR EACH ROW EXECUTE FUNCTION lookup.note_change('id');
