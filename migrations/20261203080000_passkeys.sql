-- Passkeys of people (Web Authentication, Level 3): second factors beside an authenticator app, or in its place.
CREATE TABLE passkeys (
    id uuid PRIMARY KEY,
    overseer_id uuid NOT NULL REFERENCES overseers (id),
    -- What the person calls it.
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    -- The authenticator's own name of it.
    credential_id bytea NOT NULL UNIQUE CHECK (octet_length(credential_id) BETWEEN 1 AND 1023),
    -- Its key as the authenticator gave it (COSE_Key, RFC 9052, section 7).
    public_key bytea NOT NULL CHECK (octet_length(public_key) BETWEEN 1 AND 1100),
    -- The authenticator's count of its uses; zero for ever, if it does not count.
    uses bigint NOT NULL CHECK (uses >= 0),
    backed_up boolean NOT NULL,
    created_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX passkeys_overseer_id ON passkeys (overseer_id);

-- What authenticators are asked to sign. A row to make a passkey is made for who has logged in, and one to use a passkey
-- for who has shown the password: whoever answers it has shown both.
CREATE TABLE passkey_challenges (
    challenge_hash bytea PRIMARY KEY CHECK (octet_length(challenge_hash) = 32),
    overseer_id uuid NOT NULL REFERENCES overseers (id),
    purpose text NOT NULL CHECK (purpose IN ('create', 'get')),
    expires_at timestamptz NOT NULL
);
CREATE INDEX passkey_challenges_overseer_id ON passkey_challenges (overseer_id);
CREATE INDEX passkey_challenges_expires_at ON passkey_challenges (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON passkeys, passkey_challenges TO pinfold_app;
