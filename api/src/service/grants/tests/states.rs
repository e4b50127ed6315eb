//! What a client sends along: how it may come, and that it comes back as it is.

use axum::http::header;
use serde_json::json;

use crate::testing::{
    Answer, ISSUER, TestApp, borrowed,
    consent::{TestParty, brought, request_of},
};

/// The values of a parameter that the browser brings back.
fn values(answer: &Answer, name: &str) -> Vec<String> {
    let back = brought(answer).into_iter().filter(|(known, _)| known == name);
    back.map(|(_, value)| value).collect()
}

/// What the browser of the owner brings back in the end: of a good request, of one that the person refuses, and of a bad one.
async fn backs(app: &TestApp, party: &TestParty, state: &str) -> [Answer; 3] {
    let asked = [("state", state), ("prompt", "consent")];
    let allowed = party.authorize(app, &party.parameters(&asked)).await;
    let allowed = party.answer(app, &request_of(&allowed), "allow").await;
    let denied = party.authorize(app, &party.parameters(&asked)).await;
    let denied = party.answer(app, &request_of(&denied), "deny").await;
    let bad = [("state", state), ("scope", "audit:read")];
    [allowed, denied, party.authorize(app, &party.parameters(&bad)).await]
}

/// Case 29, and the module of FAPI 2.0.
#[tokio::test]
async fn a_state_comes_back_byte_for_byte() {
    let app = TestApp::start().await;
    let party = TestParty::new(&app, &json!({})).await;
    let mut long = "a&b=c%20d+e f#g?h/i\"<>'\\ü;,\u{1f426}\t".to_owned();
    long.push_str(&"x".repeat(4096 - long.len()));
    assert_eq!(long.len(), 4096);
    for state in [long.as_str(), "&code=stolen&iss=https://evil.example", "%26"] {
        let answers = backs(&app, &party, state).await;
        let errors = answers.each_ref().map(|answer| values(answer, "error"));
        assert_eq!(
            errors,
            [
                vec![],
                vec!["access_denied".to_owned()],
                vec!["invalid_scope".to_owned()]
            ]
        );
        for answer in &answers {
            assert_eq!(values(answer, "state"), [state]);
            assert_eq!(values(answer, "iss"), [ISSUER]);
        }
        let codes = answers.each_ref().map(|answer| values(answer, "code").len());
        assert_eq!(codes, [1, 0, 0]);
    }
    // One that the client did not send is not there.
    for answer in backs(&app, &party, "").await {
        assert_eq!(values(&answer, "state"), Vec::<String>::new());
        assert_eq!(values(&answer, "iss"), [ISSUER]);
    }
}

/// OpenID Connect Core 1.0, section 3.1.2.1: a client may have the browser send a form.
#[tokio::test]
async fn a_request_may_come_as_a_form() {
    let app = TestApp::start().await;
    let party = TestParty::new(&app, &json!({})).await;
    let parameters = party.parameters(&[]);
    let form = borrowed(&parameters);
    let cookie = [
        ("cookie", party.owner.cookie.as_str()),
        ("origin", "https://board.example"),
    ];
    let begun = app.form_with("/oauth/authorize", &cookie, &form).await;
    assert_eq!(begun.status, 303);
    let answer = party.answer(&app, &request_of(&begun), "allow").await;
    let code = values(&answer, "code").remove(0);
    assert_eq!(party.redeem(&app, &code, &[]).await.status, 200);

    let with = |name: &'static str, value: &'static str| [form.as_slice(), &[(name, value)]].concat();
    let long = "x".repeat(65 * 1024);
    for (form, wanted) in [
        (with("resource", ""), 303),
        (with("resource", ISSUER), 303),
        ([with("resource", ISSUER), vec![("resource", ISSUER)]].concat(), 400),
        (with("state", "another"), 400),
        (with("client_id", "another"), 400),
        ([form.as_slice(), &[("note", &long)]].concat(), 413),
        (vec![], 400),
    ] {
        let answer = app.form_with("/oauth/authorize", &cookie, &form).await;
        assert_eq!(answer.status, wanted, "{:?}", answer.body);
        assert_eq!(answer.header("location").is_some(), wanted == 303);
        if wanted != 303 {
            let html = answer.body.as_str().unwrap();
            assert!(html.contains("This cannot be answered"), "{html}");
        }
    }
    let body: serde_json::Map<_, _> = form
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    let written = app.post("/oauth/authorize", &json!(body)).await;
    assert_eq!((written.status.as_u16(), written.header("location")), (400, None));
    let kind = written.header(header::CONTENT_TYPE.as_str());
    assert_eq!(kind, Some("text/html; charset=utf-8"));
}
