//! Keys that programs send: a prefix that says what it is, 128 random bits, and a checksum of 32 bits that finds a
//! mistyped or invented key without the database.

use std::fmt;

use crate::auth::{hex, opaque::sha256};

const RANDOM: usize = 16;
const CHECKSUM: usize = 4;
const DIGITS: usize = (RANDOM + CHECKSUM) * 2;

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It acts for the person who made it, in all of that person's tenants.
    Personal,
    /// It acts for a tenant, whoever made it.
    Tenant,
    /// The same, in the form that the E2B SDKs send.
    E2b,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Personal, Self::Tenant, Self::E2b];

    /// As it is stored and named in requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::Tenant => "tenant",
            Self::E2b => "e2b",
        }
    }

    /// What a key of this kind begins with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Personal => "pfp_",
            Self::Tenant => "pft_",
            Self::E2b => "e2b_",
        }
    }

    /// The kind of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A key.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// What it is for.
    pub kind: Kind,
    text: String,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({}..)", self.kind.prefix())
    }
}

impl ApiKey {
    /// A key of these random bytes.
    pub fn new(kind: Kind, random: [u8; RANDOM]) -> Self {
        let body = hex::encode(&random);
        let text = format!("{}{body}{}", kind.prefix(), checksum(kind, &body));
        Self { kind, text }
    }

    /// Reads a key that came with a request.
    pub fn parse(text: &str) -> Option<Self> {
        let kind = Kind::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()))?;
        let digits = text.strip_prefix(kind.prefix())?;
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if digits.len() != DIGITS || !digits.bytes().all(is_digit) {
            return None;
        }
        let (body, given) = digits.split_at_checked(RANDOM * 2)?;
        // What is compared is no secret: whoever has the body can compute it.
        (checksum(kind, body) == given).then(|| Self {
            kind,
            text: text.to_owned(),
        })
    }

    /// As its holder keeps it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// As the database knows it.
    pub fn hash(&self) -> [u8; 32] {
        sha256(self.text.as_bytes())
    }

    /// By what its owner tells it from others.
    pub fn hint(&self) -> String {
        self.text.chars().take(self.kind.prefix().len() + 4).collect()
    }
}

fn checksum(kind: Kind, body: &str) -> String {
    let hash = sha256(format!("pinfold-api-key\0{}\0{body}", kind.prefix()).as_bytes());
    hex::encode(&hash[..CHECKSUM])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_again() {
        for kind in Kind::ALL {
            let key = ApiKey::new(kind, [0xab; 16]);
            assert_eq!(key.text().len(), 44);
            assert_eq!(ApiKey::parse(key.text()), Some(key.clone()));
            assert_eq!(key.hint(), format!("{}abab", kind.prefix()));
            assert_eq!(format!("{key:?}"), format!("ApiKey({}..)", kind.prefix()));
        }
    }

    #[test]
    fn a_mistyped_key_is_none() {
        let key = ApiKey::new(Kind::Tenant, [1; 16]);
        for place in 0..key.text().len() {
            for with in ["0", "f", "F", "g"] {
                let mut text = key.text().to_owned();
                text.replace_range(place..=place, with);
                assert_eq!(ApiKey::parse(&text).is_some(), text == key.text(), "{text}");
            }
        }
        let as_e2b = key.text().replace("pft_", "e2b_");
        for bad in ["", "pft_", &as_e2b, &format!("{}0", key.text())] {
            assert_eq!(ApiKey::parse(bad), None, "{bad}");
        }
    }
}
