//! An OAuth client on its own, with a secret and with a key that its tokens are bound to (docs/oauth.md).

use std::sync::{Mutex, PoisonError};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use http_body_util::Full;
use hyper::{Request, StatusCode, header};
use serde_json::{Value, json};

use crate::api::{Answer, Client, ISSUER, Person};

/// A client with its secret and a key.
#[derive(Debug)]
pub struct OAuthClient {
    pub id: String,
    authorization: String,
    pair: Ed25519KeyPair,
    /// What the last answer gave for the next proof.
    nonce: Mutex<String>,
}

impl OAuthClient {
    /// A client that a person registers in a tenant for bound tokens.
    pub async fn register(client: &Client, owner: &Person, tenant: &str) -> Self {
        let metadata = json!({
            "client_name": "load", "grant_types": ["client_credentials"], "scope": "runs:read", "dpop_bound_access_tokens": true,
        });
        let answer = owner
            .post(client, &format!("/v1/tenants/{tenant}/clients"), &metadata)
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        let text = |name: &str| answer.body[name].as_str().unwrap_or_default().to_owned();
        let (id, secret) = (text("client_id"), text("client_secret"));
        Self {
            authorization: format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))),
            id,
            pair: Ed25519KeyPair::generate().expect("a key"),
            nonce: Mutex::default(),
        }
    }

    /// The same client with another key.
    pub fn with_another_key(&self) -> Self {
        Self {
            id: self.id.clone(),
            authorization: self.authorization.clone(),
            pair: Ed25519KeyPair::generate().expect("a key"),
            nonce: Mutex::default(),
        }
    }

    /// A token that is bound to the key.
    pub async fn token(&self, client: &Client) -> String {
        let mut answer = self.ask(client).await;
        if answer.body["error"] == "use_dpop_nonce" {
            answer = self.ask(client).await;
        }
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        answer.body["access_token"].as_str().unwrap_or_default().to_owned()
    }

    async fn ask(&self, client: &Client) -> Answer {
        let request = Request::post(client.url("/oauth/token"))
            .header(header::AUTHORIZATION, &self.authorization)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("dpop", self.proof("POST", "/oauth/token"))
            .body(Full::from("grant_type=client_credentials"));
        let answer = client.send(request.expect("a request")).await;
        if let Some(nonce) = answer.headers.get("dpop-nonce") {
            let nonce = nonce.to_str().expect("a nonce").to_owned();
            *self.nonce.lock().unwrap_or_else(PoisonError::into_inner) = nonce;
        }
        answer
    }

    fn proof(&self, method: &str, path: &str) -> String {
        let nonce = self.nonce.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(self.pair.public_key())});
        let header = json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": key});
        let claims = json!({
            "jti": format!("{:032x}", rand::random::<u128>()), "htm": method, "htu": format!("{ISSUER}{path}"),
            "iat": jiff::Timestamp::now().as_second(), "nonce": nonce,
        });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let text = format!("{}.{}", encode(&header), encode(&claims));
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(self.pair.sign(text.as_bytes())))
    }
}
