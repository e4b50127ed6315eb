-- What is to be done after a transaction, and outside the database: resources in the cluster, mail. A row is written in the
-- transaction that wants it. It is done at least once, so doing it twice is as good as once.
CREATE TABLE jobs (
    -- Jobs of one subject and kind are done one after the other in this order. Who adds one holds the subject's row, so the
    -- order of the sequence is the order of the commits.
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind ~ '^[a-z_]+\.[a-z_]+$'),
    subject_id uuid NOT NULL,
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- Who works on it holds a lease. Each lease has a new epoch, and only the holder of the newest ends the job.
    epoch bigint NOT NULL DEFAULT 0,
    leased_until timestamptz,
    last_error text CHECK (char_length(last_error) <= 1000),
    -- Given up: somebody has to look.
    dead_at timestamptz
);
CREATE INDEX jobs_due_at ON jobs (due_at, position) WHERE dead_at IS NULL;
CREATE INDEX jobs_subject_id ON jobs (subject_id, kind, position) WHERE dead_at IS NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON jobs TO pinfold_app;
