//! Requests that are done once, however often they are sent: those with an `Idempotency-Key`
//! (draft-ietf-httpapi-idempotency-key-header-07).
//!
//! [`Once`] is the body of such a request. Its [`Claim`] ends the transaction of what was done, and stores the answer in it: there
//! is never the one without the other. A request that was answered before is answered by the extractor, and the handler does
//! not hear of it.

use std::fmt;

use aws_lc_rs::hmac;
use axum::{
    body::Body,
    extract::{FromRef, FromRequest, FromRequestParts, Request},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use jiff::SignedDuration;
use serde::{Serialize, de::DeserializeOwned};
use telemetry::logging::chain;
use tracing::Instrument as _;
use utoipa::IntoParams;

use crate::{
    app::AppState,
    auth::{
        opaque::sha256,
        random::{NoRandom, random},
        seal::MasterKey,
    },
    http::{caller::Caller, error::ApiError, json, request_id::RequestId},
    store::{
        Scope,
        idempotency::{self, Known},
    },
};

/// The header of the key.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header of an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The longest key.
const LONGEST: usize = 255;

/// How long somebody may be at a request: longer than any may take.
const LEASE: SignedDuration = SignedDuration::from_secs(100);

/// What is derived from the key of a request, so that it is the same each time.
const DERIVED: &str = "idempotency derived";

/// What the hash of a request is made with.
const HASHED: &str = "idempotency request";

/// The header, for the documentation of routes.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IdempotencyKey {
    /// Any text of 1 to 255 visible ASCII characters that you use for this request alone, best a UUID. Sent again with the same key, the
    /// request is not done again but answered as it was, for a day, with `Idempotency-Replayed: true`. With another query or body it is answered 422
    /// `idempotency_key_reused`, and while the first is under way 409 `idempotency_in_progress`. What was refused may be sent again.
    #[param(
        rename = "Idempotency-Key",
        example = "8e03978e-40d5-43e8-bc93-6894a57f9324",
        min_length = 1,
        max_length = 255
    )]
    #[expect(dead_code, reason = "only the documentation has it; the extractor reads the header")]
    key: Option<String>,
}

/// The body of a request that is done once.
#[derive(Debug)]
pub struct Once<T> {
    /// The body.
    pub body: T,
    /// What ends it.
    pub claim: Claim,
}

/// A request that has no body and is done once.
#[derive(Debug)]
pub struct Bare(pub Claim);

/// What a request with a key says of itself, before its body.
struct Asked {
    request: idempotency::Request,
    key: String,
    query: String,
    request_id: String,
}

/// The right to do a request, and to answer it.
pub struct Claim(Option<Held>);

struct Held {
    app: AppState,
    request: idempotency::Request,
    key: String,
    epoch: i64,
    request_id: String,
    /// Whether something may have been done outside of the database.
    begun: bool,
    /// Whether it was, for certain, by whoever was at it before.
    done: bool,
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Claim(..)" } else { "Claim" })
    }
}

impl<S, T> FromRequest<S> for Once<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Send,
    AppState: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let refused = ApiError::into_response;
        let app = AppState::from_ref(state);
        let (mut parts, body) = request.into_parts();
        json::typed(&parts.method, &parts.headers).map_err(refused)?;
        let asked = Asked::of(&mut parts, state).await.map_err(refused)?;
        let bytes = json::body(Request::from_parts(parts, body), state)
            .await
            .map_err(refused)?;
        let body = json::read(&bytes).map_err(refused)?;
        let claim = Claim::of(app, asked, &bytes).await?;
        Ok(Self { body, claim })
    }
}

impl<S> FromRequestParts<S> for Bare
where
    S: Send + Sync,
    AppState: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let asked = Asked::of(parts, state).await.map_err(ApiError::into_response)?;
        Claim::of(AppState::from_ref(state), asked, &[]).await.map(Self)
    }
}

impl Asked {
    /// What a request says of itself, if it has a key.
    async fn of<S>(parts: &mut Parts, state: &S) -> Result<Option<Self>, ApiError>
    where
        S: Send + Sync,
        AppState: FromRef<S>,
    {
        let Some(key) = key(&parts.headers)? else {
            return Ok(None);
        };
        let Ok(RequestId(request_id)) = RequestId::from_request_parts(parts, state).await;
        // Whoever asks was judged by the extractors before this one; a request without any is nobody's to repeat.
        let caller = Caller::from_request_parts(parts, state).await?;
        let request = idempotency::Request {
            principal: caller.principal(),
            route: format!("{} {}", parts.method, parts.uri.path()),
            key_hash: sha256(key.as_bytes()),
        };
        Ok(Some(Self {
            request,
            key,
            query: parts.uri.query().unwrap_or_default().to_owned(),
            request_id,
        }))
    }
}

impl<T> Once<T> {
    /// A request that has no key, and is done as often as it is sent.
    pub fn unnamed(body: T) -> Self {
        Self {
            body,
            claim: Claim(None),
        }
    }
}

impl Claim {
    /// The right to do a request with this body, or the answer that it was given before.
    async fn of(app: AppState, asked: Option<Asked>, body: &[u8]) -> Result<Self, Response> {
        let Some(asked) = asked else { return Ok(Self(None)) };
        let hashes = hashes(&app.master, &asked, body);
        Self::take(app, asked, &hashes).await.map_err(|answer| *answer)
    }

    async fn take(app: AppState, asked: Asked, hashes: &[[u8; 32]]) -> Result<Self, Box<Response>> {
        let Asked {
            request,
            key,
            request_id,
            ..
        } = asked;
        let refused = |error: ApiError| Box::new(error.into_response());
        let (pool, now) = (app.database.pool(), app.clock.now());
        let mut known = Known::Other;
        for hash in hashes {
            // One that was stored under the master key before has another hash under this one.
            if known == Known::Other {
                let taken = idempotency::take(pool, &request, hash, &request_id, now, LEASE).await;
                known = taken.map_err(|error| refused(error.into()))?;
            }
        }
        match known {
            Known::Held {
                epoch,
                request_id,
                done,
            } => Ok(Self(Some(Held {
                app,
                request,
                key,
                epoch,
                request_id,
                begun: epoch > 1,
                done,
            }))),
            Known::Answered { status, answer } => {
                let body = app.master.open(&purpose(&key), &place(&request), &answer);
                let (Ok(body), Ok(status)) = (body, StatusCode::from_u16(status)) else {
                    return Err(refused(ApiError::Internal("a stored answer does not open".to_owned())));
                };
                let mut response = respond(status, body);
                response
                    .headers_mut()
                    .insert(REPLAYED, HeaderValue::from_static("true"));
                Err(Box::new(response))
            }
            Known::UnderWay => Err(refused(ApiError::UnderWay)),
            Known::Other => Err(refused(ApiError::KeyReused)),
        }
    }

    /// Stores what was done with the answer that tells of it, and answers. The body of a 204 is nothing, whatever it is.
    pub async fn commit<B: Serialize + Sync>(
        mut self,
        mut tx: impl Scope,
        status: StatusCode,
        body: &B,
    ) -> Result<Response, ApiError> {
        let bytes = if status == StatusCode::NO_CONTENT {
            Vec::new()
        } else {
            serde_json::to_vec(body).map_err(|error| ApiError::Internal(error.to_string()))?
        };
        if let Some(held) = &self.0 {
            let sealed = held
                .app
                .master
                .seal(&purpose(&held.key), &place(&held.request), &bytes)
                .map_err(|error| ApiError::Internal(error.to_string()))?;
            let stored = idempotency::answer(&mut tx, &held.request, held.epoch, status.as_u16(), &sealed).await?;
            if !stored {
                return Err(ApiError::UnderWay);
            }
        }
        tx.commit().await?;
        self.0 = None;
        Ok(respond(status, bytes))
    }

    /// Says that something outside of the database is done from here on. If it does not come to an answer, the next who
    /// sends the request goes on with it.
    pub fn begin(&mut self) {
        if let Some(held) = &mut self.0 {
            held.begun = true;
        }
    }

    /// Says that what was begun was refused, for certain. Whoever was at it before may have done it all the same.
    pub fn refused(&mut self) {
        if let Some(held) = &mut self.0 {
            held.begun = held.epoch > 1;
        }
    }

    /// Stores that it was done outside of the database, and only the answer is missing.
    pub async fn done(&mut self) -> Result<(), ApiError> {
        if let Some(held) = &mut self.0 {
            idempotency::done(held.app.database.pool(), &held.request, held.epoch).await?;
        }
        Ok(())
    }

    /// Whether it was done outside of the database before.
    pub fn was_done(&self) -> bool {
        self.0.as_ref().is_some_and(|held| held.done)
    }

    /// Whether somebody was at the same request before, and may have done something.
    pub fn is_again(&self) -> bool {
        self.0.as_ref().is_some_and(|held| held.epoch > 1)
    }

    /// The id of the first request with the key.
    pub fn request_id(&self) -> Option<&str> {
        self.0.as_ref().map(|held| held.request_id.as_str())
    }

    /// Random bytes, the same each time that the request is sent.
    pub fn random<const N: usize>(&self) -> Result<[u8; N], NoRandom> {
        let Some(held) = &self.0 else { return random() };
        let text = format!("{}\0{}", place(&held.request), held.key);
        let tag = hmac::sign(&held.app.master.mac(DERIVED), text.as_bytes());
        tag.as_ref().first_chunk().copied().ok_or(NoRandom)
    }
}

impl Drop for Claim {
    /// Nothing was answered: it was refused, or whoever asked went away.
    fn drop(&mut self) {
        let Some(held) = self.0.take() else { return };
        tokio::spawn(
            async move {
                let (pool, request, epoch) = (held.app.database.pool(), &held.request, held.epoch);
                let done = if held.begun {
                    idempotency::pass_on(pool, request, epoch, held.app.clock.now()).await
                } else {
                    idempotency::give_back(pool, request, epoch).await
                };
                if let Err(error) = done {
                    // Its lease ends by itself.
                    tracing::warn!(error = chain(&error), "an idempotent request was not given back");
                }
            }
            .in_current_span(),
        );
    }
}

fn respond(status: StatusCode, body: Vec<u8>) -> Response {
    if body.is_empty() {
        return status.into_response();
    }
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, Body::from(body)).into_response()
}

/// The one key of the request, bare or as a string of RFC 8941.
fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let bare = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(text);
    let sane = (1..=LONGEST).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_graphic());
    if !sane || values.next().is_some() {
        return Err(ApiError::invalid(
            "Idempotency-Key",
            format!("send one key of 1 to {LONGEST} visible ASCII characters, as a UUID"),
        ));
    }
    Ok(Some(bare.to_owned()))
}

/// What a request is stored as, under the master key and the one before. Bodies may hold what somebody could guess by a plain hash: these nobody
/// makes without the master key and the client's own.
fn hashes(master: &MasterKey, asked: &Asked, body: &[u8]) -> Vec<[u8; 32]> {
    // Queries hold no zero byte.
    let text = [asked.query.as_bytes(), body].join(&0);
    let of = |master: &MasterKey| {
        let key = master.mac(&format!("{HASHED}\0{}", asked.key));
        let tag = hmac::sign(&key, &text);
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    };
    [Some(of(master)), master.previous().as_ref().map(of)]
        .into_iter()
        .flatten()
        .collect()
}

fn purpose(key: &str) -> String {
    format!("idempotency\0{key}")
}

fn place(request: &idempotency::Request) -> String {
    format!("{}\0{}", request.principal, request.route)
}

#[cfg(test)]
mod tests;
