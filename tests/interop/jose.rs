//! jose (npm) verifies our tokens, signs hostile ones, and is an issuer outside.

use std::{collections::BTreeMap, process::Stdio};

use serde_json::{Value, json};
use support::{
    api::{Agent, ISSUER, Person, Service, WebClient, database, migrate, settings},
    wait,
};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use super::tool;

#[tokio::test]
async fn jose_believes_our_tokens_and_we_believe_none_that_it_forges() {
    let mut process = tool("node")
        .arg("jose.mjs")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("run node");
    let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
    let mut say = process.stdin.take().expect("its input");
    let said = wait::soon("jose is an issuer", lines.next_line()).await;
    let outside = said.expect("its output").expect("a line");

    let database = database().await;
    migrate(&database).await;
    let mut settings = settings(&database);
    let folder = tempfile::tempdir().expect("a folder");
    settings.extend([
        ("ENVIRONMENT", "development".to_owned()),
        ("PINFOLD_MAIL_DIRECTORY", folder.path().display().to_string()),
        ("PINFOLD_OIDC_ISSUERS", outside.clone()),
        ("PINFOLD_REQUESTS_PER_MINUTE", "1000000".to_owned()),
    ]);
    let service = Service::start(&settings).await;
    let agent = Agent::register(&service.client, "scout").await;
    let token = agent.token(&service.client).await;
    let mail = folder.path();
    let owner = Person::sign_up(&service.client, mail, "ada@example.com").await;
    let tenant = json!({"name": "acme"});
    assert_eq!(owner.post(&service.client, "/v1/tenants", &tenant).await.status, 201);
    let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    let web = WebClient::register_for(&service.client, &owner, "acme", &["authorization_code", exchange]).await;
    let granted = web.token(&service.client, &owner, "acme").await;
    let told = json!({
        "url": service.client.url(""), "issuer": ISSUER, "token": token, "granted": granted, "authorization": web.authorization(),
    });
    say.write_all(format!("{told}\n").as_bytes()).await.expect("tell jose");

    let said = wait::soon("jose is done", lines.next_line()).await;
    let said = said.expect("its output").expect("a line");
    let found: Value = serde_json::from_str(&said).expect("JSON");
    assert!(wait::soon("node ends", process.wait()).await.expect("node").success());

    let (header, payload) = (&found["verified"]["header"], &found["verified"]["payload"]);
    assert_eq!(*header, json!({"alg": "EdDSA", "typ": "at+jwt", "kid": header["kid"]}));
    assert_eq!((&payload["sub"], &payload["aud"]), (&json!(agent.id), &json!(ISSUER)));
    assert_eq!(found["good"], 200);
    let hostile: BTreeMap<String, u16> = serde_json::from_value(found["hostile"].clone()).expect("statuses");
    assert_eq!(hostile.len(), 17);
    let believed: Vec<_> = hostile.iter().filter(|(_, status)| **status != 401).collect();
    assert!(believed.is_empty(), "{believed:?}");
    // What a client is told of them, by every route that takes a token for something else than to act.
    for (name, told) in found["elsewhere"].as_object().expect("routes") {
        let wanted = match name.as_str() {
            "as it was" => json!({"introspect": [200, true], "userinfo": [200, owner.id], "exchange": [200, null]}),
            _ => {
                json!({"introspect": [200, false], "userinfo": [401, null], "exchange": [400, "invalid_request"], "revoke": [200, null]})
            }
        };
        assert_eq!(*told, wanted, "{name}");
    }
    assert_eq!(found["elsewhere"].as_object().map(serde_json::Map::len), Some(17 + 1));
    let outside: BTreeMap<String, u16> = serde_json::from_value(found["outside"].clone()).expect("statuses");
    let good: Vec<&str> = outside
        .iter()
        .filter(|(_, status)| **status == 200)
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(good, ["ES256", "EdDSA", "RS256", "typ JWT"], "{outside:?}");
    assert!(
        outside.values().all(|status| matches!(status, 200 | 401)),
        "{outside:?}"
    );
}
