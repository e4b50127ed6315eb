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

/// Mails of one kind that one address is sent in an hour.
const MAILS: NonZeroU32 = NonZeroU32::new(5).unwrap();

/// How often one token is reviewed in a minute: a pod needs it for each of ours, which live for ten.
const REVIEWS: NonZeroU32 = NonZeroU32::new(20).unwrap();

/// Who tries a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trier {
    /// Anybody who knows the password.
    Stranger,
    /// Somebody in a browser that the owner logged in from.
    Device(device::Name),
    /// The owner, who is logged in.
    Oneself,
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Letter {
    /// A link that opens an account.
    SignUp,
    /// A link that sets another password.
    Reset,
    /// An invitation to a tenant.
    Invitation,
}

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

    /// Somebody shows a code of an account's authenticator. Whoever knows no more than the password uses up no tries of who logged in from the
    /// same browser before, or is logged in.
    pub async fn code(&self, overseer: OverseerId, trier: Trier) -> Result<(), TooOften> {
        let key = match trier {
            Trier::Stranger => sha256(overseer.as_bytes()),
            Trier::Device(name) => sha256(&[b"device\0".as_slice(), &name].concat()),
            Trier::Oneself => sha256(&[b"oneself\0".as_slice(), overseer.as_bytes()].concat()),
        };
        self.codes.take(&key).await.left.map(drop)
    }

    /// The API server is to say whose a token is: this one, whatever it claims, so that nobody uses up what is another's.
    pub async fn review(&self, token: &str) -> Result<(), TooOften> {
        self.reviews.take(&sha256(token.as_bytes())).await.left.map(drop)
    }

    /// Somebody wants mail sent to an address. What is asked for in one way keeps nobody from asking in another.
    pub async fn mail(&self, letter: Letter, email_key: &str) -> Result<(), TooOften> {
        let key = sha256(format!("{letter:?}\0{email_key}").as_bytes());
        self.mails.take(&key).await.left.map(drop)
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
