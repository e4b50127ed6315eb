//! How often somebody may try: counted by what they try it on, wherever they are.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use domain::{Clock, OverseerId};
use governor::{Quota, RateLimiter, clock, nanos::Nanos, state::keyed::DashMapStateStore};

use crate::auth::{device, opaque::sha256};

/// Passwords that may be tried on one account in a minute, and from one known browser.
const TRIES: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// Codes of an authenticator that may be tried on one account in an hour, six digits each: guessing takes years.
const CODES: NonZeroU32 = NonZeroU32::new(20).unwrap();

/// Mails that one address is sent in an hour.
const MAILS: NonZeroU32 = NonZeroU32::new(5).unwrap();

type Limiter = RateLimiter<[u8; 32], DashMapStateStore<[u8; 32]>, Time, governor::middleware::NoOpMiddleware<Nanos>>;

/// The product's clock as limiters read it.
#[derive(Debug, Clone)]
pub struct Time(pub Arc<dyn Clock>);

impl clock::Clock for Time {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let since = u64::try_from(self.0.now().as_nanosecond()).unwrap_or(0);
        Nanos::new(since)
    }
}

/// Too many tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many tries; the next is after {0:?}")]
pub struct TooOften(pub Duration);

/// The counters of this replica.
#[derive(Debug)]
pub struct Throttle {
    tries: Limiter,
    mails: Limiter,
    codes: Limiter,
    calls: Limiter,
    time: Time,
}

impl Throttle {
    /// Nothing was counted yet; each caller may send so many requests in a minute.
    pub fn new(calls: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        let time = Time(clock);
        Self {
            calls: RateLimiter::new(Quota::per_minute(calls), DashMapStateStore::default(), time.clone()),
            tries: RateLimiter::new(Quota::per_minute(TRIES), DashMapStateStore::default(), time.clone()),
            codes: RateLimiter::new(Quota::per_hour(CODES), DashMapStateStore::default(), time.clone()),
            mails: RateLimiter::new(Quota::per_hour(MAILS), DashMapStateStore::default(), time.clone()),
            time,
        }
    }

    /// Somebody tries a password on an account, there or not; who shows a cookie of a browser that the owner logged in from
    /// is counted by that, so that strangers do not use up the owner's tries.
    pub fn password(&self, email_key: &str, device: Option<device::Name>) -> Result<(), TooOften> {
        let key = match device {
            Some(name) => sha256(&[b"device\0".as_slice(), &name].concat()),
            None => sha256(format!("account\0{email_key}").as_bytes()),
        };
        self.count(&self.tries, &key)
    }

    /// Somebody who proved who they are sends a request.
    pub fn call(&self, id: &[u8; 16]) -> Result<(), TooOften> {
        self.count(&self.calls, &sha256(id))
    }

    /// Somebody shows a code of an account's authenticator.
    pub fn code(&self, overseer: OverseerId) -> Result<(), TooOften> {
        self.count(&self.codes, &sha256(overseer.as_bytes()))
    }

    /// Somebody wants mail sent to an address.
    pub fn mail(&self, email_key: &str) -> Result<(), TooOften> {
        self.count(&self.mails, &sha256(email_key.as_bytes()))
    }

    /// Forgets what is full again.
    pub fn forget(&self) {
        self.tries.retain_recent();
        self.mails.retain_recent();
        self.calls.retain_recent();
        self.codes.retain_recent();
    }

    fn count(&self, limiter: &Limiter, key: &[u8; 32]) -> Result<(), TooOften> {
        limiter
            .check_key(key)
            .map_err(|refused| TooOften(refused.wait_time_from(clock::Clock::now(&self.time))))
    }
}
