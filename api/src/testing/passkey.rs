//! A browser with an authenticator, in software: what a person with a security key has. Each of its parts can lie.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use minicbor::{Encoder, encode::write::Write};
use serde_json::{Value, json};

use crate::{auth::random::random, testing::ISSUER};

/// Touched, and able to verify its user.
const FLAGS: u8 = 0b0000_0101;
const ATTESTED: u8 = 1 << 6;

/// What signs.
#[derive(Debug)]
pub enum Key {
    P256(Box<EcdsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

/// See the module's documentation.
#[derive(Debug)]
pub struct TestPasskey {
    pub key: Key,
    pub id: Vec<u8>,
    /// Whose it is, as the service said it.
    pub user: Value,
    /// The page that asks.
    pub origin: String,
    /// What the page asks for.
    pub kind: &'static str,
    /// Whom the authenticator takes the page for.
    pub rp_id: String,
    pub flags: u8,
    pub uses: u32,
}

impl TestPasskey {
    /// On an authenticator that signs with P-256, as most do.
    pub fn p256() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
        Self::with(Key::P256(Box::new(key)))
    }

    /// On one that signs with Ed25519.
    pub fn ed25519() -> Self {
        Self::with(Key::Ed25519(Ed25519KeyPair::generate().expect("a key")))
    }

    fn with(key: Key) -> Self {
        let id: [u8; 16] = random().expect("random bytes");
        Self {
            key,
            id: id.into(),
            user: Value::Null,
            origin: ISSUER.to_owned(),
            kind: "webauthn.create",
            rp_id: ISSUER.strip_prefix("https://").expect("https").to_owned(),
            flags: FLAGS,
            uses: 0,
        }
    }

    /// What a browser makes of the options for a new passkey.
    pub fn register(&mut self, options: &Value) -> Value {
        self.user = options["user"]["id"].clone();
        self.kind = "webauthn.create";
        let client_data = self.client_data(&options["challenge"]);
        let mut object = Vec::new();
        let mut written = Encoder::new(&mut object);
        written.map(3).expect("write");
        written.str("fmt").expect("write").str("none").expect("write");
        written.str("attStmt").expect("write").map(0).expect("write");
        written
            .str("authData")
            .expect("write")
            .bytes(&self.made())
            .expect("write");
        self.kind = "webauthn.get";
        json!({
            "id": encode(&self.id), "rawId": encode(&self.id), "type": "public-key",
            "clientExtensionResults": {}, "authenticatorAttachment": "cross-platform",
            "response": {
                "clientDataJSON": encode(&client_data), "attestationObject": encode(&object), "transports": ["usb"],
            },
        })
    }

    /// What a browser makes of the options for a passkey in use.
    pub fn answer(&mut self, options: &Value) -> Value {
        self.uses += 1;
        let client_data = self.client_data(&options["challenge"]);
        let data = self.data(self.flags);
        let hash = digest(&SHA256, &client_data);
        let signature = self.sign(&[&data, hash.as_ref()].concat());
        json!({
            "id": encode(&self.id), "rawId": encode(&self.id), "type": "public-key", "clientExtensionResults": {},
            "response": {
                "clientDataJSON": encode(&client_data), "authenticatorData": encode(&data),
                "signature": encode(&signature), "userHandle": self.user,
            },
        })
    }

    /// What the browser says.
    pub fn client_data(&self, challenge: &Value) -> Vec<u8> {
        let said = json!({"type": self.kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false});
        said.to_string().into_bytes()
    }

    /// The authenticator's data, with a credential.
    pub fn made(&self) -> Vec<u8> {
        let mut data = self.data(self.flags | ATTESTED);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).expect("a short id").to_be_bytes());
        data.extend(&self.id);
        data.extend(self.cose());
        data
    }

    /// The authenticator's data, without what may follow.
    pub fn data(&self, flags: u8) -> Vec<u8> {
        let mut data = digest(&SHA256, self.rp_id.as_bytes()).as_ref().to_vec();
        data.push(flags);
        data.extend(self.uses.to_be_bytes());
        data
    }

    /// The public key.
    pub fn cose(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut written = Encoder::new(&mut bytes);
        match &self.key {
            Key::P256(pair) => {
                let point = pair.public_key().as_ref();
                written.map(5).expect("write");
                numbers(&mut written, &[(1, 2), (3, -7), (-1, 1)]);
                written.i64(-2).expect("write").bytes(&point[1..33]).expect("write");
                written.i64(-3).expect("write").bytes(&point[33..]).expect("write");
            }
            Key::Ed25519(pair) => {
                written.map(4).expect("write");
                numbers(&mut written, &[(1, 1), (3, -8), (-1, 6)]);
                written
                    .i64(-2)
                    .expect("write")
                    .bytes(pair.public_key().as_ref())
                    .expect("write");
            }
        }
        bytes
    }

    /// A signature.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.key {
            Key::P256(pair) => pair
                .sign(&SystemRandom::new(), message)
                .expect("sign")
                .as_ref()
                .to_vec(),
            Key::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

fn numbers<W: Write>(written: &mut Encoder<W>, members: &[(i64, i64)])
where
    W::Error: std::fmt::Debug,
{
    for (label, value) in members {
        written.i64(*label).expect("write").i64(*value).expect("write");
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
