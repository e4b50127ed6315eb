use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::json;

use crate::testing::{Answer, TestAgent, TestApp, TestRedis};

/// What a client hears of its limit: the status, `RateLimit`, and when to come again.
fn told(answer: &Answer) -> (u16, Option<&str>, Option<&str>) {
    (
        answer.status.as_u16(),
        answer.header("ratelimit"),
        answer.header("retry-after"),
    )
}

async fn from(app: &TestApp, forwarded: &str) -> Answer {
    let request = Request::get("/.well-known/jwks.json").header("x-forwarded-for", forwarded);
    app.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn one_address_has_so_many_requests_and_no_more() {
    let app = TestApp::start().await;
    let first = from(&app, "203.0.113.9").await;
    assert_eq!(told(&first), (200, Some(r#""anonymous";r=59;t=60"#), None));
    assert_eq!(first.header("ratelimit-policy"), Some(r#""anonymous";q=60;w=60"#));
    for _ in 0..59 {
        assert_eq!(from(&app, "203.0.113.9").await.status, 200);
    }
    let refused = from(&app, "203.0.113.9").await;
    assert_eq!(told(&refused), (429, Some(r#""anonymous";r=0;t=1"#), Some("2")));
    let body = json!({
        "type": "/docs/errors#rate_limited", "code": "rate_limited", "status": 429,
        "title": "Too many requests; come again later.",
    });
    assert_eq!(refused.body, body);
    // What the client itself wrote moves no bucket; another client has one of its own.
    assert_eq!(from(&app, "198.51.100.1, 203.0.113.9").await.status, 429);
    assert_eq!(from(&app, "203.0.113.10").await.status, 200);
    app.wait(1);
    assert_eq!(
        told(&from(&app, "203.0.113.9").await),
        (200, Some(r#""anonymous";r=0;t=60"#), None)
    );
    assert_eq!(from(&app, "203.0.113.9").await.status, 429);
    app.wait(3600);
    app.state.limits.forget();
    let later = from(&app, "203.0.113.9").await;
    assert_eq!(told(&later), (200, Some(r#""anonymous";r=59;t=60"#), None));
}

#[tokio::test]
async fn one_network_of_ipv6_is_one_address() {
    let app = TestApp::start().await;
    for n in 0..60 {
        assert_eq!(from(&app, &format!("2001:db8:1:2::{n:x}")).await.status, 200);
    }
    assert_eq!(from(&app, "2001:db8:1:2:ffff::1").await.status, 429);
    assert_eq!(from(&app, "2001:db8:1:3::1").await.status, 200);
}

#[tokio::test]
async fn registrations_are_counted_apart() {
    let app = TestApp::start().await;
    let register = async || {
        let body = TestAgent::new().registration("scout", app.now());
        app.post("/v1/agents", &body).await
    };
    for _ in 0..30 {
        assert_eq!(register().await.status, 201);
    }
    let refused = register().await;
    assert_eq!(told(&refused), (429, Some(r#""registrations";r=0;t=120"#), Some("121")));
    assert_eq!(app.get("/.well-known/jwks.json", None).await.status, 200);
    app.wait(121);
    assert_eq!(register().await.status, 201);
    assert_eq!(register().await.status, 429);
}

#[tokio::test]
async fn who_has_a_token_is_not_counted_with_those_who_have_none() {
    let app = TestApp::start().await;
    let token = app.token(&app.agent().await).await;
    for n in 0..70 {
        let rest = format!(r#""calls";r={};t=60"#, 299 - n);
        let answer = app.get("/v1/me", Some(&token)).await;
        assert_eq!(told(&answer), (200, Some(rest.as_str()), None));
        assert_eq!(answer.header("ratelimit-policy"), Some(r#""calls";q=300;w=60"#));
    }
    // Errors tell it as well; who is nobody is not counted as somebody.
    let missing = app.get("/v1/tenants/none-of-this-name", Some(&token)).await;
    assert_eq!(told(&missing), (404, Some(r#""calls";r=229;t=60"#), None));
    assert_eq!(
        told(&app.get("/v1/me", Some("none")).await),
        (401, Some(r#""anonymous";r=57;t=60"#), None)
    );
    for _ in 0..229 {
        app.get("/v1/me", Some(&token)).await;
    }
    let refused = app.get("/v1/me", Some(&token)).await;
    assert_eq!(told(&refused), (429, Some(r#""calls";r=0;t=1"#), Some("1")));
}

/// Whoever tries keys and tokens is counted by the address, and who has one is not held up by that.
#[tokio::test]
async fn proofs_that_are_none_are_counted() {
    let app = TestApp::start().await;
    let token = app.token(&app.agent().await).await;
    // What it took to get a token is counted as well.
    let mut proofs = ["nonsense", token.trim_end_matches(|c: char| c != '.')]
        .into_iter()
        .cycle();
    for n in 0..58 {
        let rest = format!(r#""anonymous";r={};t=60"#, 57 - n);
        let answer = app.get("/v1/me", proofs.next()).await;
        assert_eq!(told(&answer), (401, Some(rest.as_str()), None));
    }
    let refused = app.get("/v1/me", Some("nonsense")).await;
    assert_eq!(told(&refused), (429, Some(r#""anonymous";r=0;t=1"#), Some("2")));
    assert_eq!(app.get("/v1/me", Some(&token)).await.status, 200);
}

/// What changes something is a class of its own.
#[tokio::test]
async fn writes_are_counted_apart() {
    let app = TestApp::start().await;
    let person = app.person("ada@example.com").await;
    let made = app
        .as_person(Method::POST, "/v1/tenants", &person, Some(&json!({"name": "acme"})))
        .await;
    assert_eq!(told(&made), (201, Some(r#""writes";r=299;t=60"#), None));
    assert_eq!(made.header("ratelimit-policy"), Some(r#""writes";q=300;w=60"#));
    let read = app.as_person(Method::GET, "/v1/tenants/acme", &person, None).await;
    assert_eq!(told(&read), (200, Some(r#""calls";r=299;t=60"#), None));
}

/// Through one replica or the other: what a client has used up is the same.
#[tokio::test]
async fn replicas_count_together_in_redis() {
    let redis = TestRedis::start().await;
    let app = TestApp::with_redis(&redis).await;
    let other = app.replica();
    other.refresh_keys().await;
    for n in 0..30_u32 {
        let left = from(&app, "203.0.113.9").await;
        let rest = format!(r#""anonymous";r={};t=60"#, 59 - 2 * n);
        assert_eq!(told(&left), (200, Some(rest.as_str()), None));
        assert_eq!(from(&other, "203.0.113.9").await.status, 200);
    }
    for replica in [&app, &other] {
        let refused = from(replica, "203.0.113.9").await;
        assert_eq!(refused.status, 429);
        assert_eq!(from(replica, "203.0.113.10").await.status, 200);
    }
    // What Redis loses is lost, and nothing else.
    redis.flush().await;
    assert_eq!(from(&other, "203.0.113.9").await.status, 200);
}

/// AP-07: without Redis every route answers, and each replica still has a limit of its own.
#[tokio::test]
async fn without_redis_each_replica_counts_for_itself() {
    let mut redis = TestRedis::start().await;
    let app = TestApp::with_redis(&redis).await;
    let other = app.replica();
    other.refresh_keys().await;
    redis.kill();
    for replica in [&app, &other] {
        for _ in 0..60 {
            assert_eq!(from(replica, "203.0.113.9").await.status, 200);
        }
        assert_eq!(from(replica, "203.0.113.9").await.status, 429);
    }
    let token = app.token(&app.agent().await).await;
    assert_eq!(app.get("/v1/me", Some(&token)).await.status, 200);
}

/// Ten passwords a minute on one account, whichever replica they are tried at.
#[tokio::test]
async fn passwords_are_counted_together() {
    let redis = TestRedis::start().await;
    let app = TestApp::with_redis(&redis).await;
    let other = app.replica();
    let attempt = json!({"email": "ada@example.com", "password": "not the password"});
    for replica in [&app, &other].into_iter().cycle().take(10) {
        assert_eq!(replica.post("/v1/sessions", &attempt).await.status, 401);
    }
    for replica in [&app, &other] {
        let refused = replica.post("/v1/sessions", &attempt).await;
        assert_eq!(refused.status, 429);
    }
}

/// Whoever tries many accounts from one place has one bucket for all of them.
#[tokio::test]
async fn many_accounts_from_one_address_are_counted_together() {
    let app = TestApp::start().await;
    let log_in = async |n: usize| {
        let attempt = json!({"email": format!("person-{n}@example.com"), "password": "not the password"});
        app.post("/v1/sessions", &attempt).await.status.as_u16()
    };
    for n in 0..60 {
        assert_eq!(log_in(n).await, 401, "{n}");
    }
    assert_eq!(log_in(60).await, 429);
    // The other ways to prove something by a mail address are of the same bucket.
    let mail = json!({"email": "person-61@example.com"});
    assert_eq!(app.post("/v1/password-resets", &mail).await.status, 429);
    assert_eq!(app.get("/.well-known/jwks.json", None).await.status, 200);
}

/// What a client calls itself, and how it spells the address, moves no bucket.
#[tokio::test]
async fn another_client_or_spelling_is_no_other_bucket() {
    let app = TestApp::start().await;
    let ask = async |path: &str, n: usize| {
        let name = format!("client-{n}");
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", name.as_str()),
            ("client_secret", "guessed"),
        ];
        app.form(path, &form).await.status.as_u16()
    };
    for n in 0..60 {
        assert_eq!(ask("/oauth/token", n).await, 401, "{n}");
    }
    assert_eq!(ask("/oauth/token", 60).await, 429);
    for path in ["/oauth/token?n=1", "/oauth/revoke", "/oauth/introspect", "/oauth/par"] {
        assert_eq!(ask(path, 61).await, 429, "{path}");
    }
    for path in [
        "/oauth//token",
        "/oauth/%74oken",
        "/oauth/token/",
        "/OAUTH/token",
        "/oauth/./token",
    ] {
        assert_eq!(ask(path, 62).await, 404, "{path}: it is no other way in");
    }
}
