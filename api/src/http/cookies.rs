//! Our cookies (RFC 6265).

use axum::http::{HeaderMap, HeaderValue, header};
use jiff::SignedDuration;

/// Whether cookies go over https only. Then their names begin with `__Host-`, which browsers accept from this host
/// only; on plain http, in development on loopback, they would refuse such a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cookies {
    /// Over https only.
    pub secure: bool,
}

/// A cookie of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    /// A login.
    Session,
    /// Somebody logged in from here before.
    Device,
}

impl Cookie {
    const fn name(self) -> &'static str {
        match self {
            Self::Session => "pinfold-session",
            Self::Device => "pinfold-device",
        }
    }
}

impl Cookies {
    fn name(self, cookie: Cookie) -> String {
        let prefix = if self.secure { "__Host-" } else { "" };
        format!("{prefix}{}", cookie.name())
    }

    /// The value that came; nothing if two came, for one of them is somebody else's.
    pub fn read(self, headers: &HeaderMap, cookie: Cookie) -> Option<&str> {
        let name = self.name(cookie);
        let mut found = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(given, _)| *given == name)
            .map(|(_, value)| value);
        match (found.next(), found.next()) {
            (Some(value), None) => Some(value),
            _ => None,
        }
    }

    /// The header that sets a cookie; without a value it takes the cookie away. `value` has no character that ends one.
    pub fn set(self, cookie: Cookie, value: Option<&str>, lifetime: SignedDuration) -> HeaderValue {
        let seconds = if value.is_some() { lifetime.as_secs() } else { 0 };
        let secure = if self.secure { "; Secure" } else { "" };
        let text = format!(
            "{}={}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}",
            self.name(cookie),
            value.unwrap_or_default()
        );
        // Base64url and names are always a header's value.
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(secure: bool, lines: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_static(line));
        }
        Cookies { secure }.read(&headers, Cookie::Session).map(str::to_owned)
    }

    #[test]
    fn one_cookie_of_the_name_is_read() {
        assert_eq!(
            read(true, &["a=b; __Host-pinfold-session=x; c=d"]),
            Some("x".to_owned())
        );
        assert_eq!(read(true, &["a=b", "__Host-pinfold-session=x"]), Some("x".to_owned()));
        assert_eq!(read(true, &["pinfold-session=x"]), None);
        assert_eq!(read(false, &["pinfold-session=x"]), Some("x".to_owned()));
        assert_eq!(
            read(true, &["__Host-pinfold-session=x; __Host-pinfold-session=y"]),
            None
        );
        assert_eq!(read(true, &["__Host-pinfold-session"]), None);
        assert_eq!(read(true, &[]), None);
    }

    #[test]
    fn a_cookie_stays_with_us_and_away_from_scripts() {
        let day = SignedDuration::from_hours(24);
        assert_eq!(
            Cookies { secure: true }.set(Cookie::Session, Some("x"), day),
            "__Host-pinfold-session=x; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(
            Cookies { secure: false }.set(Cookie::Device, None, day),
            "pinfold-device=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
        );
    }
}
