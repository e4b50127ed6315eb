use axum::http::Method;
use serde_json::{Value, json};

use crate::testing::{Answer, START, TestAgent, TestApp};

async fn add(app: &TestApp, token: &str, body: &Value) -> Answer {
    app.with_token(Method::POST, "/v1/me/keys", token, Some(body)).await
}

async fn revoke(app: &TestApp, token: &str, key: &str) -> Answer {
    let path = format!("/v1/me/keys/{key}");
    app.with_token(Method::DELETE, &path, token, None).await
}

fn conflict(code: &str, detail: &str) -> Value {
    json!({
        "type": format!("/docs/errors#{code}"), "code": code, "status": 409,
        "title": "The request cannot be done as things are.", "detail": detail,
    })
}

const USED: &str = "this key is another agent's, or was revoked; make a new key";

#[tokio::test]
async fn an_agent_changes_its_key() {
    let app = TestApp::start().await;
    let old = app.agent().await;
    let by_old = app.token(&old).await;
    let mut new = TestAgent::new();
    app.wait(5);
    let body = new.addition(&old.id, START + 5);
    let added = add(&app, &by_old, &body).await;
    let wanted = json!({
        "id": added.body["id"], "thumbprint": added.body["thumbprint"], "created_at": "2027-01-15T08:00:05Z",
        "revoked_at": null,
    });
    assert_eq!(added.told(), (201, &wanted));
    assert_eq!(
        add(&app, &by_old, &body).await.told(),
        (201, &wanted),
        "a lost answer does no harm"
    );

    new.id.clone_from(&old.id);
    new.key_id = added.body["id"].as_str().unwrap().to_owned();
    let by_new = app.token(&new).await;
    let replica = app.replica();
    replica.refresh_keys().await;
    assert_eq!(replica.get("/v1/me", Some(&by_old)).await.status, 200);
    assert_eq!(revoke(&app, &by_new, &old.key_id).await.told(), (204, &Value::Null));
    assert_eq!(replica.get("/v1/me", Some(&by_old)).await.status, 401);
    assert_eq!(
        replica.get("/v1/me", Some(&by_new)).await.body["key_id"],
        json!(new.key_id)
    );

    let keys = app.get("/v1/me/keys", Some(&by_new)).await;
    let first = json!({
        "id": old.key_id, "thumbprint": keys.body["keys"][0]["thumbprint"], "created_at": "2027-01-15T08:00:00Z",
        "revoked_at": "2027-01-15T08:00:05Z",
    });
    assert_eq!(keys.told(), (200, &json!({"keys": [first, wanted]})));
    let actions: Vec<String> = sqlx::query_scalar("SELECT action FROM audit_events ORDER BY id")
        .fetch_all(&app.owner)
        .await
        .unwrap();
    let wanted = [
        "agent.register",
        "token.issue",
        "agent_key.add",
        "token.issue",
        "agent_key.revoke",
    ];
    assert_eq!(actions, wanted);
}

#[tokio::test]
async fn a_key_is_one_agents_for_ever() {
    let app = TestApp::start().await;
    let (one, two) = (app.agent().await, app.agent().await);
    let (by_one, by_two) = (app.token(&one).await, app.token(&two).await);
    let used = conflict("key_used", USED);
    assert_eq!(
        add(&app, &by_one, &two.addition(&one.id, START)).await.told(),
        (409, &used)
    );

    let key = TestAgent::new();
    let added = add(&app, &by_one, &key.addition(&one.id, START)).await;
    let id = added.body["id"].as_str().unwrap().to_owned();
    assert_eq!(
        revoke(&app, &by_two, &id).await.status,
        404,
        "another agent's key is not there"
    );
    assert_eq!(revoke(&app, &by_one, &id).await.status, 204);
    assert_eq!(revoke(&app, &by_one, &id).await.status, 404);
    assert_eq!(
        add(&app, &by_one, &key.addition(&one.id, START)).await.told(),
        (409, &used)
    );
    assert_eq!(
        add(&app, &by_two, &key.addition(&two.id, START)).await.told(),
        (409, &used)
    );
}

#[tokio::test]
async fn the_last_key_stays_whoever_races() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let token = app.token(&agent).await;
    let last = conflict(
        "last_key",
        "this is the last key in force, without which you could not prove yourself again; add another first",
    );
    assert_eq!(revoke(&app, &token, &agent.key_id).await.told(), (409, &last));
    let other = TestAgent::new();
    let added = add(&app, &token, &other.addition(&agent.id, START)).await;
    let other = added.body["id"].as_str().unwrap().to_owned();
    let (a, b) = tokio::join!(revoke(&app, &token, &agent.key_id), revoke(&app, &token, &other));
    let mut told = [a.status.as_u16(), b.status.as_u16()];
    told.sort_unstable();
    // The second finds that it holds the last key, or that its token went with the first.
    assert!(told == [204, 409] || told == [204, 401], "{told:?}");
    let in_force: i64 = sqlx::query_scalar("SELECT count(*) FROM agent_keys WHERE revoked_at IS NULL")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    assert_eq!(in_force, 1);
}

#[tokio::test]
async fn ten_keys_are_enough() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let token = app.token(&agent).await;
    for _ in 0..9 {
        let answer = add(&app, &token, &TestAgent::new().addition(&agent.id, START)).await;
        assert_eq!(answer.status, 201);
    }
    let answer = add(&app, &token, &TestAgent::new().addition(&agent.id, START)).await;
    let wanted = conflict("too_many_keys", "10 keys are in force; revoke one first");
    assert_eq!(answer.told(), (409, &wanted));
}

#[tokio::test]
async fn what_is_wrong_with_a_key_is_named() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let token = app.token(&agent).await;
    let new = TestAgent::new();
    let foreign = new.addition("00000000-0000-0000-0000-000000000001", START);
    let answer = add(&app, &token, &foreign).await;
    let told = (answer.body["field"].as_str(), answer.body["detail"].as_str());
    let wanted = format!(
        "is not this key's over \"pinfold-agent-key-v1\", \"https://pinfold.example\", \"{}\", public_key, signed_at, joined \
         by zero bytes",
        agent.id
    );
    assert_eq!(told, (Some("signature"), Some(wanted.as_str())));
    let late = new.addition(&agent.id, START - 301);
    assert_eq!(add(&app, &token, &late).await.body["field"], json!("signed_at"));
    let answer = revoke(&app, &token, "1").await;
    assert_eq!(
        (answer.status.as_u16(), answer.body["field"].as_str()),
        (400, Some("key"))
    );
    for path in ["/v1/me/keys", "/v1/me/keys/00000000-0000-0000-0000-000000000001"] {
        let method = if path.len() > 12 { Method::DELETE } else { Method::POST };
        let answer = app.with_token(method, path, "nonsense", None).await;
        assert_eq!(answer.status, 401, "{path}");
    }
}
