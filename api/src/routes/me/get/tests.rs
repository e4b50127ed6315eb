use axum::{
    body::Body,
    http::{Request, header},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    auth::jws,
    testing::{Answer, TestApp},
};

fn refused() -> Value {
    json!({
        "type": "/docs/errors#unauthenticated", "code": "unauthenticated", "status": 401,
        "title": "A valid access token, API key or login is needed.",
    })
}

fn is_refused(answer: &Answer, challenge: &str) {
    assert_eq!(answer.told(), (401, &refused()));
    assert_eq!(answer.header("www-authenticate"), Some(challenge));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
}

const NOBODY: &str =
    r#"Bearer realm="pinfold", resource_metadata="https://pinfold.example/.well-known/oauth-protected-resource""#;
const INVALID: &str = r#"Bearer realm="pinfold", error="invalid_token", resource_metadata="https://pinfold.example/.well-known/oauth-protected-resource""#;

#[tokio::test]
async fn a_token_says_who_one_is() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let token = app.token(&agent).await;
    let answer = app.get("/v1/me", Some(&token)).await;
    let wanted = json!({
        "kind": "agent", "id": agent.id, "key_id": agent.key_id, "scopes": ["self"],
        "tenant_id": "00000000-0000-8000-8000-000000000001", "owner_id": answer.body["owner_id"],
        "expires_at": "2027-01-15T08:10:00Z",
    });
    assert_eq!(answer.told(), (200, &wanted));
    app.wait(599);
    assert_eq!(app.get("/v1/me", Some(&token)).await.status, 200);
    app.wait(1);
    is_refused(&app.get("/v1/me", Some(&token)).await, INVALID);
}

#[tokio::test]
async fn without_a_token_one_is_nobody() {
    let app = TestApp::start().await;
    let token = app.token(&app.agent().await).await;
    is_refused(&app.get("/v1/me", None).await, NOBODY);
    let with = async |values: &[String]| {
        let mut request = Request::get("/v1/me");
        for value in values {
            request = request.header(header::AUTHORIZATION, value);
        }
        app.send(request.body(Body::empty()).unwrap()).await
    };
    let good = format!("bearer {token}");
    assert_eq!(
        with(std::slice::from_ref(&good)).await.status,
        200,
        "schemes compare without case"
    );
    is_refused(&with(&[good.clone(), good]).await, INVALID);
    is_refused(&with(std::slice::from_ref(&token)).await, INVALID);
    is_refused(&with(&["Basic YTpi".to_owned()]).await, INVALID);
    let unproved = with(&[format!("DPoP {token}")]).await;
    assert_eq!(
        (unproved.status.as_u16(), &unproved.body["code"]),
        (401, &json!("invalid_dpop_proof"))
    );
    is_refused(&with(&["Bearer ".to_owned()]).await, INVALID);
    is_refused(&with(&[format!("Bearer  {token}")]).await, INVALID);
    is_refused(&with(&[format!("Bearer {token}.")]).await, INVALID);
}

/// Case 5: whatever a header says of the key, nobody else's is looked for.
#[tokio::test]
async fn a_key_that_is_named_otherwise_proves_nothing() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let token = app.token(&agent).await;
    let parts: Vec<&str> = token.split('.').collect();
    let header: Value = serde_json::from_slice(&jws::decode(parts[0]).unwrap()).unwrap();
    let forge = |kid: Value| {
        let mut forged = header.clone();
        forged["kid"] = kid;
        let forged = URL_SAFE_NO_PAD.encode(forged.to_string());
        // An agent's own signature, which is good for what it is of.
        let signed = format!("{forged}.{}", parts[1]);
        [
            format!("{signed}.{}", parts[2]),
            format!("{signed}.{}", agent.sign(signed.as_bytes())),
        ]
    };
    let kids = [
        json!("' OR '1'='1' --"),
        json!("../../../../etc/passwd"),
        json!("/dev/null"),
        json!("\u{0}"),
        json!("k".repeat(10_000)),
        json!(""),
        json!(agent.key_id),
        json!(agent.id),
        json!(null),
        json!(7),
        json!([header["kid"]]),
        json!({"kid": header["kid"]}),
    ];
    for kid in kids {
        for forged in forge(kid.clone()) {
            is_refused(&app.get("/v1/me", Some(&forged)).await, INVALID);
        }
    }
    // The right name with a signature that is another key's.
    is_refused(
        &app.get("/v1/me", Some(&forge(header["kid"].clone())[1])).await,
        INVALID,
    );
    let mut without = header.clone();
    without.as_object_mut().unwrap().remove("kid");
    let without = URL_SAFE_NO_PAD.encode(without.to_string());
    let unnamed = format!("{without}.{}.{}", parts[1], parts[2]);
    is_refused(&app.get("/v1/me", Some(&unnamed)).await, INVALID);
    assert_eq!(app.get("/v1/me", Some(&token)).await.status, 200);
}

#[tokio::test]
async fn a_revoked_key_ends_its_tokens() {
    let app = TestApp::start().await;
    let replica = app.replica();
    replica.refresh_keys().await;
    let token = app.token(&app.agent().await).await;
    assert_eq!(replica.get("/v1/me", Some(&token)).await.status, 200);
    sqlx::query("UPDATE agent_keys SET revoked_at = now()")
        .execute(&app.owner)
        .await
        .unwrap();
    is_refused(&replica.get("/v1/me", Some(&token)).await, INVALID);
}

#[tokio::test]
async fn tokens_of_retired_keys_are_good_until_they_end() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let published = async || {
        let keys = app.get("/.well-known/jwks.json", None).await.body["keys"].clone();
        let of_agents = keys.as_array().unwrap().iter().filter(|key| key["alg"] == "EdDSA");
        of_agents.map(|key| key["kid"].to_string()).collect::<Vec<_>>()
    };
    let first = published().await;
    app.wait(29 * 24 * 3600);
    app.refresh_keys().await;
    let both = published().await;
    assert_eq!(
        (both.len(), &both[1]),
        (2, &first[0]),
        "the next key is known before it signs"
    );
    app.wait(24 * 3600 - 60);
    // The agent itself would have ended by now.
    sqlx::query("UPDATE agents SET expires_at = NULL")
        .execute(&app.owner)
        .await
        .unwrap();
    let by_the_first = app.token(&agent).await;
    app.wait(60);
    app.refresh_keys().await;
    let by_the_second = app.token(&agent).await;
    for token in [&by_the_first, &by_the_second] {
        assert_eq!(app.get("/v1/me", Some(token)).await.status, 200);
    }
    app.wait(2 * 3600);
    app.refresh_keys().await;
    assert_eq!(published().await, [both[0].clone()]);
}
