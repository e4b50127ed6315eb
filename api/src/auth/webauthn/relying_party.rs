//! Whom passkeys are for (Web Authentication, section 5.1.3): a name in the DNS, and pages that may ask for them.

use url::{Host, Url};

/// The service, to browsers and authenticators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelyingParty {
    /// The host of the service's address.
    pub id: String,
    origins: Vec<String>,
}

impl RelyingParty {
    /// The one of a service at an address, with pages of these origins besides; none, where the address has no name: no
    /// passkey is for a number.
    pub fn new<'a>(address: &str, origins: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let url = Url::parse(address).ok()?;
        let Host::Domain(id) = url.host()? else {
            return None;
        };
        let own = url.origin().ascii_serialization();
        Some(Self {
            id: id.to_owned(),
            origins: origins.into_iter().map(str::to_owned).chain([own]).collect(),
        })
    }

    /// Whether a page of this origin may ask.
    pub fn has(&self, origin: &str) -> bool {
        self.origins.iter().any(|known| known == origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_are_for_the_host_and_come_from_its_pages_and_those_that_are_named() {
        let party = RelyingParty::new("https://pinfold.example:8443", ["https://console.pinfold.example"]).unwrap();
        assert_eq!(party.id, "pinfold.example");
        let origins = [
            ("https://pinfold.example:8443", true),
            ("https://console.pinfold.example", true),
            ("https://pinfold.example", false),
            ("http://pinfold.example:8443", false),
            ("https://evil.pinfold.example", false),
            ("https://pinfold.example:8443/", false),
        ];
        for (origin, wanted) in origins {
            assert_eq!(party.has(origin), wanted, "{origin}");
        }
    }

    #[test]
    fn a_number_is_no_name() {
        for (address, is_name) in [
            ("http://localhost:8080", true),
            ("http://127.0.0.1:8080", false),
            ("http://[::1]:8080", false),
        ] {
            assert_eq!(RelyingParty::new(address, []).is_some(), is_name, "{address}");
        }
    }
}
