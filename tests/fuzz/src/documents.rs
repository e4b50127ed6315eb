//! What clients say of themselves, and where that is fetched: a name leads into the internet or is none, and whoever describes themselves gets
//! nothing without a person.

use std::net::IpAddr;

use api::auth::{
    client::{Metadata, check_fetched, document, registration, values::GrantType},
    public_address::is_public,
};
use url::{Host, Url};

const NAME: &str = "https://app.example/client.json";

/// A document, or a name, or an address.
pub fn run(data: &[u8]) {
    if let Some(read) = document::read(NAME, data) {
        is_modest(&read);
    }
    if let Ok(read) = registration::read(data) {
        is_modest(&read);
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if document::is_name(text) || check_fetched(text).is_ok() {
        let url = Url::parse(text).expect("it is an address");
        assert_eq!(url.scheme(), "https");
        assert!(
            matches!(url.host(), Some(Host::Domain(name)) if name != "localhost"),
            "{text}"
        );
        assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
        assert_eq!(
            url.as_str().trim_end_matches('/'),
            text.trim_end_matches('/'),
            "one spelling"
        );
    }
    if let Ok(address) = text.trim().parse::<IpAddr>() {
        let inside = match address.to_canonical() {
            IpAddr::V4(v4) => {
                v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified() || v4.is_multicast()
            }
            IpAddr::V6(v6) => {
                v6.is_loopback()
                    || v6.is_unspecified()
                    || v6.is_multicast()
                    || v6.is_unique_local()
                    || v6.is_unicast_link_local()
            }
        };
        assert!(!(inside && is_public(address)), "{address}");
    }
}

fn is_modest(metadata: &Metadata) {
    let people = [
        GrantType::AuthorizationCode,
        GrantType::RefreshToken,
        GrantType::DeviceCode,
    ];
    assert!(metadata.grant_types.iter().all(|grant| people.contains(grant)));
    for uri in &metadata.redirect_uris {
        let url = Url::parse(uri).expect("it is an address");
        assert!(
            !matches!(url.scheme(), "javascript" | "data" | "file") && url.fragment().is_none(),
            "{uri}"
        );
    }
}
