//! Keys of ours as JWKs (RFC 8037), and the names of agents' (RFC 7638).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

pub use resource_server::jwk::ed25519_thumbprint as thumbprint;

/// A key of ours as others read it.
pub fn published(id: &str, public_key: &[u8; 32]) -> Value {
    json!({
        "kty": "OKP",
        "crv": "Ed25519",
        "x": URL_SAFE_NO_PAD.encode(public_key),
        "kid": id,
        "use": "sig",
        "alg": "EdDSA",
    })
}
