//! An agent as tests have it.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    auth::{
        challenge,
        possession::{self, KEY_TAG, REGISTRATION_TAG},
        random::random,
    },
    routes::oauth::token::GRANT,
    testing::ISSUER,
};

/// An agent with its key.
#[derive(Debug)]
pub struct TestAgent {
    pub pair: Ed25519KeyPair,
    pub id: String,
    pub key_id: String,
}

impl TestAgent {
    /// A new key.
    pub fn new() -> Self {
        let seed: [u8; 32] = random().expect("random bytes");
        Self {
            pair: Ed25519KeyPair::from_seed_unchecked(&seed).expect("a key"),
            id: String::new(),
            key_id: String::new(),
        }
    }

    /// The public key as it is sent.
    pub fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.public_key())
    }

    /// The body of a registration.
    pub fn registration(&self, name: &str, at: i64) -> Value {
        let message = possession::signed_bytes(&[REGISTRATION_TAG, ISSUER, &self.public_key(), &at.to_string(), name]);
        json!({
            "name": name,
            "public_key": self.public_key(),
            "signed_at": at,
            "signature": self.sign(&message),
        })
    }

    /// The body that gives this key to an agent.
    pub fn addition(&self, agent: &str, at: i64) -> Value {
        let message = possession::signed_bytes(&[KEY_TAG, ISSUER, agent, &self.public_key(), &at.to_string()]);
        json!({"public_key": self.public_key(), "signed_at": at, "signature": self.sign(&message)})
    }

    /// The form that answers a challenge.
    pub fn answer(&self, challenge: &Value) -> Vec<(&'static str, String)> {
        let text = challenge["challenge"].as_str().unwrap_or_default();
        let end = Timestamp::from_second(challenge["expires_at"].as_i64().unwrap_or_default());
        let subject = challenge::Subject {
            agent: self.id.parse().expect("an agent's id"),
            key: self.key_id.parse().expect("a key's id"),
        };
        let message = challenge::signed_bytes(ISSUER, subject, text, end.expect("a moment"));
        vec![
            ("grant_type", GRANT.to_owned()),
            ("agent_id", self.id.clone()),
            ("key_id", self.key_id.clone()),
            ("challenge", text.to_owned()),
            ("signature", self.sign(&message)),
        ]
    }

    /// A signature as it is sent.
    pub fn sign(&self, message: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.sign(message))
    }
}
