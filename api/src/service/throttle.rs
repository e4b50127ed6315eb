//! How often somebody may try: counted by what they try it on, wherever they are.

use std::{num::NonZeroU32, time::Duration};

use domain::OverseerId;

use crate::{
    auth::{device, opaque::sha256},
    config,
    service::limiter::{Counting, Limiter, Standing, TooOften},
};

/// Passwords that may be tried on one account in a minute, and from one known browser.
const TRIES: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// Codes of an authenticator that may be tried on one account in an hour, six digits each: guessing takes years.
const CODES: NonZeroU32 = NonZeroU32::new(20).unwrap();

/// Mails that one address is sent in an hour.
const MAILS: NonZeroU32 = NonZeroU32::new(5).unwrap();

/// Tokens of one pod that are reviewed in a minute: it needs one for each of ours, which live for ten.
const REVIEWS: NonZeroU32 = NonZeroU32::new(20).unwrap();

/// What is counted by account, address of mail or caller.
#[derive(Debug)]
pub struct Throttle {
    tries: Limiter,
    mails: Limiter,
    codes: Limiter,
    calls: Limiter,
    writes: Limiter,
    reviews: Limiter,
}

impl Throttle {
    /// Nothing was counted yet.
    pub fn new(limits: &config::Limits, counting: &Counting) -> Self {
        let (minute, hour) = (Duration::from_mins(1), Duration::from_hours(1));
        Self {
            calls: Limiter::new("calls", limits.calls_per_minute, minute, counting),
            writes: Limiter::new("writes", limits.writes_per_minute, minute, counting),
            tries: Limiter::new("passwords", TRIES, minute, counting),
            codes: Limiter::new("codes", CODES, hour, counting),
            reviews: Limiter::new("reviews", REVIEWS, minute, counting),
            mails: Limiter::new("mails", MAILS, hour, counting),
        }
    }

    /// Somebody tries a password on an account, there or not; who shows a cookie of a browser that the owner logged in from
    /// is counted by that, so that strangers do not use up the owner's tries.
    pub async fn password(&self, email_key: &str, device: Option<device::Name>) -> Result<(), TooOften> {
        let key = match device {
            Some(name) => sha256(&[b"device\0".as_slice(), &name].concat()),
            None => sha256(format!("account\0{email_key}").as_bytes()),
        };
        self.tries.take(&key).await.left.map(drop)
    }

    /// Somebody who proved who they are reads something.
    pub async fn call(&self, id: &[u8; 16]) -> Standing {
        self.calls.take(&sha256(id)).await
    }

    /// Somebody who proved who they are changes something.
    pub async fn write(&self, id: &[u8; 16]) -> Standing {
        self.writes.take(&sha256(id)).await
    }

    /// Somebody shows a code of an account's authenticator.
    pub async fn code(&self, overseer: OverseerId) -> Result<(), TooOften> {
        self.codes.take(&sha256(overseer.as_bytes())).await.left.map(drop)
    }

    /// The API server is to say whether a token is a pod's, as it claims.
    pub async fn review(&self, pod: &str) -> Result<(), TooOften> {
        self.reviews.take(&sha256(pod.as_bytes())).await.left.map(drop)
    }

    /// Somebody wants mail sent to an address.
    pub async fn mail(&self, email_key: &str) -> Result<(), TooOften> {
        self.mails.take(&sha256(email_key.as_bytes())).await.left.map(drop)
    }

    /// Forgets what is full again.
    pub fn forget(&self) {
        for limiter in [
            &self.tries,
            &self.mails,
            &self.codes,
            &self.calls,
            &self.writes,
            &self.reviews,
        ] {
            limiter.forget();
        }
    }
}
