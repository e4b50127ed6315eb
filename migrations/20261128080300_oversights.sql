-- Who oversees an agent besides its owner, and who gave it to them. Everybody's edge hangs on those of who gave it.
CREATE TABLE oversights (
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    overseer_id uuid NOT NULL REFERENCES overseers (id),
    relation text NOT NULL CHECK (relation IN ('owner', 'delegate', 'viewer')),
    granted_by uuid NOT NULL REFERENCES overseers (id),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, agent_id, overseer_id, granted_by),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) ON UPDATE CASCADE ON DELETE CASCADE
);

ALTER TABLE oversights ENABLE ROW LEVEL SECURITY;
ALTER TABLE oversights FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON oversights
    USING (tenant_id = NULLIF(current_setting('pinfold.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('pinfold.tenant', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON oversights TO pinfold_app;
