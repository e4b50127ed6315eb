mod bound;
mod descriptions;
mod proofs;
mod replay;

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    auth::jws,
    testing::{Answer, START, TestApp, TestKey, TestPerson},
};

const TOKEN: &str = "/oauth/token";
const ISSUER: &str = "https://pinfold.example";

/// A client of the tenant `acme`, with its secret.
struct TestClient {
    owner: TestPerson,
    id: String,
    secret: String,
}

impl TestClient {
    async fn new(app: &TestApp, members: &Value) -> Self {
        let owner = app.person("ada@example.com").await;
        app.as_person(Method::POST, "/v1/tenants", &owner, Some(&json!({"name": "acme"})))
            .await;
        let mut metadata = json!({"client_name": "Build board", "grant_types": ["client_credentials"], "scope": "runs:read templates:read"});
        crate::http::merge::merge(&mut metadata, members.clone());
        let made = app
            .as_person(Method::POST, "/v1/tenants/acme/clients", &owner, Some(&metadata))
            .await;
        assert_eq!(made.status, 201, "{:?}", made.body);
        let text = |name: &str| made.body[name].as_str().unwrap_or_default().to_owned();
        Self {
            owner,
            id: text("id"),
            secret: text("client_secret"),
        }
    }

    fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.id, self.secret)))
    }

    fn path(&self) -> String {
        format!("/v1/tenants/acme/clients/{}", self.id)
    }
}

/// Asks for a token, with these headers.
async fn ask(app: &TestApp, headers: &[(&str, &str)], form: &[(&str, &str)]) -> Answer {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.append_pair("grant_type", "client_credentials").extend_pairs(form);
    let request = Request::post(TOKEN).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let request = headers
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value));
    app.send(request.body(Body::from(body.finish())).unwrap()).await
}

async fn call(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = headers.iter().fold(Request::get(path), |request, (name, value)| {
        request.header(*name, *value)
    });
    app.send(request.body(Body::empty()).unwrap()).await
}

fn error(answer: &Answer) -> (u16, &str) {
    let code = answer.body["error"].as_str().or(answer.body["code"].as_str());
    (answer.status.as_u16(), code.unwrap_or_default())
}

/// A proof for the token endpoint.
fn claims(id: &str, nonce: &str) -> Value {
    json!({"jti": id, "htm": "POST", "htu": format!("{ISSUER}{TOKEN}"), "iat": START, "nonce": nonce})
}

/// The nonce that the token endpoint gives whoever comes without one.
async fn nonce(app: &TestApp, client: &TestClient, key: &TestKey) -> String {
    let proof = key.proof(&claims("first", "none of yours"));
    let answer = ask(app, &[("authorization", &client.basic()), ("dpop", &proof)], &[]).await;
    assert_eq!(error(&answer), (400, "use_dpop_nonce"));
    answer.header("dpop-nonce").unwrap().to_owned()
}

#[tokio::test]
async fn a_client_acts_in_its_tenant_on_its_own() {
    let app = TestApp::start().await;
    let client = TestClient::new(&app, &json!({})).await;
    let answer = ask(&app, &[("authorization", &client.basic())], &[]).await;
    let token = answer.body["access_token"].as_str().unwrap();
    let issued =
        json!({"access_token": token, "token_type": "Bearer", "expires_in": 600, "scope": "templates:read runs:read"});
    assert_eq!(answer.told(), (200, &issued));
    assert_eq!(answer.header("cache-control"), Some("no-store"));

    let said = Value::Object(jws::parse(token).unwrap().unproven().unwrap());
    let acme = app
        .as_person(Method::GET, "/v1/tenants/acme", &client.owner, None)
        .await
        .body;
    let wanted = json!({
        "iss": ISSUER, "aud": ISSUER, "sub": client.id, "client_id": client.id, "iat": START, "exp": START + 600,
        "jti": said["jti"], "scope": "templates:read runs:read", "pinfold_tenant": acme["id"], "pinfold_client": client.id,
        "pinfold_secret": said["pinfold_secret"],
    });
    assert_eq!(said, wanted);

    let me = app.get("/v1/me", Some(token)).await;
    let wanted = json!({
        "kind": "client", "id": client.id, "client_id": client.id, "tenant_id": acme["id"],
        "scopes": ["templates:read", "runs:read"], "expires_at": "2027-01-15T08:10:00Z",
    });
    assert_eq!(me.told(), (200, &wanted));
    // Its own tenant, as far as its scopes go, and no other.
    let tenants = app.get("/v1/tenants", Some(token)).await;
    assert_eq!(
        (tenants.status.as_u16(), &tenants.body["tenants"][0]["name"]),
        (200, &json!("acme"))
    );
    assert_eq!(
        error(&app.get("/v1/tenants/acme/agents", Some(token)).await),
        (403, "forbidden")
    );
    assert_eq!(
        error(&app.get("/v1/tenants/shadow/agents", Some(token)).await),
        (404, "not_found")
    );
    assert_eq!(error(&app.get("/v1/me/keys", Some(token)).await), (403, "forbidden"));

    let told: (String, String, Value) =
        sqlx::query_as("SELECT actor_kind, target_id::text, detail FROM audit_events WHERE action = 'token.issue'")
            .fetch_one(&app.owner)
            .await
            .unwrap();
    let detail = json!({"grant": "client_credentials", "scope": "templates:read runs:read", "jti": said["jti"]});
    assert_eq!(told, ("client".to_owned(), client.id.clone(), detail));
}

#[tokio::test]
async fn a_token_dies_with_what_it_rests_on() {
    let app = TestApp::start().await;
    let client = TestClient::new(&app, &json!({})).await;
    let token = async || {
        let answer = ask(&app, &[("authorization", &client.basic())], &[]).await;
        answer.body["access_token"].as_str().unwrap().to_owned()
    };
    let change = async |change: Value| {
        let changed = app
            .as_person(Method::PATCH, &client.path(), &client.owner, Some(&change))
            .await;
        assert_eq!(changed.status, 200, "{:?}", changed.body);
    };
    let before = token().await;
    change(json!({"scope": "runs:read"})).await;
    assert_eq!(error(&app.get("/v1/me", Some(&before)).await), (401, "unauthenticated"));
    let narrow = token().await;
    assert_eq!(app.get("/v1/me", Some(&narrow)).await.status, 200);
    change(json!({"scope": "runs:read templates:read"})).await;
    assert_eq!(
        app.get("/v1/me", Some(&narrow)).await.status,
        200,
        "it may do no less than before"
    );
    // Tokens that are bound to nothing are none of its any more.
    change(json!({"dpop_bound_access_tokens": true})).await;
    assert_eq!(error(&app.get("/v1/me", Some(&narrow)).await), (401, "unauthenticated"));
    change(json!({"dpop_bound_access_tokens": false})).await;
    assert_eq!(app.get("/v1/me", Some(&narrow)).await.status, 200);
    // Who is blocked acts by no client of their own tenant either; a team's goes on.
    let block = async |at: &'static str| {
        sqlx::query(at).execute(&app.owner).await.unwrap();
    };
    block("UPDATE overseers SET blocked_at = now()").await;
    assert_eq!(app.get("/v1/me", Some(&narrow)).await.status, 200);
    block("UPDATE tenants SET kind = 'personal' WHERE name = 'acme'").await;
    assert_eq!(error(&app.get("/v1/me", Some(&narrow)).await), (401, "unauthenticated"));
    block("UPDATE overseers SET blocked_at = NULL").await;
    assert_eq!(app.get("/v1/me", Some(&narrow)).await.status, 200);
    let gone = app.as_person(Method::DELETE, &client.path(), &client.owner, None).await;
    assert_eq!(gone.status, 204);
    assert_eq!(error(&app.get("/v1/me", Some(&narrow)).await), (401, "unauthenticated"));
    assert_eq!(
        error(&ask(&app, &[("authorization", &client.basic())], &[]).await),
        (401, "invalid_client")
    );
}

#[tokio::test]
async fn only_the_client_gets_its_tokens() {
    let app = TestApp::start().await;
    let client = TestClient::new(&app, &json!({})).await;
    let (id, secret) = (client.id.as_str(), client.secret.as_str());
    let header = |id: &str, secret: &str| format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let (good, wrong, empty, nobody) = (
        header(id, secret),
        header(id, "x"),
        header(id, ""),
        header("nobody", secret),
    );
    let in_body = [("client_id", id), ("client_secret", secret)];
    for (headers, form) in [
        (vec![], vec![]),
        (vec![], vec![("client_id", id)]),
        (vec![], vec![("client_id", id), ("client_secret", "")]),
        // Registered for the header.
        (vec![], in_body.to_vec()),
        (vec![("authorization", good.as_str())], in_body.to_vec()),
        (vec![("authorization", wrong.as_str())], vec![]),
        (vec![("authorization", empty.as_str())], vec![]),
        (vec![("authorization", nobody.as_str())], vec![]),
    ] {
        let answer = ask(&app, &headers, &form).await;
        assert_eq!(error(&answer), (401, "invalid_client"), "{headers:?} {form:?}");
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Basic realm=\"pinfold\", charset=\"UTF-8\"")
        );
    }
    let in_url = Request::post(format!("{TOKEN}?client_id={id}&client_secret={secret}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from("grant_type=client_credentials"));
    assert_eq!(error(&app.send(in_url.unwrap()).await), (400, "invalid_request"));

    for (scope, wanted) in [
        ("runs:read", (200, "")),
        ("runs:write", (400, "invalid_scope")),
        ("runs:read runs:write", (400, "invalid_scope")),
        ("self", (400, "invalid_scope")),
        ("runs", (400, "invalid_scope")),
    ] {
        let answer = ask(&app, &[("authorization", &good)], &[("scope", scope)]).await;
        assert_eq!(error(&answer), wanted, "{scope}");
    }
    let elsewhere = ask(
        &app,
        &[("authorization", &good)],
        &[("resource", "https://other.example")],
    )
    .await;
    assert_eq!(error(&elsewhere), (400, "invalid_target"));
}

#[tokio::test]
async fn a_secret_before_is_good_for_as_long_as_was_said() {
    let app = TestApp::start().await;
    let client = TestClient::new(&app, &json!({"token_endpoint_auth_method": "client_secret_post"})).await;
    let post = async |secret: &str| {
        let answer = ask(&app, &[], &[("client_id", &client.id), ("client_secret", secret)]).await;
        answer.status.as_u16()
    };
    let path = format!("{}/secret", client.path());
    let first = ask(
        &app,
        &[],
        &[("client_id", &client.id), ("client_secret", &client.secret)],
    )
    .await;
    let token = first.body["access_token"].as_str().unwrap();
    let renewed = app
        .as_person(
            Method::POST,
            &path,
            &client.owner,
            Some(&json!({"previous_expires_in": 60})),
        )
        .await;
    let next = renewed.body["client_secret"].as_str().unwrap().to_owned();
    app.wait(59);
    assert_eq!((post(&client.secret).await, post(&next).await), (200, 200));
    assert_eq!(app.get("/v1/me", Some(token)).await.status, 200);
    app.wait(1);
    assert_eq!((post(&client.secret).await, post(&next).await), (401, 200));
    assert_eq!(
        error(&app.get("/v1/me", Some(token)).await),
        (401, "unauthenticated"),
        "it ends with its secret"
    );
}

#[tokio::test]
async fn a_client_gets_what_it_is_registered_for() {
    let app = TestApp::start().await;
    let code = json!({"grant_types": ["authorization_code"], "redirect_uris": ["https://board.example.com/"]});
    let client = TestClient::new(&app, &code).await;
    let answer = ask(&app, &[("authorization", &client.basic())], &[]).await;
    assert_eq!(error(&answer), (400, "unauthorized_client"));
    // For itself it gets nothing that is for people.
    let people = json!({"grant_types": ["client_credentials"], "redirect_uris": null, "scope": "members:read"});
    app.as_person(Method::PATCH, &client.path(), &client.owner, Some(&people))
        .await;
    let answer = ask(&app, &[("authorization", &client.basic())], &[]).await;
    assert_eq!(error(&answer), (400, "invalid_scope"));
}
