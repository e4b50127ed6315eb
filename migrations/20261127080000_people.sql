-- People. What says who somebody is stands in a table of its own, which can be erased while everything else goes on
-- naming the opaque id.
ALTER TABLE overseers
    ADD COLUMN platform_admin boolean NOT NULL DEFAULT false,
    ADD COLUMN blocked_at timestamptz,
    ADD COLUMN deleted_at timestamptz;
GRANT UPDATE ON overseers TO pinfold_app;

CREATE TABLE profiles (
    overseer_id uuid PRIMARY KEY REFERENCES overseers (id),
    -- As it was written, and as it is compared.
    email text NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254),
    email_key text NOT NULL UNIQUE CHECK (char_length(email_key) BETWEEN 3 AND 254),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    created_at timestamptz NOT NULL
);

CREATE TABLE passwords (
    overseer_id uuid PRIMARY KEY REFERENCES overseers (id),
    -- Argon2id in the PHC string format, or bcrypt's own format until the next login.
    hash text NOT NULL CHECK (hash LIKE '$%'),
    changed_at timestamptz NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON profiles, passwords TO pinfold_app;
