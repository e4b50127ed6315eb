//! How much one client may ask for: a bucket for each class of routes and each address, in the memory of this replica.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use axum::{
    Extension,
    extract::{ConnectInfo, Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use domain::Clock;
use governor::{Quota, RateLimiter, clock, middleware::StateInformationMiddleware, state::keyed::DashMapStateStore};
use ipnet::IpNet;

use crate::{
    config,
    http::{client_address, error::ApiError},
    service::throttle::Time,
};

/// The fields of draft-ietf-httpapi-ratelimit-headers.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

type Limiter = RateLimiter<IpAddr, DashMapStateStore<IpAddr>, Time, StateInformationMiddleware>;

/// What is counted apart.
#[derive(Debug)]
struct Class {
    name: &'static str,
    count: NonZeroU32,
    window: Duration,
    limiter: Limiter,
    time: Time,
}

/// The limits of this replica.
#[derive(Debug)]
pub struct Limits {
    trusted: Vec<IpNet>,
    anonymous: Class,
    registrations: Class,
    logins: Class,
}

impl Limits {
    /// Limits with nothing counted yet.
    pub fn new(config: &config::Limits, clock: Arc<dyn Clock>) -> Self {
        let hour = Duration::from_hours(1);
        let minute = Duration::from_mins(1);
        Self {
            trusted: config.trusted_proxies.clone(),
            anonymous: Class::new("anonymous", config.requests_per_minute, minute, Time(clock.clone())),
            registrations: Class::new(
                "registrations",
                config.registrations_per_hour,
                hour,
                Time(clock.clone()),
            ),
            logins: Class::new("logins", config.logins_per_minute, minute, Time(clock)),
        }
    }

    /// Forgets the addresses whose buckets are full again.
    pub fn forget(&self) {
        for class in [&self.anonymous, &self.registrations, &self.logins] {
            class.limiter.retain_recent();
        }
    }
}

impl Class {
    fn new(name: &'static str, count: NonZeroU32, window: Duration, time: Time) -> Self {
        // The window is never zero, and that is all that could be wrong.
        let quota = Quota::with_period(window / count.get())
            .unwrap_or(Quota::per_second(NonZeroU32::MIN))
            .allow_burst(count);
        let limiter = Limiter::new(quota, DashMapStateStore::default(), time.clone());
        Self {
            name,
            count,
            window,
            limiter,
            time,
        }
    }

    /// How many are left after this one, or for how long there is none.
    fn take(&self, client: IpAddr) -> Result<u32, Duration> {
        match self.limiter.check_key(&client_address::bucket(client)) {
            Ok(state) => Ok(state.remaining_burst_capacity()),
            Err(refused) => Err(refused.wait_time_from(clock::Clock::now(&self.time))),
        }
    }

    async fn pass(&self, client: IpAddr, request: Request, next: Next) -> Response {
        let (left, again, mut response) = match self.take(client) {
            Ok(left) => (left, self.window, next.run(request).await),
            Err(wait) => (0, wait, ApiError::TooMany(wait).into_response()),
        };
        let window = self.window.as_secs();
        let policy = format!(r#""{}";q={};w={window}"#, self.name, self.count);
        let state = format!(r#""{}";r={left};t={}"#, self.name, again.as_secs().max(1));
        for (name, value) in [(POLICY, policy), (LIMIT, state)] {
            // Names and numbers are always a header's value.
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
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
    let class = match group {
        Group::Anonymous => &limits.anonymous,
        Group::Registrations => &limits.registrations,
        Group::Logins => &limits.logins,
    };
    class.pass(client, request, next).await
}

#[cfg(test)]
mod tests;
