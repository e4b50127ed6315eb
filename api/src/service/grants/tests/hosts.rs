//! Who we are is configured: a request that names another host, as one that was sent on might, changes nothing of it.

use axum::{body::Body, http::Request};
use serde_json::json;

use super::{exchange::said, text};
use crate::testing::{
    Answer, ISSUER, TestApp, borrowed,
    consent::{TestParty, VERIFIER, brought, request_of},
};

const ELSEWHERE: [(&str, &str); 4] = [
    ("host", "evil.example"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-proto", "http"),
    ("forwarded", "for=203.0.113.1;host=evil.example;proto=http"),
];

async fn read(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = ELSEWHERE
        .iter()
        .chain(headers)
        .fold(Request::get(path), |request, (name, value)| {
            request.header(*name, *value)
        });
    app.send(request.body(Body::empty()).unwrap()).await
}

/// Case 28.
#[tokio::test]
async fn no_request_says_who_we_are() {
    let app = TestApp::start().await;
    let device = "urn:ietf:params:oauth:grant-type:device_code";
    let party = TestParty::new(&app, &json!({"grant_types": ["authorization_code", device]})).await;
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-protected-resource",
        "/.well-known/jwks.json",
    ] {
        let (plain, elsewhere) = (app.get(path, None).await, read(&app, path, &[]).await);
        assert_eq!((plain.status.as_u16(), plain.told()), (200, elsewhere.told()), "{path}");
    }
    let begun = party.post(&app, "/oauth/device_authorization", &ELSEWHERE, &[]).await;
    assert_eq!(text(&begun, "verification_uri"), format!("{ISSUER}/device"));

    let cookie = ("cookie", party.owner.cookie.as_str());
    let parameters = party.parameters(&[("scope", "openid tenant:read")]);
    let headers = [ELSEWHERE.as_slice(), &[cookie]].concat();
    let begun = app
        .form_with("/oauth/authorize", &headers, &borrowed(&parameters))
        .await;
    let request = request_of(&begun);
    let stranger = read(&app, &format!("/consent?request={request}"), &[]).await;
    let login = format!("/login?next=consent&request={request}");
    assert_eq!(stranger.header("location"), Some(login.as_str()));
    assert_eq!(party.answer(&app, &request, "deny").await.status, 303);
    let code = party.code(&app, &[("scope", "openid tenant:read")]).await;
    let again = app
        .form_with("/oauth/authorize", &headers, &borrowed(&parameters))
        .await;
    let back = read(&app, &format!("/consent?request={}", request_of(&again)), &[cookie]).await;
    let iss = brought(&back).into_iter().find(|(name, _)| name == "iss");
    assert_eq!(iss, Some(("iss".to_owned(), ISSUER.to_owned())));

    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("code_verifier", VERIFIER),
    ];
    let tokens = party.token(&app, &ELSEWHERE, &form).await;
    for name in ["access_token", "id_token"] {
        assert_eq!(said(text(&tokens, name))["iss"], json!(ISSUER), "{name}");
    }
    let refused = read(&app, "/v1/me", &[("authorization", "Bearer nonsense")]).await;
    let challenge = refused.header("www-authenticate").unwrap();
    let metadata = format!("resource_metadata=\"{ISSUER}/.well-known/oauth-protected-resource\"");
    assert!(challenge.contains(&metadata), "{challenge}");
}
