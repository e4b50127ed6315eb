//! Case 33: who lets a device in, and who does not.

use axum::http::Method;
use serde_json::json;

use super::{
    devices::{GRANT, ask, begin, party, say},
    error, nonce, proof, text,
};
use crate::testing::{
    Answer, ISSUER, TestApp, TestKey, TestPerson,
    consent::{TestParty, hidden, request_of, submit, visit},
};

/// A form of a page, as a browser sends it that says where it comes from.
async fn send(app: &TestApp, person: &TestPerson, to: &str, headers: [&str; 2], fields: &[(&str, &str)]) -> Answer {
    let [origin, address] = headers;
    let headers = [
        ("cookie", person.cookie.as_str()),
        ("origin", origin),
        ("x-forwarded-for", address),
    ];
    app.form_with(to, &headers, fields).await
}

fn is_on_the_page(answer: &Answer, words: &str) {
    assert_eq!((answer.status.as_u16(), answer.header("location")), (400, None));
    let html = answer.body.as_str().unwrap();
    assert!(html.contains(words), "{words}: {html}");
}

#[tokio::test]
async fn nobody_guesses_what_a_device_shows() {
    let app = TestApp::start().await;
    let party = party(&app).await;
    let begun = begin(&app, &party).await;
    let csrf = ("csrf", party.owner.csrf.as_str());
    let guess = async |code: &str, address: &str| {
        let fields = [("user_code", code), csrf];
        send(&app, &party.owner, "/device", [ISSUER, address], &fields).await
    };
    for n in 0..60 {
        let code = format!("BBBB-BB{}{}", char::from(b'B' + n / 20), char::from(b'B' + n % 20));
        let answer = guess(&code, "203.0.113.1").await;
        is_on_the_page(&answer, "no device waits with this code: look at what it shows");
    }
    // Not even the right one is looked at any more.
    let user = text(&begun, "user_code");
    let refused = guess(user, "203.0.113.1").await;
    assert_eq!(
        (
            refused.status.as_u16(),
            &refused.body["code"],
            refused.header("ratelimit")
        ),
        (429, &json!("rate_limited"), Some("\"logins\";r=0;t=1"))
    );
    assert_eq!(guess(user, "203.0.113.2").await.status, 200);
}

#[tokio::test]
async fn a_person_lets_in_where_they_belong_and_nowhere_else() {
    let app = TestApp::start().await;
    let party = party(&app).await;
    let web = TestParty::of(&app, party.owner.clone(), &json!({"client_name": "Web"})).await;
    let eve = app.person("eve@example.com").await;
    let as_eve = TestParty {
        owner: eve.clone(),
        ..party.clone()
    };
    let begun = begin(&app, &party).await;
    let (device, user) = (text(&begun, "device_code"), text(&begun, "user_code"));
    let words = "choose one of those here";
    is_on_the_page(&say(&app, &as_eve, user, "allow").await, words);
    for tenant in ["nowhere", "shadow", "ACME", ""] {
        let fields = [
            ("user_code", user),
            ("tenant", tenant),
            ("decision", "allow"),
            ("csrf", &party.owner.csrf),
        ];
        is_on_the_page(&submit(&app, &party.owner, "/device/answer", &fields).await, words);
    }
    assert_eq!(error(&ask(&app, &party, device).await), (400, "authorization_pending"));

    // The same on the page of consents.
    let begun = web.authorize(&app, &web.parameters(&[])).await;
    let request = request_of(&begun);
    let page = visit(&app, &eve, &format!("/consent?request={request}")).await;
    let fields = [
        ("request", request.as_str()),
        ("tenant", "acme"),
        ("shown", hidden(&page, "shown")),
        ("decision", "allow"),
        ("csrf", &eve.csrf),
    ];
    is_on_the_page(&submit(&app, &eve, "/consent", &fields).await, words);
    let grants: i64 = sqlx::query_scalar("SELECT count(*) FROM oauth_grants")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    assert_eq!(grants, 0);
    assert_eq!(web.answer(&app, &request, "allow").await.status, 303);
}

#[tokio::test]
async fn a_device_is_let_in_on_the_page_alone() {
    let app = TestApp::start().await;
    let party = party(&app).await;
    let begun = begin(&app, &party).await;
    let (device, user) = (text(&begun, "device_code"), text(&begun, "user_code"));
    for (origin, csrf) in [
        ("https://evil.example", party.owner.csrf.as_str()),
        ("null", &party.owner.csrf),
        (ISSUER, "wrong"),
        (ISSUER, ""),
    ] {
        let typed = [("user_code", user), ("csrf", csrf)];
        let allowed = [typed.as_slice(), &[("tenant", "acme"), ("decision", "allow")]].concat();
        for (to, fields) in [("/device", typed.as_slice()), ("/device/answer", &allowed)] {
            let answer = send(&app, &party.owner, to, [origin, "203.0.113.1"], fields).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.body["code"], answer.header("location")),
                (403, &json!("csrf"), None),
                "{origin} {csrf} {to}"
            );
        }
    }
    assert_eq!(error(&ask(&app, &party, device).await), (400, "authorization_pending"));
}

#[tokio::test]
async fn a_client_that_is_blocked_is_let_in_on_no_device() {
    let app = TestApp::start().await;
    let party = party(&app).await;
    let begun = begin(&app, &party).await;
    let (device, user) = (text(&begun, "device_code"), text(&begun, "user_code"));
    let block = json!({"client_id": party.id});
    let blocked = app
        .as_person(Method::POST, "/v1/me/client-blocks", &party.owner, Some(&block))
        .await;
    assert_eq!(blocked.status, 201, "{:?}", blocked.body);
    is_on_the_page(&say(&app, &party, user, "allow").await, "you have blocked this client");
    assert_eq!(error(&ask(&app, &party, device).await), (400, "authorization_pending"));
    app.wait(5);
    say(&app, &party, user, "deny").await;
    assert_eq!(error(&ask(&app, &party, device).await), (400, "access_denied"));
}

/// Whoever is told to use a nonce has not asked yet.
#[tokio::test]
async fn a_device_that_asks_with_a_proof_is_told_of_the_nonce_first() {
    let app = TestApp::start().await;
    let party = party(&app).await;
    let begun = begin(&app, &party).await;
    let key = TestKey::p256();
    let code = text(&begun, "device_code");
    let form = [("grant_type", GRANT), ("device_code", code)];
    let poll = async |id: &str, nonce: &str| {
        let proof = proof(&key, "/oauth/token", id, nonce);
        party.token(&app, &[("dpop", &proof)], &form).await
    };
    let nonce = nonce(&app, &party, &key).await;
    assert_eq!(error(&poll("a", "").await), (400, "use_dpop_nonce"));
    assert_eq!(error(&poll("b", &nonce).await), (400, "authorization_pending"));
    assert_eq!(error(&poll("c", &nonce).await), (400, "slow_down"));
    say(&app, &party, text(&begun, "user_code"), "allow").await;
    assert_eq!(error(&poll("d", "").await), (400, "use_dpop_nonce"));
    assert_eq!(error(&poll("c", &nonce).await), (400, "invalid_dpop_proof"));
    let tokens = poll("d", &nonce).await;
    assert_eq!(
        (tokens.status.as_u16(), &tokens.body["token_type"]),
        (200, &json!("DPoP")),
        "{:?}",
        tokens.body
    );
}
