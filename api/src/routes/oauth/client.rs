//! Which client a request says that it is from (RFC 6749, section 2.3.1; RFC 7523, section 2.2), and whether it is.

use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;

use crate::{
    app::AppState,
    auth::{
        authorization::Parameters,
        client::assertion::{self, TYPE},
    },
    routes::oauth::{error::OAuthError, floor, form},
    service::client_proof::{Proved, Shown, Where},
};

/// The client, if what it shows proves it.
pub async fn proved(
    state: &AppState,
    headers: &HeaderMap,
    form: &Parameters,
    now: Timestamp,
) -> Result<Proved, OAuthError> {
    let shown = shown(headers, form)?;
    let proved = async {
        let proved = state.clients().prove(&shown, now).await?;
        proved.ok_or_else(OAuthError::client)
    };
    floor::even(proved).await
}

/// The same where nobody needs to be a client: who shows what proves one is judged by it all the same (RFC 7523, section 3.1).
pub async fn proved_if_shown(
    state: &AppState,
    headers: &HeaderMap,
    form: &Parameters,
    now: Timestamp,
) -> Result<Option<Proved>, OAuthError> {
    let shows = ["client_secret", "client_assertion", "client_assertion_type"];
    if headers.contains_key(header::AUTHORIZATION) || shows.iter().any(|name| form.contains_key(*name)) {
        return proved(state, headers, form, now).await.map(Some);
    }
    Ok(None)
}

/// Which client a request says that it is from, without a look at whether it is.
pub fn named(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let form = form::parameters(body).ok()?;
    match read(headers, &form).ok()? {
        Shown::Name(client_id) | Shown::Secret(client_id, ..) => Some(client_id),
        Shown::Assertion(text) => assertion::read(&text).map(|read| read.client_id),
    }
}

/// What the client shows: in one way and in no other. What nobody can be called is nobody (RFC 6749, appendix A.1).
fn shown(headers: &HeaderMap, form: &Parameters) -> Result<Shown, OAuthError> {
    let shown = read(headers, form)?;
    let named = match &shown {
        Shown::Name(client_id) | Shown::Secret(client_id, ..) => client_id.bytes().all(|b| matches!(b, 0x20..=0x7e)),
        Shown::Assertion(_) => true,
    };
    if named { Ok(shown) } else { Err(OAuthError::client()) }
}

fn read(headers: &HeaderMap, form: &Parameters) -> Result<Shown, OAuthError> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (first, second) = (all.next(), all.next());
    let named = form.get("client_id");
    let secret = form.get("client_secret");
    let asserted = match (form.get("client_assertion_type"), form.get("client_assertion")) {
        (None, None) => None,
        (Some(type_), Some(text)) if type_ == TYPE => Some(text),
        _ => return Err(OAuthError::client()),
    };
    match (first, secret, asserted) {
        (None, None, None) => Ok(Shown::Name(named.ok_or_else(OAuthError::client)?.clone())),
        (None, Some(secret), None) => {
            let client_id = named.ok_or_else(OAuthError::client)?;
            Ok(Shown::Secret(client_id.clone(), secret.clone(), Where::Body))
        }
        (None, None, Some(text)) => {
            // Whoever names themselves besides is who the assertion says (RFC 7521, section 4.2).
            let is_named = |named: &String| assertion::read(text).is_some_and(|read| read.client_id == *named);
            if named.is_none_or(is_named) {
                Ok(Shown::Assertion(text.clone()))
            } else {
                Err(OAuthError::client())
            }
        }
        (Some(value), None, None) if second.is_none() => {
            let (client_id, secret) = value.to_str().ok().and_then(basic).ok_or_else(OAuthError::client)?;
            if named.is_some_and(|named| *named != client_id) {
                return Err(OAuthError::client());
            }
            Ok(Shown::Secret(client_id, secret, Where::Header))
        }
        _ => Err(OAuthError::client()),
    }
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

    fn of(authorization: &[&str], form: &[(&str, &str)]) -> Option<Shown> {
        let mut headers = HeaderMap::new();
        for value in authorization {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        let form = form
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        shown(&headers, &form).ok()
    }

    fn basic_of(credentials: &str) -> String {
        format!("Basic {}", STANDARD.encode(credentials))
    }

    #[test]
    fn a_client_is_named_in_one_place() {
        let in_header = |id: &str, secret: &str| Some(Shown::Secret(id.to_owned(), secret.to_owned(), Where::Header));
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
            Some(Shown::Secret("a".to_owned(), "b".to_owned(), Where::Body))
        );
        assert_eq!(of(&[], &[("client_id", "a")]), Some(Shown::Name("a".to_owned())));
        // {"iss":"a"}, which nobody signed.
        let text = "e30.eyJpc3MiOiJhIn0.AA";
        let asserted = [("client_assertion_type", TYPE), ("client_assertion", text)];
        assert_eq!(of(&[], &asserted), Some(Shown::Assertion(text.to_owned())));
        let named = [asserted.as_slice(), &[("client_id", "a")]].concat();
        assert_eq!(of(&[], &named), Some(Shown::Assertion(text.to_owned())));

        let both = [("client_id", "a"), ("client_secret", "b")];
        for (authorization, form) in [
            (vec![], vec![]),
            (vec![], vec![("client_secret", "b")]),
            (vec![header.as_str()], both.to_vec()),
            (vec![header.as_str()], vec![("client_id", "c")]),
            (vec![header.as_str(), header.as_str()], vec![]),
            (vec![header.as_str()], vec![("client_assertion", "x.y.z")]),
            (vec![header.as_str()], asserted.to_vec()),
            (vec![], [asserted.as_slice(), &[("client_id", "b")]].concat()),
            (vec![], [asserted.as_slice(), &both].concat()),
            (vec![], vec![("client_assertion_type", TYPE)]),
            (vec![], vec![("client_assertion", text)]),
            (
                vec![],
                vec![("client_assertion_type", "other"), ("client_assertion", text)],
            ),
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
