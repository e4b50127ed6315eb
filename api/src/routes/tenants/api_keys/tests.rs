use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};

use crate::{
    routes::tenants::tests::{get, made, post, problem},
    testing::{TestApp, TestPerson},
};

async fn key(app: &TestApp, person: &TestPerson, place: &str, name: &str) -> Value {
    let made = post(app, person, place, &json!({"name": name, "scopes": ["runs:read"]})).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let mut key = made.body;
    key.as_object_mut().unwrap().remove("secret");
    key
}

/// A tenant's keys and a person's own.
#[tokio::test]
async fn keys_are_read_in_pages_and_one_by_one_and_renamed() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.person("ada@example.com").await, app.person("eve@example.com").await);
    made(&app, &ada, "acme").await;
    for place in ["/v1/tenants/acme/api-keys", "/v1/me/api-keys"] {
        let mut keys = Vec::new();
        for name in ["one", "two", "three"] {
            keys.insert(0, key(&app, &ada, place, name).await);
            app.wait(1);
        }
        let path = |i: usize| format!("{place}/{}", keys[i]["id"].as_str().unwrap());
        let first = get(&app, &ada, &format!("{place}?limit=2")).await.body;
        assert_eq!(first["keys"], json!(keys[..2]));
        let token = first["next_page_token"].as_str().unwrap();
        let last = get(&app, &ada, &format!("{place}?limit=2&page_token={token}")).await;
        assert_eq!(last.told(), (200, &json!({"keys": [keys[2]], "next_page_token": null})));
        let read = get(&app, &ada, &path(1)).await;
        assert_eq!(read.told(), (200, &keys[1]));

        let version = read.header("etag").unwrap().to_owned();
        let change = |version: &str, name: &str| {
            Request::patch(path(1))
                .header(header::COOKIE, &ada.cookie)
                .header("x-csrf-token", &ada.csrf)
                .header(header::CONTENT_TYPE, "application/json")
                .header(header::IF_MATCH, version)
                .body(Body::from(json!({"name": name}).to_string()))
                .unwrap()
        };
        let renamed = app.send(change(&version, "build server")).await;
        let mut wanted = keys[1].clone();
        wanted["name"] = json!("build server");
        assert_eq!(renamed.told(), (200, &wanted));
        assert_eq!(get(&app, &ada, &path(1)).await.told(), (200, &wanted));
        assert_eq!(
            problem(&app.send(change(&version, "other")).await),
            (412, "precondition_failed")
        );
        let wrong = app.send(change("*", "a\u{202e}b")).await;
        assert_eq!(
            (problem(&wrong), &wrong.body["field"]),
            ((400, "invalid_request"), &json!("name"))
        );
        let more = app
            .as_person(
                Method::PATCH,
                &path(1),
                &ada,
                Some(&json!({"scopes": ["tenant:delete"]})),
            )
            .await;
        assert_eq!(
            (problem(&more), &more.body["field"]),
            ((400, "invalid_request"), &json!("scopes"))
        );

        for method in [Method::GET, Method::PATCH] {
            let answer = app
                .as_person(method, &path(1), &eve, Some(&json!({"name": "mine"})))
                .await;
            assert_eq!(problem(&answer), (404, "not_found"));
        }
        assert_eq!(get(&app, &ada, &path(1)).await.told(), (200, &wanted));
        let told: Vec<Value> = sqlx::query_scalar(
            "SELECT detail FROM audit_events WHERE action = 'api_key.update' AND target_id = $1::uuid",
        )
        .bind(keys[1]["id"].as_str().unwrap())
        .fetch_all(&app.owner)
        .await
        .unwrap();
        assert_eq!(told, [json!({"changed": ["name"]})]);
    }
}
