-- Links that were sent by mail to prove that an address is somebody's. The link's secret is derived from the id and the
-- master key, so it is not here.
CREATE TABLE mail_links (
    id uuid PRIMARY KEY,
    purpose text NOT NULL CHECK (purpose IN ('sign_up', 'password_reset')),
    email text NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254),
    email_key text NOT NULL,
    -- Nobody yet at sign-up.
    overseer_id uuid REFERENCES overseers (id),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > created_at),
    used_at timestamptz,
    CHECK ((purpose = 'sign_up') = (overseer_id IS NULL))
);
CREATE INDEX mail_links_expires_at ON mail_links (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON mail_links TO pinfold_app;
