-- What OAuth clients hold, each known by its SHA-256 only. Whose it is only the grant says, so these are nobody's until it is found.

-- A request for authorization: pushed by its client (RFC 9126), or as a browser brought it. A person answers it, once.
CREATE TABLE oauth_requests (
    hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    client_id text NOT NULL CHECK (octet_length(client_id) BETWEEN 1 AND 2000),
    -- What was asked for, checked.
    asked jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    answered_at timestamptz
);
CREATE INDEX oauth_requests_expires_at ON oauth_requests (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_requests TO pinfold_app;

-- What the browser brings back to the client (RFC 6749, section 4.1.2).
CREATE TABLE oauth_codes (
    hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    grant_id uuid NOT NULL,
    client_id text NOT NULL CHECK (octet_length(client_id) BETWEEN 1 AND 2000),
    redirect_uri text NOT NULL CHECK (octet_length(redirect_uri) <= 2000),
    -- RFC 7636, with S256 and nothing else.
    code_challenge bytea NOT NULL CHECK (octet_length(code_challenge) = 32),
    -- The key that the client named beforehand (RFC 9449, section 10).
    dpop_jkt text CHECK (octet_length(dpop_jkt) = 43),
    nonce text CHECK (octet_length(nonce) <= 1024),
    expires_at timestamptz NOT NULL,
    spent_at timestamptz
);
CREATE INDEX oauth_codes_expires_at ON oauth_codes (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_codes TO pinfold_app;

CREATE TABLE oauth_refresh_tokens (
    hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    grant_id uuid NOT NULL,
    client_id text NOT NULL CHECK (octet_length(client_id) BETWEEN 1 AND 2000),
    -- The key that a client without a proof of its own must show (RFC 9449, section 5).
    dpop_jkt text CHECK (octet_length(dpop_jkt) = 43),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- Another took its place: whoever shows it now has it from somebody.
    spent_at timestamptz
);
CREATE INDEX oauth_refresh_tokens_expires_at ON oauth_refresh_tokens (expires_at);
CREATE INDEX oauth_refresh_tokens_grant ON oauth_refresh_tokens (grant_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_refresh_tokens TO pinfold_app;

-- What clients proved themselves by (RFC 7523, section 3, point 7): SHA-256 of client and `jti`. It names no epoch, so it is not judged where
-- memory may be lost.
CREATE TABLE oauth_assertions (
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    forget_at timestamptz NOT NULL
);
CREATE INDEX oauth_assertions_forget_at ON oauth_assertions (forget_at);
GRANT SELECT, INSERT, DELETE ON oauth_assertions TO pinfold_app;
