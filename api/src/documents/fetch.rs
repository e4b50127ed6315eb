//! Reads what a client says is to be found at an address. Whoever names the address may be anybody, so it leads nowhere but into the
//! internet: over HTTPS, by a name, to a public address, which is looked at where it is connected to; no proxies, no redirects, no
//! compression, some kilobytes, soon.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header},
};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{
            HttpConnector,
            dns::{GaiResolver, Name},
        },
    },
    rt::TokioExecutor,
};
use rustls::ClientConfig;
use tower::Service;

use crate::{auth::public_address::is_public, issuers::fetch::trusted};

/// What a document may take, from the look-up of its name to its last byte.
const TIME: Duration = Duration::from_millis(2500);

/// Why a document was not read. It is told to nobody but the log: what is reached from here is not for strangers to learn.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The address is none that is fetched.
    #[error("the address is none that is fetched")]
    Address,
    /// The server is away, or not a public one.
    #[error("the server cannot be reached")]
    Away(#[source] hyper_util::client::legacy::Error),
    /// The server answered something else. A redirect is not followed.
    #[error("the server answered {0}")]
    Status(StatusCode),
    /// It is not JSON as it is.
    #[error("the server answered no plain JSON")]
    Kind,
    /// The answer is too long, or ended too early.
    #[error("the answer cannot be read")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server took too long.
    #[error("the server took longer than {TIME:?}")]
    Slow,
}

/// A document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// As it came.
    pub bytes: Vec<u8>,
    /// How long it may be kept, by its own word.
    pub max_age: Option<Duration>,
}

/// Resolves names to public addresses. What a name stands for is looked at here and not asked again, so it cannot change before the
/// connection.
#[derive(Debug, Clone)]
pub struct PublicOnly(GaiResolver);

impl Service<Name> for PublicOnly {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let found = self.0.call(name);
        Box::pin(async move {
            let found: Vec<SocketAddr> = found.await?.collect();
            // One address that is not public makes the name none of the internet's.
            if found.is_empty() || found.iter().any(|address| !is_public(address.ip())) {
                return Err(io::Error::other("the name stands for no public address"));
            }
            Ok(found.into_iter())
        })
    }
}

/// Reads documents.
#[derive(Debug, Clone)]
pub struct Fetch(Client<HttpsConnector<HttpConnector<PublicOnly>>, Empty<Bytes>>);

impl Fetch {
    /// Trusts whom the machine trusts (`SSL_CERT_FILE` names others).
    pub fn new() -> Result<Self, rustls::Error> {
        Ok(Self::with(trusted()?))
    }

    fn with(tls: ClientConfig) -> Self {
        let mut connector = HttpConnector::new_with_resolver(PublicOnly(GaiResolver::new()));
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(TIME));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only()
            .enable_http1()
            .wrap_connector(connector);
        Self(
            Client::builder(TokioExecutor::new())
                .pool_max_idle_per_host(0)
                .build(connector),
        )
    }

    /// The document at an address that was checked ([`crate::auth::client::check_fetched`]), of so many bytes at most.
    pub async fn get(&self, place: &str, longest: usize) -> Result<Fetched, FetchError> {
        let uri: Uri = place.parse().map_err(|_| FetchError::Address)?;
        // A connector asks no resolver about what is an address already.
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        if uri.scheme_str() != Some("https") || host.is_empty() || host.parse::<std::net::IpAddr>().is_ok() {
            return Err(FetchError::Address);
        }
        let whole = self.answered(uri, longest);
        tokio::time::timeout(TIME, whole).await.unwrap_or(Err(FetchError::Slow))
    }

    async fn answered(&self, uri: Uri, longest: usize) -> Result<Fetched, FetchError> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = uri;
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::ACCEPT, json);
        let agent = HeaderValue::from_static(concat!("pinfold/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(header::USER_AGENT, agent);
        let answer = self.0.request(request).await.map_err(FetchError::Away)?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status()));
        }
        if !is_plain_json(answer.headers()) {
            return Err(FetchError::Kind);
        }
        let max_age = max_age(answer.headers());
        let body = Limited::new(answer.into_body(), longest).collect().await;
        let bytes = body.map_err(FetchError::Body)?.to_bytes().to_vec();
        Ok(Fetched { bytes, max_age })
    }
}

fn is_plain_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let is_json = kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"));
    is_json && !headers.contains_key(header::CONTENT_ENCODING)
}

/// What `Cache-Control` says (RFC 9111, section 5.2), in however many lines and letters of either case.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers.get_all(header::CACHE_CONTROL).iter();
    let said: Vec<String> = lines
        .filter_map(|line| Some(line.to_str().ok()?.to_ascii_lowercase()))
        .collect();
    let mut directives = said.iter().flat_map(|line| line.split(',')).map(str::trim);
    if directives
        .clone()
        .any(|directive| directive == "no-store" || directive == "no-cache")
    {
        return Some(Duration::ZERO);
    }
    let seconds = directives.find_map(|directive| directive.strip_prefix("max-age="))?;
    Some(Duration::from_secs(seconds.parse().ok()?))
}

#[cfg(test)]
mod tests;
