-- Requests that a client may send again: each is done once, and answered alike each time. The answer is stored in the
-- transaction of what it tells of.
CREATE TABLE idempotency_keys (
    -- The agent, the person or the API key.
    principal text NOT NULL,
    -- Method and path.
    route text NOT NULL,
    -- SHA-256 of the key. With the key itself the answer is sealed: whoever reads the table opens none.
    key_hash bytea NOT NULL CHECK (octet_length(key_hash) = 32),
    -- SHA-256 of query and body.
    request_hash bytea NOT NULL CHECK (octet_length(request_hash) = 32),
    -- Of the first request with the key.
    request_id text NOT NULL,
    -- Who is at it has a lease; only the holder of the newest ends it.
    epoch bigint NOT NULL DEFAULT 1,
    leased_until timestamptz NOT NULL,
    -- Whether it was done outside of the database, and only the answer is missing.
    done boolean NOT NULL DEFAULT false,
    status smallint,
    answer bytea,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (principal, route, key_hash),
    CHECK ((status IS NULL) = (answer IS NULL))
);
CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO pinfold_app;
