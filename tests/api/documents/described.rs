use hyper::StatusCode;
use serde_json::{Value, json};
use support::api::{Answer, ISSUER, Page, Service};

use super::{CLIENT, DEVICE, World, code_of, description, readable, redeem, refused, unproven};

const CALLBACK: &str = "https://app.example/callback";

/// Takes the tokens out of an answer: the access token, the refresh token.
fn tokens(answer: &mut Answer) -> (String, String) {
    let mut taken = |name: &str| {
        let token = answer.body[name].take();
        assert!(token.is_string(), "{name}: {:?}", answer.body);
        token.as_str().unwrap_or_default().to_owned()
    };
    (taken("access_token"), taken("refresh_token"))
}

fn granted() -> Value {
    json!({"access_token": null, "refresh_token": null, "token_type": "Bearer", "expires_in": 600, "scope": "tenant:read"})
}

/// What a token is good for.
async fn status(at: &Service, token: &str) -> u16 {
    at.client.get("/v1/tenants/acme", Some(token)).await.status.as_u16()
}

#[tokio::test]
async fn a_client_that_nobody_registered_is_let_in() {
    let world = World::new().await;
    world.describe(CLIENT, json!({}));
    let page = world.asked(&world.service, CLIENT, &[]).await;
    assert_eq!(page.status, StatusCode::OK);
    let html = readable(&page);
    let told = format!(
        "<strong>App</strong> asks to act for you. Nobody here knows it: it describes itself at <strong>{CLIENT}</strong>. \
         Your browser goes back to <strong>app.example</strong>."
    );
    assert!(html.contains(&told), "{html}");
    assert!(!html.contains("That is a program on this machine"), "{html}");
    let code = code_of(&world.allow(&world.service, &page).await, CALLBACK);
    let mut answer = redeem(&world.service, CLIENT, &code).await;
    let (access, refresh) = tokens(&mut answer);
    assert_eq!(answer.told(), (200, &granted()));
    assert_eq!(status(&world.service, &access).await, 200);
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", CLIENT),
        ("refresh_token", refresh.as_str()),
        ("resource", ISSUER),
    ];
    let mut again = world.service.client.form("/oauth/token", &form).await;
    let (access, _) = tokens(&mut again);
    assert_eq!(again.told(), (200, &granted()));
    assert_eq!(status(&world.service, &access).await, 200);
    // It was agreed to once.
    let led = world.asked(&world.service, CLIENT, &[]).await;
    code_of(&led, CALLBACK);
    assert_eq!(world.publisher.requests(), ["app.example/client.json"]);
}

#[tokio::test]
async fn a_device_that_describes_itself_is_let_in() {
    let world = World::new().await;
    world.describe(CLIENT, json!({}));
    let client = &world.service.client;
    let asked = [("client_id", CLIENT), ("scope", "tenant:read"), ("resource", ISSUER)];
    let nowhere = client.form("/oauth/device_authorization", &asked[..2]).await;
    let told = json!({"error": "invalid_target", "error_description": format!("resource is missing: write {ISSUER}")});
    assert_eq!(nowhere.told(), (400, &told));
    let begun = client.form("/oauth/device_authorization", &asked).await;
    assert_eq!(begun.status, 200, "{:?}", begun.body);
    let text = |name: &str| begun.body[name].as_str().unwrap_or_default();
    let shown = world
        .ada
        .submit(client, "/device", &[("user_code", text("user_code"))])
        .await;
    let told = format!("Nobody here knows it: it describes itself at <strong>{CLIENT}</strong>.");
    assert!(readable(&shown).contains(&told), "{:?}", shown.body);
    let fields = [
        ("user_code", text("user_code")),
        ("tenant", "acme"),
        ("decision", "allow"),
    ];
    let said = world.ada.submit(client, "/device/answer", &fields).await;
    assert!(readable(&said).contains("The device is let in"), "{:?}", said.body);
    let form = [
        ("grant_type", DEVICE),
        ("client_id", CLIENT),
        ("device_code", text("device_code")),
        ("resource", ISSUER),
    ];
    let mut answer = client.form("/oauth/token", &form).await;
    let (access, _) = tokens(&mut answer);
    assert_eq!(answer.told(), (200, &granted()));
    assert_eq!(status(&world.service, &access).await, 200);
}

/// RFC 9700, section 4.11.2: no browser is sent to where nobody here knows what is, unless a person said so.
#[tokio::test]
async fn what_is_wrong_is_told_to_the_person_alone() {
    let world = World::new().await;
    world.describe(CLIENT, json!({}));
    for (name, value, told) in [
        (
            "resource",
            "",
            "invalid_target: resource is missing: write https://pinfold.test",
        ),
        (
            "resource",
            "https://other.example",
            "invalid_target: resource: write https://pinfold.test",
        ),
        (
            "scope",
            "runs:write",
            "invalid_scope: scope: name some of those that the client is registered for, with one space between them",
        ),
        (
            "response_type",
            "token",
            "unsupported_response_type: response_type: write code",
        ),
        (
            "code_challenge",
            "",
            "invalid_request: code_challenge is missing (RFC 7636)",
        ),
        (
            "code_challenge_method",
            "plain",
            "invalid_request: code_challenge_method: write S256",
        ),
        (
            "prompt",
            "never",
            "invalid_request: prompt: write login, consent, select_account, or none alone",
        ),
        (
            "redirect_uri",
            "https://other.example/callback",
            "redirect_uri: it is none that the client registered",
        ),
    ] {
        let page = world.authorize(&world.service, CLIENT, &[(name, value)]).await;
        assert_eq!(refused(&page), (400, None, told.to_owned()), "{name}={value}");
    }
    // Whoever is not asked has not answered.
    let page = world.asked(&world.service, CLIENT, &[("prompt", "none")]).await;
    let told = "prompt: consent_required: the person is to be asked".to_owned();
    assert_eq!(refused(&page), (400, None, told));
    let begun = world.authorize(&world.service, CLIENT, &[("prompt", "none")]).await;
    let page = world
        .service
        .client
        .get(begun.location().unwrap_or_default(), None)
        .await;
    let told = "prompt: login_required: the person is to log in".to_owned();
    assert_eq!(refused(&page), (400, None, told));
    let page = world.asked(&world.service, CLIENT, &[]).await;
    let denied = world.answer(&world.service, &page, "deny").await;
    let back = format!(
        "{CALLBACK}?error=access_denied&error_description=the+person+said+no&state=xyz&iss=https%3A%2F%2Fpinfold.test"
    );
    assert_eq!(denied.location(), Some(back.as_str()));
    // Nor is a browser sent there to say that the person wants nothing of it.
    let block = json!({"client_id": CLIENT});
    let blocked = world
        .ada
        .post(&world.service.client, "/v1/me/client-blocks", &block)
        .await;
    assert_eq!(blocked.status, 201, "{:?}", blocked.body);
    let page = world.asked(&world.service, CLIENT, &[]).await;
    let told = "prompt: access_denied: the person has blocked this client".to_owned();
    assert_eq!(refused(&page), (400, None, told));
}

#[tokio::test]
async fn a_client_that_has_changed_is_asked_about_again() {
    let world = World::new().await;
    world.describe(CLIENT, json!({}));
    let page = world.asked(&world.service, CLIENT, &[]).await;
    let code = code_of(&world.allow(&world.service, &page).await, CALLBACK);
    let access = tokens(&mut redeem(&world.service, CLIENT, &code).await).0;
    // Each replica reads for itself what there is when it comes.
    for (changed, is_asked) in [
        (json!({}), false),
        (
            json!({"scope": "tenant:read runs:read", "logo_uri": "https://app.example/logo.png"}),
            false,
        ),
        (json!({"client_name": "Another"}), true),
        (json!({"redirect_uris": [CALLBACK, "https://app.example/other"]}), true),
    ] {
        world.describe(CLIENT, changed.clone());
        let replica = world.replica().await;
        let page = world.asked(&replica, CLIENT, &[("redirect_uri", CALLBACK)]).await;
        let asks = readable(&page).contains("it describes itself at");
        assert_eq!(
            (page.status.as_u16(), asks),
            if is_asked { (200, true) } else { (303, false) },
            "{changed}"
        );
    }
    // What was shown counts, and not what the client has become meanwhile.
    world.describe(CLIENT, json!({"client_name": "Another"}));
    let replica = world.replica().await;
    let page = world.asked(&world.service, CLIENT, &[("prompt", "consent")]).await;
    assert!(readable(&page).contains("<strong>App</strong>"), "{:?}", page.body);
    let told = "request: the client has changed meanwhile; look again".to_owned();
    assert_eq!(refused(&world.allow(&replica, &page).await), (400, None, told));

    // An address that somebody else describes is nobody's; what was allowed stands on its own.
    let code = code_of(&world.allow(&world.service, &page).await, CALLBACK);
    let others = description("https://app.example/other.json", json!({}));
    world.publisher.publish("app.example/client.json", Page::json(&others));
    let replica = world.replica().await;
    assert_eq!(redeem(&replica, CLIENT, &code).await.told(), (401, &unproven()));
    assert_eq!(status(&replica, &access).await, 200);
}

#[tokio::test]
async fn a_program_on_the_persons_machine_is_asked_about_each_time() {
    let world = World::new().await;
    let callback = "http://127.0.0.1/callback";
    world.describe(CLIENT, json!({"redirect_uris": [callback]}));
    for port in ["", ":4000"] {
        let callback = format!("http://127.0.0.1{port}/callback");
        let page = world
            .asked(&world.service, CLIENT, &[("redirect_uri", &callback)])
            .await;
        assert_eq!(page.status, StatusCode::OK);
        let html = readable(&page);
        let told = "That is a program on this machine. Allow it only if you have just started it yourself";
        assert!(html.contains(told), "{html}");
        code_of(&world.allow(&world.service, &page).await, &callback);
    }
}
