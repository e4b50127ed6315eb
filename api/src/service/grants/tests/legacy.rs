//! Case 36: people's tokens of the system before are exchanged for some of this, and open nothing themselves.

use aws_lc_rs::hmac;
use axum::http::Method;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    error,
    exchange::{ACCESS, GRANT, said},
    is_no_subject, nonce, proof, status, text,
};
use crate::testing::{Answer, TestApp, TestKey, consent::TestParty};

const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const BEFORE: &str = "https://old.example";
const SECRET: &str = "what-the-system-before-signed-with";
const TOKEN: &str = "/oauth/token";
/// For how long its tokens are still taken, from when the tests begin.
const LAST: i64 = 3600;

/// A service that takes them, and a client of Ada's tenant that may exchange them.
async fn place(members: &Value) -> (TestApp, TestParty) {
    let app = TestApp::start().await;
    let until = jiff::Timestamp::from_second(app.now() + LAST).unwrap().to_string();
    let app = app.with_settings(&[
        ("JWT_SECRET", SECRET.to_owned()),
        ("PINFOLD_LEGACY_ISSUER", BEFORE.to_owned()),
        ("PINFOLD_LEGACY_UNTIL", until),
    ]);
    app.refresh_keys().await;
    let mut all =
        json!({"grant_types": ["authorization_code", GRANT], "scope": "openid tenant:read tenant:write runs:read"});
    crate::http::merge::merge(&mut all, members.clone());
    let party = TestParty::new(&app, &all).await;
    known(&app, &party.owner.id, "u1").await;
    (app, party)
}

/// As `pinfold-api import` remembers it.
async fn known(app: &TestApp, overseer: &str, subject: &str) {
    sqlx::query("INSERT INTO identities (id, issuer, subject, overseer_id, created_at) VALUES (gen_random_uuid(), $1, $2, $3::uuid, now())")
        .bind(BEFORE)
        .bind(subject)
        .bind(overseer)
        .execute(&app.owner)
        .await
        .unwrap();
}

fn signed(claims: &Value) -> String {
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let text = format!("{}.{}", encode(&json!({"alg": "HS256", "typ": "JWT"})), encode(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, text.as_bytes())))
}

/// A token of the system before; tokens of one second differ by their name.
fn old(app: &TestApp, subject: &str, name: &str) -> String {
    let now = app.now();
    signed(&json!({"iss": BEFORE, "sub": subject, "jti": name, "iat": now - 60, "exp": now + 300}))
}

fn form<'a>(subject: &'a str, others: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let exchanging = [
        ("grant_type", GRANT),
        ("subject_token", subject),
        ("subject_token_type", JWT),
    ];
    [exchanging.as_slice(), others].concat()
}

async fn exchange(app: &TestApp, party: &TestParty, subject: &str, others: &[(&str, &str)]) -> Answer {
    party.token(app, &[], &form(subject, others)).await
}

#[tokio::test]
async fn a_token_of_the_system_before_is_exchanged_for_some_of_this() {
    let (app, party) = place(&json!({})).await;
    let before = old(&app, "u1", "one");
    assert_eq!(status(&app, &before).await, 401, "itself it opens nothing");
    let made = exchange(&app, &party, &before, &[]).await;
    assert_eq!(
        (
            made.status.as_u16(),
            &made.body["scope"],
            &made.body["issued_token_type"]
        ),
        (200, &json!("tenant:read tenant:write runs:read"), &json!(ACCESS)),
        "{:?}",
        made.body
    );
    assert_eq!(made.body.get("refresh_token"), None);
    let token = text(&made, "access_token");
    assert_eq!(said(token)["sub"], json!(party.owner.id));
    assert_eq!(said(token)["client_id"], json!(party.id));
    assert_eq!(said(token)["exp"], json!(app.now() + 300), "no longer than the old one");
    assert_eq!(status(&app, token).await, 200);

    // To the client that showed it first it is worth another, under the same authorization, until it ends.
    app.wait(100);
    let less = exchange(&app, &party, &before, &[("scope", "runs:read tenant:read")]).await;
    assert_eq!(less.body["scope"], json!("tenant:read runs:read"));
    let again = text(&less, "access_token");
    assert_eq!(said(again)["pinfold_grant"], said(token)["pinfold_grant"]);
    assert_eq!(status(&app, again).await, 200);
    let members = json!({"grant_types": ["authorization_code", GRANT], "scope": "tenant:read"});
    let other = TestParty::of(&app, party.owner.clone(), &members).await;
    is_no_subject(&exchange(&app, &other, &before, &[]).await);
    assert_eq!(status(&app, again).await, 200, "what came of it stays");
    app.wait(200);
    is_no_subject(&exchange(&app, &party, &before, &[]).await);
    assert_eq!(status(&app, again).await, 401);
}

/// An old token lasts longer than ours, and then ours end earlier than it.
#[tokio::test]
async fn what_lasts_for_long_gives_tokens_that_do_not() {
    let (app, party) = place(&json!({})).await;
    let now = app.now();
    let before = signed(&json!({"iss": BEFORE, "sub": "u1", "exp": now + 999_999}));
    let made = exchange(&app, &party, &before, &[]).await;
    assert_eq!(made.body["expires_in"], json!(600), "{:?}", made.body);
    app.wait(LAST - 60);
    let made = exchange(&app, &party, &before, &[]).await;
    assert_eq!(made.body["expires_in"], json!(60), "{:?}", made.body);
    app.wait(60);
    is_no_subject(&exchange(&app, &party, &before, &[]).await);
    let kept: Vec<i64> = sqlx::query_scalar("SELECT extract(epoch FROM forget_at)::bigint FROM oauth_assertions")
        .fetch_all(&app.owner)
        .await
        .unwrap();
    assert_eq!(kept, [now + 999_999], "for as long as the day may be moved");
}

#[tokio::test]
async fn what_comes_of_it_is_in_the_audit_and_may_be_taken_back() {
    let (app, party) = place(&json!({})).await;
    let made = exchange(&app, &party, &old(&app, "u1", "one"), &[]).await;
    let token = text(&made, "access_token");
    let detail: Value = sqlx::query_scalar("SELECT detail FROM audit_events WHERE action = 'grant.create'")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    assert_eq!(
        detail,
        json!({"client_id": party.id, "scope": "tenant:read tenant:write runs:read", "issuer": BEFORE})
    );
    let grants = app.as_person(Method::GET, "/v1/me/grants", &party.owner, None).await;
    let id = grants.body["grants"][0]["id"].as_str().unwrap_or_default();
    let path = format!("/v1/me/grants/{id}");
    assert_eq!(said(token)["pinfold_grant"], json!(id));
    let ended = app.as_person(Method::DELETE, &path, &party.owner, None).await;
    assert_eq!(ended.status, 204, "{:?}", ended.body);
    assert_eq!(status(&app, token).await, 401);
    is_no_subject(&exchange(&app, &party, &old(&app, "u1", "one"), &[]).await);
}

#[tokio::test]
async fn it_is_bound_to_the_key_that_was_proved() {
    let (app, party) = place(&json!({"dpop_bound_access_tokens": true})).await;
    let before = old(&app, "u1", "one");
    let unbound = exchange(&app, &party, &before, &[]).await;
    assert_eq!(error(&unbound), (400, "invalid_dpop_proof"));
    let key = TestKey::new(1);
    let nonce = nonce(&app, &party, &key).await;
    let proof = proof(&key, TOKEN, "one", &nonce);
    let made = party.token(&app, &[("dpop", &proof)], &form(&before, &[])).await;
    assert_eq!(made.status, 200, "{:?}", made.body);
    assert_eq!(
        said(text(&made, "access_token"))["cnf"],
        json!({"jkt": key.thumbprint()})
    );
}

#[tokio::test]
async fn nobody_else_gets_anything() {
    let (app, party) = place(&json!({})).await;
    let now = app.now();
    let claims = json!({"iss": BEFORE, "sub": "u1", "iat": now - 60, "exp": now + 300});
    let mut endless = claims.clone();
    endless.as_object_mut().unwrap().remove("exp");
    let mut other = claims.clone();
    other["iss"] = json!("https://older.example");
    for subject in [&signed(&endless), &signed(&other), &old(&app, "u2", "one"), "", "a.b.c"] {
        let refused = exchange(&app, &party, subject, &[]).await;
        assert_eq!(error(&refused), (400, "invalid_request"), "{subject}");
    }
    let good = old(&app, "u1", "one");
    for (others, wanted) in [
        ([("scope", "audit:read")], "invalid_scope"),
        ([("scope", "openid")], "invalid_scope"),
        ([("actor_token", good.as_str())], "invalid_request"),
        ([("requested_token_type", JWT)], "invalid_request"),
        ([("audience", "https://else.example")], "invalid_target"),
    ] {
        let refused = exchange(&app, &party, &good, &others).await;
        assert_eq!(error(&refused), (400, wanted), "{others:?}");
    }
    let as_access = [
        ("grant_type", GRANT),
        ("subject_token", good.as_str()),
        ("subject_token_type", ACCESS),
    ];
    is_no_subject(&party.token(&app, &[], &as_access).await);

    // A seat elsewhere is none here, and who is blocked has none anywhere.
    let bob = app.person("bob@example.com").await;
    known(&app, &bob.id, "u3").await;
    is_no_subject(&exchange(&app, &party, &old(&app, "u3", "one"), &[]).await);
    sqlx::query("UPDATE overseers SET blocked_at = now() WHERE id = $1::uuid")
        .bind(&party.owner.id)
        .execute(&app.owner)
        .await
        .unwrap();
    is_no_subject(&exchange(&app, &party, &good, &[]).await);
}

#[tokio::test]
async fn a_client_that_is_not_registered_for_it_gets_nothing() {
    let (app, party) = place(&json!({"grant_types": ["authorization_code"]})).await;
    let good = old(&app, "u1", "one");
    let refused = exchange(&app, &party, &good, &[]).await;
    assert_eq!(error(&refused), (400, "unauthorized_client"));
}

#[tokio::test]
async fn after_the_last_day_nothing_counts() {
    let (app, party) = place(&json!({})).await;
    let made = exchange(&app, &party, &old(&app, "u1", "one"), &[]).await;
    assert_eq!(made.status, 200, "{:?}", made.body);
    app.wait(LAST);
    is_no_subject(&exchange(&app, &party, &old(&app, "u1", "two"), &[]).await);
}

#[tokio::test]
async fn where_none_are_taken_their_kind_is_unknown() {
    let app = TestApp::start().await;
    let party = TestParty::new(&app, &json!({"grant_types": ["authorization_code", GRANT]})).await;
    let refused = exchange(&app, &party, &old(&app, "u1", "one"), &[]).await;
    assert_eq!(
        (error(&refused), &refused.body["error_description"]),
        (
            (400, "invalid_request"),
            &json!(format!("subject_token_type: write {ACCESS}"))
        )
    );
}
