//! A client that knows of the API what docs/auth.md says.

use std::{path::Path, sync::Arc};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Request, StatusCode,
    body::{Bytes, Incoming},
    header,
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Http, Error, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, pem::PemObject as _},
};
use serde_json::{Value, json};

use crate::api::{ISSUER, Person};

/// Speaks to one address.
#[derive(Debug, Clone)]
pub struct Client {
    http: Http<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The status with the body.
    pub fn told(&self) -> (u16, &Value) {
        (self.status.as_u16(), &self.body)
    }

    /// Where it leads.
    pub fn location(&self) -> Option<&str> {
        self.headers.get(header::LOCATION)?.to_str().ok()
    }
}

impl Client {
    /// The same address through connections of its own, which belong to the runtime that uses them.
    pub fn fresh(&self) -> Self {
        Self::at(self.base.clone(), RootCertStore::empty())
    }

    pub fn new(address: &str) -> Self {
        Self::at(format!("http://{address}"), RootCertStore::empty())
    }

    /// Speaks HTTPS to whoever this root vouches for.
    pub fn trusting(base: &str, root: &Path) -> Self {
        let root = CertificateDer::from_pem_file(root).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(root).expect("a root");
        Self::at(base.to_owned(), roots)
    }

    fn at(base: String, roots: RootCertStore) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .build();
        Self {
            http: Http::builder(TokioExecutor::new()).build(connector),
            base,
        }
    }

    /// Sends a request; an error is one of the connection.
    pub async fn try_send(&self, request: Request<Full<Bytes>>) -> Result<Answer, Error> {
        let response = self.http.request(request).await?;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or_else(|_| text()),
        })
    }

    /// Where it connects to.
    pub fn address(&self) -> &str {
        self.base.split_once("://").map_or("", |(_, address)| address)
    }

    /// Where a path is.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Sends a request with a token or an API key.
    pub async fn with_token(&self, method: &str, path: &str, token: &str, body: Option<&Value>) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(self.url(path))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.map_or_else(Full::default, |body| Full::from(body.to_string())));
        self.send(request.expect("a request")).await
    }

    /// Sends a request.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        self.try_send(request).await.expect("an answer")
    }

    /// A request to read.
    pub fn reading(&self, path: &str, token: Option<&str>) -> Request<Full<Bytes>> {
        let mut request = Request::get(format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        request.body(Full::default()).expect("a request")
    }

    pub async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.send(self.reading(path, token)).await
    }

    /// Follows server-sent events.
    pub async fn follow(&self, path: &str, token: &str) -> Events {
        self.events(self.reading(path, Some(token))).await
    }

    /// Server-sent events that a request asks for.
    pub async fn events(&self, request: Request<Full<Bytes>>) -> Events {
        let response = self.http.request(request).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        Events {
            body: response.into_body(),
            text: String::new(),
        }
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = Request::post(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body.to_string()));
        self.send(request.expect("a request")).await
    }

    pub async fn form(&self, path: &str, members: &[(&str, &str)]) -> Answer {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(members);
        let request = Request::post(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(form.finish()));
        self.send(request.expect("a request")).await
    }
}

/// Server-sent events as they come.
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    text: String,
}

impl Events {
    /// The next event's lines; none when the stream has ended.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                // A comment keeps the connection alive.
                if !event.starts_with(':') {
                    return Some(event);
                }
                continue;
            }
            let frame = self.body.frame().await?.expect("a frame");
            let data = frame.into_data().expect("no trailers");
            self.text.push_str(std::str::from_utf8(&data).expect("UTF-8"));
        }
    }
}

/// An agent with its key.
#[derive(Debug)]
pub struct Agent {
    pair: Ed25519KeyPair,
    pub id: String,
    pub key_id: String,
    /// What the API calls itself that it proves itself to.
    issuer: String,
}

impl Agent {
    /// An agent that is there, with its private key in PEM (RFC 8410).
    pub fn of_key(pem: &[u8], issuer: &str, id: &str, key_id: &str) -> Self {
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem).expect("a private key");
        Self {
            pair: Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.secret_pkcs8_der()).expect("a key"),
            id: id.to_owned(),
            key_id: key_id.to_owned(),
            issuer: issuer.to_owned(),
        }
    }

    /// Makes a key and registers it.
    pub async fn register(client: &Client, name: &str) -> Self {
        Self::register_with(client, ISSUER, name).await
    }

    /// The same with a service that calls itself something else.
    pub async fn register_with(client: &Client, issuer: &str, name: &str) -> Self {
        let (pair, body) = registration(issuer, name);
        Self::registered(pair, issuer, &client.post("/v1/agents", &body).await)
    }

    /// Makes a key, which a person registers in a tenant.
    pub async fn of_person(person: &Person, client: &Client, tenant: &str, name: &str) -> Self {
        let (pair, body) = registration(ISSUER, name);
        let path = format!("/v1/tenants/{tenant}/agents");
        Self::registered(pair, ISSUER, &person.post(client, &path, &body).await)
    }

    fn registered(pair: Ed25519KeyPair, issuer: &str, answer: &Answer) -> Self {
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        let text = |name: &str| answer.body[name].as_str().unwrap_or_default().to_owned();
        Self {
            id: text("agent_id"),
            key_id: text("key_id"),
            issuer: issuer.to_owned(),
            pair,
        }
    }

    /// Asks for a challenge, signs it and sends the answer.
    pub async fn prove(&self, client: &Client) -> Answer {
        self.answer(client, &self.challenge(client).await).await
    }

    /// Asks for a challenge.
    pub async fn challenge(&self, client: &Client) -> Value {
        let asked = client
            .post(
                &format!("/v1/agents/{}/challenges", self.id),
                &json!({"key_id": self.key_id}),
            )
            .await;
        assert_eq!(asked.status, StatusCode::CREATED, "{:?}", asked.body);
        asked.body
    }

    /// Signs a challenge and sends the answer.
    pub async fn answer(&self, client: &Client, asked: &Value) -> Answer {
        let challenge = asked["challenge"].as_str().unwrap_or_default();
        let message = format!(
            "pinfold-agent-challenge-v1\0{}\0{}\0{}\0{challenge}\0{}",
            self.issuer, self.id, self.key_id, asked["expires_at"]
        );
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(message.as_bytes()));
        client
            .form(
                "/oauth/token",
                &[
                    ("grant_type", "urn:pinfold:params:oauth:grant-type:agent-challenge"),
                    ("agent_id", &self.id),
                    ("key_id", &self.key_id),
                    ("challenge", challenge),
                    ("signature", &signature),
                ],
            )
            .await
    }

    /// Adds another key to the agent whose token this is.
    pub async fn add_key(&self, client: &Client, token: &str) {
        let pair = Ed25519KeyPair::generate().expect("a key");
        let public_key = URL_SAFE_NO_PAD.encode(pair.public_key());
        let now = jiff::Timestamp::now().as_second();
        let message = format!(
            "pinfold-agent-key-v1\0{}\0{}\0{public_key}\0{now}",
            self.issuer, self.id
        );
        let body = json!({
            "public_key": public_key, "signed_at": now, "signature": URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes())),
        });
        let added = client.with_token("POST", "/v1/me/keys", token, Some(&body)).await;
        assert_eq!(added.status, StatusCode::CREATED, "{:?}", added.body);
    }

    /// A token.
    pub async fn token(&self, client: &Client) -> String {
        let answer = self.prove(client).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        answer.body["access_token"].as_str().unwrap_or_default().to_owned()
    }
}

/// A key, and the body that registers it.
pub fn registration(issuer: &str, name: &str) -> (Ed25519KeyPair, Value) {
    let pair = Ed25519KeyPair::generate().expect("a key");
    let public_key = URL_SAFE_NO_PAD.encode(pair.public_key());
    let now = jiff::Timestamp::now().as_second();
    let message = format!("pinfold-agent-registration-v1\0{issuer}\0{public_key}\0{now}\0{name}");
    let body = json!({
        "name": name, "public_key": public_key, "signed_at": now,
        "signature": URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes())),
    });
    (pair, body)
}
