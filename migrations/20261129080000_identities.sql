-- Whom issuers outside vouch for: their name for a person, and ours. An address says nothing about who somebody is, and they
-- need not tell one.
CREATE TABLE identities (
    issuer text NOT NULL CHECK (char_length(issuer) BETWEEN 8 AND 512),
    subject text NOT NULL CHECK (char_length(subject) BETWEEN 1 AND 255),
    id uuid NOT NULL UNIQUE,
    overseer_id uuid NOT NULL REFERENCES overseers (id),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_overseer_id ON identities (overseer_id);
GRANT SELECT, INSERT, DELETE ON identities TO pinfold_app;

ALTER TABLE profiles
    ALTER COLUMN email DROP NOT NULL,
    ALTER COLUMN email_key DROP NOT NULL,
    ADD CONSTRAINT profiles_whole_email CHECK ((email IS NULL) = (email_key IS NULL));
