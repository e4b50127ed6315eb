//! Nonces for proofs of possession (RFC 9449, sections 8 and 9): kept nowhere, the same for everybody for a minute, and each of the store that
//! is to remember the proofs made with it.

use aws_lc_rs::hmac;
use jiff::Timestamp;

use crate::{
    coded,
    epoch::{self, Epoch},
};

/// The purpose of the key that nonces are authenticated with.
pub const PURPOSE: &str = "dpop nonce";

/// For how many seconds the same nonce is given.
const SLOT: i64 = 60;

/// How many slots one is taken after its own.
const OLD: i64 = 2;

/// How many slots before its own: another replica's clock may be ahead.
const EARLY: i64 = 1;

const BODY: usize = 8 + epoch::LENGTH;

/// Who gave a nonce, and takes it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Giver {
    /// The token endpoint.
    TokenEndpoint,
    /// Whatever is called with a token.
    Resource,
}

impl Giver {
    const fn context(self) -> &'static [u8] {
        match self {
            Self::TokenEndpoint => b"token endpoint\0",
            Self::Resource => b"resource\0",
        }
    }
}

/// The nonce of this minute.
pub fn mint(key: &hmac::Key, giver: Giver, epoch: Epoch, now: Timestamp) -> String {
    let mut body = slot(now).to_be_bytes().to_vec();
    body.extend(epoch.written());
    coded::mint(key, &[giver.context()], &body)
}

/// The epoch of a nonce that this giver gave a moment ago; nothing if it is none of ours, another's, or old.
pub fn read(key: &hmac::Key, giver: Giver, text: &str, now: Timestamp) -> Option<Epoch> {
    let body: [u8; BODY] = coded::read(key, &[giver.context()], text)?;
    let (of, epoch) = body.split_first_chunk::<8>()?;
    let age = slot(now).checked_sub(i64::from_be_bytes(*of))?;
    if !(-EARLY..=OLD).contains(&age) {
        return None;
    }
    Epoch::read(epoch.try_into().ok()?)
}

fn slot(at: Timestamp) -> i64 {
    at.as_second().div_euclid(SLOT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: Epoch = Epoch::Redis([9; 16]);

    fn key() -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[3; 32])
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn is_good_for_two_minutes_after_its_own() {
        let nonce = mint(&key(), Giver::Resource, EPOCH, at(0));
        assert_eq!(mint(&key(), Giver::Resource, EPOCH, at(59)), nonce);
        assert_ne!(mint(&key(), Giver::Resource, EPOCH, at(60)), nonce);
        let good = |second| read(&key(), Giver::Resource, &nonce, at(second)) == Some(EPOCH);
        assert_eq!([-61, -60, 0, 179, 180].map(good), [false, true, true, true, false]);
    }

    #[test]
    fn is_its_givers_and_nobody_elses() {
        let nonce = mint(&key(), Giver::Resource, EPOCH, at(0));
        assert_eq!(read(&key(), Giver::TokenEndpoint, &nonce, at(0)), None);
        let other = hmac::Key::new(hmac::HMAC_SHA256, &[4; 32]);
        assert_eq!(read(&other, Giver::Resource, &nonce, at(0)), None);
        assert_ne!(mint(&key(), Giver::Resource, Epoch::Postgres([9; 16]), at(0)), nonce);
        for bad in ["", "nonce", &nonce[1..], &format!("{nonce}A"), &"A".repeat(100_000)] {
            assert_eq!(read(&key(), Giver::Resource, bad, at(0)), None);
        }
    }
}
