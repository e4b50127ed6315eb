//! From a request for authorization to the end of all that came of it.

mod algorithms;
mod assertions;
mod consent;
mod device_pages;
mod devices;
mod exchange;
mod exchange_bound;
mod hosts;
mod legacy;
mod races;
mod requests;
mod shown;
mod states;

use axum::http::Method;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::{
    auth::{jws, opaque::sha256},
    testing::{
        Answer, ISSUER, START, TestApp, TestKey,
        consent::{CALLBACK, TestParty, brought, request_of, visit},
    },
};

/// What the token endpoint says of a code or a token that is not good.
fn is_bad(answer: &Answer) {
    assert_eq!(
        (answer.status.as_u16(), &answer.body["error"]),
        (400, &json!("invalid_grant")),
        "{:?}",
        answer.body
    );
}

/// What it says of a token that is not good to be exchanged (RFC 8693, section 2.2.2).
fn is_no_subject(answer: &Answer) {
    assert_eq!(error(answer), (400, "invalid_request"), "{:?}", answer.body);
}

/// The status with the error's code, if there is one.
fn error(answer: &Answer) -> (u16, &str) {
    (
        answer.status.as_u16(),
        answer.body["error"].as_str().unwrap_or_default(),
    )
}

/// A proof for an endpoint that gives tokens or leads to them; without the nonce if that is empty.
fn proof(key: &TestKey, path: &str, id: &str, nonce: &str) -> String {
    let mut claims = json!({"jti": id, "htm": "POST", "htu": format!("{ISSUER}{path}"), "iat": START});
    if !nonce.is_empty() {
        claims["nonce"] = json!(nonce);
    }
    key.proof(&claims)
}

/// The nonce that whoever comes without one is given.
async fn nonce(app: &TestApp, party: &TestParty, key: &TestKey) -> String {
    let proof = proof(key, "/oauth/token", "first", "");
    let form = [("grant_type", "authorization_code")];
    let answer = party.token(app, &[("dpop", &proof)], &form).await;
    assert_eq!(error(&answer), (400, "use_dpop_nonce"));
    answer.header("dpop-nonce").unwrap().to_owned()
}

fn text<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.body[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name}: {:?}", answer.body))
}

/// What a request with a token is told.
async fn status(app: &TestApp, token: &str) -> u16 {
    app.get("/v1/tenants/acme", Some(token)).await.status.as_u16()
}

#[tokio::test]
async fn a_person_lets_a_client_act_for_them() {
    let app = TestApp::start().await;
    let party = TestParty::new(&app, &json!({})).await;
    let asked = party.parameters(&[("scope", "openid runs:read tenant:read"), ("nonce", "n-0S6")]);
    let begun = party.authorize(&app, &asked).await;
    let request = request_of(&begun);
    assert_eq!(begun.status, 303);

    let page = visit(&app, &party.owner, &format!("/consent?request={request}")).await;
    assert_eq!(page.status, 200);
    let html = page.body.as_str().unwrap();
    for part in [
        "<strong>Build board</strong>",
        "acme",
        "<strong>board.example</strong>",
        "know who you are",
        "see runs",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self' https://board.example;"), "{policy}");

    let answer = party.answer(&app, &request, "allow").await;
    assert_eq!(answer.status, 303);
    let back = brought(&answer);
    let code = back[0].1.clone();
    let wanted = [("code", code.as_str()), ("state", "xyz"), ("iss", ISSUER)];
    assert_eq!(back, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
    // Nobody answers a request twice.
    assert_eq!(party.answer(&app, &request, "allow").await.status, 400);

    app.wait(5);
    let tokens = party.redeem(&app, &code, &[("redirect_uri", CALLBACK)]).await;
    let (access, refresh) = (
        text(&tokens, "access_token").to_owned(),
        text(&tokens, "refresh_token").to_owned(),
    );
    let wanted = json!({
        "access_token": access, "token_type": "Bearer", "expires_in": 600, "scope": "openid runs:read tenant:read",
        "refresh_token": refresh, "id_token": tokens.body["id_token"],
    });
    assert_eq!(tokens.told(), (200, &wanted));
    let id_token = Value::Object(jws::parse(text(&tokens, "id_token")).unwrap().unproven().unwrap());
    let known = json!({
        "iss": ISSUER, "sub": party.owner.id, "aud": party.id, "iat": START + 5, "exp": START + 605, "auth_time": START, "nonce": "n-0S6",
    });
    assert_eq!(id_token, known);
    let as_access = app.get("/v1/tenants/acme", Some(text(&tokens, "id_token"))).await;
    assert_eq!(as_access.status, 401, "case 10: it is no access token");
    let info = app.get("/oauth/userinfo", Some(&access)).await;
    assert_eq!(info.told(), (200, &json!({"sub": party.owner.id})));
    assert_eq!(tokens.header("cache-control"), Some("no-store"));
    assert!(refresh.starts_with("pfr_"), "{refresh}");
    let said = Value::Object(jws::parse(&access).unwrap().unproven().unwrap());
    let grants = app.as_person(Method::GET, "/v1/me/grants", &party.owner, None).await;
    let grant = grants.body["grants"][0].clone();
    let acme = app.get("/v1/tenants/acme", Some(&access)).await;
    let wanted = json!({
        "iss": ISSUER, "aud": ISSUER, "sub": party.owner.id, "client_id": party.id, "iat": START + 5, "exp": START + 605,
        "jti": said["jti"], "scope": "openid runs:read tenant:read", "pinfold_tenant": acme.body["id"],
        "pinfold_grant": grant["id"],
    });
    assert_eq!(said, wanted);
    let wanted = json!({
        "id": grant["id"], "client_id": party.id, "client_name": "Build board", "tenant": "acme",
        "scopes": ["openid", "runs:read", "tenant:read"], "created_at": "2027-01-15T08:00:00Z", "used_at": "2027-01-15T08:00:05Z",
        "expires_at": "2027-04-15T08:00:00Z",
    });
    assert_eq!(grant, wanted);
    let me = app.get("/v1/me", Some(&access)).await;
    let wanted = json!({
        "kind": "grant", "id": grant["id"], "client_id": party.id, "overseer_id": party.owner.id, "tenant_id": acme.body["id"],
        "scopes": ["openid", "runs:read", "tenant:read"], "expires_at": "2027-01-15T08:10:05Z",
    });
    assert_eq!(me.told(), (200, &wanted));
    let tenants = app.get("/v1/tenants", Some(&access)).await;
    assert_eq!(
        tenants.body["tenants"].as_array().unwrap().len(),
        1,
        "of two that the person belongs to"
    );
    assert_eq!(status(&app, &access).await, 200);
    let beyond = app.get("/v1/tenants/acme/agents", Some(&access)).await;
    assert_eq!(beyond.status, 403, "the scope does not name it");
    let challenges: Vec<&str> = beyond
        .headers
        .get_all("www-authenticate")
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    let needed = "error=\"insufficient_scope\", scope=\"agents:read\", resource_metadata=\"https://pinfold.example/.well-known/oauth-protected-resource\"";
    let wanted = ["Bearer", "DPoP"].map(|scheme| format!("{scheme} realm=\"pinfold\", {needed}"));
    assert_eq!(challenges, wanted);

    let again = party.refresh(&app, &refresh).await;
    assert_eq!(
        (again.status.as_u16(), again.body.get("refresh_token")),
        (200, None),
        "a client with a secret keeps it"
    );
    assert_eq!(status(&app, text(&again, "access_token")).await, 200);

    let told: Vec<(String, String, Value)> = sqlx::query_as(
        "SELECT actor_kind, action, detail FROM audit_events WHERE action LIKE 'grant.%' OR action = 'token.issue' ORDER BY id",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap();
    let scope = "openid runs:read tenant:read";
    let again = Value::Object(jws::parse(text(&again, "access_token")).unwrap().unproven().unwrap());
    let wanted = [
        (
            "overseer",
            "grant.create",
            json!({"client_id": party.id, "scope": scope}),
        ),
        (
            "grant",
            "token.issue",
            json!({"grant": "authorization_code", "client_id": party.id, "scope": scope, "jti": said["jti"]}),
        ),
        (
            "grant",
            "token.issue",
            json!({"grant": "refresh_token", "client_id": party.id, "scope": scope, "jti": again["jti"]}),
        ),
    ];
    assert_eq!(
        told,
        wanted.map(|(kind, action, detail)| (kind.to_owned(), action.to_owned(), detail))
    );
}

#[tokio::test]
async fn a_person_says_no() {
    let app = TestApp::start().await;
    let party = TestParty::new(&app, &json!({})).await;
    let begun = party.authorize(&app, &party.parameters(&[])).await;
    let answer = party.answer(&app, &request_of(&begun), "deny").await;
    let wanted = [
        ("error", "access_denied"),
        ("error_description", "the person said no"),
        ("state", "xyz"),
        ("iss", ISSUER),
    ];
    assert_eq!(
        brought(&answer),
        wanted.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    assert_eq!(party.answer(&app, &request_of(&begun), "allow").await.status, 400);
}

/// Case 24: one success, and then nothing that came of it is good.
#[tokio::test]
async fn a_code_counts_once() {
    let app = TestApp::start().await;
    let replica = app.replica();
    replica.refresh_keys().await;
    let party = TestParty::new(&app, &json!({})).await;
    let code = party.code(&app, &[("scope", "tenant:read")]).await;
    let answers = join_all((0..50).map(|n| {
        let to = if n % 2 == 0 { &app } else { &replica };
        party.redeem(to, &code, &[])
    }))
    .await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(good.len(), 1);
    bad.into_iter().for_each(is_bad);
    for to in [&app, &replica] {
        assert_eq!(status(to, text(good[0], "access_token")).await, 401);
        is_bad(&party.refresh(to, text(good[0], "refresh_token")).await);
    }

    let code = party.code(&app, &[("scope", "tenant:read")]).await;
    let tokens = party.redeem(&app, &code, &[]).await;
    assert_eq!(status(&app, text(&tokens, "access_token")).await, 200);
    is_bad(&party.redeem(&app, &code, &[]).await);
    assert_eq!(status(&app, text(&tokens, "access_token")).await, 401);
}

/// Cases 25 and 26.
#[tokio::test]
async fn a_code_is_good_for_its_client_its_place_and_its_verifier() {
    let app = TestApp::start().await;
    let party = TestParty::new(&app, &json!({})).await;
    let other = TestParty::of(&app, party.owner.clone(), &json!({"client_name": "Other"})).await;
    for others in [
        [("redirect_uri", "https://board.example/other")],
        [("code_verifier", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK")],
        [("code_verifier", "short")],
    ] {
        let code = party.code(&app, &[]).await;
        is_bad(&party.redeem(&app, &code, &others).await);
        // It was burnt.
        is_bad(&party.redeem(&app, &code, &[]).await);
    }
    let code = party.code(&app, &[]).await;
    let without = party.redeem(&app, &code, &[("code_verifier", "")]).await;
    assert_eq!(
        (without.status.as_u16(), &without.body["error"]),
        (400, &json!("invalid_request"))
    );
    is_bad(&other.redeem(&app, &code, &[]).await);
    assert_eq!(party.redeem(&app, &code, &[]).await.status, 200, "nobody else burns it");

    let code = party.code(&app, &[]).await;
    app.wait(60);
    is_bad(&party.redeem(&app, &code, &[]).await);
    is_bad(&party.redeem(&app, "none", &[]).await);
}

/// RFC 7636, section 4.1: what is too short to be a secret is none, and neither is what no client makes.
#[tokio::test]
async fn a_verifier_has_its_length() {
    let app = TestApp::start().await;
    let party = TestParty::new(&app, &json!({})).await;
    for (length, good) in [(42, false), (43, true), (128, true), (129, false)] {
        let verifier = "v".repeat(length);
        let challenge = URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes()));
        let code = party.code(&app, &[("code_challenge", &challenge)]).await;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("code_verifier", &verifier),
        ];
        let answer = party.token(&app, &[], &form).await;
        if good {
            assert_eq!(answer.status, 200, "{length}: {:?}", answer.body);
        } else {
            is_bad(&answer);
        }
    }
}

/// Case 39: of a client that keeps no secret each refresh token counts once.
#[tokio::test]
async fn a_refresh_token_that_was_replaced_ends_everything() {
    let app = TestApp::start().await;
    let replica = app.replica();
    replica.refresh_keys().await;
    let public = json!({"token_endpoint_auth_method": "none"});
    let party = TestParty::new(&app, &public).await;
    let tokens = party.redeem(&app, &party.code(&app, &[]).await, &[]).await;
    let first = text(&tokens, "refresh_token").to_owned();
    let next = party.refresh(&app, &first).await;
    let second = text(&next, "refresh_token").to_owned();
    assert_ne!(first, second);
    assert_eq!(
        status(&app, text(&next, "access_token")).await,
        403,
        "runs:read alone does not show the tenant"
    );
    is_bad(&party.refresh(&app, &first).await);
    is_bad(&party.refresh(&app, &second).await);
    assert_eq!(status(&app, text(&next, "access_token")).await, 401);
    let because: Value = sqlx::query_scalar("SELECT detail FROM audit_events WHERE action = 'grant.revoke'")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    assert_eq!(because, json!({"because": "reused"}));

    // At once: one success, and then nothing.
    let tokens = party.redeem(&app, &party.code(&app, &[]).await, &[]).await;
    let refresh = text(&tokens, "refresh_token").to_owned();
    let answers = join_all((0..20).map(|n| {
        let to = if n % 2 == 0 { &app } else { &replica };
        party.refresh(to, &refresh)
    }))
    .await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(good.len(), 1);
    bad.into_iter().for_each(is_bad);
    for to in [&app, &replica] {
        assert_eq!(status(to, text(good[0], "access_token")).await, 401);
        is_bad(&party.refresh(to, text(good[0], "refresh_token")).await);
    }
}

/// Case 43, and what a refresh token does not outlive.
#[tokio::test]
async fn a_refresh_token_gives_no_more_than_was_allowed() {
    let app = TestApp::start().await;
    let party = TestParty::new(&app, &json!({})).await;
    let asked = [("scope", "runs:read tenant:read")];
    let tokens = party.redeem(&app, &party.code(&app, &asked).await, &[]).await;
    let refresh = text(&tokens, "refresh_token").to_owned();
    let with = async |name: &str, value: &str| {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", &refresh),
            (name, value),
        ];
        party.token(&app, &[], &form).await
    };
    let narrow = with("scope", "tenant:read").await;
    assert_eq!(
        (narrow.status.as_u16(), &narrow.body["scope"]),
        (200, &json!("tenant:read"))
    );
    for (name, value, code) in [
        ("scope", "tenant:read templates:read", "invalid_scope"),
        ("scope", "nonsense", "invalid_scope"),
        ("resource", "https://other.example", "invalid_target"),
    ] {
        let refused = with(name, value).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.body["error"]),
            (400, &json!(code)),
            "{name} {value}"
        );
    }
    let other = TestParty::of(&app, party.owner.clone(), &json!({"client_name": "Other"})).await;
    is_bad(&other.refresh(&app, &refresh).await);
    is_bad(&party.refresh(&app, "pfr_none").await);
    assert_eq!(party.refresh(&app, &refresh).await.status, 200);
    app.wait(30 * 24 * 3600);
    app.refresh_keys().await;
    is_bad(&party.refresh(&app, &refresh).await);
}

/// Cases 40 and 42: what ends any of those that a token stands on ends it, on every replica.
#[tokio::test]
async fn tokens_die_with_what_they_stand_on() {
    let app = TestApp::start().await;
    let party = TestParty::new(&app, &json!({})).await;
    let other = TestParty::of(&app, party.owner.clone(), &json!({"client_name": "Other"})).await;
    let got = async || {
        let code = party
            .code(&app, &[("scope", "tenant:read"), ("prompt", "consent")])
            .await;
        let tokens = party.redeem(&app, &code, &[]).await;
        (
            text(&tokens, "access_token").to_owned(),
            text(&tokens, "refresh_token").to_owned(),
        )
    };
    let lives = async |(access, refresh): &(String, String)| {
        let by_token = status(&app, access).await == 200;
        assert_eq!(by_token, party.refresh(&app, refresh).await.status == 200);
        by_token
    };
    let revoke = async |by: &TestParty, token: &str| {
        let answer = by.post(&app, "/oauth/revoke", &[], &[("token", token)]).await;
        assert_eq!(answer.told(), (200, &Value::Null));
    };
    let by_owner =
        async |method: Method, path: &str, body: Option<&Value>| app.as_person(method, path, &party.owner, body).await;

    let tokens = got().await;
    revoke(&other, &tokens.0).await;
    revoke(&other, &tokens.1).await;
    revoke(&party, "nonsense").await;
    assert!(lives(&tokens).await);
    revoke(&party, &tokens.1).await;
    assert!(!lives(&tokens).await);
    let tokens = got().await;
    revoke(&party, &tokens.0).await;
    assert!(!lives(&tokens).await);

    let one = got().await;
    // The newest is listed first.
    app.wait(1);
    let two = got().await;
    let grants = by_owner(Method::GET, "/v1/me/grants", None).await;
    let newest = format!("/v1/me/grants/{}", grants.body["grants"][0]["id"].as_str().unwrap());
    assert_eq!(by_owner(Method::DELETE, &newest, None).await.status, 204);
    assert_eq!(by_owner(Method::DELETE, &newest, None).await.status, 404);
    assert_eq!((lives(&one).await, lives(&two).await), (true, false));
    let consents = by_owner(Method::GET, "/v1/me/consents", None).await;
    let wanted = json!({"consents": [{
        "id": consents.body["consents"][0]["id"], "client_id": party.id, "client_name": "Build board", "tenant": "acme",
        "scopes": ["tenant:read"], "created_at": "2027-01-15T08:00:01Z",
    }], "next_page_token": null});
    assert_eq!(consents.told(), (200, &wanted));
    let path = format!(
        "/v1/me/consents/{}",
        consents.body["consents"][0]["id"].as_str().unwrap()
    );
    assert_eq!(by_owner(Method::DELETE, &path, None).await.status, 204);
    assert!(!lives(&one).await);

    let tokens = got().await;
    let block = json!({"client_id": party.id});
    let blocked = by_owner(Method::POST, "/v1/me/client-blocks", Some(&block)).await;
    assert_eq!(blocked.status, 201, "{:?}", blocked.body);
    assert!(!lives(&tokens).await);
    let refused = party.authorize(&app, &party.parameters(&[])).await;
    let page = visit(
        &app,
        &party.owner,
        &format!("/consent?request={}", request_of(&refused)),
    )
    .await;
    assert_eq!(brought(&page)[0].1, "access_denied");
    let listed = by_owner(Method::GET, "/v1/me/client-blocks", None).await;
    assert_eq!(listed.body["client_blocks"], json!([blocked.body]));
    let path = format!("/v1/me/client-blocks/{}", blocked.body["id"].as_str().unwrap());
    assert_eq!(by_owner(Method::DELETE, &path, None).await.status, 204);
    assert!(!lives(&tokens).await, "who has it by then has it from somebody");

    let tokens = got().await;
    sqlx::query("UPDATE overseers SET blocked_at = now()")
        .execute(&app.owner)
        .await
        .unwrap();
    assert!(!lives(&tokens).await);
    sqlx::query("UPDATE overseers SET blocked_at = NULL")
        .execute(&app.owner)
        .await
        .unwrap();
    assert!(!lives(&tokens).await);
    let tokens = got().await;
    let gone = by_owner(Method::DELETE, &format!("/v1/tenants/acme/clients/{}", party.id), None).await;
    assert_eq!(gone.status, 204);
    assert_eq!(status(&app, &tokens.0).await, 401);
}

/// A role that was taken away takes what the client may do along.
#[tokio::test]
async fn a_client_may_do_what_the_person_still_may() {
    let app = TestApp::start().await;
    let party = TestParty::new(&app, &json!({"scope": "tenant:read tenant:write"})).await;
    let code = party.code(&app, &[("scope", "tenant:read tenant:write")]).await;
    let tokens = party.redeem(&app, &code, &[]).await;
    let access = text(&tokens, "access_token");
    let change = json!({"display_name": "Acme"});
    let changed = async || {
        app.with_token(Method::PATCH, "/v1/tenants/acme", access, Some(&change))
            .await
            .status
            .as_u16()
    };
    assert_eq!(changed().await, 200);
    let as_role = async |role: &str| {
        sqlx::query("UPDATE memberships SET role = $1")
            .bind(role)
            .execute(&app.owner)
            .await
            .unwrap();
    };
    as_role("viewer").await;
    assert_eq!((changed().await, status(&app, access).await), (403, 200));
    sqlx::query("DELETE FROM memberships")
        .execute(&app.owner)
        .await
        .unwrap();
    assert_eq!(status(&app, access).await, 401);
}
