use axum::http::Method;
use serde_json::{Value, json};

use crate::testing::{ISSUER, PASSWORD, TestApp, logged_in, token_of};

const NEW: &str = "staple battery horse correct";

#[tokio::test]
async fn a_password_is_changed_and_other_logins_end() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let login = async |password: &str| {
        app.post(
            "/v1/sessions",
            &json!({"email": "ada@example.com", "password": password}),
        )
        .await
    };
    let other = logged_in(&login(PASSWORD).await);
    let change = async |old: &str, new: &str| {
        let body = json!({"current_password": old, "password": new});
        app.as_person(Method::PUT, "/v1/me/password", &ada, Some(&body)).await
    };
    for (old, new, field) in [
        (NEW, NEW, "current_password"),
        (PASSWORD, "short", "password"),
        (PASSWORD, "ada@example.com", "password"),
    ] {
        let answer = change(old, new).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["field"]),
            (400, &json!(field)),
            "{old} {new}"
        );
    }
    assert_eq!(app.as_person(Method::GET, "/v1/me", &other, None).await.status, 200);
    assert_eq!(change(PASSWORD, NEW).await.told(), (204, &Value::Null));
    assert_eq!(app.as_person(Method::GET, "/v1/me", &other, None).await.status, 401);
    assert_eq!(app.as_person(Method::GET, "/v1/me", &ada, None).await.status, 200);
    assert_eq!(login(PASSWORD).await.status, 401);
    assert_eq!(login(NEW).await.status, 201);
    let mail = app.mail().await;
    assert_eq!(mail.len(), 1);
    assert!(
        mail[0].contains("\nSubject: Your Pinfold password was changed\n"),
        "{}",
        mail[0]
    );
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_mail() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let known = app
        .post("/v1/password-resets", &json!({"email": "ADA@example.com"}))
        .await;
    let unknown = app
        .post("/v1/password-resets", &json!({"email": "eve@example.com"}))
        .await;
    assert_eq!(known.told(), (202, &Value::Null));
    assert_eq!(unknown.told(), known.told());
    let mail = app.mail().await;
    assert_eq!(mail.len(), 1);
    let token = token_of(&mail[0]);
    assert!(
        mail[0].contains(&format!("\n{ISSUER}/password-reset#{token}\n")),
        "{}",
        mail[0]
    );
    let complete = async |token: &str, password: &str| {
        app.post(
            "/v1/password-resets/complete",
            &json!({"token": token, "password": password}),
        )
        .await
    };
    // A link for one thing is none for another.
    let as_sign_up = json!({"token": token, "name": "Eve", "password": NEW});
    assert_eq!(
        app.post("/v1/sign-ups/complete", &as_sign_up).await.body["code"],
        json!("link_ended")
    );
    assert_eq!(complete(token, "short").await.body["field"], json!("password"));
    assert_eq!(complete(token, NEW).await.told(), (204, &Value::Null));
    assert_eq!(complete(token, PASSWORD).await.body["code"], json!("link_ended"));
    assert_eq!(app.as_person(Method::GET, "/v1/me", &ada, None).await.status, 401);
    let login = async |password: &str| {
        app.post(
            "/v1/sessions",
            &json!({"email": "ada@example.com", "password": password}),
        )
        .await
    };
    assert_eq!(login(PASSWORD).await.status, 401);
    assert_eq!(login(NEW).await.status, 201);
    app.mail().await;
    app.post("/v1/password-resets", &json!({"email": "ada@example.com"}))
        .await;
    let late = app.mail().await;
    app.wait(3600);
    assert_eq!(
        complete(token_of(&late[0]), PASSWORD).await.body["code"],
        json!("link_ended")
    );
}
