use axum::http::Method;
use serde_json::{Value, json};

use crate::{
    routes::me::totp::tests::shown,
    testing::{Answer, ISSUER, PASSWORD, TestApp, TestPasskey, TestPerson},
};

async fn login(app: &TestApp, code: Option<&str>) -> Answer {
    let body = json!({"email": "ada@example.com", "password": PASSWORD, "code": code});
    app.post("/v1/sessions", &body).await
}

/// What the password alone leads to.
async fn asked(app: &TestApp) -> Value {
    let answer = login(app, None).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["code"]),
        (401, &json!("second_factor_required"))
    );
    answer.body["passkey"].clone()
}

async fn begin(app: &TestApp, person: &TestPerson) -> Answer {
    app.as_person(Method::POST, "/v1/me/passkeys/challenge", person, None)
        .await
}

/// Registers a passkey.
pub(in crate::routes) async fn add(app: &TestApp, person: &TestPerson, passkey: &mut TestPasskey) -> Answer {
    let options = begin(app, person).await;
    assert_eq!(options.status, 201, "{:?}", options.body);
    let body = json!({"name": "key", "credential": passkey.register(&options.body), "current_password": PASSWORD});
    app.as_person(Method::POST, "/v1/me/passkeys", person, Some(&body))
        .await
}

async fn remove(app: &TestApp, person: &TestPerson, id: &Value, password: &str) -> Answer {
    let path = format!("/v1/me/passkeys/{}/remove", id.as_str().unwrap());
    app.as_person(
        Method::POST,
        &path,
        person,
        Some(&json!({"current_password": password})),
    )
    .await
}

fn told(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.body["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_login_needs_the_passkey_once_there_is_one() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let options = begin(&app, &ada).await;
    let wanted = json!({
        "rp": {"id": "pinfold.example", "name": "Pinfold"},
        "user": {"id": options.body["user"]["id"], "name": "ada@example.com", "displayName": options.body["user"]["displayName"]},
        "challenge": options.body["challenge"],
        "pubKeyCredParams": [
            {"type": "public-key", "alg": -8}, {"type": "public-key", "alg": -7}, {"type": "public-key", "alg": -257},
        ],
        "timeout": 300_000,
        "excludeCredentials": [],
        "authenticatorSelection": {"residentKey": "preferred", "userVerification": "preferred"},
        "attestation": "none",
    });
    assert_eq!(options.told(), (201, &wanted));
    // Beginning changes nothing.
    assert_eq!(told(&login(&app, None).await), (201, ""));

    let mut passkey = TestPasskey::p256();
    let added = add(&app, &ada, &mut passkey).await;
    let id = added.body["passkey"]["id"].clone();
    let made =
        json!({"id": id, "name": "key", "backed_up": false, "created_at": "2027-01-15T08:00:00Z", "used_at": null});
    assert_eq!((added.status.as_u16(), &added.body["passkey"]), (201, &made));
    let codes: Vec<String> = serde_json::from_value(added.body["recovery_codes"].clone()).unwrap();
    assert_eq!(codes.len(), 10);

    let request = asked(&app).await;
    let credential = begin(&app, &ada).await.body["excludeCredentials"].clone();
    let wanted = json!({
        "challenge": request["challenge"], "rpId": "pinfold.example", "timeout": 300_000,
        "userVerification": "preferred", "allowCredentials": credential,
    });
    assert_eq!(request, wanted);
    app.wait(60);
    let answer = passkey.answer(&request);
    let entered = app.replica().post("/v1/sessions/passkey", &answer).await;
    assert_eq!(told(&entered), (201, ""));
    let cookie = entered.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-pinfold-session="), "{cookie}");
    // It counts once.
    assert_eq!(
        told(&app.post("/v1/sessions/passkey", &answer).await),
        (401, "invalid_passkey")
    );
    let listed = app.as_person(Method::GET, "/v1/me/passkeys", &ada, None).await;
    let mut used = made.clone();
    used["used_at"] = json!("2027-01-15T08:01:00Z");
    assert_eq!(listed.told(), (200, &json!({"passkeys": [used]})));

    // Without the passkey a recovery code does, once; six digits are of nothing.
    assert_eq!(told(&login(&app, Some(&codes[0])).await), (201, ""));
    assert_eq!(told(&login(&app, Some(&codes[0])).await), (401, "invalid_code"));
    assert_eq!(told(&login(&app, Some("123456")).await), (401, "invalid_code"));

    let other = json!({"current_password": "wrong horse battery"});
    let renewal = "/v1/me/recovery-codes";
    let refused = app.as_person(Method::POST, renewal, &ada, Some(&other)).await;
    assert_eq!(
        (told(&refused), &refused.body["field"]),
        ((400, "invalid_request"), &json!("current_password"))
    );
    let right = json!({"current_password": PASSWORD});
    let anew = app.as_person(Method::POST, renewal, &ada, Some(&right)).await;
    let anew: Vec<String> = serde_json::from_value(anew.body["recovery_codes"].clone()).unwrap();
    assert_eq!(anew.len(), 10);
    assert_eq!(
        told(&login(&app, Some(&codes[1])).await),
        (401, "invalid_code"),
        "those from before count no more"
    );
    assert_eq!(told(&login(&app, Some(&anew[0])).await), (201, ""));
    let kept = remove(&app, &ada, &id, "wrong horse battery").await;
    assert_eq!(
        (told(&kept), &kept.body["field"]),
        ((400, "invalid_request"), &json!("current_password"))
    );
    assert_eq!(remove(&app, &ada, &id, PASSWORD).await.told(), (204, &Value::Null));
    assert_eq!(remove(&app, &ada, &id, PASSWORD).await.status, 404);
    assert_eq!(told(&login(&app, None).await), (201, ""));
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM recovery_codes")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    assert_eq!(left, 0, "they go with the last second factor");
    let none = app.as_person(Method::POST, renewal, &ada, Some(&right)).await;
    assert_eq!(none.status, 404, "there is nothing that they could stand for");
    let factors: Vec<Value> = sqlx::query_scalar(
        "SELECT detail -> 'factor' FROM audit_events WHERE action = 'session.create' AND detail ? 'factor' ORDER BY id",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap();
    assert_eq!(
        factors,
        [json!({"passkey": id}), json!("recovery_code"), json!("recovery_code")]
    );
    let letters = app
        .mail()
        .await
        .iter()
        .filter(|letter| letter.contains("second factors"))
        .count();
    assert_eq!(letters, 3, "for the passkey, the codes, and the passkey's end");
}

#[tokio::test]
async fn what_is_not_the_passkey_that_was_asked_for_opens_nothing() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let bob = app.person("bob@example.com").await;
    let mut passkey = TestPasskey::ed25519();
    let mut other = TestPasskey::p256();
    assert_eq!(add(&app, &ada, &mut passkey).await.status, 201);
    assert_eq!(add(&app, &bob, &mut other).await.status, 201);
    let request = asked(&app).await;
    let refused = async |answer: &Value| {
        let answer = app.post("/v1/sessions/passkey", answer).await;
        assert_eq!(told(&answer), (401, "invalid_passkey"), "{:?}", answer.body);
    };

    // Another's, whether it says so or not, one that was changed, one that another page asked for, one that nobody touched.
    refused(&other.answer(&request)).await;
    let mut silent = other.answer(&request);
    silent["response"]["userHandle"] = Value::Null;
    refused(&silent).await;
    let mut answer = passkey.answer(&request);
    answer["response"]["signature"] = other.answer(&request)["response"]["signature"].clone();
    refused(&answer).await;
    let mut answer = passkey.answer(&request);
    answer["response"]["userHandle"] = json!("AAAA");
    refused(&answer).await;
    passkey.origin = "https://evil.example".to_owned();
    refused(&passkey.answer(&request)).await;
    passkey.origin = ISSUER.to_owned();
    passkey.flags = 0;
    refused(&passkey.answer(&request)).await;
    passkey.flags = 1;
    // What was asked for a new passkey is no login.
    let creation = begin(&app, &ada).await.body;
    refused(&passkey.answer(&creation)).await;
    // A copy of the authenticator lags behind.
    let entered = app.post("/v1/sessions/passkey", &passkey.answer(&request)).await;
    assert_eq!(told(&entered), (201, ""));
    passkey.uses -= 1;
    refused(&passkey.answer(&asked(&app).await)).await;
    // Too late.
    let request = asked(&app).await;
    passkey.uses += 10;
    app.wait(301);
    refused(&passkey.answer(&request)).await;

    // Whoever had shown the old password shows the new one, too.
    let request = asked(&app).await;
    let change = json!({"current_password": PASSWORD, "password": "another long one"});
    assert_eq!(
        app.as_person(Method::PUT, "/v1/me/password", &ada, Some(&change))
            .await
            .status,
        204
    );
    refused(&passkey.answer(&request)).await;
}

#[tokio::test]
async fn somebody_who_was_blocked_meanwhile_is_not_let_in() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let mut passkey = TestPasskey::p256();
    assert_eq!(add(&app, &ada, &mut passkey).await.status, 201);
    let request = asked(&app).await;
    sqlx::query("UPDATE overseers SET blocked_at = now() WHERE id = $1::uuid")
        .bind(&ada.id)
        .execute(&app.owner)
        .await
        .unwrap();
    let answer = app.post("/v1/sessions/passkey", &passkey.answer(&request)).await;
    assert_eq!(told(&answer), (401, "invalid_passkey"));
}

#[tokio::test]
async fn a_registration_answers_its_own_challenge() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let bob = app.person("bob@example.com").await;
    let send = async |person: &TestPerson, credential: &Value| {
        let body = json!({"name": "key", "credential": credential, "current_password": PASSWORD});
        let answer = app
            .as_person(Method::POST, "/v1/me/passkeys", person, Some(&body))
            .await;
        (
            answer.status.as_u16(),
            answer.body["field"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let challenge = (400, "credential.response.clientDataJSON".to_owned());
    let options = begin(&app, &ada).await.body;
    let given = TestPasskey::p256().register(&options);
    assert_eq!(send(&bob, &given).await, challenge, "it is another person's");
    let mut elsewhere = TestPasskey::p256();
    elsewhere.origin = "https://evil.example".to_owned();
    assert_eq!(send(&ada, &elsewhere.register(&options)).await, challenge);
    let mut foreign = TestPasskey::p256();
    foreign.rp_id = "evil.example".to_owned();
    let data = (400, "credential.response.attestationObject".to_owned());
    assert_eq!(send(&ada, &foreign.register(&options)).await, data);
    let mut broken = given.clone();
    broken["response"]["attestationObject"] = json!("AAAA=");
    assert_eq!(send(&ada, &broken).await, data);
    assert_eq!(send(&ada, &given).await.0, 201);
    assert_eq!(send(&ada, &given).await, challenge, "it was answered");
    // The same authenticator does not register twice, with nobody.
    let mut again = TestPasskey::p256();
    again.id = crate::auth::jws::decode(given["id"].as_str().unwrap()).unwrap();
    assert_eq!(told(&add(&app, &bob, &mut again).await), (409, "passkey_exists"));
}

#[tokio::test]
async fn an_authenticator_and_a_passkey_stand_for_each_other() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let begun = app.as_person(Method::POST, "/v1/me/totp", &ada, None).await;
    let secret = begun.body["secret"].as_str().unwrap().to_owned();
    let code = json!({"code": shown(&app, &secret), "current_password": PASSWORD});
    let confirmed = app
        .as_person(Method::POST, "/v1/me/totp/confirm", &ada, Some(&code))
        .await;
    let codes: Vec<String> = serde_json::from_value(confirmed.body["recovery_codes"].clone()).unwrap();
    let mut passkey = TestPasskey::p256();
    let added = add(&app, &ada, &mut passkey).await;
    assert_eq!(
        (added.status.as_u16(), added.body.get("recovery_codes")),
        (201, None),
        "there are some already"
    );
    let request = asked(&app).await;
    assert_eq!(
        app.post("/v1/sessions/passkey", &passkey.answer(&request)).await.status,
        201
    );
    app.wait(30);
    assert_eq!(told(&login(&app, Some(&shown(&app, &secret))).await), (201, ""));
    // Without the authenticator the passkey is still needed, and the codes are still good.
    let gone = json!({"code": codes[0]});
    assert_eq!(
        app.as_person(Method::POST, "/v1/me/totp/remove", &ada, Some(&gone))
            .await
            .status,
        204
    );
    assert_eq!(told(&login(&app, None).await), (401, "second_factor_required"));
    assert_eq!(told(&login(&app, Some(&codes[1])).await), (201, ""));
}

#[tokio::test]
async fn racers_with_one_answer_get_one_login() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let mut passkey = TestPasskey::p256();
    assert_eq!(add(&app, &ada, &mut passkey).await.status, 201);
    let answer = passkey.answer(&asked(&app).await);
    let replica = app.replica();
    let racers = (0..8).map(|number| {
        let to = if number % 2 == 0 { &app } else { &replica };
        let answer = &answer;
        async move { to.post("/v1/sessions/passkey", answer).await.status.as_u16() }
    });
    let mut all = futures::future::join_all(racers).await;
    all.sort_unstable();
    assert_eq!(all, [201, 401, 401, 401, 401, 401, 401, 401]);
}

/// What is changed together would leave codes of nothing, or nothing but a passkey.
#[tokio::test]
async fn second_factors_are_changed_one_after_the_other() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let mut passkeys = [TestPasskey::p256(), TestPasskey::ed25519()];
    let options = begin(&app, &ada).await.body;
    let credential = passkeys[0].register(&options);
    let body = json!({"name": "key", "credential": credential, "current_password": PASSWORD});
    let both =
        futures::future::join_all((0..4).map(|_| app.as_person(Method::POST, "/v1/me/passkeys", &ada, Some(&body))))
            .await;
    let mut statuses: Vec<u16> = both.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400, 400, 400]);
    assert_eq!(add(&app, &ada, &mut passkeys[1]).await.status, 201);
    let listed = app.as_person(Method::GET, "/v1/me/passkeys", &ada, None).await.body;
    let ids: Vec<Value> = listed["passkeys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|passkey| passkey["id"].clone())
        .collect();
    let gone = futures::future::join_all(ids.iter().map(|id| remove(&app, &ada, id, PASSWORD))).await;
    assert!(gone.iter().all(|answer| answer.status == 204), "{gone:?}");
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM recovery_codes")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    assert_eq!(left, 0);
}
