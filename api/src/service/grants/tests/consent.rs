//! Case 32: what a person allows is what they saw, and what still fits.

use axum::http::Method;
use serde_json::{Value, json};

use crate::testing::{
    Answer, TestApp,
    consent::{CALLBACK, TestParty, brought, hidden, request_of, submit, visit},
};

const RIGHTS: &str = "openid runs:read templates:read tenant:read";

async fn change(app: &TestApp, party: &TestParty, change: &Value) {
    let path = format!("/v1/tenants/acme/clients/{}", party.id);
    let changed = app.as_person(Method::PATCH, &path, &party.owner, Some(change)).await;
    assert_eq!(changed.status, 200, "{:?}", changed.body);
}

/// The owner allows a request, having seen this of the client.
async fn allow(app: &TestApp, party: &TestParty, request: &str, shown: &str) -> Answer {
    let fields = [
        ("request", request),
        ("tenant", "acme"),
        ("shown", shown),
        ("decision", "allow"),
        ("csrf", &party.owner.csrf),
    ];
    let fields: Vec<_> = fields.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    submit(app, &party.owner, "/consent", &fields).await
}

/// The person is told so, on a page, and the browser goes nowhere.
fn is_told(answer: &Answer, words: &str) {
    assert_eq!((answer.status.as_u16(), answer.header("location")), (400, None));
    let html = answer.body.as_str().unwrap();
    assert!(html.contains(words), "{words}: {html}");
}

/// A request with the page of it.
async fn asked(app: &TestApp, party: &TestParty) -> (String, Answer) {
    let begun = party.authorize(app, &party.parameters(&[("prompt", "consent")])).await;
    let request = request_of(&begun);
    let page = visit(app, &party.owner, &format!("/consent?request={request}")).await;
    assert_eq!(page.status, 200, "{:?}", page.body);
    (request, page)
}

#[tokio::test]
async fn what_a_person_did_not_see_they_do_not_allow() {
    let app = TestApp::start().await;
    let party = TestParty::new(&app, &json!({})).await;
    for (changed, back) in [
        (json!({"client_name": "Another"}), json!({"client_name": "Build board"})),
        (
            json!({"redirect_uris": [CALLBACK, "https://evil.example/"]}),
            json!({"redirect_uris": [CALLBACK]}),
        ),
    ] {
        let (request, page) = asked(&app, &party).await;
        let shown = hidden(&page, "shown").to_owned();
        change(&app, &party, &changed).await;
        let words = "the client has changed meanwhile; look again";
        for seen in [shown.as_str(), "", "nonsense"] {
            is_told(&allow(&app, &party, &request, seen).await, words);
        }
        // What is there now is on the page that says so.
        let told = allow(&app, &party, &request, &shown).await;
        let now = hidden(&told, "shown");
        assert_ne!(now, shown, "{changed}");
        let allowed = allow(&app, &party, &request, now).await;
        assert_eq!(
            (allowed.status.as_u16(), brought(&allowed)[0].0.as_str()),
            (303, "code")
        );
        change(&app, &party, &back).await;
    }
}

#[tokio::test]
async fn what_was_taken_from_a_client_is_not_given_to_it() {
    let app = TestApp::start().await;
    let party = TestParty::new(&app, &json!({})).await;
    for (taken, back) in [
        (
            json!({"redirect_uris": ["https://board.example/other"]}),
            json!({"redirect_uris": [CALLBACK]}),
        ),
        (json!({"scope": "tenant:read"}), json!({"scope": RIGHTS})),
        (
            json!({"grant_types": ["client_credentials"], "redirect_uris": null}),
            json!({"grant_types": ["authorization_code"], "redirect_uris": [CALLBACK]}),
        ),
    ] {
        let (request, page) = asked(&app, &party).await;
        let shown = hidden(&page, "shown").to_owned();
        change(&app, &party, &taken).await;
        let words = "it has ended or was answered: begin again at the program that sent you";
        is_told(&allow(&app, &party, &request, &shown).await, words);
        let page = visit(&app, &party.owner, &format!("/consent?request={request}")).await;
        is_told(&page, words);
        change(&app, &party, &back).await;
    }
    // Nor is a code of any use once there is no client to it.
    let (request, page) = asked(&app, &party).await;
    let allowed = allow(&app, &party, &request, hidden(&page, "shown")).await;
    let code = brought(&allowed)[0].1.clone();
    let gone = format!("/v1/tenants/acme/clients/{}", party.id);
    let gone = app.as_person(Method::DELETE, &gone, &party.owner, None).await;
    assert_eq!(gone.status, 204);
    let late = party.redeem(&app, &code, &[]).await;
    assert_eq!(
        (late.status.as_u16(), &late.body["error"]),
        (401, &json!("invalid_client"))
    );
}

/// Whoever frames a page has people press what they do not see.
#[tokio::test]
async fn nobody_frames_the_pages_of_consent() {
    let app = TestApp::start().await;
    let party = TestParty::new(&app, &json!({})).await;
    let (request, page) = asked(&app, &party).await;
    let device = visit(&app, &party.owner, "/device").await;
    assert_eq!(device.status, 200);
    let stale = allow(&app, &party, &request, "nonsense").await;
    let csrf = [("user_code", "AAAA-AAAA"), ("csrf", party.owner.csrf.as_str())];
    let unknown = submit(&app, &party.owner, "/device", &csrf).await;
    assert_eq!((stale.status.as_u16(), unknown.status.as_u16()), (400, 400));
    for page in [page, device, stale, unknown] {
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    }
}
