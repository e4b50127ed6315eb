-- What people call a tenant: its name is for paths and for the cluster, and stays.
ALTER TABLE tenants ADD COLUMN display_name text CHECK (char_length(display_name) BETWEEN 1 AND 100);
