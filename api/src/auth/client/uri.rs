//! URIs of clients: where a person's browser is sent back to, and what we fetch.

use url::{Host, Url};

use crate::auth::client::values::ApplicationType;

/// The longest URI, in bytes.
const LONGEST: usize = 2000;

/// Checks where a browser may be sent back to (RFC 6749, section 3.1.2; RFC 9700, section 2.1; RFC 8252, section 7). It is compared as it stands,
/// so it is written as every reader reads it.
pub fn check_redirect(text: &str, application_type: ApplicationType) -> Result<(), String> {
    let url = read(text)?;
    match (url.scheme(), application_type) {
        ("https", _) => Ok(()),
        ("http", ApplicationType::Native) if is_loopback(&url) => Ok(()),
        ("http", ApplicationType::Native) => {
            Err("http is for 127.0.0.1, [::1] and localhost only: write https".to_owned())
        }
        ("http", ApplicationType::Web) => Err(
            "write https; http to a loopback address is for the application_type native".to_owned(),
        ),
        // A domain name in reverse is somebody's: nobody else may well register it (RFC 8252, section 7.1).
        (scheme, ApplicationType::Native) if scheme.contains('.') && url.path().starts_with('/') && !url.has_authority() => Ok(()),
        (_, ApplicationType::Native) => Err(
            "write https, http to a loopback address, or a scheme that is your domain name in reverse, as com.example.app:/callback"
                .to_owned(),
        ),
        (_, ApplicationType::Web) => Err("write https".to_owned()),
    }
}

/// Checks what we are to fetch. Whether its address is one that we go to is seen when it is fetched.
pub fn check_fetched(text: &str) -> Result<(), String> {
    let url = read(text)?;
    match url.host() {
        Some(Host::Domain(name)) if url.scheme() == "https" && name != "localhost" => Ok(()),
        _ => Err("write https and the name of a host, as https://example.com/jwks.json".to_owned()),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.octets() == [127, 0, 0, 1],
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// An absolute URI in its one spelling, with nothing in it that is not meant for a server.
fn read(text: &str) -> Result<Url, String> {
    if text.len() > LONGEST {
        return Err(format!("write at most {LONGEST} characters"));
    }
    let url = Url::parse(text).map_err(|_| format!("{text:?} is no absolute URI"))?;
    if url.fragment().is_some() {
        return Err("leave out the fragment, from the # on".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("leave out the user name and the password".to_owned());
    }
    if url.host_str().is_some_and(|host| host.contains('*')) {
        return Err("there are no wildcards: write each URI".to_owned());
    }
    // Without a path it has two spellings that mean the same, and both are in use.
    let bare = url
        .as_str()
        .strip_suffix('/')
        .filter(|_| url.path() == "/" && url.query().is_none());
    if url.as_str() != text && bare != Some(text) {
        return Err(format!("write it as {url}"));
    }
    Ok(url)
}
