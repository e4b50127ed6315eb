//! The chain of audit events: each link is a hash over the one before, and the end is signed with a key that is in no
//! database. docs/audit.md says how somebody else computes the same.

use std::fmt;

use aws_lc_rs::{
    digest::{Context, SHA256},
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::TenantId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::auth::{jws, random::NoRandom, seal::MasterKey};

/// What the hashed bytes of a link begin with.
const LINK_TAG: &[u8] = b"pinfold-audit-link-v1\0";

/// What the signed bytes of a head begin with.
const HEAD_TAG: &str = "pinfold-audit-head-v1";

/// What is said of the chain of events that belong to no tenant.
const PLATFORM: &str = "platform";

/// A link.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Link(pub [u8; 32]);

impl Link {
    /// Before the first event.
    pub const BEGINNING: Self = Self([0; 32]);

    /// The next one: of the event with this number and text.
    pub fn next(&self, sequence: i64, event: &str) -> Self {
        let mut hashed = Context::new(&SHA256);
        hashed.update(LINK_TAG);
        hashed.update(&self.0);
        hashed.update(&sequence.to_be_bytes());
        hashed.update(event.as_bytes());
        let mut link = [0; 32];
        link.copy_from_slice(hashed.finish().as_ref());
        Self(link)
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The end of a chain at some moment, and who says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// A tenant's id, or `platform`.
    pub chain: String,
    /// How many events there are.
    pub count: i64,
    /// The last link, in hexadecimal digits.
    pub hash: String,
    /// When it was signed: microseconds since 1970.
    pub at: i64,
    /// The signature, in base64url.
    pub signature: String,
}

/// What a chain is called.
pub fn name(chain: Option<TenantId>) -> String {
    chain.map_or_else(|| PLATFORM.to_owned(), |tenant| tenant.to_string())
}

/// Signs heads.
pub struct Signer {
    pair: Ed25519KeyPair,
    /// What signed them under the master key before, while that is known.
    previous: Option<Ed25519KeyPair>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.public_key())
    }
}

impl Signer {
    /// The key of heads under a master key.
    pub fn new(master: &MasterKey) -> Result<Self, NoRandom> {
        let pair = |master: &MasterKey| {
            let seed = master.derive("audit heads");
            Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| NoRandom)
        };
        Ok(Self {
            pair: pair(master)?,
            previous: master.previous().as_ref().map(pair).transpose()?,
        })
    }

    /// What others verify heads with, in base64url.
    pub fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref())
    }

    /// The head of a chain.
    pub fn head(&self, chain: Option<TenantId>, count: i64, link: Link, at: Timestamp) -> Head {
        let mut head = Head {
            chain: name(chain),
            count,
            hash: link.to_string(),
            at: at.as_microsecond(),
            signature: String::new(),
        };
        head.signature = URL_SAFE_NO_PAD.encode(self.pair.sign(signed_bytes(&head).as_bytes()));
        head
    }

    /// Whether a head was signed with this key, or with the one before.
    pub fn signed(&self, head: &Head) -> bool {
        self.signs(head)
            || self
                .previous
                .as_ref()
                .is_some_and(|previous| has_signed(previous, head))
    }

    /// Whether a head was signed with this key.
    pub fn signs(&self, head: &Head) -> bool {
        has_signed(&self.pair, head)
    }
}

fn has_signed(pair: &Ed25519KeyPair, head: &Head) -> bool {
    let key = UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref());
    jws::decode(&head.signature).is_some_and(|signature| key.verify(signed_bytes(head).as_bytes(), &signature).is_ok())
}

fn signed_bytes(head: &Head) -> String {
    let Head {
        chain, count, hash, at, ..
    } = head;
    format!("{HEAD_TAG}\0{chain}\0{count}\0{hash}\0{at}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same as in docs/audit.md.
    #[test]
    fn links_are_what_the_documentation_says() {
        let first = Link::BEGINNING.next(1, r#"{"action":"run.create"}"#);
        assert_eq!(
            first.to_string(),
            "f6b80ca1f3054c0235cfcfe5d391092e588df3eca1cac8f0d49e11b05104c5fa"
        );
        let second = first.next(2, "{}");
        assert_eq!(
            second.to_string(),
            "a1c820c33992b8cac40d118153477898714a7a70dcf1cfe2eeed8f1d330c064a"
        );
    }

    #[test]
    fn a_head_is_its_signers_and_nothing_of_it_can_be_changed() {
        let signer = Signer::new(&MasterKey::new([1; 32])).unwrap();
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let tenant = TenantId::from_u128(7);
        let head = signer.head(Some(tenant), 3, Link([9; 32]), at);
        assert!(signer.signed(&head));
        assert!(!Signer::new(&MasterKey::new([2; 32])).unwrap().signed(&head));
        let ways: [fn(&mut Head); 5] = [
            |head| head.chain = name(None),
            |head| head.count += 1,
            |head| head.hash = Link([8; 32]).to_string(),
            |head| head.at += 1,
            |head| head.signature.push('A'),
        ];
        for (number, change) in ways.iter().enumerate() {
            let mut changed = head.clone();
            change(&mut changed);
            assert!(!signer.signed(&changed), "{number}");
        }
    }
}
