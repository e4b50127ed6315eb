//! Proofs of possession: one that is good is for this request, of now, and of a key that signs.

use std::sync::LazyLock;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use resource_server::dpop::{self, Wanted};
use serde_json::{Map, Value, json};
use url::Url;

const PLACE: &str = "https://pinfold.example/oauth/token";
const NOW: i64 = 1_800_000_000;

static PAIR: LazyLock<Ed25519KeyPair> = LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key"));

fn judged(text: &str) -> Option<dpop::Proof> {
    let uri = Url::parse(PLACE).expect("an address");
    let wanted = Wanted {
        method: "POST",
        uri: &uri,
        access_token: Some("token"),
        now: Timestamp::from_second(NOW).expect("a moment"),
    };
    dpop::judge(text, wanted).ok()
}

/// A proof as a stranger writes it; and one whose claims or header they write, and somebody signs.
pub fn run(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        judged(text);
    }
    let Ok(Value::Object(written)) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    let x = URL_SAFE_NO_PAD.encode(PAIR.public_key().as_ref());
    let key = json!({"kty": "OKP", "crv": "Ed25519", "x": x});
    let header = json!({"typ": dpop::TYPE, "alg": "EdDSA", "jwk": key});
    let claims = json!({"jti": "one", "htm": "POST", "htu": PLACE, "iat": NOW, "ath": dpop::hash_of("token")});
    if judged(&signed(&merged(&header, &written), &claims)).is_some() {
        assert_eq!(
            merged(&header, &written)["jwk"]["x"],
            json!(x),
            "the key in the header is the one that signed"
        );
    }
    let claims = merged(&claims, &written);
    if let Some(proof) = judged(&signed(&header, &claims)) {
        assert_eq!(
            (&claims["htm"], &claims["ath"]),
            (&json!("POST"), &json!(dpop::hash_of("token")))
        );
        assert!((claims["iat"].as_i64().expect("a moment") - NOW).abs() <= 300);
        let place = Url::parse(claims["htu"].as_str().expect("an address")).expect("an address");
        assert_eq!((place.origin().ascii_serialization() + place.path()).as_str(), PLACE);
        assert!(place.username().is_empty() && place.password().is_none());
        assert!(!claims["jti"].as_str().expect("its name").is_empty());
        assert_eq!(claims.get("nonce").and_then(Value::as_str), proof.nonce.as_deref());
    }
}

fn merged(base: &Value, written: &Map<String, Value>) -> Value {
    let mut all = base.clone();
    for (name, value) in written {
        all[name] = value.clone();
    }
    all
}

fn signed(header: &Value, claims: &Value) -> String {
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let text = format!("{}.{}", encode(header), encode(claims));
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(PAIR.sign(text.as_bytes())))
}
