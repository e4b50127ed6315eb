-- What counts once: answers to challenges now, proofs and nonces later. It stands in where there is no Redis. Both tables are emptied
-- together when the server comes back from a crash: then the epoch is another one, and what was minted in the old
-- epoch is refused, whether it had been used or not.
CREATE UNLOGGED TABLE replay_epoch (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    id uuid NOT NULL
);

CREATE UNLOGGED TABLE replay_spent (
    -- SHA-256 of what was used.
    digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    forget_at timestamptz NOT NULL
);
CREATE INDEX replay_spent_forget_at ON replay_spent (forget_at);

GRANT SELECT, INSERT ON replay_epoch TO pinfold_app;
GRANT SELECT, INSERT, DELETE ON replay_spent TO pinfold_app;
