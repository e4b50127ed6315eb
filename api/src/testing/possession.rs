//! A key whose possession is proved beside requests (RFC 9449).

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use resource_server::{dpop, jwk};
use serde_json::{Value, json};

/// A key, and what it says in its proofs.
#[derive(Debug)]
pub struct TestKey(Ed25519KeyPair);

impl TestKey {
    pub fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key"))
    }

    /// What tokens that are bound to it say.
    pub fn thumbprint(&self) -> String {
        jwk::ed25519_thumbprint(self.0.public_key().as_ref().try_into().expect("32 bytes"))
    }

    /// A proof that says this.
    pub fn proof(&self, claims: &Value) -> String {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": encode(self.0.public_key().as_ref())});
        let header = json!({"typ": dpop::TYPE, "alg": "EdDSA", "jwk": key});
        let text = format!(
            "{}.{}",
            encode(header.to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        format!("{text}.{}", encode(self.0.sign(text.as_bytes()).as_ref()))
    }
}
