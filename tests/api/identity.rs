//! An agent's way from its key to who it is.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::api::{Agent, Service, database, migrate, settings};

#[tokio::test]
async fn an_agent_registers_proves_itself_and_is_known() {
    let service = Service::new().await;
    let client = &service.client;
    let agent = Agent::register(client, "scout").await;
    let token = agent.token(client).await;
    let me = client.get("/v1/me", Some(&token)).await;
    let wanted = json!({
        "kind": "agent", "id": agent.id, "key_id": agent.key_id, "scopes": ["self"],
        "tenant_id": "00000000-0000-8000-8000-000000000001",
        "owner_id": me.body["owner_id"], "expires_at": me.body["expires_at"],
    });
    assert_eq!(me.told(), (200, &wanted));
    // What was proved with is not told to whoever reads the log.
    let log = service.log();
    let parts = [token.as_str(), token.rsplit('.').next().unwrap_or_default()];
    assert!(parts.iter().all(|part| !log.contains(part)), "{log}");
}

#[tokio::test]
async fn two_replicas_are_one_service() {
    let database = database().await;
    migrate(&database).await;
    let settings = settings(&database);
    let (one, two) = tokio::join!(Service::start(&settings), Service::start(&settings));
    let keys = one.client.get("/.well-known/jwks.json", None).await.body;
    let made = |keys: &Value| {
        let all = keys["keys"].as_array().into_iter().flatten();
        let named: BTreeSet<String> = all
            .filter(|key| key["alg"] != "RS256")
            .map(|key| format!("{} {}", key["alg"], key["kid"]))
            .collect();
        named
    };
    assert_eq!(made(&keys).len(), 2, "the one for ID tokens alone is made meanwhile");
    let others = two.client.get("/.well-known/jwks.json", None).await.body;
    assert_eq!(made(&others), made(&keys));
    let agent = Agent::register(&one.client, "scout").await;
    let token = agent.token(&two.client).await;
    assert_eq!(one.client.get("/v1/me", Some(&token)).await.body["id"], json!(agent.id));
}

#[tokio::test]
async fn one_id_goes_through_a_request() {
    let service = Service::new().await;
    let mut request = service.client.reading("/v1/me?token=secret", None);
    let given = "0198c5b4-5a0e-7000-8000-00000000000a";
    request.headers_mut().insert("x-request-id", given.parse().unwrap());
    let answer = service.client.try_send(request).await.unwrap();
    assert_eq!(answer.headers["x-request-id"], given);
    let line = service
        .logged("the answer", |l| {
            l["span"]["request.id"] == given && l["message"] == "answered"
        })
        .await;
    assert_eq!(
        (&line["http.status"], &line["span"]["http.path"]),
        (&json!(401), &json!("/v1/me"))
    );
    assert!(!service.log().contains("secret"), "queries are not logged");

    let mut request = service.client.reading("/v1/me", None);
    request.headers_mut().insert("x-request-id", "not one".parse().unwrap());
    let answer = service.client.try_send(request).await.unwrap();
    assert_eq!(answer.headers["x-request-id"].len(), 36, "a bad one is replaced");
}
