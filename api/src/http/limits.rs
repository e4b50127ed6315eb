//! How much one client may ask for, and the headers that tell it: a bucket for each class of routes and each address, until it
//! has said who it is.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    Extension,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use ipnet::IpNet;

use crate::{
    auth::opaque::sha256,
    config,
    http::{client_address, error::ApiError},
    service::limiter::{Counting, Limiter, Standing, TooOften},
};

/// The fields of draft-ietf-httpapi-ratelimit-headers.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The limits of clients that have not said who they are.
#[derive(Debug)]
pub struct Limits {
    trusted: Vec<IpNet>,
    anonymous: Limiter,
    registrations: Limiter,
    logins: Limiter,
}

impl Limits {
    /// Limits with nothing counted yet.
    pub fn new(config: &config::Limits, counting: &Counting) -> Self {
        let (minute, hour) = (Duration::from_mins(1), Duration::from_hours(1));
        Self {
            trusted: config.trusted_proxies.clone(),
            anonymous: Limiter::new("anonymous", config.requests_per_minute, minute, counting),
            registrations: Limiter::new("registrations", config.registrations_per_hour, hour, counting),
            logins: Limiter::new("logins", config.logins_per_minute, minute, counting),
        }
    }

    /// Where a request comes from.
    fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        client_address::of(peer.ip(), headers, &self.trusted)
    }

    /// Forgets the addresses whose buckets are full again.
    pub fn forget(&self) {
        for limiter in [&self.anonymous, &self.registrations, &self.logins] {
            limiter.forget();
        }
    }
}

/// What a group of routes is counted as.
#[derive(Debug, Clone, Copy)]
pub enum Group {
    /// Anybody may call it without a token.
    Anonymous,
    /// It makes something for anybody.
    Registrations,
    /// A person proves something there, or has mail sent.
    Logins,
}

/// Counts a request, and lets it through or not.
pub async fn layer(
    State(group): State<Group>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Extension(limits): Extension<Arc<Limits>>,
    request: Request,
    next: Next,
) -> Response {
    let key = key(limits.client(peer, request.headers()));
    let limiter = match group {
        Group::Anonymous => &limits.anonymous,
        Group::Registrations => &limits.registrations,
        Group::Logins => &limits.logins,
    };
    let standing = limiter.take(&key).await;
    let mut response = match standing.left {
        Ok(_) => next.run(request).await,
        Err(TooOften(wait)) => ApiError::TooMany(wait).into_response(),
    };
    write(response.headers_mut(), standing);
    response
}

/// Where the count of a request is noted that said who sends it, until it is answered.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<OnceLock<Standing>>);

impl Tally {
    /// Whether the request was counted.
    pub fn is_noted(&self) -> bool {
        self.0.get().is_some()
    }

    /// Notes the count; a request has one caller.
    pub fn note(&self, standing: Standing) {
        let _ = self.0.set(standing);
    }
}

/// Tells a caller of its limit, whatever the answer is. Who shows a proof that is none is counted by the address, and is told no more than
/// so many times that it is.
pub async fn tell(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Extension(limits): Extension<Arc<Limits>>,
    mut request: Request,
    next: Next,
) -> Response {
    let tally = Tally::default();
    request.extensions_mut().insert(tally.clone());
    let client = limits.client(peer, request.headers());
    let mut response = next.run(request).await;
    let counts_itself = response.headers().contains_key(POLICY);
    if response.status() == StatusCode::UNAUTHORIZED && !tally.is_noted() && !counts_itself {
        let standing = limits.anonymous.take(&key(client)).await;
        tally.note(standing);
        if let Err(TooOften(wait)) = standing.left {
            response = ApiError::TooMany(wait).into_response();
        }
    }
    if let Some(standing) = tally.0.get() {
        write(response.headers_mut(), *standing);
    }
    response
}

/// What a client is counted by that has not said who it is.
fn key(client: IpAddr) -> [u8; 32] {
    sha256(client_address::bucket(client).to_string().as_bytes())
}

fn write(headers: &mut HeaderMap, standing: Standing) {
    let (left, again) = match standing.left {
        Ok(left) => (left, standing.window),
        Err(TooOften(wait)) => (0, wait),
    };
    let (name, window) = (standing.name, standing.window.as_secs());
    let policy = format!(r#""{name}";q={};w={window}"#, standing.count);
    let state = format!(r#""{name}";r={left};t={}"#, again.as_secs().max(1));
    for (name, value) in [(POLICY, policy), (LIMIT, state)] {
        // Names and numbers are always a header's value.
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests;
