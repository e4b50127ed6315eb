use axum::http::Method;
use serde_json::{Value, json};

use crate::{
    auth::totp,
    testing::{Answer, PASSWORD, TestApp, TestPerson},
};

async fn login(app: &TestApp, code: Option<&str>) -> (u16, String) {
    let body = json!({"email": "ada@example.com", "password": PASSWORD, "code": code});
    let answer = app.post("/v1/sessions", &body).await;
    (
        answer.status.as_u16(),
        answer.body["code"].as_str().unwrap_or_default().to_owned(),
    )
}

async fn send(app: &TestApp, person: &TestPerson, path: &str, code: &str) -> Answer {
    let body = if path.ends_with("/confirm") {
        json!({"code": code, "current_password": PASSWORD})
    } else {
        json!({"code": code})
    };
    app.as_person(Method::POST, path, person, Some(&body)).await
}

/// The code that an authenticator with this secret shows.
pub(crate) fn shown(app: &TestApp, secret: &str) -> String {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let five: Vec<String> = secret
        .chars()
        .map(|c| format!("{:05b}", LETTERS.find(c).unwrap()))
        .collect();
    let bits = five.concat();
    let bytes: Vec<u8> = (0..bits.len() / 8)
        .map(|i| u8::from_str_radix(&bits[i * 8..i * 8 + 8], 2).unwrap())
        .collect();
    totp::code(&bytes, app.now() / 30)
}

fn told(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn a_login_needs_a_code_once_there_is_an_authenticator() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let begun = app.as_person(Method::POST, "/v1/me/totp", &ada, None).await;
    let secret = begun.body["secret"].as_str().unwrap().to_owned();
    let url = format!("otpauth://totp/Pinfold:ada%40example.com?secret={secret}&issuer=Pinfold");
    assert_eq!(begun.told(), (201, &json!({"secret": secret, "url": url})));
    // Until a code was shown nothing needs it, and it can be begun anew.
    assert_eq!(login(&app, None).await, told(201, ""));
    let anew = app.as_person(Method::POST, "/v1/me/totp", &ada, None).await;
    let old = send(&app, &ada, "/v1/me/totp/confirm", &shown(&app, &secret)).await;
    assert_eq!((old.status.as_u16(), &old.body["field"]), (400, &json!("code")));
    let secret = anew.body["secret"].as_str().unwrap().to_owned();
    let confirmed = send(&app, &ada, "/v1/me/totp/confirm", &shown(&app, &secret)).await;
    let codes: Vec<String> = serde_json::from_value(confirmed.body["recovery_codes"].clone()).unwrap();
    assert_eq!((confirmed.status.as_u16(), codes.len()), (200, 10));
    let again = app.as_person(Method::POST, "/v1/me/totp", &ada, None).await;
    assert_eq!(
        (again.status.as_u16(), &again.body["code"]),
        (409, &json!("authenticator_exists"))
    );

    assert_eq!(login(&app, None).await, told(401, "second_factor_required"));
    let wrong = json!({"email": "ada@example.com", "password": "wrong horse battery", "code": "123456"});
    assert_eq!(
        app.post("/v1/sessions", &wrong).await.body["code"],
        json!("invalid_credentials")
    );
    // The code that confirmed it is used up, and so is each that logged somebody in, in every replica.
    assert_eq!(
        login(&app, Some(&shown(&app, &secret))).await,
        told(401, "invalid_code")
    );
    app.wait(30);
    let code = shown(&app, &secret);
    assert_eq!(
        login(&app, Some(&format!("{} {}", &code[..3], &code[3..]))).await,
        told(201, "")
    );
    assert_eq!(login(&app.replica(), Some(&code)).await, told(401, "invalid_code"));
    // A recovery code counts once, however it is typed.
    assert_eq!(
        login(&app, Some(&codes[0].to_uppercase().replace('-', " "))).await,
        told(201, "")
    );
    assert_eq!(login(&app, Some(&codes[0])).await, told(401, "invalid_code"));
    assert_eq!(
        login(&app, Some("aaaa-aaaa-aaaa-aaaa")).await,
        told(401, "invalid_code")
    );

    let kept = send(&app, &ada, "/v1/me/totp/remove", "000000").await;
    assert_eq!((kept.status.as_u16(), &kept.body["field"]), (400, &json!("code")));
    app.wait(60);
    assert_eq!(
        send(&app, &ada, "/v1/me/totp/remove", &codes[1]).await.told(),
        (204, &Value::Null)
    );
    assert_eq!(login(&app, None).await, told(201, ""));
    assert_eq!(send(&app, &ada, "/v1/me/totp/remove", &codes[2]).await.status, 404);
}

#[tokio::test]
async fn racers_with_one_code_get_one_login() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let begun = app.as_person(Method::POST, "/v1/me/totp", &ada, None).await;
    let secret = begun.body["secret"].as_str().unwrap().to_owned();
    assert_eq!(
        send(&app, &ada, "/v1/me/totp/confirm", &shown(&app, &secret))
            .await
            .status,
        200
    );
    app.wait(30);
    let code = shown(&app, &secret);
    let replica = app.replica();
    let racers = (0..8).map(|number| login(if number % 2 == 0 { &app } else { &replica }, Some(&code)));
    let all = futures::future::join_all(racers).await;
    let entered = all.iter().filter(|(status, _)| *status == 201).count();
    let refused = all
        .iter()
        .filter(|answer| **answer == told(401, "invalid_code"))
        .count();
    assert_eq!((entered, refused), (1, 7), "{all:?}");
    // What is stored of the secret is sealed.
    let sealed: Vec<u8> = sqlx::query_scalar("SELECT sealed_secret FROM authenticators")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    assert_eq!(sealed.len(), 12 + 20 + 16, "nonce, secret and tag");
}
