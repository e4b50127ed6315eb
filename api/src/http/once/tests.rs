use axum::{
    body::Body,
    http::{HeaderValue, Method, Request},
};
use serde_json::{Value, json};

use super::*;
use crate::routes::me::totp::tests::shown;
use crate::testing::{Answer, PASSWORD, TestAgent, TestApp, TestPasskey, TestPerson};

const TENANTS: &str = "/v1/tenants";
const KEYS: &str = "/v1/me/api-keys";

/// Sends a body as a person, with these Idempotency-Keys.
async fn send(app: &TestApp, person: &TestPerson, path: &str, keys: &[&str], body: &Value) -> Answer {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::COOKIE, &person.cookie)
        .header("x-csrf-token", &person.csrf)
        .header(header::CONTENT_TYPE, "application/json");
    for key in keys {
        request = request.header(KEY, HeaderValue::from_bytes(key.as_bytes()).expect("a header's value"));
    }
    app.send(request.body(Body::from(body.to_string())).expect("a request"))
        .await
}

fn api_key(name: &str) -> Value {
    json!({"name": name, "scopes": ["runs:read"]})
}

fn code(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.body["code"].as_str().unwrap_or_default())
}

/// How many keys the person has made.
async fn count(app: &TestApp) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM api_keys")
        .fetch_one(&app.owner)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_request_that_is_sent_again_is_answered_again_and_not_done_again() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let first = send(&app, &ada, KEYS, &["one"], &api_key("laptop")).await;
    assert_eq!(
        (first.status.as_u16(), first.header("idempotency-replayed")),
        (201, None)
    );
    // In another replica, quoted as the draft has it.
    let again = send(&app.replica(), &ada, KEYS, &["\"one\""], &api_key("laptop")).await;
    assert_eq!(again.told(), (201, &first.body));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.header("content-type"), Some("application/json"));
    assert_eq!(count(&app).await, 1);
    let other = send(&app, &ada, KEYS, &["two"], &api_key("laptop")).await;
    assert_eq!(other.status, 201);
    assert_ne!(other.body["secret"], first.body["secret"]);
    let without = send(&app, &ada, KEYS, &[], &api_key("laptop")).await;
    assert_eq!((without.status.as_u16(), count(&app).await), (201, 3));
}

#[tokio::test]
async fn a_key_belongs_to_one_request_of_one_caller() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.person("ada@example.com").await, app.person("bob@example.com").await);
    let first = send(&app, &ada, KEYS, &["one"], &api_key("laptop")).await;
    assert_eq!(first.status, 201);
    let other_body = send(&app, &ada, KEYS, &["one"], &api_key("phone")).await;
    assert_eq!(code(&other_body), (422, "idempotency_key_reused"));
    let other_query = send(&app, &ada, &format!("{KEYS}?x=1"), &["one"], &api_key("laptop")).await;
    assert_eq!(code(&other_query), (422, "idempotency_key_reused"));
    let other_route = send(&app, &ada, TENANTS, &["one"], &json!({"name": "acme"})).await;
    assert_eq!(other_route.status, 201);
    let other_caller = send(&app, &bob, KEYS, &["one"], &api_key("laptop")).await;
    assert_eq!(
        (
            other_caller.status.as_u16(),
            other_caller.header("idempotency-replayed")
        ),
        (201, None)
    );
    assert_ne!(other_caller.body, first.body);
}

/// AP-02: fifty at once, over two replicas.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_is_done() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let replicas = [app.replica(), app.replica()];
    let body = api_key("laptop");
    let all = (0..50).map(|number| send(&replicas[number % 2], &ada, KEYS, &["one"], &body));
    let answers = futures::future::join_all(all).await;
    let settled = send(&app, &ada, KEYS, &["one"], &body).await;
    assert_eq!(settled.status, 201);
    let mut made = 0;
    for answer in answers {
        match (answer.status.as_u16(), answer.header("idempotency-replayed")) {
            (201, replayed) => {
                made += i32::from(replayed.is_none());
                assert_eq!(answer.body, settled.body);
            }
            (409, None) => {
                assert_eq!(code(&answer), (409, "idempotency_in_progress"));
                assert_eq!(answer.header("retry-after"), Some("1"));
            }
            other => unreachable!("{other:?}: {:?}", answer.body),
        }
    }
    assert_eq!((made, count(&app).await), (1, 1));
}

#[tokio::test]
async fn what_was_refused_may_be_sent_again_and_mended() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.person("ada@example.com").await, app.person("bob@example.com").await);
    assert_eq!(
        send(&app, &bob, TENANTS, &[], &json!({"name": "acme"})).await.status,
        201
    );
    let taken = send(&app, &ada, TENANTS, &["one"], &json!({"name": "acme"})).await;
    assert_eq!(code(&taken), (409, "name_taken"));
    // The claim is given back behind the answer.
    let free = async || {
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM idempotency_keys")
            .fetch_one(&app.owner)
            .await
            .unwrap();
        left == 0
    };
    while !free().await {
        tokio::task::yield_now().await;
    }
    let mended = send(&app, &ada, TENANTS, &["one"], &json!({"name": "acme-two"})).await;
    assert_eq!(mended.status, 201);
    // What cannot be read takes no key.
    let broken = send(&app, &ada, KEYS, &["two"], &json!({"nome": "x"})).await;
    assert_eq!(code(&broken), (400, "invalid_request"));
    assert_eq!(send(&app, &ada, KEYS, &["two"], &api_key("laptop")).await.status, 201);
}

/// Whoever was at it is gone: the next goes on after the lease, and whoever comes back too late stores nothing.
#[tokio::test]
async fn a_lost_lease_is_taken_over_and_stores_nothing() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let request = idempotency::Request {
        principal: format!("overseer/{}", ada.id),
        route: format!("POST {KEYS}"),
        key_hash: sha256(b"one"),
    };
    let body = api_key("laptop").to_string();
    let asked = Asked {
        request: request.clone(),
        key: "one".to_owned(),
        query: String::new(),
        request_id: String::new(),
    };
    let request_hash = hashes(&app.state.master, &asked, body.as_bytes())[0];
    let (pool, now) = (app.state.database.pool(), app.state.clock.now());
    let known = idempotency::take(pool, &request, &request_hash, "first", now, LEASE)
        .await
        .unwrap();
    let held = |epoch| Known::Held {
        epoch,
        request_id: "first".to_owned(),
        done: false,
    };
    assert_eq!(known, held(1));
    let early = send(&app, &ada, KEYS, &["one"], &api_key("laptop")).await;
    assert_eq!(code(&early), (409, "idempotency_in_progress"));

    app.wait(LEASE.as_secs());
    let late = send(&app, &ada, KEYS, &["one"], &api_key("laptop")).await;
    assert_eq!(late.status, 201);
    let mut tx = app.state.database.any(None).await.unwrap();
    assert!(!idempotency::answer(&mut tx, &request, 1, 201, b"x").await.unwrap());
    drop(tx);
    assert_eq!(
        send(&app, &ada, KEYS, &["one"], &api_key("laptop")).await.body,
        late.body
    );
    assert_eq!(count(&app).await, 1);
}

#[tokio::test]
async fn an_answer_is_sealed_and_kept_for_a_day() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let first = send(&app, &ada, KEYS, &["one"], &api_key("laptop")).await;
    let row: String = sqlx::query_scalar("SELECT encode(answer, 'escape') || route || principal FROM idempotency_keys")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    let secret = first.body["secret"].as_str().expect("a secret");
    assert!(!row.contains(secret) && !row.contains("laptop"), "{row}");

    let pool = app.state.database.pool();
    app.wait(24 * 3600);
    idempotency::forget(pool, app.state.clock.now()).await.unwrap();
    assert_eq!(
        send(&app, &ada, KEYS, &["one"], &api_key("laptop")).await.body,
        first.body
    );
    app.wait(2 * 3600);
    idempotency::forget(pool, app.state.clock.now()).await.unwrap();
    let anew = send(&app, &ada, KEYS, &["one"], &api_key("laptop")).await;
    assert_eq!(anew.status, 201);
    assert_ne!(anew.body["secret"], first.body["secret"]);
}

#[tokio::test]
async fn a_key_that_is_none_is_told() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let long = "a".repeat(LONGEST + 1);
    for keys in [&["a", "b"][..], &[""], &["\"\""], &["a b"], &["ü"], &[&long]] {
        let answer = send(&app, &ada, KEYS, keys, &api_key("laptop")).await;
        assert_eq!(code(&answer), (400, "invalid_request"), "{keys:?}");
        assert_eq!(answer.body["field"], "Idempotency-Key", "{keys:?}");
    }
    assert_eq!(count(&app).await, 0);
}

/// A request that is sent twice with one key: the answer of both.
async fn twice(app: &TestApp, path: &str, proof: &[(&str, &str)], body: Option<&Value>) -> Answer {
    let send = async || {
        let mut request = Request::post(path)
            .header(KEY, path)
            .header(header::CONTENT_TYPE, "application/json");
        for (name, value) in proof {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        app.send(request.body(body).expect("a request")).await
    };
    let (first, again) = (send().await, send().await);
    assert_eq!(again.told(), first.told(), "{path}");
    assert_eq!(first.header("idempotency-replayed"), None, "{path}: {:?}", first.body);
    assert_eq!(again.header("idempotency-replayed"), Some("true"), "{path}");
    first
}

/// What an account and an agent do to themselves: the second time would be refused, or make the first answer's secrets void.
#[tokio::test]
async fn what_one_does_to_oneself_is_done_once_as_well() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let bob = app.person("bob@example.com").await;
    let as_ada = [("cookie", ada.cookie.as_str()), ("x-csrf-token", ada.csrf.as_str())];
    let begun = twice(&app, "/v1/me/totp", &as_ada, None).await;
    let secret = begun.body["secret"].as_str().expect("a secret");
    let given = json!({"code": shown(&app, secret), "current_password": PASSWORD});
    let confirmed = twice(&app, "/v1/me/totp/confirm", &as_ada, Some(&given)).await;
    assert_eq!(confirmed.status, 200);
    let proved = json!({"current_password": PASSWORD});
    let renewed = twice(&app, "/v1/me/recovery-codes", &as_ada, Some(&proved)).await;
    assert_ne!(renewed.body, confirmed.body);
    // The codes that were answered twice are those that there are.
    let code = json!({"code": renewed.body["recovery_codes"][0]});
    assert_eq!(
        twice(&app, "/v1/me/totp/remove", &as_ada, Some(&code)).await.status,
        204
    );

    let mut passkey = TestPasskey::p256();
    let options = twice(&app, "/v1/me/passkeys/challenge", &as_ada, None).await;
    let wanted = json!({"name": "phone", "credential": passkey.register(&options.body), "current_password": PASSWORD});
    let made = twice(&app, "/v1/me/passkeys", &as_ada, Some(&wanted)).await;
    assert_eq!(made.status, 201);
    let path = format!(
        "/v1/me/passkeys/{}/remove",
        made.body["passkey"]["id"].as_str().expect("an id")
    );
    assert_eq!(twice(&app, &path, &as_ada, Some(&proved)).await.status, 204);

    let agent = app.agent().await;
    let bearer = format!("Bearer {}", app.token(&agent).await);
    let as_agent = [("authorization", bearer.as_str())];
    let key = TestAgent::new().addition(&agent.id, app.now());
    assert_eq!(twice(&app, "/v1/me/keys", &as_agent, Some(&key)).await.status, 201);
    let offered = twice(&app, "/v1/me/claim-code", &as_agent, None).await;
    let code = json!({"claim_code": offered.body["claim_code"]});
    let preview = twice(&app, "/v1/claims/preview", &as_ada, Some(&code)).await;
    assert_eq!(
        (preview.status.as_u16(), &preview.body["agent_id"]),
        (200, &json!(agent.id))
    );

    sqlx::query("UPDATE overseers SET platform_admin = true WHERE id = $1::uuid")
        .bind(&ada.id)
        .execute(&app.owner)
        .await
        .unwrap();
    for (done, blocked) in [("block", true), ("unblock", false)] {
        let path = format!("/v1/admin/overseers/{}/{done}", bob.id);
        let answer = twice(&app, &path, &as_ada, None).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["blocked"]),
            (200, &json!(blocked))
        );
    }
    // None of it stands twice in the audit.
    app.seal().await;
    let double: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT action FROM audit_events WHERE action <> 'session.create' GROUP BY action, target_id HAVING count(*) > 1",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap();
    assert_eq!(double, Vec::<String>::new());
}
