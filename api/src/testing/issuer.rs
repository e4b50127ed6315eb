//! An issuer outside as tests have it: a real server on loopback, whose answers the test chooses.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::{
    encoding::{AsDer as _, PublicKeyX509Der},
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256},
};
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// How the server answers who asks for its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As it should.
    Well,
    /// 503.
    Away,
    /// From another place.
    Elsewhere,
    /// With much more than anybody needs.
    AtLength,
    /// With what is no set of keys.
    Nonsense,
}

#[derive(Debug)]
struct Published {
    manner: Manner,
    /// The name in its description.
    described: String,
    keys: BTreeMap<&'static str, Value>,
    /// How often the keys were asked for.
    asked: usize,
}

/// The issuer with a key of each kind.
#[derive(Debug)]
pub struct TestIssuer {
    pub name: String,
    ed25519: Ed25519KeyPair,
    p256: EcdsaKeyPair,
    rsa: RsaKeyPair,
    published: Arc<Mutex<Published>>,
    server: JoinHandle<()>,
}

impl Drop for TestIssuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl TestIssuer {
    /// Begins to answer.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let name = format!("http://{}", listener.local_addr().expect("an address"));
        let ed25519 = Ed25519KeyPair::generate().expect("a key");
        let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (x, y) = p256.public_key().as_ref()[1..].split_at(32);
        let keys = BTreeMap::from([
            (
                "ed",
                json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(ed25519.public_key().as_ref())}),
            ),
            (
                "ec",
                json!({"kty": "EC", "crv": "P-256", "x": encoded(x), "y": encoded(y)}),
            ),
            ("rsa", json!({"kty": "RSA", "n": encoded(&modulus(&rsa)), "e": "AQAB"})),
        ]);
        let published = Arc::new(Mutex::new(Published {
            manner: Manner::Well,
            described: name.clone(),
            keys,
            asked: 0,
        }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(describe))
            .route("/keys", get(keys_of))
            .route("/.well-known/jwks.json", get(keys_of))
            .with_state(published.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("an issuer") });
        Self {
            name,
            ed25519,
            p256,
            rsa,
            published,
            server,
        }
    }

    /// Answers in this manner from now on.
    pub fn answer(&self, manner: Manner) {
        self.change(|published| published.manner = manner);
    }

    /// Calls itself something else in its description.
    pub fn pose_as(&self, name: &str) {
        self.change(|published| published.described = name.to_owned());
    }

    /// Takes a key out of the set.
    pub fn withdraw(&self, key: &str) {
        self.change(|published| drop(published.keys.remove(key)));
    }

    /// How often the keys were asked for.
    pub fn asked(&self) -> usize {
        self.published.lock().unwrap_or_else(PoisonError::into_inner).asked
    }

    fn change(&self, change: impl FnOnce(&mut Published)) {
        change(&mut self.published.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Signs claims with the key of an algorithm, under the id of that key.
    pub fn token(&self, algorithm: &str, claims: &Value) -> String {
        let id = match algorithm {
            "EdDSA" => "ed",
            "ES256" => "ec",
            _ => "rsa",
        };
        self.signed(&json!({"alg": algorithm, "kid": id, "typ": "JWT"}), claims)
    }

    /// Signs claims under this header, with the key that its `kid` names.
    pub fn signed(&self, header: &Value, claims: &Value) -> String {
        let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", encoded(header), encoded(claims));
        let random = SystemRandom::new();
        let signature = match header["kid"].as_str() {
            Some("ed") => self.ed25519.sign(text.as_bytes()).as_ref().to_vec(),
            Some("ec") => {
                let signature = self.p256.sign(&random, text.as_bytes()).expect("a signature");
                signature.as_ref().to_vec()
            }
            _ => {
                let mut signature = vec![0; self.rsa.public_modulus_len()];
                let signed = self
                    .rsa
                    .sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature);
                signed.expect("a signature");
                signature
            }
        };
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The modulus: the last thing in the encoded key but the exponent 65537, which is five bytes long.
fn modulus(pair: &RsaKeyPair) -> Vec<u8> {
    let encoded: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("an encoded key");
    let bytes = encoded.as_ref();
    bytes[bytes.len() - 5 - 256..bytes.len() - 5].to_vec()
}

async fn describe(State(published): State<Arc<Mutex<Published>>>) -> axum::Json<Value> {
    let published = published.lock().unwrap_or_else(PoisonError::into_inner);
    let name = &published.described;
    axum::Json(json!({"issuer": name, "jwks_uri": format!("{name}/keys"), "response_types_supported": ["code"]}))
}

async fn keys_of(State(published): State<Arc<Mutex<Published>>>) -> Response {
    let mut published = published.lock().unwrap_or_else(PoisonError::into_inner);
    published.asked += 1;
    let keys: Vec<Value> = published
        .keys
        .iter()
        .map(|(id, key)| {
            let mut key = key.clone();
            key["kid"] = json!(id);
            key["use"] = json!("sig");
            key
        })
        .collect();
    match published.manner {
        Manner::Well => axum::Json(json!({"keys": keys})).into_response(),
        Manner::Away => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Manner::Elsewhere => (StatusCode::FOUND, [(header::LOCATION, "/.well-known/jwks.json")]).into_response(),
        Manner::AtLength => axum::Json(json!({"keys": keys, "more": "x".repeat(300 * 1024)})).into_response(),
        Manner::Nonsense => axum::Json(json!({"keys": "none"})).into_response(),
    }
}
