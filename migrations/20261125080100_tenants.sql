-- Tenants, as accounts: what runs for them is Kubernetes' to know.
CREATE TABLE tenants (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (char_length(name) BETWEEN 1 AND 63),
    kind text NOT NULL CHECK (kind IN ('shadow', 'personal', 'team')),
    plan text NOT NULL CHECK (char_length(plan) BETWEEN 1 AND 63),
    created_at timestamptz NOT NULL
);

ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenants
    USING (id = NULLIF(current_setting('pinfold.tenant', true), '')::uuid)
    WITH CHECK (id = NULLIF(current_setting('pinfold.tenant', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE ON tenants TO pinfold_app;

-- The tenant of agents that registered themselves. It has a fixed id because it is there before anybody could ask for it.
SELECT set_config('pinfold.tenant', '00000000-0000-8000-8000-000000000001', true);
INSERT INTO tenants (id, name, kind, plan, created_at)
VALUES ('00000000-0000-8000-8000-000000000001', 'shadow', 'shadow', 'shadow', now());
