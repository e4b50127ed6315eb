//! Tokens that a client shows: what it is told of them, and which it gives back.

use axum::http::Method;
use serde_json::{Value, json};

use super::{
    error,
    exchange::{acting, agent, said},
    nonce, proof, status, text,
};
use crate::testing::{
    Answer, ISSUER, START, TestApp, TestKey,
    consent::{TestParty, VERIFIER},
};

async fn introspect(app: &TestApp, party: &TestParty, token: &str) -> Answer {
    party.post(app, "/oauth/introspect", &[], &[("token", token)]).await
}

async fn revoke(app: &TestApp, party: &TestParty, token: &str) -> Answer {
    party.post(app, "/oauth/revoke", &[], &[("token", token)]).await
}

/// Of a token that is worth nothing to the client nothing else is said.
async fn is_worth_nothing(app: &TestApp, party: &TestParty, token: &str) {
    let answer = introspect(app, party, token).await;
    assert_eq!(answer.told(), (200, &json!({"active": false})), "{token}");
}

/// Whatever an access token says, and how it is used.
async fn is_worth_what_it_says(app: &TestApp, party: &TestParty, token: &str, kind: &str) {
    let mut wanted = said(token);
    wanted["active"] = json!(true);
    wanted["token_type"] = json!(kind);
    assert_eq!(introspect(app, party, token).await.told(), (200, &wanted));
}

/// What a client gets for itself.
async fn itself(app: &TestApp, party: &TestParty) -> String {
    let form = [("grant_type", "client_credentials"), ("scope", "runs:read")];
    text(&party.token(app, &[], &form).await, "access_token").to_owned()
}

/// A client of another tenant, and that tenant's owner.
async fn stranger(app: &TestApp) -> TestParty {
    let owner = app.person("eve@example.com").await;
    let made = app
        .as_person(Method::POST, "/v1/tenants", &owner, Some(&json!({"name": "other"})))
        .await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let metadata = json!({"client_name": "Stranger", "grant_types": ["client_credentials"], "scope": "runs:read"});
    let made = app
        .as_person(Method::POST, "/v1/tenants/other/clients", &owner, Some(&metadata))
        .await;
    let text = |name: &str| made.body[name].as_str().unwrap().to_owned();
    TestParty {
        id: text("id"),
        secret: text("client_secret"),
        owner,
    }
}

async fn party(app: &TestApp) -> TestParty {
    let grants = json!({
        "scope": "openid tenant:read runs:read",
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
    });
    TestParty::new(app, &grants).await
}

/// An access token, a refresh token and an ID token.
async fn tokens(app: &TestApp, party: &TestParty) -> [String; 3] {
    let asked = [("scope", "openid tenant:read"), ("prompt", "consent")];
    let tokens = party.redeem(app, &party.code(app, &asked).await, &[]).await;
    ["access_token", "refresh_token", "id_token"].map(|name| tokens.body[name].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_client_is_told_what_its_tokens_are_worth() {
    let app = TestApp::start().await;
    let party = party(&app).await;
    let other = TestParty::of(&app, party.owner.clone(), &json!({"client_name": "Other"})).await;
    let stranger = stranger(&app).await;
    let [access, refresh, id_token] = tokens(&app, &party).await;
    let of_refresh = json!({
        "active": true, "client_id": party.id, "sub": party.owner.id, "scope": "openid tenant:read",
        "exp": START + 30 * 24 * 3600, "iss": ISSUER,
    });
    is_worth_what_it_says(&app, &party, &access, "Bearer").await;
    assert_eq!(introspect(&app, &party, &refresh).await.told(), (200, &of_refresh));
    // What it is called besides makes no difference.
    for hint in ["access_token", "refresh_token", "nonsense"] {
        for token in [&access, &refresh] {
            let form = [("token", token.as_str()), ("token_type_hint", hint)];
            let hinted = party.post(&app, "/oauth/introspect", &[], &form).await;
            assert_eq!(hinted.told(), introspect(&app, &party, token).await.told(), "{hint}");
        }
    }
    let alone = itself(&app, &party).await;
    is_worth_what_it_says(&app, &party, &alone, "Bearer").await;
    let key = TestKey::ed25519();
    let nonce = nonce(&app, &party, &key).await;
    let code = party.code(&app, &[("scope", "tenant:read")]).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("code_verifier", VERIFIER),
    ];
    let proof = proof(&key, "/oauth/token", "a", &nonce);
    let bound = party.token(&app, &[("dpop", &proof)], &form).await;
    is_worth_what_it_says(&app, &party, text(&bound, "access_token"), "DPoP").await;

    // To another client of the same tenant access tokens are worth what they say, as to any resource of that.
    is_worth_what_it_says(&app, &other, &access, "Bearer").await;
    is_worth_nothing(&app, &other, &refresh).await;
    for token in [&access, &refresh, &alone] {
        is_worth_nothing(&app, &stranger, token).await;
    }
    let strangers = itself(&app, &stranger).await;
    is_worth_what_it_says(&app, &stranger, &strangers, "Bearer").await;
    for token in [id_token.as_str(), &strangers, "nonsense", "a.b.c", "pfr_none", "pfr_"] {
        is_worth_nothing(&app, &party, token).await;
    }
    let without = party.post(&app, "/oauth/introspect", &[], &[]).await;
    let wanted = json!({"error": "invalid_request", "error_description": "token is missing"});
    assert_eq!(without.told(), (400, &wanted));

    app.wait(600);
    app.refresh_keys().await;
    is_worth_nothing(&app, &party, &access).await;
    assert_eq!(introspect(&app, &party, &refresh).await.told(), (200, &of_refresh));
    sqlx::query("UPDATE oauth_refresh_tokens SET spent_at = now()")
        .execute(&app.owner)
        .await
        .unwrap();
    is_worth_nothing(&app, &party, &refresh).await;
    let [access, refresh, _] = tokens(&app, &party).await;
    is_worth_what_it_says(&app, &party, &access, "Bearer").await;
    assert_eq!(revoke(&app, &party, &access).await.told(), (200, &Value::Null));
    for token in [&access, &refresh] {
        is_worth_nothing(&app, &party, token).await;
    }
    let [_, refresh, _] = tokens(&app, &party).await;
    app.wait(30 * 24 * 3600);
    app.refresh_keys().await;
    is_worth_nothing(&app, &party, &refresh).await;
}

/// RFC 7662, section 2.1: whoever asks proves who they are.
#[tokio::test]
async fn nobody_else_is_told_what_a_token_is_worth() {
    let app = TestApp::start().await;
    let party = party(&app).await;
    let public = json!({"client_name": "Public", "token_endpoint_auth_method": "none"});
    let public = TestParty::of(&app, party.owner.clone(), &public).await;
    let own = public.code(&app, &[]).await;
    let own = public.redeem(&app, &own, &[]).await;
    let [access, ..] = tokens(&app, &party).await;
    let wrong = TestParty {
        secret: "wrong".to_owned(),
        ..party.clone()
    };
    for (by, token) in [
        (&public, text(&own, "access_token")),
        (&public, &access),
        (&wrong, &access),
        (&wrong, "nonsense"),
    ] {
        let answer = introspect(&app, by, token).await;
        assert_eq!(error(&answer), (401, "invalid_client"));
        let challenge = "Basic realm=\"pinfold\", charset=\"UTF-8\"";
        assert_eq!(answer.header("www-authenticate"), Some(challenge));
    }
    let form = [("token", access.as_str())];
    assert_eq!(
        error(&app.form("/oauth/introspect", &form).await),
        (401, "invalid_client")
    );
    assert_eq!(error(&app.form("/oauth/revoke", &form).await), (401, "invalid_client"));
    assert_eq!(error(&revoke(&app, &wrong, &access).await), (401, "invalid_client"));
    is_worth_what_it_says(&app, &party, &access, "Bearer").await;
    // It gives back what it has all the same.
    let own = text(&own, "access_token");
    assert_eq!(revoke(&app, &public, own).await.told(), (200, &Value::Null));
    is_worth_nothing(&app, &party, own).await;
}

#[tokio::test]
async fn a_client_gives_back_what_is_its_own_and_nothing_else() {
    let app = TestApp::start().await;
    let party = party(&app).await;
    let stranger = stranger(&app).await;
    let scout = agent(&app, &party, "scout").await;
    let own = app.token(&scout).await;
    let [access, refresh, id_token] = tokens(&app, &party).await;
    let acts = app.form("/oauth/token", &acting(&access, &own)).await;
    let acts = text(&acts, "access_token");
    let alone = itself(&app, &party).await;

    let refused = revoke(&app, &party, &alone).await;
    let wanted = json!({
        "error": "unsupported_token_type",
        "error_description": "the token was got without a person's consent: it ends by itself, or with the secret or the key that it was got by",
    });
    assert_eq!(refused.told(), (400, &wanted));
    // Agents' tokens, an ID token and nonsense are none of its own; and these are none of a stranger's.
    for token in [acts, &own, &id_token, "nonsense", "pfr_none"] {
        assert_eq!(revoke(&app, &party, token).await.told(), (200, &Value::Null), "{token}");
    }
    for token in [access.as_str(), &refresh, acts, &alone] {
        assert_eq!(
            revoke(&app, &stranger, token).await.told(),
            (200, &Value::Null),
            "{token}"
        );
    }
    let without = party.post(&app, "/oauth/revoke", &[], &[]).await;
    let wanted = json!({"error": "invalid_request", "error_description": "token is missing"});
    assert_eq!(without.told(), (400, &wanted));
    for token in [&access, acts] {
        assert_eq!(status(&app, token).await, 200);
    }
    for token in [&own, &alone] {
        assert_eq!(app.get("/v1/me", Some(token)).await.status, 200);
    }
    assert_eq!(party.refresh(&app, &refresh).await.status, 200);

    // A hint need not be right (RFC 7009, section 2.1); and with the person's token ends what an agent has of it.
    let form = [("token", refresh.as_str()), ("token_type_hint", "access_token")];
    let hinted = party.post(&app, "/oauth/revoke", &[], &form).await;
    assert_eq!(hinted.told(), (200, &Value::Null));
    for token in [&access, acts] {
        assert_eq!(status(&app, token).await, 401);
    }
    let [access, ..] = tokens(&app, &party).await;
    let form = [("token", access.as_str()), ("token_type_hint", "refresh_token")];
    let hinted = party.post(&app, "/oauth/revoke", &[], &form).await;
    assert_eq!(hinted.told(), (200, &Value::Null));
    assert_eq!(status(&app, &access).await, 401);
}
