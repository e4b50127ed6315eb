-- Clients that may do nothing in somebody's name. They are known by what they call themselves: one that is registered nowhere may be
-- blocked too, and one that was deleted stays blocked.

-- By a person, for themselves.
CREATE TABLE client_blocks (
    overseer_id uuid NOT NULL REFERENCES overseers (id),
    client_id text NOT NULL CHECK (octet_length(client_id) BETWEEN 1 AND 2000),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (overseer_id, client_id)
);
GRANT SELECT, INSERT, DELETE ON client_blocks TO pinfold_app;

-- By the owner of an agent, for the agent.
CREATE TABLE agent_client_blocks (
    tenant_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    client_id text NOT NULL CHECK (octet_length(client_id) BETWEEN 1 AND 2000),
    created_by uuid NOT NULL REFERENCES overseers (id),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, agent_id, client_id),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) ON UPDATE CASCADE ON DELETE CASCADE
);

ALTER TABLE agent_client_blocks ENABLE ROW LEVEL SECURITY;
ALTER TABLE agent_client_blocks FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON agent_client_blocks
    USING (tenant_id = NULLIF(current_setting('pinfold.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('pinfold.tenant', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON agent_client_blocks TO pinfold_app;
