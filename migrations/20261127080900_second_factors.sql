-- Second factors of people: one authenticator (RFC 6238), and codes for when it is lost.
CREATE TABLE authenticators (
    overseer_id uuid PRIMARY KEY REFERENCES overseers (id),
    -- Sealed under the master key, which is not in the database.
    sealed_secret bytea NOT NULL,
    created_at timestamptz NOT NULL,
    -- From when on a login needs a code.
    confirmed_at timestamptz,
    -- The time step of the last code that was used: it and those before it are used up.
    last_step bigint NOT NULL DEFAULT 0
);

CREATE TABLE recovery_codes (
    overseer_id uuid NOT NULL REFERENCES overseers (id),
    -- Codes have 80 random bits, so a hash without cost is enough.
    code_hash bytea NOT NULL CHECK (octet_length(code_hash) = 32),
    used_at timestamptz,
    PRIMARY KEY (overseer_id, code_hash)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON authenticators, recovery_codes TO pinfold_app;
