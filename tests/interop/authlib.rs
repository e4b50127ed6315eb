//! Authlib and joserfc, of the Python Package Index, as clients of a person.

use serde_json::json;
use support::api::PASSWORD;

use super::{
    replicas::{EMAIL, Replicas},
    tool,
};

#[tokio::test]
async fn a_python_library_is_let_in_by_a_person_at_two_replicas() {
    let replicas = Replicas::start([]).await;
    let mut python = tool("../venv/bin/python");
    python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/interop/python/client.py"));
    let found = replicas
        .ask(python, json!({"email": EMAIL, "password": PASSWORD}))
        .await;

    let life = json!([200, true, 200, true, 200, 401]);
    let wanted = json!({
        "secret": life, "Ed25519": life, "ES256": life, "itself": true, "device": 200, "less": [true, "tenant:read"],
        "bound": ["use_dpop_nonce", "DPoP", "invalid_dpop_proof", 401, 200, 401, 401, 401],
    });
    assert_eq!(found, wanted);
}
