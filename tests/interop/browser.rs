//! The pages in Chromium, with scripts and without: a person signs up, logs out and in, claims an agent that registered itself, and
//! logs in with a passkey.

use std::process::Stdio;

use serde_json::{Value, json};
use support::{
    api::{Agent, PASSWORD, Service, database, link, migrate, settings},
    wait,
};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use super::tool;

/// What a browser takes for trustworthy without TLS (Secure Contexts, section 3.1), and passkeys can be for. It leads to the service
/// in this browser only.
const ORIGIN: &str = "http://pinfold.localhost";

#[tokio::test]
async fn a_person_signs_up_logs_in_and_claims_with_scripts_and_without() {
    let database = database().await;
    migrate(&database).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mail = folder.path().join("mail");
    let mut settings = settings(&database);
    settings.extend([
        ("ENVIRONMENT", "development".to_owned()),
        ("SERVICE_URL", ORIGIN.to_owned()),
        ("PINFOLD_SIGN_UP", "open".to_owned()),
        ("PINFOLD_MAIL_DIRECTORY", mail.display().to_string()),
        ("PINFOLD_LOGIN_MILLISECONDS", "0".to_owned()),
    ]);
    let service = Service::start(&settings).await;
    let (client, mut claims, mut thumbprints) = (&service.client, Vec::new(), Vec::new());
    for name in ["scout", "ranger"] {
        let agent = Agent::register_with(client, ORIGIN, name).await;
        let token = agent.token(client).await;
        let code = client.with_token("POST", "/v1/me/claim-code", &token, None).await;
        claims.push(code.body["claim_url"].clone());
        let keys = client.get("/v1/me/keys", Some(&token)).await;
        thumbprints.push(keys.body["keys"][0]["thumbprint"].clone());
    }

    let mut process = tool("node")
        .arg("browser.mjs")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("run node");
    let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
    let mut say = process.stdin.take().expect("its input");
    let address = client.url("").replace("http://", "");
    let mut tell = json!({"origin": ORIGIN, "address": address, "password": PASSWORD, "claims": claims});
    let found = loop {
        say.write_all(format!("{tell}\n").as_bytes())
            .await
            .expect("tell the browser");
        let said = wait::soon("the browser says something", lines.next_line()).await;
        let said = said.expect("its output").expect("a line");
        let said: Value = serde_json::from_str(&said).expect("JSON");
        match said["mailed"].as_str() {
            Some(email) => tell = json!({"link": link(&mail, email).await}),
            None => break said,
        }
    };
    assert!(wait::soon("node ends", process.wait()).await.expect("node").success());

    let common = json!([
        ["/sign-up", "Open an account"],
        ["/sign-up", "Look into your mail"],
        ["/sign-up/complete", "Open an account"],
        ["/account", "Ada"],
        ["/login", "Log in"],
        ["/login", "Log in", "The address or the password is wrong."],
        ["/account", "Ada"],
        ["/claim", "Claim an agent"],
        ["/claim", "Claim an agent"],
    ]);
    let tenant = |walk: &str| found[walk]["seen"][9][0].clone();
    for walk in ["plain", "scripted"] {
        let place = tenant(walk);
        assert!(
            place.as_str().is_some_and(|place| place.starts_with("/claim/")),
            "{place}"
        );
    }
    let mut plain = common.as_array().cloned().expect("a list");
    let mut scripted = plain.clone();
    plain.push(json!([tenant("plain"), "The agent is yours"]));
    scripted.push(json!([tenant("scripted"), "The agent is yours"]));
    let needed = "A second factor is needed besides: send a code as `code`, or a passkey that answers `passkey`.";
    let removed = found["scripted"]["seen"][17][0].clone();
    assert!(
        removed.as_str().is_some_and(|place| place.ends_with("/remove")),
        "{removed}"
    );
    scripted.extend([
        json!(["/account", "Ada"]),
        json!(["/account/passkeys", "Add a passkey"]),
        json!(["/account/passkeys/new", "Keep these codes"]),
        json!(["/account", "Ada"]),
        json!(["/login", "Log in"]),
        json!(["/login", "Log in", needed]),
        json!(["/account", "Ada"]),
        json!([removed, "The passkey is gone"]),
    ]);
    let wanted = json!({
        "plain": {"seen": plain, "thumbprint": thumbprints[0]},
        "scripted": {
            "seen": scripted, "thumbprint": thumbprints[1],
            "passkeys": {"codes": 10, "kept": [{"rpId": "pinfold.localhost", "signCount": 2}]},
        },
        "complaints": [],
    });
    assert_eq!(found, wanted);
}
