//! AU-05: who has the database has nobody's secret.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::{
    auth::{hex, jws, opaque::sha256},
    routes::me::totp,
    testing::{
        Answer, PASSWORD, TestApp, TestPerson,
        consent::{TestParty, VERIFIER, request_of},
        token_of,
    },
};

/// Every row of every table, as text.
async fn dump(app: &TestApp) -> String {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap();
    let mut all = String::new();
    for table in tables {
        let rows = format!("SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM {table} AS t");
        let rows: String = sqlx::query_scalar(AssertSqlSafe(rows))
            .fetch_one(&app.owner)
            .await
            .unwrap();
        all.push_str(&rows);
    }
    all
}

async fn made(app: &TestApp, person: &TestPerson, path: &str, body: &Value) -> Answer {
    let request = Request::post(path)
        .header(header::COOKIE, &person.cookie)
        .header("x-csrf-token", &person.csrf)
        .header(header::CONTENT_TYPE, "application/json")
        // Its answer is kept.
        .header("idempotency-key", format!("once:{path}"))
        .body(Body::from(body.to_string()));
    let answer = app.send(request.unwrap()).await;
    assert!(answer.status.is_success(), "{path}: {:?}", answer.body);
    answer
}

fn text(answer: &Answer, name: &str) -> String {
    answer.body[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} in {:?}", answer.body))
        .to_owned()
}

#[tokio::test]
async fn the_database_holds_no_secret() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let mut secrets = vec![
        ("the password", PASSWORD.to_owned()),
        ("the CSRF token", ada.csrf.clone()),
    ];
    let cookies = ada.cookie.split("; ").filter_map(|cookie| cookie.split_once('='));
    secrets.extend(cookies.map(|(_, value)| ("a cookie", value.to_owned())));
    made(&app, &ada, "/v1/tenants", &json!({"name": "acme"})).await;
    let scopes = json!({"name": "ci", "scopes": ["runs:read"]});
    let tenants = made(&app, &ada, "/v1/tenants/acme/api-keys", &scopes).await;
    secrets.push(("the tenant's key", text(&tenants, "secret")));
    let own = made(&app, &ada, "/v1/me/api-keys", &scopes).await;
    secrets.push(("the person's key", text(&own, "secret")));
    let client = json!({"client_name": "board", "grant_types": ["client_credentials"], "scope": "runs:read"});
    let client = made(&app, &ada, "/v1/tenants/acme/clients", &client).await;
    secrets.push(("the client's secret", text(&client, "client_secret")));
    let renewed = format!("/v1/tenants/acme/clients/{}/secret", text(&client, "id"));
    let renewed = made(&app, &ada, &renewed, &json!({"previous_expires_in": 60})).await;
    secrets.push(("the client's next secret", text(&renewed, "client_secret")));
    let invited = json!({"email": "bob@example.com", "role": "viewer"});
    made(&app, &ada, "/v1/tenants/acme/invitations", &invited).await;
    secrets.push(("the invitation", token_of(&app.mail().await[0]).to_owned()));
    app.post("/v1/password-resets", &json!({"email": "ada@example.com"}))
        .await;
    secrets.push(("the link", token_of(&app.mail().await[0]).to_owned()));
    let totp = app.as_person(Method::POST, "/v1/me/totp", &ada, None).await;
    secrets.push(("the authenticator's secret", text(&totp, "secret")));
    let shown = json!({"code": totp::tests::shown(&app, &text(&totp, "secret")), "current_password": PASSWORD});
    let confirmed = app
        .as_person(Method::POST, "/v1/me/totp/confirm", &ada, Some(&shown))
        .await;
    let codes = confirmed.body["recovery_codes"]
        .as_array()
        .expect("recovery codes")
        .clone();
    secrets.extend(
        codes
            .iter()
            .map(|code| ("a recovery code", code.as_str().unwrap().to_owned())),
    );
    let agent = app.agent().await;
    let token = app.token(&agent).await;
    let code = app.with_token(Method::POST, "/v1/me/claim-code", &token, None).await;
    secrets.push(("the claim code", text(&code, "claim_code")));
    secrets.push(("the access token", token));

    let renewal = json!({"current_password": PASSWORD});
    made(&app, &ada, "/v1/me/recovery-codes", &renewal).await;

    let dump = dump(&app).await.to_lowercase();
    // Nor what somebody could compare guesses with, a body at a time.
    for text in [renewal.to_string(), format!("\0{renewal}"), PASSWORD.to_owned()] {
        assert!(
            !dump.contains(&hex::encode(&sha256(text.as_bytes()))),
            "the hash of {text:?}"
        );
    }
    // It is the whole of it: what is no secret is there, and hashes as PostgreSQL writes them.
    assert!(dump.contains("ada@example.com"));
    let known = hex::encode(&sha256(text(&tenants, "secret").as_bytes()));
    assert!(dump.contains(&known), "the hash of a key");
    assert!(secrets.len() >= 22, "{}", secrets.len());
    are_nowhere(&dump, secrets);
}

/// Codes and tokens of OAuth, and what leads to them.
#[tokio::test]
async fn the_database_holds_nothing_that_a_client_is_given() {
    let app = TestApp::start().await;
    let members = json!({
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
    });
    let party = TestParty::new(&app, &members).await;
    let mut secrets = Vec::new();
    let pushed = party.parameters(&[("client_id", "")]);
    let pushed: Vec<(&str, &str)> = pushed.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let pushed = party.post(&app, "/oauth/par", &[], &pushed).await;
    let uri = text(&pushed, "request_uri");
    secrets.push(("the pushed request", uri.rsplit(':').next().unwrap().to_owned()));
    let begun = party.authorize(&app, &party.parameters(&[])).await;
    secrets.push(("the request", request_of(&begun)));
    let unspent = party.code(&app, &[("prompt", "consent")]).await;
    let code = party
        .code(&app, &[("scope", "openid runs:read"), ("prompt", "consent")])
        .await;
    let tokens = party.redeem(&app, &code, &[]).await;
    secrets.extend([
        ("a code", unspent),
        ("a spent code", code),
        ("the verifier", VERIFIER.to_owned()),
    ]);
    for name in ["access_token", "refresh_token", "id_token"] {
        secrets.push((name, text(&tokens, name)));
    }
    let again = party.refresh(&app, &text(&tokens, "refresh_token")).await;
    secrets.push(("the next refresh token", text(&again, "refresh_token")));
    let device = party.post(&app, "/oauth/device_authorization", &[], &[]).await;
    for name in ["device_code", "user_code"] {
        secrets.push((name, text(&device, name)));
    }
    let opaque = text(&tokens, "refresh_token").replace("pfr_", "");
    secrets.push(("the refresh token's bytes", opaque.clone()));

    let dump = dump(&app).await.to_lowercase();
    let known = hex::encode(&sha256(&jws::decode(&opaque).unwrap()));
    assert!(dump.contains(&known), "the hash of a refresh token");
    are_nowhere(&dump, secrets);
}

/// Neither as they are shown, nor without their dashes, nor in hexadecimal, nor decoded.
fn are_nowhere(dump: &str, secrets: Vec<(&str, String)>) {
    for (what, secret) in secrets {
        let plain = secret.to_lowercase();
        let bare = plain.replace('-', "");
        let mut forms = vec![plain.clone(), bare, hex::encode(secret.as_bytes())];
        forms.extend(
            jws::decode(&secret)
                .filter(|bytes| bytes.len() >= 8)
                .map(|bytes| hex::encode(&bytes)),
        );
        for form in forms {
            assert!(!dump.contains(&form), "{what} is in the database as {form}");
        }
    }
}
