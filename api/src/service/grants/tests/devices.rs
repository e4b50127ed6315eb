//! Case 33: a device is let in from another one.

use futures::future::join_all;
use serde_json::{Value, json};

use super::{error, is_bad, status, text};
use crate::testing::{
    Answer, ISSUER, TestApp,
    consent::{TestParty, submit, visit},
};

pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub(super) async fn party(app: &TestApp) -> TestParty {
    let tool = json!({
        "client_name": "Command line", "grant_types": [GRANT, "refresh_token"], "redirect_uris": null,
        "token_endpoint_auth_method": "none", "application_type": "native",
    });
    TestParty::new(app, &tool).await
}

pub(super) async fn begin(app: &TestApp, party: &TestParty) -> Answer {
    let asked = [("scope", "tenant:read")];
    let answer = party.post(app, "/oauth/device_authorization", &[], &asked).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer
}

pub(super) async fn ask(app: &TestApp, party: &TestParty, code: &str) -> Answer {
    party
        .token(app, &[], &[("grant_type", GRANT), ("device_code", code)])
        .await
}

pub(super) async fn say(app: &TestApp, party: &TestParty, user_code: &str, decision: &str) -> Answer {
    let fields = [
        ("user_code", user_code),
        ("tenant", "acme"),
        ("decision", decision),
        ("csrf", &party.owner.csrf),
    ];
    submit(app, &party.owner, "/device/answer", &fields).await
}

#[tokio::test]
async fn a_person_lets_a_device_in() {
    let app = TestApp::start().await;
    let replica = app.replica();
    replica.refresh_keys().await;
    let party = party(&app).await;
    let begun = begin(&app, &party).await;
    let (device, user) = (
        text(&begun, "device_code").to_owned(),
        text(&begun, "user_code").to_owned(),
    );
    let wanted = json!({
        "device_code": device, "user_code": user, "verification_uri": format!("{ISSUER}/device"),
        "verification_uri_complete": format!("{ISSUER}/device?user_code={user}"), "expires_in": 600, "interval": 5,
    });
    assert_eq!(begun.body, wanted);
    assert_eq!(error(&ask(&app, &party, &device).await), (400, "authorization_pending"));
    // Section 3.5: five seconds longer each time.
    assert_eq!(error(&ask(&replica, &party, &device).await), (400, "slow_down"));
    app.wait(9);
    assert_eq!(error(&ask(&app, &party, &device).await), (400, "slow_down"));
    app.wait(15);
    assert_eq!(error(&ask(&app, &party, &device).await), (400, "authorization_pending"));

    let page = visit(&app, &party.owner, &format!("/device?user_code={user}")).await;
    assert!(
        page.body.as_str().unwrap().contains(&format!("value=\"{user}\"")),
        "{:?}",
        page.body
    );
    let typed = user.replace('-', " ").to_lowercase();
    let fields = [("user_code", typed.as_str()), ("csrf", &party.owner.csrf)];
    let shown = submit(&app, &party.owner, "/device", &fields).await;
    let html = shown.body.as_str().unwrap();
    for part in [
        "<strong>Command line</strong>",
        "acme",
        "see the tenant",
        "waiting for less than a minute",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    let said = say(&app, &party, &typed, "allow").await;
    assert!(
        said.body.as_str().unwrap().contains("The device is let in"),
        "{:?}",
        said.body
    );
    assert_eq!(say(&app, &party, &typed, "allow").await.status, 400, "once");

    // Of many who ask at once one is told, and then everything that came of it ends.
    let answers = join_all((0..20).map(|n| {
        let to = if n % 2 == 0 { &app } else { &replica };
        ask(to, &party, &device)
    }))
    .await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(good.len(), 1);
    bad.into_iter().for_each(is_bad);
    assert_eq!(status(&app, text(good[0], "access_token")).await, 401);

    let begun = begin(&app, &party).await;
    say(&app, &party, text(&begun, "user_code"), "allow").await;
    let tokens = ask(&app, &party, text(&begun, "device_code")).await;
    let access = text(&tokens, "access_token");
    assert_eq!(
        (tokens.status.as_u16(), &tokens.body["scope"]),
        (200, &json!("tenant:read"))
    );
    assert_eq!(status(&replica, access).await, 200);
    assert_eq!(party.refresh(&app, text(&tokens, "refresh_token")).await.status, 200);
    is_bad(&ask(&app, &party, text(&begun, "device_code")).await);
    assert_eq!(status(&replica, access).await, 401);
}

#[tokio::test]
async fn a_device_is_refused_or_waits_too_long() {
    let app = TestApp::start().await;
    let party = party(&app).await;
    let begun = begin(&app, &party).await;
    let (device, user) = (text(&begun, "device_code"), text(&begun, "user_code"));
    say(&app, &party, user, "deny").await;
    assert_eq!(error(&ask(&app, &party, device).await), (400, "access_denied"));

    let other = json!({"client_name": "Other", "grant_types": [GRANT], "redirect_uris": null, "token_endpoint_auth_method": "none"});
    let other = TestParty::of(&app, party.owner.clone(), &other).await;
    let begun = begin(&app, &party).await;
    is_bad(&ask(&app, &other, text(&begun, "device_code")).await);
    is_bad(&ask(&app, &party, "none").await);
    app.wait(600);
    assert_eq!(
        error(&ask(&app, &party, text(&begun, "device_code")).await),
        (400, "expired_token")
    );
    let late = say(&app, &party, text(&begun, "user_code"), "allow").await;
    assert!(
        late.body.as_str().unwrap().contains("no device waits with this code"),
        "{:?}",
        late.body
    );

    for (form, code) in [
        ([("scope", "audit:read")], "invalid_scope"),
        ([("resource", "https://other.example")], "invalid_target"),
    ] {
        let refused = party.post(&app, "/oauth/device_authorization", &[], &form).await;
        assert_eq!(error(&refused), (400, code));
    }
    let web = TestParty::of(&app, party.owner.clone(), &json!({"client_name": "Web"})).await;
    let refused = web.post(&app, "/oauth/device_authorization", &[], &[]).await;
    assert_eq!(error(&refused), (400, "unauthorized_client"));
    assert_eq!(
        refused.body["error_description"].as_str().map(str::is_empty),
        Some(false)
    );
    assert_eq!(begun.body["interval"], Value::from(5));
}
