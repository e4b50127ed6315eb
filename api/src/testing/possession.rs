//! A key whose possession is proved beside requests (RFC 9449), or by which a client proves itself (RFC 7523).

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use resource_server::{dpop, jwk, jws::PublicKey};
use serde_json::{Map, Value, json};

use crate::{
    auth::random::random,
    testing::{ISSUER, START},
};

/// A key, and what it says.
#[derive(Debug)]
pub enum TestKey {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl TestKey {
    pub fn new(seed: u8) -> Self {
        Self::Ed25519(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key"))
    }

    pub fn ed25519() -> Self {
        let seed: [u8; 32] = random().expect("random bytes");
        Self::Ed25519(Ed25519KeyPair::from_seed_unchecked(&seed).expect("a key"))
    }

    pub fn p256() -> Self {
        Self::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"))
    }

    fn public(&self) -> PublicKey {
        match self {
            Self::Ed25519(key) => PublicKey::Ed25519(key.public_key().as_ref().try_into().expect("32 bytes")),
            Self::P256(key) => PublicKey::P256(key.public_key().as_ref().try_into().expect("65 bytes")),
        }
    }

    /// The public key, as others read it.
    pub fn jwk(&self) -> Map<String, Value> {
        jwk::written(&self.public())
    }

    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "EdDSA",
            Self::P256(_) => "ES256",
        }
    }

    /// What tokens that are bound to it say.
    pub fn thumbprint(&self) -> String {
        jwk::thumbprint(&self.public())
    }

    /// A token of this header and these claims.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let text = format!(
            "{}.{}",
            encode(header.to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        let signature = match self {
            Self::Ed25519(key) => key.sign(text.as_bytes()).as_ref().to_vec(),
            Self::P256(key) => {
                let signed = key.sign(&SystemRandom::new(), text.as_bytes());
                signed.expect("a signature").as_ref().to_vec()
            }
        };
        format!("{text}.{}", encode(&signature))
    }

    /// A proof that says this.
    pub fn proof(&self, claims: &Value) -> String {
        self.sign(
            &json!({"typ": dpop::TYPE, "alg": self.algorithm(), "jwk": self.jwk()}),
            claims,
        )
    }

    /// The public key with an id, as a client registers it.
    pub fn registered(&self) -> Value {
        let mut jwk = self.jwk();
        jwk.insert("kid".to_owned(), json!(self.thumbprint()));
        Value::Object(jwk)
    }

    /// What a client says that proves itself by this key.
    pub fn claims(client_id: &str, id: &str) -> Value {
        json!({"iss": client_id, "sub": client_id, "aud": ISSUER, "jti": id, "iat": START, "exp": START + 60})
    }

    /// The same, signed.
    pub fn assertion(&self, client_id: &str, id: &str) -> String {
        let header = json!({"alg": self.algorithm(), "kid": self.thumbprint()});
        self.sign(&header, &Self::claims(client_id, id))
    }
}
