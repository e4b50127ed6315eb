//! How much one client may ask for: a bucket for each class of routes and each address.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{ConnectInfo, Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use ipnet::IpNet;

use crate::{
    auth::opaque::sha256,
    config,
    http::{client_address, error::ApiError},
    service::limiter::{Counting, Limiter, TooOften},
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
    let client = client_address::of(peer.ip(), request.headers(), &limits.trusted);
    let limiter = match group {
        Group::Anonymous => &limits.anonymous,
        Group::Registrations => &limits.registrations,
        Group::Logins => &limits.logins,
    };
    let key = sha256(client_address::bucket(client).to_string().as_bytes());
    let (left, again, mut response) = match limiter.take(&key).await {
        Ok(left) => (left, limiter.window, next.run(request).await),
        Err(TooOften(wait)) => (0, wait, ApiError::TooMany(wait).into_response()),
    };
    let (name, window) = (limiter.name, limiter.window.as_secs());
    let policy = format!(r#""{name}";q={};w={window}"#, limiter.count);
    let state = format!(r#""{name}";r={left};t={}"#, again.as_secs().max(1));
    for (name, value) in [(POLICY, policy), (LIMIT, state)] {
        // Names and numbers are always a header's value.
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests;
