use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};

use crate::{
    auth::opaque::sha256,
    routes::tenants::tests::{get, joined, made, post, problem},
    testing::{Answer, TestApp, TestPerson},
};

const CLIENTS: &str = "/v1/tenants/acme/clients";
const NOW: &str = "2027-01-15T08:00:00Z";

async fn acme(app: &TestApp) -> TestPerson {
    let ada = app.person("ada@example.com").await;
    made(app, &ada, "acme").await;
    ada
}

fn board() -> Value {
    json!({"client_name": "Build board", "redirect_uris": ["https://board.example.com/callback"], "scope": "runs:read"})
}

async fn registered(app: &TestApp, person: &TestPerson, metadata: &Value) -> Value {
    let answer = post(app, person, CLIENTS, metadata).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    answer.body
}

async fn patch(app: &TestApp, person: &TestPerson, path: &str, body: &Value) -> Answer {
    app.as_person(Method::PATCH, path, person, Some(body)).await
}

fn path(client: &Value) -> String {
    format!("{CLIENTS}/{}", client["id"].as_str().unwrap())
}

/// What is stored of the secret and of the one before.
async fn stored(app: &TestApp, client: &Value) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    sqlx::query_as("SELECT secret_hash, previous_secret_hash FROM oauth_clients WHERE id = $1::uuid")
        .bind(client["id"].as_str().unwrap())
        .fetch_one(&app.owner)
        .await
        .unwrap()
}

fn hash(answer: &Value) -> Option<Vec<u8>> {
    let secret = answer["client_secret"].as_str()?;
    Some(sha256(secret.as_bytes()).to_vec())
}

#[tokio::test]
async fn a_client_is_registered_read_changed_and_deleted() {
    let app = TestApp::start().await;
    let ada = acme(&app).await;
    let client = registered(&app, &ada, &board()).await;
    let seen = json!({
        "id": client["id"],
        "client_id": client["id"],
        "client_name": "Build board",
        "application_type": "web",
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code"],
        "redirect_uris": ["https://board.example.com/callback"],
        "scope": "runs:read",
        "dpop_bound_access_tokens": false,
        "access_token_signed_response_alg": "EdDSA",
        "id_token_signed_response_alg": "EdDSA",
        "overseer_id": ada.id,
        "created_at": NOW,
        "secret_created_at": NOW,
        "previous_secret_expires_at": null,
    });
    let mut shown = seen.clone();
    shown["client_secret"] = client["client_secret"].clone();
    assert_eq!(client, shown);
    assert!(client["client_secret"].as_str().unwrap().starts_with("pfs_"));
    assert_eq!(stored(&app, &client).await, (hash(&client), None));

    let read = get(&app, &ada, &path(&client)).await;
    assert_eq!(read.told(), (200, &seen));
    let version = read.header("etag").unwrap().to_owned();
    let listed = get(&app, &ada, CLIENTS).await;
    assert_eq!(
        listed.told(),
        (200, &json!({"clients": [seen], "next_page_token": null}))
    );

    let change = json!({"client_name": "Board", "scope": "runs:read agents:read", "dpop_bound_access_tokens": true});
    let changed = patch(&app, &ada, &path(&client), &change).await;
    let mut wanted = seen.clone();
    wanted["client_name"] = json!("Board");
    wanted["scope"] = json!("agents:read runs:read");
    wanted["dpop_bound_access_tokens"] = json!(true);
    assert_eq!(changed.told(), (200, &wanted));
    let same = patch(&app, &ada, &path(&client), &json!({"client_name": "Board"})).await;
    assert_eq!(same.told(), (200, &wanted));
    let late = Request::patch(path(&client))
        .header(header::COOKIE, &ada.cookie)
        .header("x-csrf-token", &ada.csrf)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::IF_MATCH, version)
        .body(Body::from("{}"));
    assert_eq!(problem(&app.send(late.unwrap()).await), (412, "precondition_failed"));

    let gone = app.as_person(Method::DELETE, &path(&client), &ada, None).await;
    assert_eq!(gone.told(), (204, &Value::Null));
    for method in [Method::GET, Method::DELETE] {
        let answer = app.as_person(method, &path(&client), &ada, None).await;
        assert_eq!(problem(&answer), (404, "not_found"));
    }
    let gone = patch(&app, &ada, &path(&client), &json!({})).await;
    assert_eq!(problem(&gone), (404, "not_found"));

    let told: Vec<(String, Value)> =
        sqlx::query_as("SELECT action, detail FROM audit_events WHERE target_id = $1::uuid ORDER BY id")
            .bind(client["id"].as_str().unwrap())
            .fetch_all(&app.owner)
            .await
            .unwrap();
    let metadata = |scope: &str, bound: bool| {
        json!({
            "application_type": "web", "token_endpoint_auth_method": "client_secret_basic",
            "grant_types": ["authorization_code"], "redirect_uris": ["https://board.example.com/callback"],
            "scope": scope, "dpop_bound_access_tokens": bound,
            "access_token_signed_response_alg": "EdDSA", "id_token_signed_response_alg": "EdDSA",
        })
    };
    let wanted = [
        (
            "client.create",
            json!({"client_id": client["id"], "metadata": metadata("runs:read", false)}),
        ),
        (
            "client.update",
            json!({"metadata": metadata("agents:read runs:read", true)}),
        ),
        ("client.delete", json!({})),
    ];
    assert_eq!(told, wanted.map(|(action, detail)| (action.to_owned(), detail)));
}

#[tokio::test]
async fn a_secret_takes_the_place_of_another() {
    let app = TestApp::start().await;
    let ada = acme(&app).await;
    let client = registered(&app, &ada, &board()).await;
    let secret = format!("{}/secret", path(&client));
    app.wait(60);

    let kept = post(&app, &ada, &secret, &json!({"previous_expires_in": 3600})).await;
    assert_eq!(kept.status, 201, "{:?}", kept.body);
    assert_eq!(kept.body["secret_created_at"], "2027-01-15T08:01:00Z");
    assert_eq!(kept.body["previous_secret_expires_at"], "2027-01-15T09:01:00Z");
    assert_eq!(stored(&app, &client).await, (hash(&kept.body), hash(&client)));

    let at_once = post(&app, &ada, &secret, &json!({})).await;
    assert_eq!(at_once.body["previous_secret_expires_at"], Value::Null);
    assert_eq!(stored(&app, &client).await, (hash(&at_once.body), None));
    assert_ne!(hash(&at_once.body), hash(&kept.body));

    let long = post(&app, &ada, &secret, &json!({"previous_expires_in": 604_801})).await;
    assert_eq!(
        (problem(&long), &long.body["field"]),
        ((400, "invalid_request"), &json!("previous_expires_in"))
    );

    // What proves it no longer is not kept, and is not there again when it could.
    let public = patch(
        &app,
        &ada,
        &path(&client),
        &json!({"token_endpoint_auth_method": "none"}),
    )
    .await;
    assert_eq!(
        (public.status.as_u16(), &public.body["secret_created_at"]),
        (200, &Value::Null)
    );
    assert_eq!(stored(&app, &client).await, (None, None));
    let none = post(&app, &ada, &secret, &json!({})).await;
    assert_eq!(problem(&none), (409, "no_client_secret"));
    let again = patch(&app, &ada, &path(&client), &json!({"token_endpoint_auth_method": null})).await;
    assert_eq!(again.body["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(stored(&app, &client).await, (None, None));
    let first = post(&app, &ada, &secret, &json!({"previous_expires_in": 60})).await;
    assert_eq!(first.body["previous_secret_expires_at"], Value::Null);
    assert_eq!(stored(&app, &client).await, (hash(&first.body), None));
}

#[tokio::test]
async fn a_request_that_is_repeated_makes_one_client() {
    let app = TestApp::start().await;
    let ada = acme(&app).await;
    let asked = || {
        Request::post(CLIENTS)
            .header(header::COOKIE, &ada.cookie)
            .header("x-csrf-token", &ada.csrf)
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", "once")
            .body(Body::from(board().to_string()))
            .unwrap()
    };
    let (first, second) = (app.send(asked()).await, app.send(asked()).await);
    assert_eq!(first.status, 201, "{:?}", first.body);
    assert_eq!(second.told(), first.told());
    let listed = get(&app, &ada, CLIENTS).await;
    assert_eq!(listed.body["clients"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn nobody_gives_or_takes_over_a_right_that_they_do_not_have() {
    let app = TestApp::start().await;
    let ada = acme(&app).await;
    let bob = joined(&app, &ada, "acme", "bob@example.com", "admin").await;
    let mut strong = board();
    strong["scope"] = json!("tenant:delete");
    assert_eq!(problem(&post(&app, &bob, CLIENTS, &strong).await), (403, "forbidden"));
    let client = registered(&app, &ada, &strong).await;
    let weak = registered(&app, &bob, &board()).await;
    for (answer, why) in [
        (
            patch(&app, &bob, &path(&client), &json!({"scope": "runs:read"})).await,
            "takes over",
        ),
        (
            patch(
                &app,
                &bob,
                &path(&client),
                &json!({"redirect_uris": ["https://bob.example/"]}),
            )
            .await,
            "takes over",
        ),
        (
            post(&app, &bob, &format!("{}/secret", path(&client)), &json!({})).await,
            "takes over",
        ),
        (
            patch(&app, &bob, &path(&weak), &json!({"scope": "tenant:delete"})).await,
            "gives",
        ),
    ] {
        assert_eq!(problem(&answer), (403, "forbidden"), "{why}");
    }
    assert_eq!(stored(&app, &client).await, (hash(&client), None));

    // A key gives no more than it has, whoever made it.
    let wanted = json!({"name": "registrar", "kind": "tenant", "scopes": ["clients:write", "runs:read"]});
    let key = post(&app, &ada, "/v1/tenants/acme/api-keys", &wanted).await;
    let key = key.body["secret"].as_str().unwrap().to_owned();
    let by_key = app.with_token(Method::POST, CLIENTS, &key, Some(&board())).await;
    assert_eq!(by_key.status, 201, "{:?}", by_key.body);
    let more = with_scope("runs:read runs:write");
    let refused = app.with_token(Method::POST, CLIENTS, &key, Some(&more)).await;
    assert_eq!(problem(&refused), (403, "forbidden"));
    // Whoever can do something may delete what could do more.
    let gone = app.as_person(Method::DELETE, &path(&client), &bob, None).await;
    assert_eq!(gone.told(), (204, &Value::Null));
}

fn with_scope(scope: &str) -> Value {
    let mut metadata = board();
    metadata["scope"] = json!(scope);
    metadata
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_member_and_nothing_is_stored() {
    let app = TestApp::start().await;
    let ada = acme(&app).await;
    let client = registered(&app, &ada, &board()).await;
    let before = get(&app, &ada, &path(&client)).await.body;
    for (member, value, field) in [
        (
            "redirect_uris",
            json!(["http://board.example.com/"]),
            "redirect_uris[0]",
        ),
        ("scope", json!("everything"), "scope"),
        ("scope", json!(["runs:read"]), "scope"),
        ("tenant_id", json!("0198c5b4-5a0e-7000-8000-00000000000e"), "tenant_id"),
        ("client_id", json!("mine"), "client_id"),
        ("client_secret", json!("mine"), "client_secret"),
    ] {
        let mut metadata = board();
        metadata[member] = value.clone();
        for answer in [
            post(&app, &ada, CLIENTS, &metadata).await,
            patch(&app, &ada, &path(&client), &json!({member: value})).await,
        ] {
            let told = (problem(&answer), answer.body["field"].as_str());
            assert_eq!(
                told,
                ((400, "invalid_request"), Some(field)),
                "{member}: {:?}",
                answer.body
            );
        }
    }
    let mut nameless = board();
    nameless.as_object_mut().unwrap().remove("client_name");
    let answer = post(&app, &ada, CLIENTS, &nameless).await;
    assert_eq!(answer.body["field"], "client_name");
    assert_eq!(get(&app, &ada, &path(&client)).await.body, before);
    let listed = get(&app, &ada, CLIENTS).await;
    assert_eq!(listed.body["clients"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_tenant_has_a_hundred_clients_in_pages() {
    let app = TestApp::start().await;
    let ada = acme(&app).await;
    let first = registered(&app, &ada, &board()).await;
    let more = "INSERT INTO oauth_clients (tenant_id, id, client_id, name, application_type, token_endpoint_auth_method, grant_types, \
                    redirect_uris, scopes, dpop_bound_access_tokens, created_by, created_at) \
                SELECT tenant_id, ('ffffffff-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, 'client ' || i, name, application_type, 'none', \
                    grant_types, redirect_uris, scopes, false, created_by, created_at \
                FROM oauth_clients, generate_series(1, 99) AS i";
    sqlx::query(more).execute(&app.owner).await.unwrap();
    assert_eq!(
        problem(&post(&app, &ada, CLIENTS, &board()).await),
        (409, "too_many_clients")
    );

    let mut seen = Vec::new();
    let mut place = format!("{CLIENTS}?limit=40");
    loop {
        let page = get(&app, &ada, &place).await.body;
        let ids = page["clients"].as_array().unwrap().iter().map(|c| c["id"].clone());
        seen.extend(ids);
        let Some(token) = page["next_page_token"].as_str() else {
            break;
        };
        place = format!("{CLIENTS}?limit=40&page_token={token}");
    }
    let wanted: Vec<Value> = std::iter::once(first["id"].clone())
        .chain((1..100).map(|i| json!(format!("ffffffff-0000-7000-8000-{i:012}"))))
        .collect();
    assert_eq!(seen, wanted);
}
