//! Clients that come by themselves.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};

use crate::testing::{
    Answer, TestApp,
    consent::{CALLBACK, TestParty, request_of, visit},
};

const TENANT: (&str, &str) = ("PINFOLD_DYNAMIC_REGISTRATION_TENANT", "acme");

async fn register(app: &TestApp, metadata: &Value) -> Answer {
    app.post("/oauth/register", metadata).await
}

/// A service where clients register themselves as `acme`'s, and a client that `acme` registered.
async fn open() -> (TestApp, TestParty) {
    let app = TestApp::start().await;
    let open = app.with_settings(&[(TENANT.0, TENANT.1.to_owned())]);
    open.refresh_keys().await;
    let party = TestParty::new(&open, &json!({})).await;
    (open, party)
}

#[tokio::test]
async fn nobody_registers_itself_unless_that_is_switched_on() {
    let app = TestApp::start().await;
    let metadata = json!({"redirect_uris": [CALLBACK]});
    let closed = json!({
        "error": "access_denied",
        "error_description": "clients do not register themselves here: let a tenant register it, or publish a client-ID metadata document",
    });
    assert_eq!(register(&app, &metadata).await.told(), (403, &closed));
    let described = app.get("/.well-known/oauth-authorization-server", None).await;
    assert_eq!(described.body.get("registration_endpoint"), None);

    // The tenant that is named does not exist yet.
    let open = app.with_settings(&[(TENANT.0, TENANT.1.to_owned())]);
    assert_eq!(register(&open, &metadata).await.told(), (403, &closed));
}

#[tokio::test]
async fn a_client_that_registers_itself_acts_for_people_who_let_it() {
    let (app, party) = open().await;
    let described = app.get("/.well-known/oauth-authorization-server", None).await;
    assert_eq!(
        described.body["registration_endpoint"],
        "https://pinfold.example/oauth/register"
    );
    let metadata = json!({
        "client_name": "Visitor", "redirect_uris": [CALLBACK], "scope": "tenant:read", "grant_types": ["authorization_code", "refresh_token"],
        "logo_uri": "https://board.example/logo.png", "software_id": "x", "client_id": "mine", "response_types": ["code"],
    });
    let made = register(&app, &metadata).await;
    let (id, secret) = (made.body["client_id"].clone(), made.body["client_secret"].clone());
    let wanted = json!({
        "client_id": id, "client_id_issued_at": 1_800_000_000, "client_secret": secret, "client_secret_expires_at": 0,
        "client_name": "Visitor", "application_type": "web", "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code", "refresh_token"], "redirect_uris": [CALLBACK], "response_types": ["code"],
        "scope": "openid tenant:read members:read keys:read clients:read agents:read templates:read runs:read audit:read", "dpop_bound_access_tokens": false, "access_token_signed_response_alg": "EdDSA", "id_token_signed_response_alg": "EdDSA",
    });
    assert_eq!(made.told(), (201, &wanted));
    assert_eq!(made.header("cache-control"), Some("no-store"));

    let visitor = TestParty {
        owner: party.owner.clone(),
        id: id.as_str().unwrap().to_owned(),
        secret: secret.as_str().unwrap().to_owned(),
    };
    let begun = visitor
        .authorize(&app, &visitor.parameters(&[("scope", "tenant:read")]))
        .await;
    let page = visit(&app, &party.owner, &format!("/consent?request={}", request_of(&begun))).await;
    let html = page.body.as_str().unwrap();
    assert!(html.contains("Nobody here knows it: it registered itself."), "{html}");
    let code = visitor.code(&app, &[("scope", "tenant:read")]).await;
    let tokens = visitor.redeem(&app, &code, &[]).await;
    let token = tokens.body["access_token"].as_str().unwrap();
    assert_eq!(app.get("/v1/tenants/acme", Some(token)).await.status, 200);

    // For itself it gets nothing, and an error does not send a browser to wherever it says.
    let own = visitor.token(&app, &[], &[("grant_type", "client_credentials")]).await;
    assert_eq!(
        (own.status.as_u16(), &own.body["error"]),
        (400, &json!("unauthorized_client"))
    );
    let flawed = visitor
        .authorize(&app, &visitor.parameters(&[("response_type", "token")]))
        .await;
    assert_eq!((flawed.status.as_u16(), flawed.header("location")), (400, None));

    // It is the tenant's, which may end it.
    let place = format!("/v1/tenants/acme/clients/{}", visitor.id);
    let known = app.as_person(Method::GET, &place, &party.owner, None).await;
    assert_eq!(known.body["overseer_id"], Value::Null);
    assert_eq!(
        app.as_person(Method::DELETE, &place, &party.owner, None).await.status,
        204
    );
    assert_eq!(app.get("/v1/tenants/acme", Some(token)).await.status, 401);
    let told: Vec<(String, String)> = sqlx::query_as(
        "SELECT actor_kind, action FROM audit_events WHERE action LIKE 'client.%' AND target_id = $1::uuid ORDER BY id",
    )
    .bind(&visitor.id)
    .fetch_all(&app.owner)
    .await
    .unwrap();
    let wanted = [("client", "client.create"), ("overseer", "client.delete")];
    assert_eq!(told, wanted.map(|(kind, action)| (kind.to_owned(), action.to_owned())));
}

#[tokio::test]
async fn what_is_wrong_is_told_in_the_words_of_rfc_7591() {
    let (app, _) = open().await;
    for (metadata, code, description) in [
        (
            json!({}),
            "invalid_redirect_uri",
            "redirect_uris: name at least one; authorization_code needs it",
        ),
        (
            json!({"redirect_uris": ["http://board.example/callback"]}),
            "invalid_redirect_uri",
            "redirect_uris[0]: http is for 127.0.0.1, [::1] and localhost only: write https",
        ),
        (
            json!({"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "tls_client_auth"}),
            "invalid_client_metadata",
            "token_endpoint_auth_method: \"tls_client_auth\" is none of client_secret_basic, client_secret_post, private_key_jwt, none",
        ),
        (
            json!({"grant_types": ["client_credentials"]}),
            "invalid_client_metadata",
            "grant_types: client_credentials is for clients that a tenant registers; name some of authorization_code, refresh_token, \
             urn:ietf:params:oauth:grant-type:device_code",
        ),
        (
            json!([]),
            "invalid_client_metadata",
            "body: write a JSON object, and each member once",
        ),
    ] {
        let answer = register(&app, &metadata).await;
        let wanted = json!({"error": code, "error_description": description});
        assert_eq!(answer.told(), (400, &wanted), "{metadata}");
    }
    let form = Request::post("/oauth/register")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from("client_name=x"))
        .unwrap();
    let answer = app.send(form).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["error"]),
        (400, &json!("invalid_client_metadata"))
    );
}

/// A thousand may be there. Of those that came before, the ones that nobody has let in for a day make room.
#[tokio::test]
async fn clients_that_nobody_uses_make_room() {
    let (app, party) = open().await;
    let metadata = json!({"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"});
    let first = register(&app, &metadata).await.body["client_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let used = register(&app, &metadata).await.body["client_id"]
        .as_str()
        .unwrap()
        .to_owned();
    sqlx::query(
        "INSERT INTO oauth_clients (tenant_id, id, client_id, name, application_type, token_endpoint_auth_method, grant_types, redirect_uris, scopes, \
            dpop_bound_access_tokens, created_at) \
         SELECT tenant_id, gen_random_uuid(), gen_random_uuid()::text, name, application_type, token_endpoint_auth_method, grant_types, \
            redirect_uris, scopes, false, created_at + interval '23 hours' \
         FROM oauth_clients, generate_series(1, 998) WHERE client_id = $1",
    )
    .bind(&first)
    .execute(&app.owner)
    .await
    .unwrap();
    let visitor = TestParty {
        owner: party.owner.clone(),
        id: used.clone(),
        secret: String::new(),
    };
    visitor.code(&app, &[]).await;
    let full = register(&app, &metadata).await;
    assert_eq!(
        (full.status.as_u16(), &full.body["error"]),
        (503, &json!("temporarily_unavailable"))
    );

    app.wait(24 * 3600 + 1);
    assert_eq!(register(&app, &metadata).await.status, 201);
    let left: Vec<String> = sqlx::query_scalar("SELECT client_id FROM oauth_clients WHERE client_id IN ($1, $2)")
        .bind(&first)
        .bind(&used)
        .fetch_all(&app.owner)
        .await
        .unwrap();
    assert_eq!(left, [used]);
}
