//! An OAuth client on its own, with a secret and with a key that its tokens are bound to (docs/oauth.md).

use std::sync::{Mutex, PoisonError};

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{Ed25519KeyPair, KeyPair as _},
};
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
        Self::known(&id, &secret)
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

    /// A client that somebody else knows by this secret.
    pub fn known(id: &str, secret: &str) -> Self {
        Self {
            authorization: format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))),
            id: id.to_owned(),
            pair: Ed25519KeyPair::generate().expect("a key"),
            nonce: Mutex::default(),
        }
    }

    /// A request for a token that is bound to the key, as it is sent.
    pub fn token_request(&self, address: &str) -> Vec<u8> {
        let proof = self.proof("POST", &format!("{ISSUER}/oauth/token"), None);
        self.written(address, "/oauth/token", &proof, "")
    }

    /// The same to somebody else, who asks for no nonce.
    pub fn token_request_to(&self, issuer: &str, path: &str, more: &str) -> Vec<u8> {
        let proof = self.proof("POST", &format!("{issuer}{path}"), None);
        self.written(issuer.trim_start_matches("http://"), path, &proof, more)
    }

    fn written(&self, address: &str, path: &str, proof: &str, more: &str) -> Vec<u8> {
        let form = format!("grant_type=client_credentials{more}");
        let text = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: {}\r\ndpop: {proof}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            self.authorization,
            form.len(),
        );
        text.into_bytes()
    }

    /// A request of who the client is, with a token that is bound to the key, as it is sent.
    pub fn resource_request(&self, address: &str, token: &str) -> Vec<u8> {
        let proof = self.proof("GET", &format!("{ISSUER}/v1/me"), Some(token));
        let text =
            format!("GET /v1/me HTTP/1.1\r\nhost: {address}\r\nauthorization: DPoP {token}\r\ndpop: {proof}\r\n\r\n");
        text.into_bytes()
    }

    /// Shows a token: the answer gives the nonce of the requests that follow.
    pub async fn show(&self, client: &Client, token: &str) {
        for _ in 0..2 {
            let request = Request::get(client.url("/v1/me"))
                .header(header::AUTHORIZATION, format!("DPoP {token}"))
                .header("dpop", self.proof("GET", &format!("{ISSUER}/v1/me"), Some(token)))
                .body(Full::default());
            self.heard(&client.send(request.expect("a request")).await);
        }
    }

    fn heard(&self, answer: &Answer) {
        if let Some(nonce) = answer.headers.get("dpop-nonce") {
            let nonce = nonce.to_str().expect("a nonce").to_owned();
            *self.nonce.lock().unwrap_or_else(PoisonError::into_inner) = nonce;
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
            .header("dpop", self.proof("POST", &format!("{ISSUER}/oauth/token"), None))
            .body(Full::from("grant_type=client_credentials"));
        let answer = client.send(request.expect("a request")).await;
        self.heard(&answer);
        answer
    }

    fn proof(&self, method: &str, place: &str, token: Option<&str>) -> String {
        let nonce = self.nonce.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(self.pair.public_key())});
        let header = json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": key});
        let mut claims = json!({
            "jti": format!("{:032x}", rand::random::<u128>()), "htm": method, "htu": place,
            "iat": jiff::Timestamp::now().as_second(),
        });
        if !nonce.is_empty() {
            claims["nonce"] = json!(nonce);
        }
        if let Some(token) = token {
            claims["ath"] = json!(URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes())));
        }
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let text = format!("{}.{}", encode(&header), encode(&claims));
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(self.pair.sign(text.as_bytes())))
    }
}
