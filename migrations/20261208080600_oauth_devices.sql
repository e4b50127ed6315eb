-- Devices that wait for a person to let them in from another one (RFC 8628). What the device holds and what the person types are known by
-- their SHA-256 only.
CREATE TABLE oauth_devices (
    hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    user_code_hash bytea NOT NULL UNIQUE CHECK (octet_length(user_code_hash) = 32),
    client_id text NOT NULL CHECK (octet_length(client_id) BETWEEN 1 AND 2000),
    scopes text[] NOT NULL CHECK (cardinality(scopes) BETWEEN 1 AND 64),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- How long the device is to wait between two questions, in seconds: more each time that it does not.
    pause integer NOT NULL CHECK (pause BETWEEN 1 AND 3600),
    asked_at timestamptz,
    -- What the person said.
    answered_at timestamptz,
    grant_id uuid,
    spent_at timestamptz,
    CHECK (grant_id IS NULL OR answered_at IS NOT NULL),
    CHECK (spent_at IS NULL OR grant_id IS NOT NULL)
);
CREATE INDEX oauth_devices_expires_at ON oauth_devices (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_devices TO pinfold_app;
