-- What became of the tenant in the cluster: the resource that was made for it, known by its UID, so that one of the same
-- name that somebody else made is never taken for it.
ALTER TABLE tenants
    ADD COLUMN resource_uid uuid UNIQUE,
    ADD COLUMN resource_error text CHECK (char_length(resource_error) <= 1000),
    ADD COLUMN deleted_at timestamptz;
