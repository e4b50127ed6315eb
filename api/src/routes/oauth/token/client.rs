//! Which client a request to the token endpoint says that it is from (RFC 6749, section 2.3.1).

use std::collections::BTreeMap;

use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    routes::oauth::error::OAuthError,
    service::client_proof::{Shown, Where},
};

/// What the client shows: in the header or in the form, and not in both. What nobody can be called is nobody (RFC 6749, appendix A.1).
pub(super) fn shown(headers: &HeaderMap, form: &BTreeMap<String, String>) -> Result<Shown, OAuthError> {
    let shown = read(headers, form)?;
    let asserts = ["client_assertion", "client_assertion_type"]
        .iter()
        .any(|name| form.contains_key(*name));
    if !asserts && shown.client_id.bytes().all(|b| matches!(b, 0x20..=0x7e)) {
        Ok(shown)
    } else {
        Err(OAuthError::client())
    }
}

fn read(headers: &HeaderMap, form: &BTreeMap<String, String>) -> Result<Shown, OAuthError> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (first, second) = (all.next(), all.next());
    let named = form.get("client_id");
    let secret = form.get("client_secret");
    let Some(value) = first else {
        return Ok(Shown {
            client_id: named.ok_or_else(OAuthError::client)?.clone(),
            secret: secret.map(|secret| (secret.clone(), Where::Body)),
        });
    };
    let (client_id, shown) = value.to_str().ok().and_then(basic).ok_or_else(OAuthError::client)?;
    if second.is_some() || secret.is_some() || named.is_some_and(|named| *named != client_id) {
        return Err(OAuthError::client());
    }
    Ok(Shown {
        client_id,
        secret: Some((shown, Where::Header)),
    })
}

/// The two parts of the header, each of which is encoded as in a form.
fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, credentials) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    let (client_id, secret) = text.split_once(':')?;
    Some((decoded(client_id)?, decoded(secret)?))
}

/// A text that was encoded as in a form (RFC 6749, appendix B).
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high << 4 | low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(authorization: &[&str], form: &[(&str, &str)]) -> Option<(String, Option<(String, Where)>)> {
        let mut headers = HeaderMap::new();
        for value in authorization {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        let form = form
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        shown(&headers, &form).ok().map(|shown| (shown.client_id, shown.secret))
    }

    fn basic_of(credentials: &str) -> String {
        format!("Basic {}", STANDARD.encode(credentials))
    }

    #[test]
    fn a_client_is_named_in_one_place() {
        let in_header = |id: &str, secret: &str| Some((id.to_owned(), Some((secret.to_owned(), Where::Header))));
        let in_body = |secret: Option<&str>| {
            let secret = secret.map(|secret| (secret.to_owned(), Where::Body));
            Some(("a".to_owned(), secret))
        };
        let header = basic_of("a:b");
        assert_eq!(of(&[&header], &[]), in_header("a", "b"));
        assert_eq!(
            of(&[&header.replace("Basic", "bAsIc")], &[("client_id", "a")]),
            in_header("a", "b")
        );
        assert_eq!(of(&[&basic_of("a%3Ab+c:d%25:e")], &[]), in_header("a:b c", "d%:e"));
        assert_eq!(of(&[&basic_of("a:")], &[]), in_header("a", ""));
        assert_eq!(
            of(&[], &[("client_id", "a"), ("client_secret", "b")]),
            in_body(Some("b"))
        );
        assert_eq!(of(&[], &[("client_id", "a")]), in_body(None));

        let both = [("client_id", "a"), ("client_secret", "b")];
        for (authorization, form) in [
            (vec![], vec![]),
            (vec![], vec![("client_secret", "b")]),
            (vec![header.as_str()], both.to_vec()),
            (vec![header.as_str()], vec![("client_id", "c")]),
            (vec![header.as_str(), header.as_str()], vec![]),
            (vec![header.as_str()], vec![("client_assertion", "x.y.z")]),
            (vec![], [both.as_slice(), &[("client_assertion_type", "x")]].concat()),
            (vec!["Bearer token"], both.to_vec()),
            (vec!["Basic"], vec![]),
            (vec!["Basic !"], vec![]),
            (vec![&basic_of("a")], vec![]),
            (vec![&basic_of("a:%4")], vec![]),
            (vec![&basic_of("a:%zz")], vec![]),
            (vec![&basic_of("a:%+1")], vec![]),
            (vec![&basic_of("a:%ff")], vec![]),
            (vec![&basic_of("a%00:b")], vec![]),
            (vec![], vec![("client_id", "a\0"), ("client_secret", "b")]),
            (vec![], vec![("client_id", "ä"), ("client_secret", "b")]),
        ] {
            assert_eq!(of(&authorization, &form), None, "{authorization:?} {form:?}");
        }
    }
}
