//! Asks the API server.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use http::{
    Request, Response, Uri,
    header::{ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
    request::Parts,
};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};

use crate::state::State;

/// What the API server said: everything, or, for a watch, how it began.
pub enum Answer {
    Whole(Response<Bytes>),
    Stream(Response<Incoming>),
}

/// Sends a request on with the identity of the client under test.
pub async fn forward(
    state: Arc<State>,
    sequence: Option<u64>,
    parts: Parts,
    body: Bytes,
    stream: bool,
) -> Result<Answer> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = parts.method;
    *request.uri_mut() = upstream_uri(&state.upstream.server, &parts.uri)?;
    *request.headers_mut() = parts.headers;
    // The identity is the certificate; the rest is settled anew for each connection.
    for header in [
        AUTHORIZATION,
        ACCEPT_ENCODING,
        CONNECTION,
        CONTENT_LENGTH,
        HOST,
        TRANSFER_ENCODING,
    ] {
        request.headers_mut().remove(header);
    }
    let response = state
        .upstream
        .client
        .request(request)
        .await
        .context("ask the API server")?;
    let code = response.status().as_u16();
    if let Some(sequence) = sequence {
        state.amend(sequence, |record| record.answered = Some(code));
    }
    if stream && response.status().is_success() {
        return Ok(Answer::Stream(response));
    }
    let (mut parts, body) = response.into_parts();
    let body = body.collect().await.context("read the API server's answer")?.to_bytes();
    for header in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        parts.headers.remove(header);
    }
    Ok(Answer::Whole(Response::from_parts(parts, body)))
}

/// The same question with a field selector; it must not have one yet.
pub fn selected(asked: &Uri, selector: &str) -> Result<Uri> {
    let query = asked.query().map(|query| format!("{query}&")).unwrap_or_default();
    ensure!(
        !query.contains("fieldSelector="),
        "{asked} has a field selector already"
    );
    let path = asked.path();
    let selector = selector.replace('=', "%3D");
    format!("{path}?{query}fieldSelector={selector}")
        .parse()
        .context("put a field selector into the address")
}

fn upstream_uri(server: &Uri, asked: &Uri) -> Result<Uri> {
    let mut parts = server.clone().into_parts();
    parts.path_and_query = asked.path_and_query().cloned();
    Uri::from_parts(parts).context("make the upstream address")
}
