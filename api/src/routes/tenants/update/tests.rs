use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};

use crate::{
    routes::tenants::tests::{get, joined, made, problem},
    testing::TestApp,
};

const ACME: &str = "/v1/tenants/acme";

#[tokio::test]
async fn a_tenant_is_called_what_its_admins_call_it() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    made(&app, &ada, "acme").await;
    let before = get(&app, &ada, ACME).await;
    let version = before.header("etag").unwrap().to_owned();
    let patch = async |body: Value| app.as_person(Method::PATCH, ACME, &ada, Some(&body)).await;

    let changed = patch(json!({"display_name": "Acme Research"})).await;
    let mut wanted = before.body.clone();
    wanted["display_name"] = json!("Acme Research");
    assert_eq!(changed.told(), (200, &wanted));
    assert_eq!(get(&app, &ada, ACME).await.told(), (200, &wanted));
    assert_eq!(patch(json!({})).await.told(), (200, &wanted));

    let late = Request::patch(ACME)
        .header(header::COOKIE, &ada.cookie)
        .header("x-csrf-token", &ada.csrf)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::IF_MATCH, version)
        .body(Body::from(r#"{"display_name": "Other"}"#));
    assert_eq!(problem(&app.send(late.unwrap()).await), (412, "precondition_failed"));
    for (body, field) in [
        (json!({"display_name": ""}), "display_name"),
        (json!({"display_name": "a\nb"}), "display_name"),
        (json!({"display_name": 7}), "display_name"),
        (json!({"name": "other"}), "name"),
        (json!({"plan": "unlimited"}), "plan"),
    ] {
        let refused = patch(body).await;
        assert_eq!(
            (problem(&refused), &refused.body["field"]),
            ((400, "invalid_request"), &json!(field))
        );
    }
    assert_eq!(patch(json!({"display_name": null})).await.told(), (200, &before.body));

    let told: Vec<Value> = sqlx::query_scalar("SELECT detail FROM audit_events WHERE action = 'tenant.update'")
        .fetch_all(&app.owner)
        .await
        .unwrap();
    assert_eq!(
        told,
        [
            json!({"changed": ["display_name"]}),
            json!({"changed": ["display_name"]})
        ]
    );
}

/// What a list has, is read alone as well.
#[tokio::test]
async fn members_invitations_and_logins_are_read_one_by_one() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    made(&app, &ada, "acme").await;
    joined(&app, &ada, "acme", "bob@example.com", "viewer").await;
    let invited = json!({"email": "eve@example.com", "role": "admin"});
    app.as_person(Method::POST, "/v1/tenants/acme/invitations", &ada, Some(&invited))
        .await;
    for (path, all, id) in [
        ("/v1/tenants/acme/members", "members", "overseer_id"),
        ("/v1/tenants/acme/invitations", "invitations", "id"),
        ("/v1/me/sessions", "sessions", "id"),
    ] {
        let listed = get(&app, &ada, path).await.body;
        let listed = listed[all].as_array().unwrap();
        assert!(!listed.is_empty(), "{path}");
        for one in listed {
            let read = get(&app, &ada, &format!("{path}/{}", one[id].as_str().unwrap())).await;
            assert_eq!(read.told(), (200, one));
        }
        let none = get(&app, &ada, &format!("{path}/0198c5b4-5a0e-7000-8000-0000000000ff")).await;
        assert_eq!(problem(&none), (404, "not_found"));
        let unnamed = get(&app, &ada, &format!("{path}/x")).await;
        assert_eq!(problem(&unnamed), (400, "invalid_request"));
    }
}
