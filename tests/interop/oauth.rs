//! oauth4webapi (npm) gets tokens for clients, and shows them.

use serde_json::{Value, json};

use super::{replicas::Replicas, tool};

#[tokio::test]
async fn a_client_library_gets_tokens_at_two_replicas_with_proofs_and_without() {
    let replicas = Replicas::start([]).await;
    let mut clients = Vec::new();
    for (method, bound) in [
        ("client_secret_basic", false),
        ("client_secret_post", false),
        ("client_secret_basic", true),
    ] {
        let metadata = json!({
            "client_name": "Build board", "grant_types": ["client_credentials"], "scope": "runs:read templates:read",
            "token_endpoint_auth_method": method, "dpop_bound_access_tokens": bound,
        });
        let client = replicas
            .owner
            .post(&replicas.first.client, "/v1/tenants/acme/clients", &metadata)
            .await
            .body;
        clients.push(json!({
            "id": client["client_id"], "secret": client["client_secret"], "method": method, "bound": bound,
        }));
    }

    let mut node = tool("node");
    node.arg("oauth.mjs");
    let found = replicas.ask(node, json!({"clients": clients})).await;

    let id = |i: usize| &clients[i]["id"];
    let wanted = |kind: &str, i: usize| {
        let seen: Vec<Value> = (0..4).flat_map(|_| [json!(200), id(i).clone()]).collect();
        json!({"type": kind, "scope": "runs:read", "seen": seen})
    };
    // The third comes with the first's names, and is the last to be seen under them.
    let told = json!({
        "client_secret_basic unbound": wanted("bearer", 0),
        "client_secret_basic ES256": wanted("dpop", 2),
        "client_secret_basic Ed25519": wanted("dpop", 2),
        "client_secret_post unbound": wanted("bearer", 1),
        "client_secret_post ES256": wanted("dpop", 1),
        "client_secret_post Ed25519": wanted("dpop", 1),
    });
    assert_eq!(found["told"], told);
    assert_eq!(found["subject"], *id(0));
    // Of each of the six keys, the token endpoint and the resource say once which nonce to use.
    assert_eq!(found["refused"], 12);
    assert_eq!(
        found["wrong"],
        json!({"secret": [401, "basic"], "client": [401, "basic"]})
    );
}
