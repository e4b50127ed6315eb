//! Public keys as JWKs (RFC 7517, RFC 8037), and their names (RFC 7638).

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::{
    ed25519::is_of_small_order,
    jws::{self, PublicKey},
};

/// The key that a JWK is, of any of the kinds that are verified with.
pub fn read(jwk: &Map<String, Value>) -> Option<PublicKey> {
    if jwk.get("kty").and_then(Value::as_str) != Some("RSA") {
        return elliptic(jwk);
    }
    let bytes = |name: &str| jws::decode(jwk.get(name)?.as_str()?);
    if jwk.contains_key("d") {
        return None;
    }
    PublicKey::rsa(bytes("n")?, bytes("e")?)
}

/// The key on an elliptic curve that a JWK is, Ed25519 or P-256; nothing if it is another, or has a private or a symmetric member.
pub fn elliptic(jwk: &Map<String, Value>) -> Option<PublicKey> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let bytes = |name: &str| jws::decode(text(name)?);
    // Whoever publishes a private key has published it to everybody.
    if ["d", "k"].iter().any(|name| jwk.contains_key(*name)) {
        return None;
    }
    match (text("kty")?, text("crv")?) {
        ("OKP", "Ed25519") => {
            let point: [u8; 32] = bytes("x")?.try_into().ok()?;
            (!is_of_small_order(&point)).then_some(PublicKey::Ed25519(point))
        }
        ("EC", "P-256") => {
            let mut point = vec![4];
            point.extend(bytes("x")?);
            point.extend(bytes("y")?);
            Some(PublicKey::P256(point.try_into().ok()?))
        }
        _ => None,
    }
}

/// A public key as a JWK, with its required members.
pub fn written(key: &PublicKey) -> Map<String, Value> {
    let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let members = match key {
        PublicKey::Ed25519(point) => vec![
            ("kty", "OKP".to_owned()),
            ("crv", "Ed25519".to_owned()),
            ("x", encoded(point)),
        ],
        PublicKey::P256(point) => {
            let (x, y) = point[1..].split_at(32);
            vec![
                ("kty", "EC".to_owned()),
                ("crv", "P-256".to_owned()),
                ("x", encoded(x)),
                ("y", encoded(y)),
            ]
        }
        PublicKey::Rsa { n, e } => vec![("kty", "RSA".to_owned()), ("n", encoded(n)), ("e", encoded(e))],
    };
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::String(value)))
        .collect()
}

/// The thumbprint of a key: SHA-256 over the required members in their order, without white space.
pub fn thumbprint(key: &PublicKey) -> String {
    let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let text = match key {
        PublicKey::Ed25519(point) => return ed25519_thumbprint(point),
        PublicKey::P256(point) => {
            let (x, y) = point[1..].split_at(32);
            format!(
                r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#,
                encoded(x),
                encoded(y)
            )
        }
        PublicKey::Rsa { n, e } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, encoded(e), encoded(n)),
    };
    encoded(digest(&SHA256, text.as_bytes()).as_ref())
}

/// The same of Ed25519, which all keys of agents are.
pub fn ed25519_thumbprint(point: &[u8; 32]) -> String {
    let x = URL_SAFE_NO_PAD.encode(point);
    let text = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(jwk: &Value) -> Option<PublicKey> {
        elliptic(jwk.as_object().unwrap())
    }

    /// RFC 8037, appendix A.3.
    #[test]
    fn the_thumbprint_of_ed25519_is_the_rfcs() {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let thumbprint = thumbprint(&of(&jwk).unwrap());
        assert_eq!(thumbprint, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    /// RFC 9449, sections 4.1 and 6.1: the proof's key and the token's `jkt`.
    #[test]
    fn the_thumbprint_of_p256_is_the_rfcs() {
        let jwk = json!({
            "kty": "EC", "crv": "P-256",
            "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        });
        let key = of(&jwk).unwrap();
        assert_eq!(Value::Object(written(&key)), jwk);
        let thumbprint = thumbprint(&key);
        assert_eq!(thumbprint, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }

    /// RFC 7638, section 3.1.
    #[test]
    fn the_thumbprint_of_rsa_is_the_rfcs() {
        let n = concat!(
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3",
            "oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA",
            "ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-",
            "kEgU8awapJzKnqDKgw",
        );
        let key = PublicKey::rsa(jws::decode(n).unwrap(), jws::decode("AQAB").unwrap()).unwrap();
        assert_eq!(thumbprint(&key), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn what_is_no_public_key_is_none() {
        let okp = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let with = |name: &str, value: Value| {
            let mut jwk = okp.clone();
            jwk[name] = value;
            jwk
        };
        for bad in [
            with("d", json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")),
            with("k", json!("AA")),
            with("crv", json!("X25519")),
            with("kty", json!("EC")),
            with("kty", json!("oct")),
            with("x", json!("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")),
            with("x", json!("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
            with("x", json!(7)),
            json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}),
            json!({}),
        ] {
            assert_eq!(of(&bad), None, "{bad}");
        }
    }
}
