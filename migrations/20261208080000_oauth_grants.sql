-- What people let OAuth clients do. A client is known by what it calls itself: one that is registered nowhere may be let, too.

-- What a person agreed to, for one of their tenants: the client is not asked about again for that.
CREATE TABLE oauth_consents (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    overseer_id uuid NOT NULL REFERENCES overseers (id),
    client_id text NOT NULL CHECK (octet_length(client_id) BETWEEN 1 AND 2000),
    scopes text[] NOT NULL CHECK (cardinality(scopes) BETWEEN 1 AND 64),
    -- SHA-256 of what the person was shown of the client: of a client that has changed they are asked again.
    shown bytea NOT NULL CHECK (octet_length(shown) = 32),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, overseer_id, client_id)
);
CREATE INDEX oauth_consents_overseer ON oauth_consents (overseer_id, client_id);

ALTER TABLE oauth_consents ENABLE ROW LEVEL SECURITY;
ALTER TABLE oauth_consents FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON oauth_consents
    USING (tenant_id = NULLIF(current_setting('pinfold.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('pinfold.tenant', true), '')::uuid);
CREATE POLICY lookup ON oauth_consents FOR SELECT TO pinfold_lookup USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_consents TO pinfold_app;
GRANT SELECT ON oauth_consents TO pinfold_lookup;

-- One authorization: every token that comes of it belongs to it, and ends with it.
CREATE TABLE oauth_grants (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    overseer_id uuid NOT NULL REFERENCES overseers (id),
    client_id text NOT NULL CHECK (octet_length(client_id) BETWEEN 1 AND 2000),
    scopes text[] NOT NULL CHECK (cardinality(scopes) BETWEEN 1 AND 64),
    -- When the person proved themselves (OpenID Connect Core 1.0, section 2).
    authenticated_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    used_at timestamptz,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    -- What this was made of, if it is an agent's that acts for the person (RFC 8693), and the agents: the one that acts now, and whom it acts for.
    parent_id uuid,
    actors uuid[] NOT NULL DEFAULT '{}' CHECK (cardinality(actors) <= 3),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, parent_id) REFERENCES oauth_grants (tenant_id, id) ON DELETE CASCADE,
    CHECK ((parent_id IS NULL) = (cardinality(actors) = 0))
);
CREATE INDEX oauth_grants_parent ON oauth_grants (tenant_id, parent_id);
CREATE UNIQUE INDEX oauth_grants_id ON oauth_grants (id);
CREATE INDEX oauth_grants_overseer ON oauth_grants (overseer_id, client_id);
CREATE INDEX oauth_grants_expires_at ON oauth_grants (expires_at);

ALTER TABLE oauth_grants ENABLE ROW LEVEL SECURITY;
ALTER TABLE oauth_grants FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON oauth_grants
    USING (tenant_id = NULLIF(current_setting('pinfold.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('pinfold.tenant', true), '')::uuid);
CREATE POLICY lookup ON oauth_grants FOR SELECT TO pinfold_lookup USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_grants TO pinfold_app;
CREATE POLICY forget ON oauth_grants FOR DELETE TO pinfold_lookup USING (true);
CREATE POLICY revoke ON oauth_grants FOR UPDATE TO pinfold_lookup USING (true);
GRANT SELECT, DELETE ON oauth_grants TO pinfold_lookup;
GRANT UPDATE (revoked_at) ON oauth_grants TO pinfold_lookup;

-- Who oversees which agent, and which clients are blocked for it, are asked with every grant of an agent's.
CREATE POLICY lookup ON oversights FOR SELECT TO pinfold_lookup USING (true);
GRANT SELECT ON oversights TO pinfold_lookup;
CREATE POLICY lookup ON agent_client_blocks FOR SELECT TO pinfold_lookup USING (true);
GRANT SELECT ON agent_client_blocks TO pinfold_lookup;

-- A token names its grant, and only the grant says whose it is. There is none of a person who left the tenant; nor of an agent that has ended,
-- that the person does not oversee, or for which the client is blocked.
CREATE FUNCTION lookup.oauth_grant(wanted_id uuid)
RETURNS TABLE (
    tenant_id uuid,
    overseer_id uuid,
    client_id text,
    scopes text[],
    authenticated_at timestamptz,
    expires_at timestamptz,
    actors uuid[]
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT
            g.tenant_id, g.overseer_id, g.client_id, g.scopes, g.authenticated_at, g.expires_at, g.actors
        FROM public.oauth_grants AS g
        JOIN public.tenants AS t ON t.id = g.tenant_id
        JOIN public.memberships AS m ON m.tenant_id = g.tenant_id AND m.overseer_id = g.overseer_id
        WHERE g.id = wanted_id
            AND g.revoked_at IS NULL
            AND t.deleted_at IS NULL
            AND NOT EXISTS (
                SELECT FROM unnest(g.actors) AS actor (id)
                WHERE NOT EXISTS (
                    SELECT FROM public.agents AS a
                    WHERE a.tenant_id = g.tenant_id
                        AND a.id = actor.id
                        AND a.ended_at IS NULL
                        AND (
                            a.owner_id = g.overseer_id
                            OR EXISTS (
                                SELECT FROM public.oversights AS o
                                WHERE o.tenant_id = g.tenant_id
                                    AND o.agent_id = a.id
                                    AND o.overseer_id = g.overseer_id
                                    AND o.relation IN ('owner', 'delegate')
                            )
                        )
                ) OR EXISTS (
                    SELECT FROM public.agent_client_blocks AS b
                    WHERE b.tenant_id = g.tenant_id AND b.agent_id = actor.id AND b.client_id = g.client_id
                )
            );
END
$$;
ALTER FUNCTION lookup.oauth_grant(uuid) OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.oauth_grant(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.oauth_grant(uuid) TO pinfold_app;

-- A person's own, in all tenants that they belong to.
CREATE FUNCTION lookup.oauth_consents_of(wanted_overseer uuid)
RETURNS TABLE (
    tenant_id uuid,
    tenant_name text,
    id uuid,
    client_id text,
    scopes text[],
    shown bytea,
    created_at timestamptz
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT c.tenant_id, t.name, c.id, c.client_id, c.scopes, c.shown, c.created_at
        FROM public.oauth_consents AS c
        JOIN public.tenants AS t ON t.id = c.tenant_id
        WHERE c.overseer_id = wanted_overseer AND t.deleted_at IS NULL;
END
$$;
ALTER FUNCTION lookup.oauth_consents_of(uuid) OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.oauth_consents_of(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.oauth_consents_of(uuid) TO pinfold_app;

CREATE FUNCTION lookup.oauth_grants_of(wanted_overseer uuid)
RETURNS TABLE (
    tenant_id uuid,
    tenant_name text,
    id uuid,
    client_id text,
    scopes text[],
    created_at timestamptz,
    used_at timestamptz,
    expires_at timestamptz,
    actors uuid[]
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT g.tenant_id, t.name, g.id, g.client_id, g.scopes, g.created_at, g.used_at, g.expires_at, g.actors
        FROM public.oauth_grants AS g
        JOIN public.tenants AS t ON t.id = g.tenant_id
        WHERE g.overseer_id = wanted_overseer AND g.revoked_at IS NULL AND t.deleted_at IS NULL;
END
$$;
ALTER FUNCTION lookup.oauth_grants_of(uuid) OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.oauth_grants_of(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.oauth_grants_of(uuid) TO pinfold_app;

-- What was shown again ends its grant, whoever's that is.
CREATE FUNCTION lookup.tenant_of_oauth_grant(wanted_id uuid) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT g.tenant_id FROM public.oauth_grants AS g WHERE g.id = wanted_id
$$;
ALTER FUNCTION lookup.tenant_of_oauth_grant(uuid) OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.tenant_of_oauth_grant(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.tenant_of_oauth_grant(uuid) TO pinfold_app;

-- They end in every tenant, and are forgotten there.
CREATE FUNCTION lookup.forget_oauth_grants(ended_before timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    -- An agent's has no tokens but the first, and nothing is shown again that would end it.
    DELETE FROM public.oauth_grants
    WHERE expires_at < ended_before OR (parent_id IS NOT NULL AND expires_at < ended_before + interval '89 days')
$$;
ALTER FUNCTION lookup.forget_oauth_grants(timestamptz) OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.forget_oauth_grants(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lookup.forget_oauth_grants(timestamptz) TO pinfold_app;

-- What a person let a client do ends with what it rests on, for good: whoever has its tokens by then has them from somebody.
CREATE FUNCTION lookup.revoke_oauth_grants() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    CASE TG_TABLE_NAME
        WHEN 'memberships' THEN
            UPDATE public.oauth_grants SET revoked_at = now()
            WHERE tenant_id = OLD.tenant_id AND overseer_id = OLD.overseer_id AND revoked_at IS NULL;
        WHEN 'overseers' THEN
            UPDATE public.oauth_grants SET revoked_at = now() WHERE overseer_id = NEW.id AND revoked_at IS NULL;
        WHEN 'client_blocks' THEN
            UPDATE public.oauth_grants SET revoked_at = now()
            WHERE overseer_id = NEW.overseer_id AND client_id = NEW.client_id AND revoked_at IS NULL;
        WHEN 'agent_client_blocks' THEN
            UPDATE public.oauth_grants SET revoked_at = now()
            WHERE tenant_id = NEW.tenant_id AND client_id = NEW.client_id AND NEW.agent_id = ANY (actors) AND revoked_at IS NULL;
        WHEN 'oauth_grants' THEN
            UPDATE public.oauth_grants SET revoked_at = now()
            WHERE tenant_id = NEW.tenant_id AND parent_id = NEW.id AND revoked_at IS NULL;
    END CASE;
    RETURN NULL;
END
$$;
ALTER FUNCTION lookup.revoke_oauth_grants() OWNER TO pinfold_lookup;
REVOKE ALL ON FUNCTION lookup.revoke_oauth_grants() FROM PUBLIC;

CREATE TRIGGER revoke_grants AFTER DELETE ON memberships FOR EACH ROW EXECUTE FUNCTION lookup.revoke_oauth_grants();
CREATE TRIGGER revoke_grants AFTER UPDATE ON overseers FOR EACH ROW
    WHEN (OLD.blocked_at IS NULL AND OLD.deleted_at IS NULL AND (NEW.blocked_at IS NOT NULL OR NEW.deleted_at IS NOT NULL))
    EXECUTE FUNCTION lookup.revoke_oauth_grants();
CREATE TRIGGER revoke_grants AFTER INSERT ON client_blocks FOR EACH ROW EXECUTE FUNCTION lookup.revoke_oauth_grants();
CREATE TRIGGER revoke_grants AFTER INSERT ON agent_client_blocks FOR EACH ROW EXECUTE FUNCTION lookup.revoke_oauth_grants();
-- What was made of it, and what was made of that.
CREATE TRIGGER revoke_grants AFTER UPDATE ON oauth_grants FOR EACH ROW
    WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL)
    EXECUTE FUNCTION lookup.revoke_oauth_grants();
