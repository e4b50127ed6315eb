-- Replicas ask four times a second how new the newest run is that the API wrote (lookup.newest_runs_version).
CREATE INDEX tenants_runs_version ON tenants (runs_version);
