//! Pages as a browser without scripts uses them.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};

use crate::{
    routes::me::totp::tests::shown,
    testing::{Answer, ISSUER, PASSWORD, TestApp, TestPasskey, TestPerson, token_of},
};

/// What a browser remembers.
#[derive(Default)]
struct Browser {
    cookies: Vec<(String, String)>,
}

impl Browser {
    async fn get(&mut self, app: &TestApp, path: &str) -> Answer {
        self.send(app, Request::get(path), Body::empty()).await
    }

    async fn submit(&mut self, app: &TestApp, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ORIGIN, ISSUER)
            .header("sec-fetch-site", "same-origin");
        self.send(app, request, encoded(fields)).await
    }

    async fn send(&mut self, app: &TestApp, request: axum::http::request::Builder, body: Body) -> Answer {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = request.header(header::COOKIE, pairs.join("; "));
        let answer = app.send(request.body(body).unwrap()).await;
        for set in answer.headers.get_all(header::SET_COOKIE) {
            let (name, value) = set
                .to_str()
                .unwrap()
                .split(';')
                .next()
                .unwrap()
                .split_once('=')
                .unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }

    /// Logs in with a form; where that leads.
    async fn log_in(&mut self, app: &TestApp, place: &str) -> Answer {
        let fields = [("email", "ada@example.com"), ("password", PASSWORD)];
        self.submit(app, place, &fields).await
    }
}

fn encoded(fields: &[(&str, &str)]) -> Body {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    Body::from(form.finish())
}

fn html(answer: &Answer) -> &str {
    answer.body.as_str().unwrap_or_default()
}

/// The status, and where it leads.
fn led(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status.as_u16(), answer.header("location"))
}

/// What a page says in answer to what was sent.
fn error(answer: &Answer) -> (u16, &str) {
    let told = html(answer).split("role=\"alert\">").nth(1);
    let told = told.and_then(|rest| rest.split("</p>").next());
    (answer.status.as_u16(), told.unwrap_or_default())
}

/// The value of a hidden field.
fn hidden<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let field = format!("name=\"{name}\" value=\"");
    let rest = html(answer).split_once(field.as_str()).expect("a hidden field").1;
    rest.split('"').next().unwrap()
}

#[tokio::test]
async fn a_person_signs_up_and_out_and_in_by_forms() {
    let app = TestApp::start().await;
    let mut browser = Browser::default();
    let page = browser.get(&app, "/sign-up").await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap_or_default();
    assert!(
        policy.contains("form-action 'self'") && policy.contains("script-src 'self';"),
        "{policy}"
    );
    assert_eq!(page.header("referrer-policy"), Some("same-origin"));
    for asset in ["/assets/pinfold.css", "/assets/pinfold.js"] {
        assert!(html(&page).contains(asset));
        assert_eq!(browser.get(&app, asset).await.status, 200);
    }
    // What nobody has written yet is empty.
    for form in [
        "/sign-up",
        "/sign-up/complete",
        "/login",
        "/password-reset",
        "/password-reset/complete",
    ] {
        let page = browser.get(&app, form).await;
        let filled = html(&page).matches("value=\"").count() - html(&page).matches("value=\"\"").count();
        assert_eq!(filled, 0, "{form}: {}", html(&page));
    }
    let bad = browser.submit(&app, "/sign-up", &[("email", "nobody")]).await;
    assert_eq!(bad.status, 400);
    assert!(error(&bad).1.starts_with("email: "), "{:?}", error(&bad));
    let sent = browser.submit(&app, "/sign-up", &[("email", "ada@example.com")]).await;
    assert!(html(&sent).contains("Look into your mail"), "{}", html(&sent));

    let mail = app.mail().await;
    let mut fields = [
        ("token", token_of(&mail[0])),
        ("name", "Ada <b>"),
        ("password", "short"),
    ];
    let refused = browser.submit(&app, "/sign-up/complete", &fields).await;
    let told = "password: write 12 characters or more, at most 1024 bytes";
    assert_eq!(error(&refused), (400, told));
    assert_eq!(hidden(&refused, "token"), fields[0].1, "nothing is typed twice");
    fields[2].1 = PASSWORD;
    let opened = browser.submit(&app, "/sign-up/complete", &fields).await;
    assert_eq!(led(&opened), (303, Some("/account")));
    let account = browser.get(&app, "/account").await;
    assert!(
        html(&account).contains("You are logged in as ada@example.com."),
        "{}",
        html(&account)
    );
    assert!(html(&account).contains("<h1>Ada &lt;b&gt;</h1>"), "{}", html(&account));

    let left = browser
        .submit(&app, "/logout", &[("csrf", hidden(&account, "csrf"))])
        .await;
    assert_eq!(led(&left), (303, Some("/login")));
    assert_eq!(led(&browser.get(&app, "/account").await), (303, Some("/login")));
    let wrong = [("email", "ada@example.com"), ("password", "another sentence")];
    let wrong = browser.submit(&app, "/login", &wrong).await;
    assert_eq!(error(&wrong), (401, "The address or the password is wrong."));
    assert!(html(&wrong).contains("value=\"ada@example.com\""));
    assert_eq!(
        led(&browser.log_in(&app, "/login?next=claim").await),
        (303, Some("/claim"))
    );
    // A login leads to a page of ours and nowhere else.
    let elsewhere = browser.get(&app, "/login?next=https://evil.example").await;
    assert_eq!(elsewhere.status, 400);
}

#[tokio::test]
async fn a_second_factor_is_asked_for() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let begun = app.as_person(Method::POST, "/v1/me/totp", &ada, None).await;
    let code = json!({"code": shown(&app, begun.body["secret"].as_str().unwrap()), "current_password": PASSWORD});
    let confirmed = app
        .as_person(Method::POST, "/v1/me/totp/confirm", &ada, Some(&code))
        .await;
    let recovery = confirmed.body["recovery_codes"][0].as_str().unwrap();
    let mut browser = Browser::default();
    let asked = browser.log_in(&app, "/login").await;
    assert_eq!(error(&asked).0, 401);
    assert!(html(&asked).contains("required autofocus"), "{}", html(&asked));
    let mut fields = [("email", "ada@example.com"), ("password", PASSWORD), ("code", "000000")];
    let wrong = browser.submit(&app, "/login", &fields).await;
    assert_eq!(error(&wrong).0, 401);
    fields[2].1 = recovery;
    assert_eq!(
        led(&browser.submit(&app, "/login", &fields).await),
        (303, Some("/account"))
    );
}

#[tokio::test]
async fn a_passkey_is_added_used_and_taken_away_on_pages() {
    let app = TestApp::start().await;
    app.person("ada@example.com").await;
    let mut browser = Browser::default();
    browser.log_in(&app, "/login").await;
    let account = browser.get(&app, "/account").await;
    let csrf = hidden(&account, "csrf").to_owned();
    let begun = browser.submit(&app, "/account/passkeys", &[("csrf", &csrf)]).await;
    let mut passkey = TestPasskey::p256();
    let credential = passkey.register(&options(&begun)).to_string();
    let place = "/account/passkeys/new";
    let nameless = [
        ("csrf", csrf.as_str()),
        ("credential", &credential),
        ("current_password", PASSWORD),
    ];
    let nameless = browser.submit(&app, place, &nameless).await;
    assert_eq!(error(&nameless), (400, "name: missing field `name`"));
    // The page asks anew, and what it asked before counts no more.
    let credential = passkey.register(&options(&nameless)).to_string();
    let fields = [
        ("csrf", csrf.as_str()),
        ("credential", &credential),
        ("name", "key"),
        ("current_password", PASSWORD),
    ];
    let made = browser.submit(&app, place, &fields).await;
    assert_eq!(
        (made.status.as_u16(), html(&made).matches("<li><code>").count()),
        (200, 10)
    );
    let again = browser.submit(&app, place, &fields).await;
    assert_eq!(error(&again).0, 400);
    assert_ne!(options(&again)["challenge"], options(&begun)["challenge"]);

    let mut browser = Browser::default();
    let asked = browser.log_in(&app, "/login?next=claim").await;
    assert_eq!(error(&asked).0, 401);
    assert!(
        html(&asked).contains("action=\"/login/passkey?next=claim\""),
        "{}",
        html(&asked)
    );
    let answer = passkey.answer(&options(&asked)).to_string();
    let shown = browser
        .submit(&app, "/login/passkey?next=claim", &[("credential", &answer)])
        .await;
    assert_eq!(led(&shown), (303, Some("/claim")));
    let again = browser.submit(&app, "/login/passkey", &[("credential", &answer)]).await;
    assert_eq!(error(&again).0, 401);
    let broken = browser.submit(&app, "/login/passkey", &[("credential", "{")]).await;
    assert_eq!(error(&broken).0, 400);

    let account = browser.get(&app, "/account").await;
    let csrf = hidden(&account, "csrf").to_owned();
    let rest = html(&account).split_once("/account/passkeys/").expect("a passkey").1;
    let place = format!("/account/passkeys/{}/remove", rest.split_once('/').unwrap().0);
    let wrong = [("csrf", csrf.as_str()), ("current_password", "another sentence")];
    let wrong = browser.submit(&app, &place, &wrong).await;
    assert_eq!(error(&wrong), (400, "current_password: this is not your password"));
    let right = [("csrf", csrf.as_str()), ("current_password", PASSWORD)];
    let gone = browser.submit(&app, &place, &right).await;
    assert!(html(&gone).contains("The passkey is gone"), "{}", html(&gone));
    assert_eq!(led(&browser.log_in(&app, "/login").await), (303, Some("/account")));
}

/// What a script of the page asks the browser for.
fn options(page: &Answer) -> Value {
    let rest = html(page).split_once("data-options=\"").expect("options").1;
    let text = rest
        .split_once('"')
        .unwrap()
        .0
        .replace("&quot;", "\"")
        .replace("&#x2f;", "/");
    serde_json::from_str(&text).expect("JSON")
}

#[tokio::test]
async fn forms_of_other_sites_are_refused() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let csrf = ada.csrf.as_str();
    let cases: [(&str, &str, &str); 5] = [
        ("origin", "https://evil.example", csrf),
        ("origin", "null", csrf),
        ("sec-fetch-site", "cross-site", csrf),
        ("sec-fetch-site", "same-site", csrf),
        ("origin", ISSUER, "another"),
    ];
    for (name, value, csrf) in cases {
        for (path, fields) in [
            ("/logout", vec![("csrf", csrf)]),
            ("/claim", vec![("csrf", csrf), ("claim_code", "aaaq-eaye-auda-och7")]),
        ] {
            let request = Request::post(path)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header(header::COOKIE, &ada.cookie)
                .header(name, value);
            let answer = app.send(request.body(encoded(&fields)).unwrap()).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.body["code"]),
                (403, &json!("csrf")),
                "{path} {name}: {value}"
            );
        }
    }
    // Nor is anybody logged in by another site.
    let request = Request::post("/login")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ORIGIN, "https://evil.example");
    let fields = [("email", "ada@example.com"), ("password", PASSWORD)];
    let answer = app.send(request.body(encoded(&fields)).unwrap()).await;
    assert_eq!(answer.status, 403);
    assert_eq!(app.as_person(Method::GET, "/v1/me", &ada, None).await.status, 200);
}

#[tokio::test]
async fn an_agent_is_claimed_on_a_page() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    made(&app, &ada).await;
    let agent = app.agent().await;
    let token = app.token(&agent).await;
    let code = app.with_token(Method::POST, "/v1/me/claim-code", &token, None).await;
    let code = code.body["claim_code"].as_str().unwrap();
    let keys = app.get("/v1/me/keys", Some(&token)).await;
    let thumbprint = keys.body["keys"][0]["thumbprint"].as_str().unwrap();

    let mut browser = Browser::default();
    assert_eq!(
        led(&browser.get(&app, "/claim").await),
        (303, Some("/login?next=claim"))
    );
    assert_eq!(
        led(&browser.log_in(&app, "/login?next=claim").await),
        (303, Some("/claim"))
    );
    let asked = browser.get(&app, "/claim").await;
    let csrf = hidden(&asked, "csrf").to_owned();
    let wrong = browser
        .submit(
            &app,
            "/claim",
            &[("csrf", &csrf), ("claim_code", "aaaq-eaye-auda-och7")],
        )
        .await;
    assert_eq!(error(&wrong).0, 409);
    let seen = browser
        .submit(&app, "/claim", &[("csrf", &csrf), ("claim_code", code)])
        .await;
    assert!(html(&seen).contains(thumbprint), "{}", html(&seen));
    assert!(html(&seen).contains("action=\"/claim/acme\""), "{}", html(&seen));
    let fields = [("csrf", csrf.as_str()), ("claim_code", hidden(&seen, "claim_code"))];
    let elsewhere = browser.submit(&app, "/claim/others", &fields).await;
    assert_eq!(error(&elsewhere).0, 404);
    let claimed = browser.submit(&app, "/claim/acme", &fields).await;
    assert!(html(&claimed).contains("The agent is yours"), "{}", html(&claimed));
    let again = browser.submit(&app, "/claim/acme", &fields).await;
    assert_eq!(error(&again).0, 409);
    let owned = app
        .as_person(
            Method::GET,
            &format!("/v1/tenants/acme/agents/{}", agent.id),
            &ada,
            None,
        )
        .await;
    assert_eq!(owned.body["owner_id"], json!(ada.id));
}

#[tokio::test]
async fn an_invitation_is_accepted_on_a_page_and_a_password_is_chosen_anew() {
    let app = TestApp::start().await;
    let owner = app.person("owner@example.com").await;
    made(&app, &owner).await;
    app.person("ada@example.com").await;
    let invitation = json!({"email": "ada@example.com", "role": "viewer"});
    let path = "/v1/tenants/acme/invitations";
    app.as_person(Method::POST, path, &owner, Some(&invitation)).await;
    let mail = app.mail().await;

    let mut browser = Browser::default();
    let open = browser.get(&app, "/invitations").await;
    assert!(html(&open).contains("/login?next=invitations"), "{}", html(&open));
    browser.log_in(&app, "/login?next=invitations").await;
    let asked = browser.get(&app, "/invitations").await;
    let csrf = hidden(&asked, "csrf").to_owned();
    let wrong = browser
        .submit(&app, "/invitations", &[("csrf", &csrf), ("token", "another")])
        .await;
    assert_eq!(error(&wrong).0, 409);
    let fields = [("csrf", csrf.as_str()), ("token", token_of(&mail[0]))];
    assert_eq!(
        led(&browser.submit(&app, "/invitations", &fields).await),
        (303, Some("/account"))
    );
    let account = browser.get(&app, "/account").await;
    assert!(
        html(&account).contains("<td>acme</td><td>viewer</td>"),
        "{}",
        html(&account)
    );

    let sent = browser
        .submit(&app, "/password-reset", &[("email", "ada@example.com")])
        .await;
    assert!(html(&sent).contains("Look into your mail"), "{}", html(&sent));
    let mail = app.mail().await;
    let chosen = "a sentence of my own";
    let fields = [("token", token_of(&mail[0])), ("password", chosen)];
    let done = browser.submit(&app, "/password-reset/complete", &fields).await;
    assert!(html(&done).contains("The password is changed"), "{}", html(&done));
    let again = browser.submit(&app, "/password-reset/complete", &fields).await;
    assert_eq!(error(&again).0, 409);
    assert_eq!(led(&browser.get(&app, "/account").await), (303, Some("/login")));
    let fields = [("email", "ada@example.com"), ("password", chosen)];
    assert_eq!(
        led(&browser.submit(&app, "/login", &fields).await),
        (303, Some("/account"))
    );
}

async fn made(app: &TestApp, owner: &TestPerson) {
    let answer = app
        .as_person(Method::POST, "/v1/tenants", owner, Some(&json!({"name": "acme"})))
        .await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
}
