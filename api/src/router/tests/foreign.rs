//! Case 51: whoever names what is another tenant's, or another person's, hears the same as of what is not there.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::*;
use crate::{
    router::access::{self, Entry},
    routes::{
        me::totp::tests::shown,
        tenants::tests::{joined, made, post},
    },
    testing::{Answer, PASSWORD, TestAgent, TestPasskey, TestPerson},
};

/// What is sent, where a body is read before it is known what is meant.
fn body(entry: &Entry) -> serde_json::Value {
    match (entry.method.as_str(), entry.path.rsplit('/').next().unwrap_or_default()) {
        ("PATCH", "{overseer}") => json!({"role": "viewer"}),
        ("PUT", "{overseer}") => json!({"relation": "viewer"}),
        ("PATCH", "{client}") => json!({"client_name": "mine"}),
        ("PATCH", "{run}" | "{template}") => json!({"labels": {"a": "b"}}),
        ("PATCH", _) => json!({"name": "mine"}),
        ("POST", "secret") => json!({"previous_expires_in": 60}),
        ("POST", "client-blocks") => json!({"client_id": "other"}),
        ("POST", "remove") => json!({"current_password": PASSWORD}),
        _ => json!({}),
    }
}

async fn ask(app: &TestApp, eve: &TestPerson, entry: &Entry, ids: &BTreeMap<&str, String>, n: usize) -> Answer {
    let path = ids
        .iter()
        .fold(entry.path.replace("{tenant}", "evil"), |path, (name, id)| {
            path.replace(&format!("{{{name}}}"), id)
        });
    assert!(!path.contains('{'), "{path}: give the parameter a value here");
    let request = Request::builder()
        .method(entry.method.parse::<Method>().unwrap())
        .uri(&path)
        .header(header::COOKIE, &eve.cookie)
        .header("x-csrf-token", &eve.csrf)
        .header("x-forwarded-for", format!("203.0.113.{n}"))
        .header(header::CONTENT_TYPE, "application/json");
    app.send(request.body(Body::from(body(entry).to_string())).unwrap())
        .await
}

#[tokio::test]
async fn what_belongs_to_others_is_not_there() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    made(&app, &ada, "acme").await;
    let eve = app.person("eve@example.com").await;
    made(&app, &eve, "evil").await;
    let bob = joined(&app, &ada, "acme", "bob@example.com", "developer").await;
    let text = |answer: &Answer, name: &str| {
        assert!(answer.status.is_success(), "{:?}", answer.body);
        answer.body[name].as_str().unwrap().to_owned()
    };
    // A thing of every kind, of Ada's or of her tenant's.
    let agent = TestAgent::new().registration("scout", app.now());
    let agent = post(&app, &ada, "/v1/tenants/acme/agents", &agent).await;
    let scopes = json!({"name": "ci", "scopes": ["runs:read"]});
    let key = post(&app, &ada, "/v1/tenants/acme/api-keys", &scopes).await;
    let own_key = post(&app, &ada, "/v1/me/api-keys", &scopes).await;
    let client = json!({"client_name": "board", "grant_types": ["client_credentials"], "scope": "runs:read"});
    let client = post(&app, &ada, "/v1/tenants/acme/clients", &client).await;
    let invited = json!({"email": "new@example.com", "role": "viewer"});
    let invitation = post(&app, &ada, "/v1/tenants/acme/invitations", &invited).await;
    let mut passkey = TestPasskey::p256();
    let options = app
        .as_person(Method::POST, "/v1/me/passkeys/challenge", &ada, None)
        .await;
    let wanted = json!({"name": "phone", "credential": passkey.register(&options.body), "current_password": PASSWORD});
    let passkey = post(&app, &ada, "/v1/me/passkeys", &wanted).await;
    let begun = post(&app, &ada, "/v1/me/totp", &json!({})).await;
    let confirmation = json!({"code": shown(&app, &text(&begun, "secret")), "current_password": PASSWORD});
    assert!(
        post(&app, &ada, "/v1/me/totp/confirm", &confirmation)
            .await
            .status
            .is_success()
    );
    let of = async |sql: &'static str| -> Uuid { sqlx::query_scalar(sql).fetch_one(&app.owner).await.unwrap() };
    sqlx::query(
        "INSERT INTO identities (id, issuer, subject, overseer_id, created_at)
         SELECT gen_random_uuid(), 'https://id.example', 'ada', overseer_id, now() FROM profiles WHERE email = 'ada@example.com'",
    )
    .execute(&app.owner)
    .await
    .unwrap();
    let session = of("SELECT id FROM sessions ORDER BY created_at LIMIT 1").await;
    let agent_key = of("SELECT id FROM agent_keys").await;
    let identity = of("SELECT id FROM identities").await;
    let block = post(&app, &ada, "/v1/me/client-blocks", &json!({"client_id": "other"})).await;
    let member =
        "FROM memberships AS m JOIN tenants AS t ON t.id = m.tenant_id WHERE t.name = 'acme' AND m.role = 'owner'";
    let consent: Uuid = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "INSERT INTO oauth_consents (tenant_id, id, overseer_id, client_id, scopes, shown, created_at) \
         SELECT m.tenant_id, gen_random_uuid(), m.overseer_id, 'x', '{{runs:read}}', sha256('x'), now() {member} RETURNING id"
    )))
    .fetch_one(&app.owner)
    .await
    .unwrap();
    let grant: Uuid = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "INSERT INTO oauth_grants (tenant_id, id, overseer_id, client_id, scopes, authenticated_at, created_at, expires_at) \
         SELECT m.tenant_id, gen_random_uuid(), m.overseer_id, 'x', '{{runs:read}}', now(), now(), now() + interval '1 year' {member} RETURNING id"
    )))
    .fetch_one(&app.owner)
    .await
    .unwrap();
    // Two kinds of keys are in paths called alike.
    let theirs = |entry: &Entry| {
        let key = match entry.path.as_str() {
            path if path.starts_with("/v1/me/api-keys") => text(&own_key, "id"),
            path if path.contains("/api-keys/") => text(&key, "id"),
            _ => agent_key.to_string(),
        };
        BTreeMap::from([
            ("agent", text(&agent, "agent_id")),
            ("key", key),
            ("client", text(&client, "id")),
            ("consent", consent.to_string()),
            ("grant", grant.to_string()),
            ("block", text(&block, "id")),
            ("invitation", text(&invitation, "id")),
            ("overseer", bob.id.clone()),
            ("session", session.to_string()),
            ("identity", identity.to_string()),
            ("passkey", passkey.body["passkey"]["id"].as_str().unwrap().to_owned()),
            ("run", "none".to_owned()),
            ("template", "none".to_owned()),
        ])
    };
    let names = theirs(&access::entries()[0]).into_keys();
    let nobodys: BTreeMap<&str, String> = names
        .map(|name| {
            let is_name = ["run", "template"].contains(&name);
            let id = if is_name {
                "none"
            } else {
                "0198c5b4-5a0e-7000-8000-00000000000a"
            };
            (name, id.to_owned())
        })
        .collect();

    let before = snapshot(&app).await;
    let routes = access::entries().into_iter().filter(|entry| {
        let ways = entry.ways.as_ref();
        entry.path.replace("{tenant}", "").contains('{')
            && ways.is_some_and(|ways| !ways.admins && ways.proofs.iter().any(|p| p == "session"))
    });
    let mut asked = 0;
    for (n, entry) in routes.enumerate() {
        let foreign = ask(&app, &eve, &entry, &theirs(&entry), n).await;
        let missing = ask(&app, &eve, &entry, &nobodys, n).await;
        assert_eq!(foreign.told(), missing.told(), "{} {}", entry.method, entry.path);
        // What is in the cluster is asked of it, and there is none here.
        let wanted = if entry.path.contains("{run}") || entry.path.contains("{template}") {
            503
        } else {
            404
        };
        assert_eq!(
            foreign.status, wanted,
            "{} {}: {:?}",
            entry.method, entry.path, foreign.body
        );
        asked += 1;
    }
    assert!(asked >= 31, "{asked}");
    assert_eq!(snapshot(&app).await, before);
    // Nor does a list, a count or the audit tell of it.
    for path in ["agents", "api-keys", "clients", "invitations", "audit", "members"] {
        let list = app
            .as_person(Method::GET, &format!("/v1/tenants/evil/{path}?limit=500"), &eve, None)
            .await;
        let told = list.body.to_string();
        for id in [
            &ada.id,
            &bob.id,
            &text(&agent, "agent_id"),
            &text(&key, "id"),
            &text(&client, "id"),
        ] {
            assert!(
                list.status.is_success() && !told.contains(id.as_str()),
                "{path}: {told}"
            );
        }
    }
}

/// What is there of others.
async fn snapshot(app: &TestApp) -> Vec<String> {
    let mut all = Vec::new();
    for sql in [
        "SELECT a::text FROM agents AS a ORDER BY id",
        "SELECT k::text FROM agent_keys AS k ORDER BY id",
        "SELECT k::text FROM api_keys AS k ORDER BY id",
        "SELECT c::text FROM oauth_clients AS c ORDER BY id",
        "SELECT i::text FROM invitations AS i ORDER BY id",
        "SELECT m::text FROM memberships AS m ORDER BY tenant_id, overseer_id",
        "SELECT i::text FROM identities AS i ORDER BY id",
        "SELECT p.id::text FROM passkeys AS p ORDER BY id",
    ] {
        let rows: Vec<String> = sqlx::query_scalar(sql).fetch_all(&app.owner).await.unwrap();
        all.extend(rows);
    }
    all
}
