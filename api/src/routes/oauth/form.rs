//! Parameters of requests of OAuth clients. Those without a value count as left out, and none may come twice (RFC 6749, section 3.1).

use std::collections::BTreeMap;

use axum::extract::Request;

use crate::{
    app::AppState,
    auth::authorization::{Parameters, RESOURCE},
    http::json,
    routes::oauth::error::OAuthError,
};

/// A parameter that comes twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twice(pub String);

impl From<Twice> for OAuthError {
    fn from(Twice(name): Twice) -> Self {
        // More than one is what RFC 8707, section 2 and RFC 8693, section 2.1 let clients ask for; there is one.
        if name == RESOURCE || name == "audience" {
            return Self::new("invalid_target", format!("{name}: ask for one at a time"));
        }
        Self::new("invalid_request", "a parameter comes twice; send each once")
    }
}

/// Reads what is written as a form, in a body or behind a `?`.
pub fn parameters(bytes: &[u8]) -> Result<Parameters, Twice> {
    let mut members = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(bytes) {
        if value.is_empty() {
            continue;
        }
        if members.insert(name.clone().into_owned(), value.into_owned()).is_some() {
            return Err(Twice(name.into_owned()));
        }
    }
    Ok(members)
}

/// The form of a request.
pub async fn read(request: Request, state: &AppState) -> Result<Parameters, OAuthError> {
    if !json::is_of_type(request.headers(), "application/x-www-form-urlencoded") {
        return Err(OAuthError::new(
            "invalid_request",
            "send a form with the header Content-Type: application/x-www-form-urlencoded",
        ));
    }
    if request.uri().query().is_some() {
        return Err(OAuthError::new(
            "invalid_request",
            "parameters go into the body, not into the URL",
        ));
    }
    let bytes = json::body(request, state).await?;
    Ok(parameters(&bytes)?)
}

/// A parameter that must be there.
pub fn field<'a>(form: &'a Parameters, name: &'static str) -> Result<&'a str, OAuthError> {
    form.get(name).map(String::as_str).ok_or_else(|| missing(name))
}

/// What is said of one that is not.
pub fn missing(name: &str) -> OAuthError {
    OAuthError::new("invalid_request", format!("{name} is missing"))
}

/// Refuses a request that is for another resource: there is one (RFC 8707, section 2).
pub fn for_us(form: &Parameters, name: &'static str, issuer: &str) -> Result<(), OAuthError> {
    if form
        .get(name)
        .is_some_and(|resource| resource.trim_end_matches('/') != issuer)
    {
        return Err(OAuthError::new(
            "invalid_target",
            format!("{name}: leave it out, or write {issuer}"),
        ));
    }
    Ok(())
}
