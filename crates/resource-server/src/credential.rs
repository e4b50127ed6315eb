//! What a request shows of who sends it: the token of `Authorization`, and the proof beside it.

use http::{HeaderMap, HeaderName, header};

/// The header of a proof of possession (RFC 9449, section 4.1).
pub const DPOP: HeaderName = HeaderName::from_static("dpop");

/// A token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    /// None.
    Nothing,
    /// One that counts for itself (RFC 6750, section 2.1).
    Plain(&'a str),
    /// One that counts with a proof of possession (RFC 9449, section 7.1).
    Bound(&'a str),
}

/// There are several, or one that nothing is known of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("send one header of it")]
pub struct NotOne;

/// The token of the one `Authorization` header. Schemes compare without case (RFC 9110, section 11.1).
pub fn authorization(headers: &HeaderMap) -> Result<Credential<'_>, NotOne> {
    let Some(value) = one(headers, &header::AUTHORIZATION)? else {
        return Ok(Credential::Nothing);
    };
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Credential::Plain(token)),
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("dpop") => Ok(Credential::Bound(token)),
        _ => Err(NotOne),
    }
}

/// The text of a header that comes once, if it comes.
pub fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, NotOne> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| NotOne),
        (Some(_), Some(_)) => Err(NotOne),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Result<Option<(bool, String)>, NotOne> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        authorization(&headers).map(|shown| match shown {
            Credential::Nothing => None,
            Credential::Plain(token) => Some((false, token.to_owned())),
            Credential::Bound(token) => Some((true, token.to_owned())),
        })
    }

    #[test]
    fn one_token_is_shown_in_one_of_two_ways() {
        assert_eq!(of(&[]), Ok(None));
        for (value, bound) in [
            ("Bearer t", false),
            ("bEARER t", false),
            ("DPoP t", true),
            ("dpop t", true),
        ] {
            assert_eq!(of(&[value]), Ok(Some((bound, "t".to_owned()))), "{value}");
        }
        for values in [
            ["Bearer t", "Bearer t"].as_slice(),
            &["Basic t"],
            &["Bearer"],
            &["t"],
            &[""],
        ] {
            assert_eq!(of(values), Err(NotOne), "{values:?}");
        }
    }
}
