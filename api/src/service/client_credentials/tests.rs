mod proofs;

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::future::join_all;
use resource_server::dpop;
use serde_json::{Value, json};

use crate::{
    auth::jws,
    testing::{Answer, START, TestApp, TestKey, TestPerson, TestRedis},
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

/// What is shown, by which headers, and what is said to it.
type Case<'a> = (&'a str, Vec<(&'a str, &'a str)>, &'a str);

#[tokio::test]
async fn a_bound_token_counts_with_its_key_alone() {
    let app = TestApp::start().await;
    let client = TestClient::new(&app, &json!({"dpop_bound_access_tokens": true})).await;
    let basic = client.basic();
    let (key, other) = (TestKey::new(7), TestKey::new(8));
    let unbound = ask(&app, &[("authorization", &basic)], &[]).await;
    assert_eq!(error(&unbound), (400, "invalid_dpop_proof"));
    let given = nonce(&app, &client, &key).await;
    let proof = key.proof(&claims("one", &given));
    let answer = ask(&app, &[("authorization", &basic), ("dpop", &proof)], &[]).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["token_type"]),
        (200, &json!("DPoP")),
        "{:?}",
        answer.body
    );
    assert_eq!(answer.header("dpop-nonce"), Some(given.as_str()));
    let token = answer.body["access_token"].as_str().unwrap().to_owned();
    let said = Value::Object(jws::parse(&token).unwrap().unproven().unwrap());
    assert_eq!(said["cnf"], json!({"jkt": key.thumbprint()}));
    // The proof counted once, whoever shows it again.
    let again = ask(&app, &[("authorization", &basic), ("dpop", &proof)], &[]).await;
    assert_eq!(error(&again), (400, "invalid_dpop_proof"));

    let dpop_token = format!("DPoP {token}");
    let me = |id: &str, nonce: &str, token: &str| json!({"jti": id, "htm": "GET", "htu": format!("{ISSUER}/v1/me"), "iat": START, "nonce": nonce, "ath": dpop::hash_of(token)});
    // The nonce of the token endpoint is not the resource's.
    let first = call(
        &app,
        "/v1/me",
        &[
            ("authorization", &dpop_token),
            ("dpop", &key.proof(&me("a", &given, &token))),
        ],
    )
    .await;
    assert_eq!(error(&first), (401, "use_dpop_nonce"));
    assert_eq!(
        first.header("www-authenticate"),
        Some(
            "DPoP realm=\"pinfold\", error=\"use_dpop_nonce\", algs=\"ES256 EdDSA Ed25519\", resource_metadata=\"https://pinfold.example/.well-known/oauth-protected-resource\""
        )
    );
    let given = first.header("dpop-nonce").unwrap().to_owned();
    let proof = key.proof(&me("a", &given, &token));
    let good = call(&app, "/v1/me", &[("authorization", &dpop_token), ("dpop", &proof)]).await;
    assert_eq!(
        (good.status.as_u16(), good.header("dpop-nonce")),
        (200, Some(given.as_str())),
        "{:?}",
        good.body
    );

    let bearer = format!("Bearer {token}");
    let fresh = |id: &str| key.proof(&me(id, &given, &token));
    let (foreign, elsewhere, for_other) = (
        other.proof(&me("b", &given, &token)),
        key.proof(&json!({"jti": "c", "htm": "GET", "htu": format!("{ISSUER}/v1/tenants"), "iat": START, "nonce": given, "ath": dpop::hash_of(&token)})),
        key.proof(&me("d", &given, "another")),
    );
    let (one, two) = (fresh("e"), fresh("f"));
    let cases: [Case<'_>; 8] = [
        (
            "used",
            vec![("authorization", &dpop_token), ("dpop", &proof)],
            "invalid_dpop_proof",
        ),
        ("alone", vec![("authorization", &bearer)], "unauthenticated"),
        (
            "as bearer",
            vec![("authorization", &bearer), ("dpop", &one)],
            "unauthenticated",
        ),
        (
            "without a proof",
            vec![("authorization", &dpop_token)],
            "invalid_dpop_proof",
        ),
        (
            "another key",
            vec![("authorization", &dpop_token), ("dpop", &foreign)],
            "unauthenticated",
        ),
        (
            "elsewhere",
            vec![("authorization", &dpop_token), ("dpop", &elsewhere)],
            "invalid_dpop_proof",
        ),
        (
            "another token",
            vec![("authorization", &dpop_token), ("dpop", &for_other)],
            "invalid_dpop_proof",
        ),
        (
            "two proofs",
            vec![("authorization", &dpop_token), ("dpop", &one), ("dpop", &two)],
            "invalid_dpop_proof",
        ),
    ];
    for (what, headers, code) in cases {
        let answer = call(&app, "/v1/me", &headers).await;
        assert_eq!(error(&answer), (401, code), "{what}: {:?}", answer.body);
    }
    // What was signed is where the request was sent to.
    let through = |id: &str, path: &str| {
        key.proof(&json!({"jti": id, "htm": "GET", "htu": format!("{ISSUER}{path}"), "iat": START, "nonce": given, "ath": dpop::hash_of(&token)}))
    };
    for (path, signed, wanted) in [
        ("/api/v1/me", "/api/v1/me", 200),
        ("/api/v1/me", "/v1/me", 401),
        ("/v1/me", "/api/v1/me", 401),
    ] {
        let proof = through(&format!("{path} {signed}"), signed);
        let answer = call(&app, path, &[("authorization", &dpop_token), ("dpop", &proof)]).await;
        assert_eq!(answer.status, wanted, "{path} {signed}");
    }
    let last = fresh("g");
    let good = call(&app, "/v1/me", &[("authorization", &dpop_token), ("dpop", &last)]).await;
    assert_eq!(good.status, 200, "{:?}", good.body);
}

#[tokio::test]
async fn a_token_of_no_key_is_none_for_proofs() {
    let app = TestApp::start().await;
    let client = TestClient::new(&app, &json!({})).await;
    let answer = ask(&app, &[("authorization", &client.basic())], &[]).await;
    let token = answer.body["access_token"].as_str().unwrap().to_owned();
    let key = TestKey::new(7);
    let proof = |nonce: &str| {
        key.proof(&json!({"jti": "a", "htm": "GET", "htu": format!("{ISSUER}/v1/me"), "iat": START, "nonce": nonce, "ath": dpop::hash_of(&token)}))
    };
    let shown = format!("DPoP {token}");
    let first = call(&app, "/v1/me", &[("authorization", &shown), ("dpop", &proof(""))]).await;
    let given = first.header("dpop-nonce").unwrap().to_owned();
    let answer = call(&app, "/v1/me", &[("authorization", &shown), ("dpop", &proof(&given))]).await;
    assert_eq!(error(&answer), (401, "unauthenticated"));
    let challenges: Vec<&str> = answer
        .headers
        .get_all("www-authenticate")
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    let wanted = [
        "Bearer realm=\"pinfold\", error=\"invalid_token\", resource_metadata=\"https://pinfold.example/.well-known/oauth-protected-resource\"",
        "DPoP realm=\"pinfold\", error=\"invalid_token\", algs=\"ES256 EdDSA Ed25519\", resource_metadata=\"https://pinfold.example/.well-known/oauth-protected-resource\"",
    ];
    assert_eq!(challenges, wanted);
}

/// Of any number of the same proof, at any replica, one counts.
async fn one_of_a_hundred_counts(app: &TestApp, client: &TestClient, proof: &str) {
    let replica = app.replica();
    replica.refresh_keys().await;
    let basic = client.basic();
    let racers = (0..100).map(|i| {
        let to = if i % 2 == 0 { app } else { &replica };
        let basic = &basic;
        async move {
            // Each from elsewhere: of one address there may not be so many.
            let address = format!("203.0.113.{i}");
            let headers = [
                ("authorization", basic.as_str()),
                ("dpop", proof),
                ("x-forwarded-for", &address),
            ];
            ask(to, &headers, &[]).await
        }
    });
    let answers = join_all(racers).await;
    let mut told: Vec<(u16, &str)> = answers.iter().map(error).collect();
    told.sort_unstable();
    let mut wanted = vec![(200, "")];
    wanted.extend([(400, "invalid_dpop_proof"); 99]);
    assert_eq!(told, wanted);
}

#[tokio::test]
async fn a_proof_counts_once_in_postgresql() {
    let app = TestApp::start().await;
    let client = TestClient::new(&app, &json!({})).await;
    let key = TestKey::new(7);
    let given = nonce(&app, &client, &key).await;
    let (basic, proof) = (client.basic(), key.proof(&claims("one", &given)));
    one_of_a_hundred_counts(&app, &client, &proof).await;

    // What PostgreSQL forgets in a crash.
    sqlx::query("TRUNCATE replay_epoch, replay_spent")
        .execute(&app.owner)
        .await
        .unwrap();
    let unused = key.proof(&claims("two", &given));
    for proof in [&proof, &unused] {
        let after = ask(&app, &[("authorization", &basic), ("dpop", proof)], &[]).await;
        assert_eq!(error(&after), (400, "use_dpop_nonce"));
        assert_ne!(after.header("dpop-nonce"), Some(given.as_str()));
    }
}

#[tokio::test]
async fn a_proof_counts_once_in_redis_and_in_none_that_lost_what_it_knew() {
    let mut redis = TestRedis::start().await;
    let app = TestApp::with_redis(&redis).await;
    let client = TestClient::new(&app, &json!({})).await;
    let key = TestKey::new(7);
    let basic = client.basic();
    let given = nonce(&app, &client, &key).await;
    let proof = key.proof(&claims("one", &given));
    one_of_a_hundred_counts(&app, &client, &proof).await;
    let unused = key.proof(&claims("two", &given));
    let shown = async |proof: &str| ask(&app, &[("authorization", &basic), ("dpop", proof)], &[]).await;

    redis.flush().await;
    for proof in [&unused, &proof] {
        assert_eq!(error(&shown(proof).await), (400, "use_dpop_nonce"));
    }
    let given = nonce(&app, &client, &key).await;
    assert_eq!(error(&shown(&key.proof(&claims("three", &given))).await), (200, ""));

    // What it is to judge is refused while it is away. PostgreSQL stands in for it, and takes nothing that was minted for it.
    redis.kill();
    let before = key.proof(&claims("four", &given));
    assert_eq!(error(&shown(&before).await), (503, "temporarily_unavailable"));
    assert_eq!(error(&shown(&before).await), (400, "use_dpop_nonce"));
    let given = nonce(&app, &client, &key).await;
    assert_eq!(error(&shown(&key.proof(&claims("four", &given))).await), (200, ""));
}

#[tokio::test]
async fn the_descriptions_say_what_is_served() {
    let app = TestApp::start().await;
    let server = app.get("/.well-known/oauth-authorization-server", None).await;
    let scopes = json!([
        "self",
        "openid",
        "tenant:read",
        "tenant:write",
        "tenant:delete",
        "members:read",
        "members:write",
        "keys:read",
        "keys:write",
        "clients:read",
        "clients:write",
        "agents:read",
        "agents:write",
        "templates:read",
        "templates:write",
        "runs:read",
        "runs:write",
        "audit:read",
    ]);
    let wanted = json!({
        "issuer": ISSUER,
        "authorization_endpoint": format!("{ISSUER}/oauth/authorize"),
        "pushed_authorization_request_endpoint": format!("{ISSUER}/oauth/par"),
        "device_authorization_endpoint": format!("{ISSUER}/oauth/device_authorization"),
        "token_endpoint": format!("{ISSUER}/oauth/token"),
        "introspection_endpoint": format!("{ISSUER}/oauth/introspect"),
        "revocation_endpoint": format!("{ISSUER}/oauth/revoke"),
        "jwks_uri": format!("{ISSUER}/.well-known/jwks.json"),
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [
            "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code",
            "urn:ietf:params:oauth:grant-type:token-exchange", "client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "urn:pinfold:params:oauth:grant-type:agent-challenge",
        ],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "introspection_endpoint_auth_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
        "revocation_endpoint_auth_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519"],
        "userinfo_endpoint": format!("{ISSUER}/oauth/userinfo"),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA", "ES256", "RS256"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce"],
        "client_id_metadata_document_supported": true,
        "service_documentation": format!("{ISSUER}/docs/oauth"),
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519"],
    });
    assert_eq!(server.told(), (200, &wanted));
    assert_eq!(
        app.get("/.well-known/openid-configuration", None).await.told(),
        (200, &wanted)
    );
    let resource = app.get("/.well-known/oauth-protected-resource", None).await;
    let wanted = json!({
        "resource": ISSUER,
        "authorization_servers": [ISSUER],
        "jwks_uri": format!("{ISSUER}/.well-known/jwks.json"),
        "scopes_supported": scopes,
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519"],
        "dpop_bound_access_tokens_required": false,
    });
    assert_eq!(resource.told(), (200, &wanted));
    assert_eq!(resource.header("access-control-allow-origin"), Some("*"));
}
