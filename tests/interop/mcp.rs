//! The TypeScript SDK of the Model Context Protocol (npm), as programs use it that know nothing of this service.

use serde_json::{Value, json};
use support::api::{ISSUER, PASSWORD};

use super::{
    replicas::{EMAIL, Replicas},
    tool,
};

#[tokio::test]
async fn an_mcp_library_finds_its_way_in() {
    let replicas = Replicas::start([("PINFOLD_DYNAMIC_REGISTRATION_TENANT", "acme".to_owned())]).await;
    let mut node = tool("node");
    node.arg("mcp.mjs");
    let found = replicas.ask(node, json!({"email": EMAIL, "password": PASSWORD})).await;

    let life = |asked: &str, beyond: &[Value]| {
        let mut seen = vec![
            json!("REDIRECT"),
            json!(asked),
            json!("AUTHORIZED"),
            json!(200),
            json!("AUTHORIZED"),
            json!(true),
            json!(200),
        ];
        seen.extend_from_slice(beyond);
        json!(seen)
    };
    let told = [
        json!(403),
        json!("insufficient_scope"),
        json!("agents:read"),
        json!("REDIRECT"),
        json!("AUTHORIZED"),
        json!(200),
    ];
    let reads = "tenant:read members:read keys:read clients:read agents:read templates:read runs:read audit:read";
    let alone = json!(["AUTHORIZED", "tenant:read", 200]);
    let wanted = json!({
        "refused": [401, format!("{ISSUER}/.well-known/oauth-protected-resource"), "tenant:read"],
        "registered": life("tenant:read", &told),
        "registers itself": life("tenant:read", &told),
        // Then it asks for all that it is told of, and may.
        "was told nothing": life(reads, &[json!(200), json!(""), json!("")]),
        "secret": alone,
        "key": alone,
    });
    assert_eq!(found, wanted);
}
