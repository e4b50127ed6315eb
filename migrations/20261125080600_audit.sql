-- What was done, by whom, to what. Rows are only ever added; who may change the schema may still cheat, which is why
-- they will be numbered and chained, and the heads of the chains leave the database.
CREATE TABLE audit_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The order of the sequence is not the order of the commits: readers wait for this transaction to be everybody's past.
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    at timestamptz NOT NULL,
    -- Opaque ids; names and addresses of people are kept where they can be erased.
    actor_kind text NOT NULL CHECK (actor_kind IN ('agent', 'overseer', 'system')),
    actor_id uuid,
    action text NOT NULL CHECK (action ~ '^[a-z_]+\.[a-z_]+$'),
    target_id uuid,
    request_id text NOT NULL,
    detail jsonb NOT NULL
);

ALTER TABLE audit_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_events FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit_events
    USING (tenant_id = NULLIF(current_setting('pinfold.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = NULLIF(current_setting('pinfold.tenant', true), '')::uuid);

GRANT SELECT, INSERT ON audit_events TO pinfold_app;
