//! The challenge that an agent signs to prove that it holds its key.
//!
//! A challenge is kept nowhere until it is answered: it carries what it is for, until when, and a code of ours over all
//! of that. So asking for one costs no write and tells nobody whether an agent exists. That an answer counts once is the
//! replay store's work, and each challenge names the epoch of the store that will judge it.

use aws_lc_rs::hmac;
use domain::{AgentId, AgentKeyId};
use jiff::{SignedDuration, Timestamp};

use crate::auth::{
    coded,
    epoch::{self, Epoch},
    possession,
};

/// What the signed bytes begin with, so that a signature for anything else is none for this.
pub const TAG: &str = "pinfold-agent-challenge-v1";

/// How long a challenge may be answered.
pub const LIFETIME: SignedDuration = SignedDuration::from_secs(60);

/// The purpose of the key that challenges are authenticated with.
pub const PURPOSE: &str = "agent challenge";

const RANDOM: usize = 16;
const BODY: usize = epoch::LENGTH + 8 + RANDOM;

/// Who a challenge is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// The agent.
    pub agent: AgentId,
    /// The key that signs.
    pub key: AgentKeyId,
}

impl Subject {
    fn context(&self) -> [&[u8]; 2] {
        [self.agent.as_bytes(), self.key.as_bytes()]
    }
}

/// A challenge and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// What is sent to the agent and comes back from it.
    pub text: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A challenge of ours that came back in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// The store that judges whether it is the first answer.
    pub epoch: Epoch,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Makes a challenge.
pub fn mint(key: &hmac::Key, subject: Subject, epoch: Epoch, now: Timestamp, random: [u8; RANDOM]) -> Challenge {
    let expires_at = now.checked_add(LIFETIME).unwrap_or(Timestamp::MAX);
    let seconds = expires_at.as_second();
    let mut body = Vec::with_capacity(BODY);
    body.extend(epoch.written());
    body.extend(seconds.to_be_bytes());
    body.extend(random);
    Challenge {
        text: coded::mint(key, &subject.context(), &body),
        expires_at: Timestamp::from_second(seconds).unwrap_or(expires_at),
    }
}

/// Reads a challenge that came back; nothing if it is not ours, is for somebody else, or has ended.
pub fn read(key: &hmac::Key, subject: Subject, text: &str, now: Timestamp) -> Option<Returned> {
    let body: [u8; BODY] = coded::read(key, &subject.context(), text)?;
    let (epoch, rest) = body.split_first_chunk::<{ epoch::LENGTH }>()?;
    let seconds = i64::from_be_bytes(*rest.first_chunk::<8>()?);
    let expires_at = Timestamp::from_second(seconds).ok()?;
    (now < expires_at).then_some(Returned {
        epoch: Epoch::read(*epoch)?,
        expires_at,
    })
}

/// What the agent signs with its Ed25519 key. None of the parts can hold the byte that separates them.
pub fn signed_bytes(issuer: &str, subject: Subject, text: &str, expires_at: Timestamp) -> Vec<u8> {
    let (agent, key) = (subject.agent.to_string(), subject.key.to_string());
    let end = expires_at.as_second().to_string();
    possession::signed_bytes(&[TAG, issuer, &agent, &key, text, &end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[3; 32])
    }

    fn subject(agent: u128, key: u128) -> Subject {
        Subject {
            agent: AgentId::from_u128(agent),
            key: AgentKeyId::from_u128(key),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn comes_back_until_it_ends() {
        let made = mint(&key(), subject(1, 2), Epoch::Redis([9; 16]), at(0), [4; 16]);
        assert_eq!(made.expires_at, at(60));
        let wanted = Returned {
            epoch: Epoch::Redis([9; 16]),
            expires_at: at(60),
        };
        assert_eq!(read(&key(), subject(1, 2), &made.text, at(59)), Some(wanted));
        assert_eq!(read(&key(), subject(1, 2), &made.text, at(60)), None);
    }

    #[test]
    fn is_nobody_elses() {
        let made = mint(&key(), subject(1, 2), Epoch::Redis([9; 16]), at(0), [4; 16]);
        assert_eq!(read(&key(), subject(1, 3), &made.text, at(1)), None);
        assert_eq!(read(&key(), subject(2, 1), &made.text, at(1)), None);
        let other = hmac::Key::new(hmac::HMAC_SHA256, &[4; 32]);
        assert_eq!(read(&other, subject(1, 2), &made.text, at(1)), None);
    }

    #[test]
    fn no_character_may_change() {
        let made = mint(&key(), subject(1, 2), Epoch::Redis([9; 16]), at(0), [4; 16]);
        for (place, _) in made.text.char_indices() {
            for with in ["A", "B", "="] {
                let mut text = made.text.clone();
                text.replace_range(place..=place, with);
                let same = text == made.text;
                assert_eq!(read(&key(), subject(1, 2), &text, at(1)).is_some(), same, "{text}");
            }
        }
        for bad in [
            "",
            "A",
            &made.text[1..],
            &format!("{}A", made.text),
            &"A".repeat(100_000),
        ] {
            assert_eq!(read(&key(), subject(1, 2), bad, at(1)), None);
        }
    }

    /// docs/auth.md has one with its signature.
    #[test]
    fn the_signed_bytes_are_what_the_documentation_says() {
        let bytes = signed_bytes("https://pinfold.example", subject(1, 2), "challenge", at(60));
        let text = "pinfold-agent-challenge-v1\0https://pinfold.example\x0000000000-0000-0000-0000-000000000001\0\
                    00000000-0000-0000-0000-000000000002\0challenge\x001800000060";
        assert_eq!(String::from_utf8(bytes).unwrap(), text);
    }
}
