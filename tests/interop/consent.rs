//! The pages of consents and devices in Chromium, with scripts and without.

use std::process::Stdio;

use serde_json::{Value, json};
use support::{
    api::{PASSWORD, Person, Service, database, migrate, settings},
    wait,
};
use tokio::io::AsyncWriteExt as _;

use super::tool;

/// See the other test of pages.
const ORIGIN: &str = "http://pinfold.localhost";

/// Of nothing that anybody shows.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

#[tokio::test]
async fn a_person_is_asked_by_clients_and_devices_with_scripts_and_without() {
    let database = database().await;
    migrate(&database).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = settings(&database);
    settings.extend([
        ("ENVIRONMENT", "development".to_owned()),
        ("SERVICE_URL", ORIGIN.to_owned()),
        ("PINFOLD_MAIL_DIRECTORY", folder.path().display().to_string()),
        ("PINFOLD_LOGIN_MILLISECONDS", "0".to_owned()),
    ]);
    let service = Service::start(&settings).await;
    let client = &service.client;
    let mut people = Vec::new();
    for name in ["plain", "scripted"] {
        let email = format!("{name}@example.com");
        let owner = Person::sign_up(client, folder.path(), &email).await;
        let made = owner.post(client, "/v1/tenants", &json!({"name": name})).await;
        assert_eq!(made.status, 201, "{:?}", made.body);
        let metadata = json!({
            "client_name": "Build board", "redirect_uris": ["https://board.example/callback"], "scope": "runs:read tenant:read",
            "grant_types": ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"], "token_endpoint_auth_method": "none",
        });
        let path = format!("/v1/tenants/{name}/clients");
        let made = owner.post(client, &path, &metadata).await;
        assert_eq!(made.status, 201, "{:?}", made.body);
        let id = made.body["client_id"].as_str().expect("a client");
        let form = [("client_id", id), ("scope", "tenant:read")];
        let begun = client.form("/oauth/device_authorization", &form).await;
        let authorize = format!(
            "/oauth/authorize?response_type=code&client_id={id}&redirect_uri=https%3A%2F%2Fboard.example%2Fcallback\
             &scope=runs%3Aread+tenant%3Aread&state=xyz&code_challenge={CHALLENGE}&code_challenge_method=S256"
        );
        people.push(json!({"email": email, "tenant": name, "authorize": authorize, "code": begun.body["user_code"]}));
    }

    let mut process = tool("node")
        .arg("consent.mjs")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("run node");
    let told = json!({
        "origin": ORIGIN, "address": client.url("").replace("http://", ""), "password": PASSWORD,
        "client": "https://board.example/callback", "people": people,
    });
    let mut say = process.stdin.take().expect("its input");
    say.write_all(format!("{told}\n").as_bytes()).await.expect("tell it");
    let ended = wait::soon("the browser is done", process.wait_with_output())
        .await
        .expect("node");
    let found: Value = serde_json::from_slice(&ended.stdout).expect("JSON");

    let asked = json!([
        "/consent",
        "Allow this?",
        "see runs, their output and their logs",
        "see the tenant"
    ]);
    let iss = format!("iss={ORIGIN}");
    let back = json!(["https://board.example", "Back at the client", "code", "state=xyz", iss]);
    let refused = json!([
        "https://board.example",
        "Back at the client",
        "error=access_denied",
        "error_description=the person said no",
        "state=xyz",
        iss,
    ]);
    let seen = json!([
        ["/login", "Log in"],
        asked,
        back,
        back,
        asked,
        refused,
        ["/device", "Let a device in"],
        ["/device", "Let a device in", "see the tenant"],
        ["/device/answer", "The device is let in"],
    ]);
    assert_eq!(found, json!({"plain": seen, "scripted": seen, "complaints": []}));
}
