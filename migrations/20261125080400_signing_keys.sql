-- The keys that sign our tokens. The private half is sealed under the master key, which is not in the database.
CREATE TABLE signing_keys (
    -- RFC 7638, of the public key as a JWK: the `kid`.
    id text PRIMARY KEY,
    public_key bytea NOT NULL CHECK (octet_length(public_key) = 32),
    sealed_seed bytea NOT NULL,
    created_at timestamptz NOT NULL,
    -- Published before it signs, and after: from the making of the key until `published_until`.
    signs_from timestamptz NOT NULL CHECK (signs_from >= created_at),
    signs_until timestamptz NOT NULL CHECK (signs_until > signs_from),
    published_until timestamptz NOT NULL CHECK (published_until >= signs_until)
);

GRANT SELECT, INSERT, DELETE ON signing_keys TO pinfold_app;
