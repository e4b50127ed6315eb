-- Those who own agents: people, and the stand-ins (kind `shadow`) of agents that registered themselves. An overseer may
-- belong to several tenants, so this table belongs to none.
CREATE TABLE overseers (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('person', 'shadow')),
    created_at timestamptz NOT NULL
);

GRANT SELECT, INSERT ON overseers TO pinfold_app;
