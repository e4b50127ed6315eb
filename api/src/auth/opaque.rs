//! Secrets without a meaning of their own, which the database knows by their SHA-256 only.
//!
//! They are long enough that a hash without salt and without cost is enough: nobody guesses 256 bits.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::auth::jws;

/// A secret of 32 random bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Opaque([u8; 32]);

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opaque(..)")
    }
}

impl Opaque {
    /// The secret of these bytes.
    pub fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// Reads what [`Opaque::text`] wrote, in its one spelling.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 43 {
            return None;
        }
        Some(Self(jws::decode(text)?.try_into().ok()?))
    }

    /// As its holder keeps it: base64url without padding.
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// As the database knows it.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&self.0)
    }
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_one_spelling() {
        let secret = Opaque::new([0xff; 32]);
        let text = secret.text();
        assert_eq!(Opaque::parse(&text), Some(secret));
        let other_last = text.replace("__8", "__9");
        assert_ne!(other_last, text);
        for bad in [
            "",
            "A",
            &format!("{text}="),
            &format!("{text}A"),
            &text[1..],
            &other_last,
        ] {
            assert_eq!(Opaque::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn says_nothing_of_itself() {
        assert_eq!(format!("{:?}", Opaque::new([7; 32])), "Opaque(..)");
    }
}
