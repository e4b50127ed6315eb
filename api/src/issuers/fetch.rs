//! Reads what an issuer publishes: over HTTPS, from where it says, a document of some kilobytes, soon. Redirects are not followed.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    http::{HeaderValue, Request, StatusCode, Uri, header},
};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};

use crate::{
    auth::{strict_json, vouched::Demand},
    config,
};

/// What a document may take, from the connection to its last byte.
const TIME: Duration = Duration::from_secs(3);

/// How long a document may be.
const LONGEST: usize = 256 * 1024;

/// Why a document was not read.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// TLS cannot be used on this machine.
    #[error("TLS cannot be used")]
    Tls(#[source] Box<rustls::Error>),
    /// The address is none.
    #[error("{0:?} is not an address")]
    Address(String),
    /// The server is away.
    #[error("cannot reach {0}")]
    Away(String, #[source] hyper_util::client::legacy::Error),
    /// The server answered something else. A redirect is not followed.
    #[error("{0} answered {1}")]
    Status(String, StatusCode),
    /// The answer is too long, or ended too early.
    #[error("the answer of {0} cannot be read")]
    Body(String, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server took too long.
    #[error("{0} took longer than {TIME:?}")]
    Slow(String),
    /// The description is another issuer's, or names no keys where we would fetch them.
    #[error("{0} describes another issuer, or names no jwks_uri that may be used")]
    Description(String),
    /// The set of keys is none.
    #[error("it is not a set of keys, or has none that we use")]
    NoSet,
}

/// What documents are read with.
pub type Http = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// Trusts whom the machine trusts (`SSL_CERT_FILE` names others).
pub fn trusted() -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Ok(
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth(),
    )
}

/// What issuers are read with.
pub fn http() -> Result<Http, FetchError> {
    let tls = trusted().map_err(|source| FetchError::Tls(Box::new(source)))?;
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        // The configuration lets only loopback in development be reached without TLS.
        .https_or_http()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .build(connector))
}

/// How an issuer's keys are read.
#[derive(Debug)]
pub struct Fetch {
    client: Http,
    issuer: String,
    /// Whether the description says where the keys are, or they are at a known place.
    described: bool,
}

impl Fetch {
    /// Reads with this client.
    pub fn new(issuer: &config::Issuer, client: Http) -> Self {
        Self {
            client,
            issuer: issuer.name.clone(),
            described: matches!(issuer.demand, Demand::Audience(_)),
        }
    }

    /// The set of keys, as it is published.
    pub async fn keys(&self) -> Result<Vec<u8>, FetchError> {
        let base = self.issuer.trim_end_matches('/');
        let place = if self.described {
            self.described_place(&format!("{base}/.well-known/openid-configuration"))
                .await?
        } else {
            format!("{base}/.well-known/jwks.json")
        };
        let uri = read_uri(&place)?;
        self.document(&uri).await
    }

    /// `OpenID` Connect Discovery, sections 4.2 and 4.3: the description is this issuer's own, to the letter.
    async fn described_place(&self, description: &str) -> Result<String, FetchError> {
        let uri = read_uri(description)?;
        let bytes = self.document(&uri).await?;
        let found = strict_json::object(&bytes).and_then(|described| {
            let text = |name: &str| described.get(name)?.as_str().map(str::to_owned);
            let place = text("jwks_uri")?;
            let safe = place.starts_with("https://") || self.issuer.starts_with("http://");
            (text("issuer")? == self.issuer && safe).then_some(place)
        });
        found.ok_or(FetchError::Description(uri.to_string()))
    }

    async fn document(&self, uri: &Uri) -> Result<Vec<u8>, FetchError> {
        let whole = async {
            let mut request = Request::new(Empty::new());
            *request.uri_mut() = uri.clone();
            let json = HeaderValue::from_static("application/json, application/jwk-set+json");
            request.headers_mut().insert(header::ACCEPT, json);
            let answer = self.client.request(request).await;
            let answer = answer.map_err(|source| FetchError::Away(uri.to_string(), source))?;
            if answer.status() != StatusCode::OK {
                return Err(FetchError::Status(uri.to_string(), answer.status()));
            }
            let body = Limited::new(answer.into_body(), LONGEST).collect().await;
            let body = body.map_err(|source| FetchError::Body(uri.to_string(), source))?;
            Ok(body.to_bytes().to_vec())
        };
        match tokio::time::timeout(TIME, whole).await {
            Ok(read) => read,
            Err(_) => Err(FetchError::Slow(uri.to_string())),
        }
    }
}

fn read_uri(text: &str) -> Result<Uri, FetchError> {
    text.parse().map_err(|_| FetchError::Address(text.to_owned()))
}
