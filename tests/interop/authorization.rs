//! oauth4webapi (npm) and a person: from the request for authorization to the end of the tokens.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use support::api::PASSWORD;

use super::{
    replicas::{EMAIL, Replicas},
    tool,
};

#[tokio::test]
async fn a_client_library_is_let_in_by_a_person_at_two_replicas() {
    let limits = [
        "PINFOLD_REQUESTS_PER_MINUTE",
        "PINFOLD_CALLS_PER_MINUTE",
        "PINFOLD_WRITES_PER_MINUTE",
        "PINFOLD_LOGINS_PER_MINUTE",
    ];
    let replicas = Replicas::start(limits.map(|limit| (limit, "1000000".to_owned()))).await;
    let mut node = tool("node");
    node.arg("authorization.mjs");
    let found = replicas.ask(node, json!({"email": EMAIL, "password": PASSWORD})).await;

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
