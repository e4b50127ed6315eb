//! Authlib and joserfc, of the Python Package Index, as clients of a person.

use std::process::Stdio;

use serde_json::{Value, json};
use support::{
    api::{ISSUER, PASSWORD, Person, Service, database, migrate, settings},
    wait,
};
use tokio::io::AsyncWriteExt as _;

use super::tool;

#[tokio::test]
async fn a_python_library_is_let_in_by_a_person_at_two_replicas() {
    let database = database().await;
    migrate(&database).await;
    let mut settings = settings(&database);
    let folder = tempfile::tempdir().expect("a folder");
    settings.extend([
        ("ENVIRONMENT", "development".to_owned()),
        ("PINFOLD_MAIL_DIRECTORY", folder.path().display().to_string()),
    ]);
    let (first, second) = (Service::start(&settings).await, Service::start(&settings).await);
    let owner = Person::sign_up(&first.client, folder.path(), "ada@example.com").await;
    let tenant = json!({"name": "acme"});
    let made = owner.send(&first.client, "POST", "/v1/tenants", Some(&tenant)).await;
    assert_eq!(made.status, 201, "{:?}", made.body);

    let mut process = tool("../venv/bin/python")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/interop/python/client.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("run Python");
    let replicas = [first.client.url(""), second.client.url("")];
    let told = json!({"replicas": replicas, "issuer": ISSUER, "email": "ada@example.com", "password": PASSWORD});
    let mut say = process.stdin.take().expect("its input");
    say.write_all(format!("{told}\n").as_bytes()).await.expect("tell it");
    let ended = wait::soon("the client is done", process.wait_with_output())
        .await
        .expect("Python");
    let found: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
    let life = json!([200, true, 200, true, 200, 401]);
    let wanted = json!({
        "secret": life, "Ed25519": life, "ES256": life, "itself": true, "device": 200, "less": [true, "tenant:read"],
        "bound": ["use_dpop_nonce", "DPoP", "invalid_dpop_proof", 401, 200, 401, 401, 401],
    });
    assert_eq!(found, wanted);
}
