//! oauth4webapi (npm) and a person: from the request for authorization to the end of the tokens.

use std::{collections::BTreeMap, process::Stdio};

use serde_json::{Value, json};
use support::{
    api::{ISSUER, PASSWORD, Person, Service, database, migrate, settings},
    wait,
};
use tokio::io::AsyncWriteExt as _;

use super::tool;

#[tokio::test]
async fn a_client_library_is_let_in_by_a_person_at_two_replicas() {
    let database = database().await;
    migrate(&database).await;
    let mut settings = settings(&database);
    let folder = tempfile::tempdir().expect("a folder");
    let most = || "1000000".to_owned();
    settings.extend([
        ("ENVIRONMENT", "development".to_owned()),
        ("PINFOLD_MAIL_DIRECTORY", folder.path().display().to_string()),
        ("PINFOLD_REQUESTS_PER_MINUTE", most()),
        ("PINFOLD_CALLS_PER_MINUTE", most()),
        ("PINFOLD_WRITES_PER_MINUTE", most()),
        ("PINFOLD_LOGINS_PER_MINUTE", most()),
    ]);
    let (first, second) = (Service::start(&settings).await, Service::start(&settings).await);
    let owner = Person::sign_up(&first.client, folder.path(), "ada@example.com").await;
    let tenant = json!({"name": "acme"});
    let made = owner.send(&first.client, "POST", "/v1/tenants", Some(&tenant)).await;
    assert_eq!(made.status, 201, "{:?}", made.body);

    let mut process = tool("node")
        .arg("authorization.mjs")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("run node");
    let replicas = [first.client.url(""), second.client.url("")];
    let told = json!({"replicas": replicas, "issuer": ISSUER, "email": "ada@example.com", "password": PASSWORD});
    let mut say = process.stdin.take().expect("its input");
    say.write_all(format!("{told}\n").as_bytes()).await.expect("tell it");
    let ended = wait::soon("the client is done", process.wait_with_output())
        .await
        .expect("node");
    let found: Value = serde_json::from_slice(&ended.stdout).expect("JSON");

    let mut wanted = BTreeMap::new();
    for method in [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt Ed25519",
        "private_key_jwt ES256",
        "none",
    ] {
        for algorithm in ["unbound", "ES256", "Ed25519"] {
            for way in ["direct", "pushed", "device"] {
                let bound = algorithm != "unbound";
                let mut seen = vec![json!(if bound { "dpop" } else { "bearer" })];
                // A device asks for no ID token.
                seen.push(json!(if way == "device" {
                    "tenant:read"
                } else {
                    "openid tenant:read"
                }));
                if way == "device" {
                    seen.extend([json!("authorization_pending"), json!("slow_down")]);
                }
                // Of a client that keeps no secret and shows no key each refresh token counts once.
                let rotates = method == "none" && !bound;
                seen.extend([json!(200), json!(if rotates { "rotated" } else { "kept" }), json!(200)]);
                if method != "none" {
                    seen.extend([json!(true), json!(true), json!(bound)]);
                }
                seen.push(json!(401));
                wanted.insert(format!("{method}, {algorithm}, {way}"), Value::from(seen));
            }
        }
    }
    assert_eq!(found, json!(wanted));
}
