//! The secret of a client: a prefix by which scanners of source code find it, and 256 random bits.

use std::fmt;

use crate::auth::opaque::{Opaque, sha256};

const PREFIX: &str = "pfs_";

/// A client's secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// A secret of these random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        Self(format!("{PREFIX}{}", Opaque::new(random).text()))
    }

    /// As its holder keeps it.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// As the database knows it. It is over the text: secrets of another system have any form.
    pub fn hash(&self) -> [u8; 32] {
        sha256(self.0.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_known_by_its_text() {
        let secret = Secret::new([0xab; 32]);
        assert_eq!(secret.text(), "pfs_q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s");
        assert_eq!(secret.hash(), sha256(secret.text().as_bytes()));
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }
}
