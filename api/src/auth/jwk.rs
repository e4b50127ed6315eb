//! Keys of ours as JWKs (RFC 7517), and the names of agents' (RFC 7638).

use serde_json::{Map, Value};

use crate::auth::signing::Algorithm;

pub use resource_server::jwk::ed25519_thumbprint as thumbprint;

/// A key of ours as others read it (RFC 7517, section 4).
pub fn published(id: &str, algorithm: Algorithm, mut key: Map<String, Value>) -> Value {
    for (name, value) in [("kid", id), ("use", "sig"), ("alg", algorithm.as_str())] {
        key.insert(name.to_owned(), Value::String(value.to_owned()));
    }
    Value::Object(key)
}
