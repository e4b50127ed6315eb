use serde_json::{Value, json};

use super::*;
use crate::auth::client::Written;

const ISSUER: &str = "https://pinfold.example";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

fn metadata(members: &Value) -> Metadata {
    let mut written = json!({
        "client_name": "Build board", "redirect_uris": ["https://board.example/callback"], "scope": "openid runs:read runs:write",
    });
    crate::http::merge::merge(&mut written, members.clone());
    serde_json::from_value::<Written>(written).unwrap().check().unwrap()
}

fn web() -> Metadata {
    metadata(&json!({}))
}

fn native(uris: &[&str]) -> Metadata {
    metadata(&json!({"application_type": "native", "token_endpoint_auth_method": "none", "redirect_uris": uris}))
}

/// A good request with other parameters; those that are empty are left out.
fn parameters(others: &[(&str, &str)]) -> Parameters {
    let mut all: Parameters = [
        ("response_type", "code"),
        ("redirect_uri", "https://board.example/callback"),
        ("scope", "runs:read"),
        ("state", "s t&te"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    for (name, value) in others {
        all.insert((*name).to_owned(), (*value).to_owned());
    }
    all.retain(|_, value| !value.is_empty());
    all
}

fn of(metadata: &Metadata, others: &[(&str, &str)]) -> Result<Request, Flaw> {
    check(&parameters(others), metadata, ISSUER)
}

/// The code of the error that the client is told.
fn refused(others: &[(&str, &str)]) -> &'static str {
    match of(&web(), others) {
        Err(Flaw::Back(back)) => {
            assert_eq!(back.redirect_uri, "https://board.example/callback");
            back.code
        }
        other => panic!("{others:?}: {other:?}"),
    }
}

#[test]
fn a_good_request_is_read() {
    let wanted = Request {
        redirect_uri: "https://board.example/callback".to_owned(),
        scopes: vec!["runs:read".to_owned()],
        state: Some("s t&te".to_owned()),
        code_challenge: CHALLENGE.to_owned(),
        dpop_jkt: None,
        nonce: None,
        prompt: Prompt::AsNeeded,
        max_age: None,
    };
    assert_eq!(of(&web(), &[]), Ok(wanted.clone()));
    assert_eq!(
        of(&web(), &[("redirect_uri", ""), ("resource", ISSUER)]),
        Ok(wanted.clone())
    );
    let all = Request {
        scopes: vec!["openid".to_owned(), "runs:write".to_owned()],
        dpop_jkt: Some(JKT.to_owned()),
        nonce: Some("n".repeat(64)),
        prompt: Prompt::LoginAndConsent,
        max_age: Some(60),
        ..wanted.clone()
    };
    let asked = [
        ("scope", "openid runs:write openid"),
        ("dpop_jkt", JKT),
        ("nonce", &"n".repeat(64)),
        ("prompt", "login consent"),
        ("max_age", "60"),
        ("response_mode", "query"),
        ("display", "page"),
    ];
    assert_eq!(of(&web(), &asked), Ok(all));
    // All rights, and nothing of who the person is.
    let rights = vec!["runs:read".to_owned(), "runs:write".to_owned()];
    assert_eq!(of(&web(), &[("scope", "")]).unwrap().scopes, rights);
}

#[test]
fn what_is_wrong_is_told_to_the_client() {
    for (others, code) in [
        ([("response_type", "")].as_slice(), "invalid_request"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("response_type", "code id_token")], "unsupported_response_type"),
        (&[("response_mode", "fragment")], "invalid_request"),
        (&[("response_mode", "form_post")], "invalid_request"),
        (&[("request", "x.y.z")], "request_not_supported"),
        (&[("registration", "{}")], "registration_not_supported"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge", "short")], "invalid_request"),
        (&[("scope", "runs:read  runs:write")], "invalid_scope"),
        (&[("scope", "audit:read")], "invalid_scope"),
        (&[("scope", "none such")], "invalid_scope"),
        (&[("resource", "https://other.example")], "invalid_target"),
        (&[("dpop_jkt", "short")], "invalid_request"),
        (&[("nonce", &"n".repeat(1025))], "invalid_request"),
        (&[("prompt", "none login")], "invalid_request"),
        (&[("prompt", "create")], "invalid_request"),
        (&[("max_age", "-1")], "invalid_request"),
        (&[("state", &"s".repeat(4097))], "invalid_request"),
    ] {
        assert_eq!(refused(others), code, "{others:?}");
    }
    let machine = metadata(&json!({"grant_types": ["client_credentials"], "redirect_uris": null}));
    assert_eq!(
        of(&machine, &[]),
        Err(Flaw::Here(
            "redirect_uri: it is none that the client registered".to_owned()
        ))
    );
    assert_eq!(
        of(&machine, &[("redirect_uri", "")]),
        Err(Flaw::Here("redirect_uri is missing".to_owned()))
    );
}

/// Case 27: the person is told, and the browser goes nowhere.
#[test]
fn nothing_is_sent_to_where_the_client_did_not_register() {
    let here = |metadata: &Metadata, uri: &str| match of(metadata, &[("redirect_uri", uri)]) {
        Err(Flaw::Here(_)) => true,
        Err(Flaw::Back(back)) => panic!("{uri}: {back:?}"),
        Ok(_) => false,
    };
    for bad in [
        "https://board.example/callback/",
        "https://board.example/callback/more",
        "https://board.example/callbac",
        "https://board.example/Callback",
        "https://board.example/callback?x=1",
        "https://board.example/callback#x",
        "https://board.example/../callback",
        "https://board.example/x/../callback",
        "https://board.example:8443/callback",
        "https://board.example:443/callback",
        "https://evil.board.example/callback",
        "https://board.example.evil.example/callback",
        "https://board.example@evil.example/callback",
        "https://evil.example\\@board.example/callback",
        "https://evil.example/https://board.example/callback",
        "http://board.example/callback",
        "HTTPS://board.example/callback",
        "https://BOARD.example/callback",
        "//board.example/callback",
        "/callback",
        "javascript:alert(1)",
        "data:text/html,x",
        " https://board.example/callback",
    ] {
        assert!(here(&web(), bad), "{bad}");
    }
    let app = native(&[
        "http://127.0.0.1/cb",
        "http://[::1]:9000/cb",
        "http://localhost:3000/cb",
        "com.example.app:/cb",
    ]);
    for good in [
        "http://127.0.0.1/cb",
        "http://127.0.0.1:54321/cb",
        "http://[::1]/cb",
        "http://[::1]:1/cb",
        "http://localhost:3000/cb",
        "com.example.app:/cb",
    ] {
        assert!(!here(&app, good), "{good}");
    }
    for bad in [
        "http://127.0.0.1:54321/other",
        "http://127.0.0.1:99999/cb",
        "http://127.0.0.1:/cb",
        "http://127.0.0.1:80@evil.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://127.0.0.1evil.example/cb",
        "http://127.0.0.2/cb",
        "https://127.0.0.1/cb",
        "http://localhost:3001/cb",
        "http://localhost/cb",
        "com.example.app:/other",
    ] {
        assert!(here(&app, bad), "{bad}");
    }
    // Only programs on a person's machine choose their port.
    let bare = native(&["http://127.0.0.1"]);
    assert!(!here(&bare, "http://127.0.0.1:8080"));
    assert!(here(&bare, "http://127.0.0.1:8080.evil.example"));
    assert!(here(&native(&["http://127.0.0.1/a", "http://127.0.0.1/b"]), ""));
}

#[test]
fn answers_go_back_with_who_gives_them() {
    let request = of(&web(), &[]).unwrap();
    assert_eq!(
        request.grant("abc", ISSUER).unwrap(),
        "https://board.example/callback?code=abc&state=s+t%26te&iss=https%3A%2F%2Fpinfold.example"
    );
    let back = request.refuse("access_denied", "the person said no");
    assert_eq!(
        back.place(ISSUER).unwrap(),
        "https://board.example/callback?error=access_denied&error_description=the+person+said+no&state=s+t%26te\
         &iss=https%3A%2F%2Fpinfold.example"
    );
    assert_eq!(
        answer("com.example.app:/cb?x=1", &[("code", "abc")]).unwrap(),
        "com.example.app:/cb?x=1&code=abc"
    );
}
