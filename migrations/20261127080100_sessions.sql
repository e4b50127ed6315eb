-- Logins of people. The cookie is not here, only its SHA-256.
CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    overseer_id uuid NOT NULL REFERENCES overseers (id),
    token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    user_agent text NOT NULL CHECK (char_length(user_agent) <= 200),
    created_at timestamptz NOT NULL,
    -- Written at most once a minute.
    seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > created_at)
);
CREATE INDEX sessions_overseer_id ON sessions (overseer_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO pinfold_app;
