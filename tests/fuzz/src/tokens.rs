//! Access tokens and assertions: what a token says is believed of its own spelling alone.

use std::sync::LazyLock;

use api::auth::signing::{self, Algorithm, Pair};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use resource_server::{jws, token};

const ISSUER: &str = "https://pinfold.example";

static PAIR: LazyLock<Pair> = LazyLock::new(|| Pair::open(Algorithm::EdDsa, &[7; 32]).expect("a key"));

/// A token as a stranger writes it, and claims that are signed as they stand.
pub fn run(data: &[u8]) {
    let key = PAIR.public().expect("its public half");
    if let Ok(text) = std::str::from_utf8(data) {
        let parsed = jws::parse(text);
        if let Some(parsed) = &parsed {
            assert!(text.len() <= jws::LONGEST && text.bytes().filter(|b| *b == b'.').count() == 2);
            for part in text.split('.') {
                let bytes = jws::decode(part).expect("it was read");
                assert_eq!(URL_SAFE_NO_PAD.encode(bytes), part, "one spelling");
            }
            assert!(parsed.key_id().is_none_or(|id| id.len() <= jws::LONGEST_KEY_ID));
            assert!(parsed.verify(token::TYPE, &key).is_none(), "nobody else has the key");
        }
        if let Some(read) = api::auth::client::assertion::read(text) {
            assert!(parsed.is_some() && !read.client_id.is_empty());
        }
    }
    let Ok(claims) = serde_json::from_slice::<serde_json::Value>(data) else {
        return;
    };
    let signed = signing::sign(token::TYPE, "k1", &PAIR, &claims).expect("it is signed");
    let now = Timestamp::from_second(1_800_000_000).expect("a moment");
    let said = jws::parse(&signed).and_then(|parsed| parsed.verify(token::TYPE, &key));
    if let Some(read) = said.and_then(|said| token::read(&said, ISSUER, ISSUER, now)) {
        assert_eq!(claims["iss"], ISSUER);
        assert_eq!(claims["pinfold_tenant"], read.token.tenant().to_string());
        assert_eq!(claims.get("cnf").is_some(), read.jkt.is_some());
    }
}
