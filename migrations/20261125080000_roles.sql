-- The roles that the service works under. Roles belong to the whole server and not to one database, so they may be there
-- already; neither can log in.
--   pinfold_app     what the service takes on after it has connected (SET ROLE): row-level security binds it
--   pinfold_lookup  owns the few functions that look something up before the tenant is known
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['pinfold_app', 'pinfold_lookup'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS', wanted);
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
        END;
        EXECUTE format('GRANT %I TO CURRENT_USER', wanted);
    END LOOP;
END
$$;

-- Functions are looked up by their full names; nobody but their owner makes new ones there.
CREATE SCHEMA lookup;
GRANT USAGE, CREATE ON SCHEMA lookup TO pinfold_lookup;
GRANT USAGE ON SCHEMA lookup TO pinfold_app;
GRANT USAGE ON SCHEMA public TO pinfold_app, pinfold_lookup;

-- The service checks at its start that the schema is the one it knows.
GRANT SELECT ON _sqlx_migrations TO pinfold_app;
