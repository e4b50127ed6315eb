//! A tenant's name and the namespace that belongs to it.

use std::fmt;

/// What stands before a tenant's name in the name of its namespace.
pub const NAMESPACE_PREFIX: &str = "tenant-";

/// The longest tenant name: with [`NAMESPACE_PREFIX`] it still is a DNS label (RFC 1123: 63 characters).
pub const MAX_TENANT_NAME: usize = 63 - NAMESPACE_PREFIX.len();

/// A tenant's name: a DNS label of at most [`MAX_TENANT_NAME`] characters.
///
/// The name is never cut or hashed, so two tenants can never share a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantName(String);

/// Why a string is not a tenant's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTenantName {
    /// Empty or longer than [`MAX_TENANT_NAME`].
    #[error("a tenant's name has 1 to {MAX_TENANT_NAME} characters, this one has {0}")]
    Length(usize),
    /// Contains something other than a-z, 0-9 and inner hyphens.
    #[error("a tenant's name consists of a-z, 0-9 and '-', and begins and ends with a letter or digit")]
    Characters,
}

impl TenantName {
    /// Parses a tenant's name.
    pub fn parse(text: &str) -> Result<Self, InvalidTenantName> {
        if text.is_empty() || text.len() > MAX_TENANT_NAME {
            return Err(InvalidTenantName::Length(text.chars().count()));
        }
        let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let bytes = text.as_bytes();
        if !bytes.iter().copied().all(inner) || bytes[0] == b'-' || bytes[bytes.len() - 1] == b'-' {
            return Err(InvalidTenantName::Characters);
        }
        Ok(Self(text.to_owned()))
    }

    /// The tenant whose namespace this is, if it is a tenant's namespace by its name.
    pub fn of_namespace(namespace: &str) -> Option<Self> {
        Self::parse(namespace.strip_prefix(NAMESPACE_PREFIX)?).ok()
    }

    /// The namespace that belongs to this tenant.
    pub fn namespace(&self) -> String {
        format!("{NAMESPACE_PREFIX}{}", self.0)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_what_is_not_a_label() {
        for bad in ["-a", "a-", "A", "a_b", "a.b", "ä", "a b", "а"] {
            assert_eq!(TenantName::parse(bad), Err(InvalidTenantName::Characters), "{bad:?}");
        }
        assert_eq!(TenantName::parse(""), Err(InvalidTenantName::Length(0)));
        let long = "a".repeat(MAX_TENANT_NAME + 1);
        assert_eq!(
            TenantName::parse(&long),
            Err(InvalidTenantName::Length(MAX_TENANT_NAME + 1))
        );
    }

    #[test]
    fn a_million_hostile_names_share_no_namespace() {
        // Long shared prefixes that differ in the last characters only: what breaks mappings that cut and hash.
        let mut seen = HashMap::with_capacity(1_000_000);
        let prefix = "a".repeat(MAX_TENANT_NAME - 5);
        for n in 0..1_000_000_u32 {
            let name = TenantName::parse(&format!("{prefix}{n:05x}")).expect("a label");
            let namespace = name.namespace();
            assert!(namespace.len() <= 63);
            assert_eq!(seen.insert(namespace, n), None);
        }
    }

    proptest! {
        #[test]
        fn namespace_and_name_are_a_bijection(name in "[a-z0-9]([-a-z0-9]{0,54}[a-z0-9])?") {
            let name = TenantName::parse(&name).expect("a label");
            prop_assert_eq!(TenantName::of_namespace(&name.namespace()), Some(name));
        }

        #[test]
        fn whatever_parses_maps_back(text in "\\PC{0,70}") {
            if let Ok(name) = TenantName::parse(&text) {
                prop_assert_eq!(name.as_str(), &text);
                prop_assert_eq!(TenantName::of_namespace(&name.namespace()), Some(name));
            }
        }
    }
}
