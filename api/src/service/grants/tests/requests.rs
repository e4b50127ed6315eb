//! Requests for authorization: pushed and not, with keys and prompts, and those that come to nothing.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::json;

use super::{error, is_bad, nonce, proof, status, text};
use crate::testing::{
    Answer, ISSUER, PASSWORD, TestApp, TestKey, borrowed,
    consent::{CALLBACK, TestParty, VERIFIER, brought, hidden, request_of, visit},
    logged_in,
};

async fn push(app: &TestApp, party: &TestParty, headers: &[(&str, &str)], others: &[(&'static str, &str)]) -> Answer {
    let mut parameters = party.parameters(others);
    if party.secret.is_empty() {
        parameters.retain(|(name, _)| *name != "client_id");
    }
    party.post(app, "/oauth/par", headers, &borrowed(&parameters)).await
}

/// What the browser is told with a pushed request.
async fn with(app: &TestApp, party: &TestParty, client_id: &str, uri: &str) -> Answer {
    let parameters = [("client_id", client_id.to_owned()), ("request_uri", uri.to_owned())];
    party.authorize(app, &parameters).await
}

/// Case 31, and RFC 9126.
#[tokio::test]
async fn a_client_pushes_its_request() {
    let app = TestApp::start().await;
    let replica = app.replica();
    let party = TestParty::new(&app, &json!({})).await;
    let other = TestParty::of(&app, party.owner.clone(), &json!({"client_name": "Other"})).await;
    let pushed = push(&app, &party, &[], &[]).await;
    let uri = text(&pushed, "request_uri").to_owned();
    assert_eq!(pushed.told(), (201, &json!({"request_uri": uri, "expires_in": 90})));
    assert!(uri.starts_with("urn:ietf:params:oauth:request_uri:"), "{uri}");

    // Another client's, one that nobody pushed, and one that is no name of ours.
    for (client, uri) in [
        (&other.id, uri.as_str()),
        (
            &party.id,
            "urn:ietf:params:oauth:request_uri:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ),
        (&party.id, "https://board.example/request.jwt"),
    ] {
        let answer = with(&app, &party, client, uri).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("location")),
            (400, None),
            "{uri}"
        );
    }
    let opened = with(&replica, &party, &party.id, &uri).await;
    let answer = party.answer(&app, &request_of(&opened), "allow").await;
    let code = brought(&answer)[0].1.clone();
    assert_eq!(party.redeem(&app, &code, &[]).await.status, 200);
    let again = with(&app, &party, &party.id, &uri).await;
    assert_eq!(again.status, 400, "it was spent when the code issued");

    let late = push(&app, &party, &[], &[]).await;
    app.wait(90);
    let late = with(&app, &party, &party.id, text(&late, "request_uri")).await;
    assert_eq!(late.status, 400);

    for (others, code) in [
        (
            [("redirect_uri", "https://evil.example/")].as_slice(),
            "invalid_request",
        ),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("scope", "audit:read")], "invalid_scope"),
        (&[("resource", "https://other.example")], "invalid_target"),
        (&[("request_uri", &uri)], "invalid_request"),
    ] {
        assert_eq!(error(&push(&app, &party, &[], others).await), (400, code), "{others:?}");
    }
    let nobody = TestParty {
        secret: "wrong".to_owned(),
        ..party.clone()
    };
    assert_eq!(error(&push(&app, &nobody, &[], &[]).await), (401, "invalid_client"));
    let get = app.get("/oauth/par", None).await;
    assert_eq!(get.status, 405);
}

/// Case 22: a code is bound to the key that was named beforehand.
#[tokio::test]
async fn a_code_is_good_with_its_key_alone() {
    let app = TestApp::start().await;
    let party = TestParty::new(&app, &json!({})).await;
    let (key, other) = (TestKey::ed25519(), TestKey::p256());
    let nonce = nonce(&app, &party, &key).await;
    let jkt = key.thumbprint();
    let redeem = async |code: &str, proof: Option<String>| {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("code_verifier", VERIFIER),
        ];
        let headers: Vec<(&str, &str)> = proof.iter().map(|proof| ("dpop", proof.as_str())).collect();
        party.token(&app, &headers, &form).await
    };
    let for_token = |key: &TestKey, id: &str| Some(proof(key, "/oauth/token", id, &nonce));
    let named = [("dpop_jkt", jkt.as_str()), ("scope", "tenant:read")];
    let code = party.code(&app, &named).await;
    is_bad(&redeem(&code, None).await);
    is_bad(&redeem(&code, for_token(&key, "a")).await);
    let code = party.code(&app, &named).await;
    is_bad(&redeem(&code, for_token(&other, "b")).await);
    is_bad(&redeem(&code, for_token(&key, "f")).await);
    let code = party.code(&app, &named).await;
    let bound = redeem(&code, for_token(&key, "c")).await;
    assert_eq!(
        (bound.status.as_u16(), &bound.body["token_type"]),
        (200, &json!("DPoP"))
    );
    assert_eq!(
        status(&app, text(&bound, "access_token")).await,
        401,
        "a bound token alone"
    );

    // The key of a proof that comes with the pushed request says the same.
    let pushed = push(&app, &party, &[("dpop", &proof(&key, "/oauth/par", "d", &nonce))], &[]).await;
    let opened = with(&app, &party, &party.id, text(&pushed, "request_uri")).await;
    let answer = party.answer(&app, &request_of(&opened), "allow").await;
    is_bad(&redeem(&brought(&answer)[0].1, None).await);
    // What stands beside a pushed request in the link counts for nothing.
    for (id, again, by, wanted) in [("g", "h", &other, 400), ("i", "j", &key, 200)] {
        let first = proof(&key, "/oauth/par", id, &nonce);
        let pushed = push(&app, &party, &[("dpop", &first)], &[("prompt", "consent")]).await;
        let link = [
            ("client_id", party.id.clone()),
            ("request_uri", text(&pushed, "request_uri").to_owned()),
            ("dpop_jkt", other.thumbprint()),
        ];
        let opened = party.authorize(&app, &link).await;
        let answer = party.answer(&app, &request_of(&opened), "allow").await;
        let redeemed = redeem(&brought(&answer)[0].1, for_token(by, again)).await;
        assert_eq!(redeemed.status, wanted, "{id}: {:?}", redeemed.body);
    }
    let mismatch = push(
        &app,
        &party,
        &[("dpop", &proof(&other, "/oauth/par", "e", &nonce))],
        &named,
    )
    .await;
    assert_eq!(error(&mismatch), (400, "invalid_dpop_proof"));
    let again = push(&app, &party, &[("dpop", &proof(&key, "/oauth/par", "d", &nonce))], &[]).await;
    assert_eq!(
        error(&again),
        (400, "invalid_dpop_proof"),
        "a proof counts once here, too"
    );
}

/// Case 23: of a client that keeps no secret, the refresh token is bound to the key that it showed.
#[tokio::test]
async fn a_refresh_token_is_good_with_its_key_alone() {
    let app = TestApp::start().await;
    let party = TestParty::new(&app, &json!({"token_endpoint_auth_method": "none"})).await;
    let (key, other) = (TestKey::ed25519(), TestKey::ed25519());
    let nonce = nonce(&app, &party, &key).await;
    let ask = async |key: Option<(&TestKey, &str)>, form: &[(&str, &str)]| {
        let proof = key.map(|(key, id)| proof(key, "/oauth/token", id, &nonce));
        let headers: Vec<(&str, &str)> = proof.iter().map(|proof| ("dpop", proof.as_str())).collect();
        party.token(&app, &headers, form).await
    };
    let code = party.code(&app, &[]).await;
    let redeem = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("code_verifier", VERIFIER),
    ];
    let tokens = ask(Some((&key, "a")), &redeem).await;
    let refresh = text(&tokens, "refresh_token").to_owned();
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    is_bad(&ask(None, &refresh).await);
    is_bad(&ask(Some((&other, "b")), &refresh).await);
    for id in ["c", "d"] {
        let again = ask(Some((&key, id)), &refresh).await;
        assert_eq!(
            (again.status.as_u16(), again.body.get("refresh_token")),
            (200, None),
            "{id}"
        );
    }
}

#[tokio::test]
async fn a_person_is_asked_as_the_client_wants() {
    let app = TestApp::start().await;
    let party = TestParty::new(&app, &json!({})).await;
    let asked = async |others: &[(&'static str, &str)]| {
        let begun = party.authorize(&app, &party.parameters(others)).await;
        let request = request_of(&begun);
        visit(&app, &party.owner, &format!("/consent?request={request}")).await
    };
    let back = |answer: &Answer| brought(answer).first().cloned().unwrap_or_default();
    let refused = |code: &str| ("error".to_owned(), code.to_owned());
    let none = asked(&[("prompt", "none")]).await;
    assert_eq!(back(&none), refused("consent_required"));
    assert_eq!(asked(&[]).await.status, 200, "nothing was agreed to yet");
    party.code(&app, &[]).await;
    // What was agreed to is not asked about again: not of the same, and of no more.
    for prompt in ["", "none"] {
        let (name, _) = back(&asked(&[("prompt", prompt)]).await);
        assert_eq!(name, "code", "{prompt}");
    }
    assert_eq!(asked(&[("prompt", "consent")]).await.status, 200);
    assert_eq!(asked(&[("scope", "runs:read tenant:read")]).await.status, 200);
    // Case 32: a client that has changed is asked about again.
    let path = format!("/v1/tenants/acme/clients/{}", party.id);
    let change = json!({"client_name": "Another board"});
    let changed = app.as_person(Method::PATCH, &path, &party.owner, Some(&change)).await;
    assert_eq!(changed.status, 200);
    assert_eq!(asked(&[]).await.status, 200);

    app.wait(1);
    let login = asked(&[("prompt", "login")]).await;
    let place = login.header("location").unwrap().to_owned();
    assert!(place.starts_with("/login?next=consent&request="), "{place}");
    app.wait(60);
    let old = asked(&[("max_age", "30")]).await;
    assert!(
        old.header("location").unwrap().starts_with("/login?next=consent"),
        "{old:?}"
    );
    assert_eq!(
        back(&asked(&[("max_age", "30"), ("prompt", "none")]).await),
        refused("login_required")
    );
    assert_eq!(asked(&[("max_age", "90")]).await.status, 200);

    // A stranger is led to the login, and from there to where they were.
    let nobody = Request::get(place.replace("/login?next=consent&", "/consent?"))
        .body(Body::empty())
        .unwrap();
    assert_eq!(app.send(nobody).await.header("location"), Some(place.as_str()));
    let form = format!("email=ada%40example.com&password={}", PASSWORD.replace(' ', "+"));
    let entered = Request::post(&place)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form))
        .unwrap();
    let entered = app.send(entered).await;
    let request = place.split_once("request=").unwrap().1;
    assert_eq!(
        entered.header("location"),
        Some(format!("/consent?request={request}").as_str())
    );
    let again = app
        .post(
            "/v1/sessions",
            &json!({"email": "ada@example.com", "password": PASSWORD}),
        )
        .await;
    let anew = logged_in(&again);
    let page = visit(&app, &anew, &format!("/consent?request={request}")).await;
    assert_eq!(page.status, 200, "who has logged in since is asked");
}

/// Cases 27 and 30: what cannot be answered is told to the person, and the browser goes nowhere.
#[tokio::test]
async fn nobody_is_led_to_where_no_client_is() {
    let app = TestApp::start().await;
    let party = TestParty::new(&app, &json!({})).await;
    for others in [
        [("redirect_uri", "https://evil.example/callback")],
        [("redirect_uri", "https://board.example/callback/..")],
        [("client_id", "nobody")],
        [("client_id", "")],
    ] {
        let answer = party.authorize(&app, &party.parameters(&others)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("location")),
            (400, None),
            "{others:?}"
        );
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    }
    let mut twice = party.parameters(&[]);
    twice.push(("redirect_uri", CALLBACK.to_owned()));
    assert_eq!(party.authorize(&app, &twice).await.status, 400);
    for (others, code) in [
        ([("response_type", "token")].as_slice(), "unsupported_response_type"),
        (&[("response_mode", "fragment")], "invalid_request"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("scope", "audit:read")], "invalid_scope"),
    ] {
        let answer = party.authorize(&app, &party.parameters(others)).await;
        let back = brought(&answer);
        let told = |name: &str| {
            back.iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.as_str())
        };
        assert_eq!((answer.status.as_u16(), told("error")), (303, Some(code)), "{others:?}");
        assert_eq!(
            (told("state"), told("iss"), told("code")),
            (Some("xyz"), Some(ISSUER), None)
        );
    }
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM oauth_requests")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    assert_eq!(kept, 0, "nobody is asked about any of these");
    // What a client is called is text, whatever it looks like (case 54).
    let named = json!({"client_name": "<b>\u{202e}Board</b>"});
    let odd = app
        .as_person(Method::POST, "/v1/tenants/acme/clients", &party.owner, Some(&named))
        .await;
    assert_eq!(odd.status, 400, "{:?}", odd.body);
    let odd = TestParty::of(
        &app,
        party.owner.clone(),
        &json!({"client_name": "<b>Board</b> & \"sons\""}),
    )
    .await;
    let request = request_of(&odd.authorize(&app, &odd.parameters(&[])).await);
    let page = visit(&app, &party.owner, &format!("/consent?request={request}")).await;
    let html = page.body.as_str().unwrap();
    assert!(
        html.contains("&lt;b&gt;Board&lt;&#x2f;b&gt; &amp; &quot;sons&quot;"),
        "{html}"
    );
}

/// A form of somebody else's says nothing (cases 29, 32 and 49).
#[tokio::test]
async fn consent_is_given_on_the_page_alone() {
    let app = TestApp::start().await;
    let party = TestParty::new(&app, &json!({})).await;
    let request = request_of(&party.authorize(&app, &party.parameters(&[])).await);
    let page = visit(&app, &party.owner, &format!("/consent?request={request}")).await;
    let shown = hidden(&page, "shown");
    let body = format!("request={request}&tenant=acme&decision=allow&shown={shown}");
    let forged = |origin: &str, csrf: &str| {
        Request::post("/consent")
            .header(header::COOKIE, &party.owner.cookie)
            .header(header::ORIGIN, origin)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(format!("{body}&csrf={csrf}")))
            .unwrap()
    };
    for (origin, csrf) in [
        ("https://evil.example", party.owner.csrf.as_str()),
        ("null", &party.owner.csrf),
        (ISSUER, "wrong"),
        (ISSUER, ""),
    ] {
        let answer = app.send(forged(origin, csrf)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("location")),
            (403, None),
            "{origin} {csrf}"
        );
    }
    let answer = app.send(forged(ISSUER, &party.owner.csrf)).await;
    assert_eq!(answer.status, 303);
}
