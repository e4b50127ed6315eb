//! TI-14: what keeps tenants' rows apart, and that each part of it is needed.

use sqlx::{AssertSqlSafe, Executor as _, PgPool};

use crate::{
    auth::jwk,
    store::{
        Database,
        agent_keys::{self, NewKey},
        agents::{self, NewAgent},
        tenants,
    },
    testing::{START, TestApp},
};
use domain::{AgentId, AgentKeyId, OverseerId, TenantId};
use jiff::Timestamp;

mod secrets;

/// A table with rows of tenants: its name, the column that says whose a row is, and a row of another tenant (`$1`),
/// whose agent is `$2`.
const TABLES: [(&str, &str, &str); 15] = [
    (
        "agent_client_blocks",
        "tenant_id",
        "INSERT INTO agent_client_blocks (tenant_id, agent_id, client_id, created_by, created_at) \
         SELECT $1, COALESCE((SELECT id FROM agents WHERE tenant_id = $1 LIMIT 1), $2), gen_random_uuid()::text, id, now() FROM overseers LIMIT 1",
    ),
    (
        "agent_keys",
        "tenant_id",
        "INSERT INTO agent_keys (tenant_id, agent_id, id, public_key, thumbprint, created_at) \
         VALUES ($1, $2, gen_random_uuid(), decode(repeat('00', 32), 'hex'), gen_random_uuid()::text, now())",
    ),
    (
        "agents",
        "tenant_id",
        "INSERT INTO agents (tenant_id, id, owner_id, name, created_at) \
         SELECT $1, gen_random_uuid(), id, $2::text, now() FROM overseers LIMIT 1",
    ),
    (
        "api_keys",
        "tenant_id",
        "INSERT INTO api_keys (id, tenant_id, overseer_id, kind, name, key_hash, hint, scopes, created_at) \
         SELECT gen_random_uuid(), $1, id, 'tenant', 'x', sha256(gen_random_uuid()::text::bytea), 'pft_0000', '{runs:read}', now() \
         FROM overseers WHERE $2::uuid IS NOT NULL LIMIT 1",
    ),
    (
        "audit_events",
        "tenant_id",
        "INSERT INTO audit_events (tenant_id, at, actor_kind, action, request_id, detail) \
         VALUES ($1, now(), 'system', 'a.b', $2::text, '{}')",
    ),
    (
        // One for each tenant: this is a third one's.
        "audit_heads",
        "tenant_id",
        "INSERT INTO audit_heads (tenant_id, count, hash, at, signature) \
         SELECT '00000000-0000-0000-0000-00000000000b', 1, sha256('x'), now(), repeat('A', 86) WHERE $1 <> $2",
    ),
    (
        "audit_seals",
        "tenant_id",
        "WITH event AS (INSERT INTO audit_events (tenant_id, at, actor_kind, action, request_id, detail) \
            SELECT COALESCE(NULLIF(current_setting('pinfold.tenant', true), '')::uuid, $1), now(), 'system', 'a.b', $2::text, '{}' \
            RETURNING id) \
         INSERT INTO audit_seals (tenant_id, sequence, event_id, hash) SELECT $1, 1000 + id, id, sha256('x') FROM event",
    ),
    (
        "audit_unsealed",
        "tenant_id",
        "WITH event AS (INSERT INTO audit_events (tenant_id, at, actor_kind, action, request_id, detail) \
            SELECT COALESCE(NULLIF(current_setting('pinfold.tenant', true), '')::uuid, $1), now(), 'system', 'a.b', $2::text, '{}' \
            RETURNING id) \
         INSERT INTO audit_unsealed (tenant_id, event_id) SELECT $1, id FROM event",
    ),
    (
        "invitations",
        "tenant_id",
        "INSERT INTO invitations (tenant_id, id, email, email_key, role, invited_by, created_at, expires_at) \
         SELECT $1, gen_random_uuid(), 'x@y.example', gen_random_uuid()::text, 'viewer', id, now(), now() + interval '1 day' \
         FROM overseers WHERE $2::uuid IS NOT NULL LIMIT 1",
    ),
    (
        "memberships",
        "tenant_id",
        "WITH new AS (INSERT INTO overseers (id, kind, created_at) SELECT gen_random_uuid(), 'person', now() WHERE $2::uuid IS NOT NULL RETURNING id) \
         INSERT INTO memberships (tenant_id, overseer_id, role, created_at) SELECT $1, id, 'viewer', now() FROM new",
    ),
    (
        "oauth_clients",
        "tenant_id",
        "INSERT INTO oauth_clients (tenant_id, id, client_id, name, application_type, token_endpoint_auth_method, grant_types, \
            redirect_uris, scopes, dpop_bound_access_tokens, created_by, created_at) \
         SELECT $1, gen_random_uuid(), gen_random_uuid()::text, 'x', 'web', 'none', '{authorization_code}', '{https://x.example/}', \
            '{runs:read}', false, id, now() FROM overseers WHERE $2::uuid IS NOT NULL LIMIT 1",
    ),
    (
        "oauth_consents",
        "tenant_id",
        "INSERT INTO oauth_consents (tenant_id, id, overseer_id, client_id, scopes, shown, created_at) \
         SELECT $1, gen_random_uuid(), id, gen_random_uuid()::text, '{runs:read}', sha256('x'), now() \
         FROM overseers WHERE $2::uuid IS NOT NULL LIMIT 1",
    ),
    (
        "oauth_grants",
        "tenant_id",
        "INSERT INTO oauth_grants (tenant_id, id, overseer_id, client_id, scopes, authenticated_at, created_at, expires_at) \
         SELECT $1, gen_random_uuid(), id, 'x', '{runs:read}', now(), now(), now() \
         FROM overseers WHERE $2::uuid IS NOT NULL LIMIT 1",
    ),
    (
        "oversights",
        "tenant_id",
        "WITH new AS (INSERT INTO overseers (id, kind, created_at) VALUES (gen_random_uuid(), 'person', now()) RETURNING id) \
         INSERT INTO oversights (tenant_id, agent_id, overseer_id, relation, granted_by, created_at) \
         SELECT $1, COALESCE((SELECT id FROM agents WHERE tenant_id = $1 LIMIT 1), $2), id, 'viewer', id, now() FROM new",
    ),
    (
        "tenants",
        "id",
        "INSERT INTO tenants (id, name, kind, plan, created_at) \
         SELECT gen_random_uuid(), gen_random_uuid()::text, 'team', 'standard', now() WHERE $1 <> $2",
    ),
];

struct Two {
    app: TestApp,
    ours: TenantId,
    theirs: TenantId,
    their_agent: AgentId,
}

/// Two tenants with a row in every table.
async fn two() -> Two {
    let app = TestApp::start().await;
    app.agent().await;
    let theirs = TenantId::from_u128(7);
    sqlx::query(
        "INSERT INTO tenants (id, name, kind, plan, created_at) VALUES ($1, 'theirs', 'team', 'standard', now())",
    )
    .bind(theirs.uuid())
    .execute(&app.owner)
    .await
    .unwrap();
    let their_agent = AgentId::from_u128(8);
    let at = Timestamp::from_second(START).unwrap();
    let mut tx = app.state.database.tenant(theirs).await.unwrap();
    let owner = OverseerId::from_u128(9);
    agents::ensure_shadow_owner(&mut tx, owner, at).await.unwrap();
    let agent = NewAgent {
        id: their_agent,
        owner,
        name: "theirs".to_owned(),
        expires_at: None,
        at,
    };
    agents::insert(&mut tx, &agent).await.unwrap();
    let key = NewKey {
        agent: their_agent,
        id: AgentKeyId::from_u128(10),
        public_key: [3; 32],
        thumbprint: jwk::thumbprint(&[3; 32]),
        at,
    };
    assert!(agent_keys::insert(&mut tx, &key).await.unwrap());
    tx.commit().await.unwrap();
    sqlx::query(
        "INSERT INTO audit_events (tenant_id, at, actor_kind, action, request_id, detail) \
         VALUES ($1, now(), 'system', 'a.b', 'r', '{}')",
    )
    .bind(theirs.uuid())
    .execute(&app.owner)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO tenants (id, name, kind, plan, created_at) \
         VALUES ('00000000-0000-0000-0000-00000000000b', 'third', 'team', 'standard', now())",
    )
    .execute(&app.owner)
    .await
    .unwrap();
    for tenant in [tenants::SHADOW, theirs] {
        let insert = "INSERT INTO audit_heads (tenant_id, count, hash, at, signature) \
                      VALUES ($1, 1, sha256('x'), now(), repeat('A', 86))";
        sqlx::query(insert)
            .bind(tenant.uuid())
            .execute(&app.owner)
            .await
            .unwrap();
    }
    // The same statements, as the owner of the tables: a row of each tenant in the tables that nothing above fills.
    for (table, _, insert) in TABLES {
        let filled = [
            "agent_client_blocks",
            "api_keys",
            "audit_seals",
            "audit_unsealed",
            "invitations",
            "memberships",
            "oauth_clients",
            "oauth_consents",
            "oauth_grants",
            "oversights",
        ];
        if !filled.contains(&table) {
            continue;
        }
        for tenant in [tenants::SHADOW, theirs] {
            let insert = sqlx::query(insert).bind(tenant.uuid()).bind(their_agent.uuid());
            insert.execute(&app.owner).await.unwrap();
        }
    }
    Two {
        app,
        ours: tenants::SHADOW,
        theirs,
        their_agent,
    }
}

/// What one tenant sees or writes of another's, or nobody of anybody's.
async fn leaks(two: &Two) -> Vec<String> {
    let database = &two.app.state.database;
    let mut found = Vec::new();
    for (table, column, foreign) in TABLES {
        let others = format!("SELECT count(*) FROM {table} WHERE {column} <> $1");
        let mut tx = database.tenant(two.ours).await.unwrap();
        let seen: i64 = sqlx::query_scalar(AssertSqlSafe(others))
            .bind(two.ours.uuid())
            .fetch_one(&mut *tx.inner)
            .await
            .unwrap();
        let own: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
            .fetch_one(&mut *tx.inner)
            .await
            .unwrap();
        assert!(own > 0, "{table} has a row of ours");
        if seen > 0 {
            found.push(format!("{table}: read"));
        }
        let written = sqlx::query(foreign)
            .bind(two.theirs.uuid())
            .bind(two.their_agent.uuid())
            .execute(&mut *tx.inner)
            .await;
        match written {
            Ok(done) => {
                assert_eq!(done.rows_affected(), 1, "{table}");
                found.push(format!("{table}: written"));
            }
            Err(error) => {
                let told = error.to_string();
                assert!(told.contains("violates row-level security policy"), "{table}: {told}");
            }
        }
        drop(tx);
        let mut nobody = database.platform().await.unwrap();
        let seen: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
            .fetch_one(&mut *nobody.inner)
            .await
            .unwrap();
        if seen > 0 {
            found.push(format!("{table}: read by nobody"));
        }
    }
    found
}

#[tokio::test]
async fn no_tenant_sees_or_writes_another() {
    assert_eq!(leaks(&two().await).await, Vec::<String>::new());
}

#[tokio::test]
async fn every_policy_is_needed() {
    let two = two().await;
    for (table, ..) in TABLES {
        let opened = [
            (
                format!("ALTER POLICY tenant ON {table} USING (true)"),
                vec!["read", "read by nobody"],
            ),
            (
                format!("ALTER POLICY tenant ON {table} WITH CHECK (true)"),
                vec!["written"],
            ),
            (
                format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"),
                vec!["read", "written", "read by nobody"],
            ),
        ];
        for (change, wanted) in opened {
            let before = policy(&two.app.owner, table).await;
            execute(&two.app.owner, &change).await;
            let wanted: Vec<String> = wanted.iter().map(|leak| format!("{table}: {leak}")).collect();
            assert_eq!(leaks(&two).await, wanted, "{change}");
            let (using, check) = before;
            execute(
                &two.app.owner,
                &format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"),
            )
            .await;
            execute(
                &two.app.owner,
                &format!("ALTER POLICY tenant ON {table} USING {using} WITH CHECK {check}"),
            )
            .await;
        }
    }
    assert_eq!(leaks(&two).await, Vec::<String>::new(), "every change was taken back");
}

async fn policy(owner: &PgPool, table: &str) -> (String, String) {
    sqlx::query_as("SELECT qual, with_check FROM pg_policies WHERE tablename = $1 AND policyname = 'tenant'")
        .bind(table)
        .fetch_one(owner)
        .await
        .unwrap()
}

async fn execute(owner: &PgPool, sql: &str) {
    owner.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
}

#[tokio::test]
async fn every_table_is_a_tenants_or_known_to_be_nobodys() {
    let app = TestApp::start().await;
    let bound: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' \
         AND relrowsecurity AND relforcerowsecurity ORDER BY relname",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap();
    assert_eq!(bound, TABLES.map(|(table, ..)| table));
    let free: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' \
         AND NOT (relrowsecurity AND relforcerowsecurity) ORDER BY relname",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap();
    let known = [
        "_sqlx_migrations",
        "authenticators",
        "changes",
        "client_blocks",
        "cluster_changes",
        "cluster_gaps",
        "cluster_requests",
        "cluster_resources",
        "cluster_users",
        "cluster_watches",
        "idempotency_keys",
        "identities",
        "jobs",
        "mail_links",
        "oauth_assertions",
        "oauth_codes",
        "oauth_devices",
        "oauth_refresh_tokens",
        "oauth_requests",
        "overseers",
        "passkey_challenges",
        "passkeys",
        "passwords",
        "profiles",
        "recovery_codes",
        "replay_epoch",
        "replay_spent",
        "sessions",
        "signing_keys",
    ];
    assert_eq!(free, known);
}

/// The whole list of ways around the tenant, each with a fixed search path and closed to everybody else.
#[tokio::test]
async fn the_ways_around_the_tenant_are_these() {
    let app = TestApp::start().await;
    let ways: Vec<(String, String, Vec<String>, bool)> = sqlx::query_as(
        "SELECT p.oid::regprocedure::text, r.rolname::text, p.proconfig, has_function_privilege('public', p.oid, 'EXECUTE') \
         FROM pg_proc AS p JOIN pg_roles AS r ON r.oid = p.proowner \
         WHERE p.prosecdef AND p.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) \
         ORDER BY 1",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap();
    let wanted = [
        "lookup.agent_of_id(uuid)",
        "lookup.agent_of_key_beside_tenant(uuid,uuid,text)",
        "lookup.agents_of_resources()",
        "lookup.api_key_of_hash(bytea)",
        "lookup.audit_chains()",
        "lookup.audit_chains_unsealed()",
        "lookup.claim_agent(bytea,uuid,uuid,timestamp with time zone)",
        "lookup.forget_oauth_grants(timestamp with time zone)",
        "lookup.newest_runs_version()",
        "lookup.note_addition()",
        "lookup.note_change()",
        "lookup.oauth_client(text)",
        "lookup.oauth_clients_that_nobody_uses(uuid,timestamp with time zone)",
        "lookup.oauth_consents_of(uuid)",
        "lookup.oauth_grant(uuid)",
        "lookup.oauth_grants_of(uuid)",
        "lookup.revoke_oauth_grants()",
        "lookup.seat_of_overseer(uuid,text)",
        "lookup.tenant_named(text)",
        "lookup.tenant_of_invitation(uuid)",
        "lookup.tenant_of_oauth_grant(uuid)",
        "lookup.tenant_of_organisation(text,text)",
        "lookup.tenants_of_overseer(uuid)",
    ]
    .map(|function| {
        (
            function.to_owned(),
            "pinfold_lookup".to_owned(),
            vec!["search_path=pg_catalog, pg_temp".to_owned()],
            false,
        )
    });
    assert_eq!(ways, wanted);
}

#[tokio::test]
async fn history_is_only_added_to() {
    let two = two().await;
    for change in [
        "UPDATE audit_events SET action = 'c.d'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "UPDATE audit_seals SET hash = sha256('y')",
        "DELETE FROM audit_seals",
        "TRUNCATE audit_seals",
    ] {
        let mut tx = two.app.state.database.tenant(two.ours).await.unwrap();
        let told = sqlx::query(change)
            .execute(&mut *tx.inner)
            .await
            .unwrap_err()
            .to_string();
        assert!(told.contains("permission denied for table audit_"), "{change}: {told}");
    }
}

#[tokio::test]
async fn a_role_that_row_level_security_does_not_bind_is_refused() {
    let app = TestApp::start().await;
    app.state.database.check().await.unwrap();
    let told = Database::of(app.owner.clone()).check().await.unwrap_err().to_string();
    assert_eq!(
        told,
        "the role pinfold_app is a superuser, has BYPASSRLS or owns tables; row-level security does not bind it: take that \
         from it"
    );
}

#[tokio::test]
async fn a_schema_that_is_too_old_is_refused() {
    let app = TestApp::start().await;
    let newest: i64 = sqlx::query_scalar(
        "DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations) RETURNING version",
    )
    .fetch_one(&app.owner)
    .await
    .unwrap();
    let told = app.state.database.check().await.unwrap_err().to_string();
    assert_eq!(
        told,
        format!("the database lacks the migration {newest}; run `pinfold-api migrate`")
    );
    execute(&app.owner, "DROP TABLE _sqlx_migrations").await;
    let told = app.state.database.check().await.unwrap_err().to_string();
    assert_eq!(
        told,
        format!("the database lacks the migration {newest}; run `pinfold-api migrate`")
    );
}

#[tokio::test]
async fn one_key_of_each_kind_is_made_however_many_replicas_begin() {
    let app = TestApp::without_keys().await;
    let replicas: Vec<TestApp> = (0..8).map(|_| app.replica()).collect();
    futures::future::join_all(replicas.iter().map(TestApp::refresh_keys)).await;
    let keys: i64 = sqlx::query_scalar("SELECT count(*) FROM signing_keys")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    assert_eq!(keys, 2);
    let sealed: Vec<u8> = sqlx::query_scalar("SELECT sealed_private_key FROM signing_keys WHERE algorithm = 'EdDSA'")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    assert_eq!(sealed.len(), 12 + 32 + 16, "nonce, seed and tag");
}
