-- What is done to the cluster's resources without the API is seen by watches, and belongs into the audit as well. These tables are the
-- platform's: a resource's tenant is only known when its change comes into the audit.

-- How far the watch of each kind has come. Who goes on from there holds a lock of the kind's.
CREATE TABLE cluster_watches (
    kind text PRIMARY KEY CHECK (kind IN ('agent', 'run', 'template', 'tenant')),
    version bigint NOT NULL CHECK (version >= 0)
);

-- What was last seen of each resource, by its UID: what is seen next is compared with it.
CREATE TABLE cluster_resources (
    id uuid PRIMARY KEY,
    kind text NOT NULL REFERENCES cluster_watches (kind),
    namespace text,
    name text NOT NULL,
    made_at timestamptz NOT NULL,
    -- The tenant whose row a Tenant says that it stands for.
    account_id uuid,
    generation bigint NOT NULL,
    -- SHA-256 over labels and annotations, the platform's own apart.
    metadata_hash bytea NOT NULL CHECK (octet_length(metadata_hash) = 32),
    -- The API's last change, as the annotation pinfold.dev/change has it.
    change_id text,
    is_ending boolean NOT NULL
);
CREATE INDEX cluster_resources_kind ON cluster_resources (kind);

-- Changes that are not in the audit yet: until it is known who made them, or that nobody will say.
CREATE TABLE cluster_changes (
    resource_id uuid NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    kind text NOT NULL REFERENCES cluster_watches (kind),
    verb text NOT NULL CHECK (verb IN ('create', 'update', 'delete')),
    namespace text,
    name text NOT NULL,
    made_at timestamptz NOT NULL,
    account_id uuid,
    generation bigint NOT NULL,
    -- Found when a watch had missed something: there may have been more.
    was_missed boolean NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (resource_id, version)
);
CREATE INDEX cluster_changes_seen_at ON cluster_changes (seen_at);

-- Times in which nobody watched, until they are in the audit of every tenant.
CREATE TABLE cluster_gaps (
    kind text NOT NULL REFERENCES cluster_watches (kind),
    after_version bigint NOT NULL,
    version bigint NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (kind, version)
);

-- Who asked for a change: as the cluster's own audit says, or as this service notes before it deletes something. Of a deletion the
-- version is 0, for the answer to it may have none.
CREATE TABLE cluster_requests (
    resource_id uuid NOT NULL,
    version bigint NOT NULL CHECK (version >= 0),
    is_own boolean NOT NULL,
    user_name text,
    acting_as text,
    request_id text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (resource_id, version)
);
CREATE INDEX cluster_requests_at ON cluster_requests (at);

-- The cluster's users. Their names may be those of people, so they stand here and not in the audit, and can be erased.
CREATE TABLE cluster_users (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE
);

GRANT SELECT, INSERT, UPDATE ON cluster_watches TO pinfold_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON cluster_resources, cluster_requests TO pinfold_app;
GRANT SELECT, INSERT, DELETE ON cluster_changes, cluster_gaps TO pinfold_app;
GRANT SELECT, INSERT ON cluster_users TO pinfold_app;

ALTER TABLE audit_events
    DROP CONSTRAINT audit_events_actor_kind_check,
    ADD CONSTRAINT audit_events_actor_kind_check CHECK (actor_kind IN ('agent', 'kubernetes', 'overseer', 'run', 'system'))
    NOT VALID;
