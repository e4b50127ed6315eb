//! What goes on for longer than the proof with which it began.

use axum::{
    extract::FromRequestParts as _,
    http::{Method, Request, header},
};
use jiff::SignedDuration;
use serde_json::json;

use super::Caller;
use crate::testing::{TestApp, TestPerson};

async fn caller(app: &TestApp, header: (header::HeaderName, &str)) -> Caller {
    let request = Request::get("/v1/me").header(header.0, header.1).body(()).unwrap();
    let (mut parts, ()) = request.into_parts();
    Caller::from_request_parts(&mut parts, &app.state).await.unwrap()
}

async fn how(app: &TestApp, caller: &Caller) -> (bool, bool) {
    let stands = caller.stands(&app.state).await.unwrap();
    (stands, caller.lasts(&app.state).await.unwrap())
}

async fn key(app: &TestApp, person: &TestPerson) -> (String, String) {
    let end = app.state.clock.now() + SignedDuration::from_hours(1);
    let body = json!({"name": "ci", "kind": "personal", "scopes": ["runs:read"], "expires_at": end});
    let made = app
        .as_person(Method::POST, "/v1/me/api-keys", person, Some(&body))
        .await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let text = |name: &str| made.body[name].as_str().unwrap().to_owned();
    (text("id"), text("secret"))
}

#[tokio::test]
async fn an_end_that_was_foreseen_ends_nothing_that_goes_on() {
    let app = TestApp::start().await;
    let person = app.person("ada@example.com").await;
    let (id, secret) = key(&app, &person).await;
    let by_key = caller(&app, ("x-api-key".parse().unwrap(), &secret)).await;
    let login = caller(&app, (header::COOKIE, &person.cookie)).await;
    assert_eq!(how(&app, &by_key).await, (true, true));
    assert_eq!(how(&app, &login).await, (true, true));

    app.wait(3600);
    assert_eq!(how(&app, &by_key).await, (false, true));
    app.as_person(Method::DELETE, &format!("/v1/me/api-keys/{id}"), &person, None)
        .await;
    assert_eq!(how(&app, &by_key).await, (false, false));

    app.wait(200 * 3600);
    assert_eq!(how(&app, &login).await, (false, true));
    sqlx::query("UPDATE overseers SET blocked_at = now()")
        .execute(&app.owner)
        .await
        .unwrap();
    assert_eq!(how(&app, &login).await, (false, false));
}
