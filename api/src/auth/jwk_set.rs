//! JWK Sets of other issuers (RFC 7517, section 5): their keys, of the kinds and for the use that we have.

use std::collections::BTreeMap;

use resource_server::jwk;
use serde_json::{Map, Value};

use crate::auth::{
    jws::{self, PublicKey},
    strict_json,
};

/// The most keys that are read.
const MOST: usize = 64;

/// The keys by their ids. Those of other kinds, for other uses or without an id are passed over; nothing if it is no set, or if
/// none is left.
pub fn read(bytes: &[u8]) -> Option<BTreeMap<String, PublicKey>> {
    let mut set = strict_json::object(bytes)?;
    let Value::Array(keys) = set.remove("keys")? else {
        return None;
    };
    let keys: BTreeMap<String, PublicKey> = keys
        .iter()
        .take(MOST)
        .filter_map(Value::as_object)
        .filter_map(|jwk| {
            let (id, key) = key(jwk)?;
            Some((id?, key))
        })
        .collect();
    (!keys.is_empty()).then_some(keys)
}

/// A key on an elliptic curve, with its id; its thumbprint (RFC 7638), if it has none.
pub fn elliptic(jwk: &Map<String, Value>) -> Option<(String, PublicKey)> {
    let (id, key) = key(jwk)?;
    matches!(key, PublicKey::Ed25519(_) | PublicKey::P256(_))
        .then(|| (id.unwrap_or_else(|| jwk::thumbprint(&key)), key))
}

fn key(jwk: &Map<String, Value>) -> Option<(Option<String>, PublicKey)> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    // A set that publishes a private key has published it to everybody.
    if jwk.contains_key("d") || jwk.get("use").is_some_and(|use_| use_ != "sig") {
        return None;
    }
    // RFC 7517, section 4.3.
    let verifies = |operations: &Value| {
        operations
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one == "verify"))
    };
    if jwk.get("key_ops").is_some_and(|operations| !verifies(operations)) {
        return None;
    }
    let key = jwk::read(jwk)?;
    let goes = |algorithm: &Value| algorithm.as_str().is_some_and(|name| key.goes_with(name));
    if jwk.get("alg").is_some_and(|algorithm| !goes(algorithm)) {
        return None;
    }
    let id = match jwk.get("kid") {
        None => None,
        Some(_) => Some(text("kid").filter(|id| !id.is_empty() && id.len() <= jws::LONGEST_KEY_ID)?),
    };
    Some((id.map(str::to_owned), key))
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::json;

    use super::*;

    fn encoded(length: usize) -> String {
        URL_SAFE_NO_PAD.encode(vec![7; length])
    }

    fn of(keys: &Value) -> Vec<String> {
        let set = json!({"keys": keys}).to_string();
        read(set.as_bytes())
            .map(|keys| keys.into_keys().collect())
            .unwrap_or_default()
    }

    #[test]
    fn keys_of_three_kinds_are_read() {
        let set = json!([
            {"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": encoded(32)},
            {"kty": "EC", "crv": "P-256", "kid": "b", "x": encoded(32), "y": encoded(32), "use": "sig", "alg": "ES256", "key_ops": ["verify"]},
            {"kty": "RSA", "kid": "c", "n": encoded(256), "e": "AQAB", "alg": "RS256", "x5c": ["..."]},
        ]);
        assert_eq!(of(&set), ["a", "b", "c"]);
    }

    #[test]
    fn what_is_no_key_for_us_is_passed_over() {
        let good = json!({"kty": "OKP", "crv": "Ed25519", "kid": "good", "x": encoded(32)});
        let with = |name: &str, value: Value| {
            let mut jwk = good.clone();
            jwk[name] = value;
            jwk
        };
        let rsa = |n: usize, e: &str| json!({"kty": "RSA", "kid": "c", "n": encoded(n), "e": e});
        for bad in [
            with("use", json!("enc")),
            with("use", json!(["sig"])),
            with("key_ops", json!(["encrypt"])),
            with("key_ops", json!("verify")),
            with("alg", json!(["EdDSA"])),
            with("d", json!("secret")),
            with("alg", json!("ES256")),
            with("alg", json!("none")),
            with("crv", json!("X25519")),
            with("x", json!(encoded(31))),
            with("x", json!(format!("{}=", encoded(32)))),
            with("kid", json!("")),
            with("kid", json!("k".repeat(129))),
            with("kid", json!(7)),
            with("kty", json!("oct")),
            rsa(128, "AQAB"),
            rsa(1025, "AQAB"),
            rsa(256, ""),
            json!("no object"),
        ] {
            assert_eq!(of(&json!([bad, good])), ["good"], "{bad}");
        }
        for set in [
            "",
            "[]",
            "{}",
            r#"{"keys":{}}"#,
            r#"{"keys":[]}"#,
            r#"{"keys":[],"keys":[]}"#,
        ] {
            assert_eq!(read(set.as_bytes()), None, "{set}");
        }
    }
}
