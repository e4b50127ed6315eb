//! A token for other tokens (RFC 8693).

use jiff::Timestamp;
use resource_server::check::Binding;

use crate::{
    app::AppState,
    auth::{authorization::Parameters, legacy::Legacy, token::Token},
    http::caller::Caller,
    routes::oauth::{
        client,
        error::OAuthError,
        form::{field, for_us},
        shown,
    },
    service::{
        exchange::{self, Asked, By},
        grants::tokens::Refused,
        tokens::Issued,
    },
};

/// The one kind of token that is taken and given (section 3).
pub(super) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The kind of token that the system before signed (section 3).
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// What is asked beside the form.
pub(super) struct Beside<'a> {
    pub(super) headers: &'a axum::http::HeaderMap,
    pub(super) form: &'a Parameters,
    pub(super) scopes: Option<Vec<&'a str>>,
    pub(super) binding: Option<Binding>,
    pub(super) request_id: &'a str,
}

/// A token of the agent or the client that asks.
pub(super) async fn exchange(state: &AppState, beside: Beside<'_>, now: Timestamp) -> Result<Issued, OAuthError> {
    let form = beside.form;
    if let Some(legacy) = &state.legacy
        && form.get("subject_token_type").is_some_and(|kind| kind == JWT)
    {
        return of_legacy(state, legacy, beside, now).await;
    }
    are_access_tokens(
        form,
        &["subject_token_type", "requested_token_type", "actor_token_type"],
    )?;
    field(form, "subject_token_type")?;
    for_us(form, "audience", &state.issuer)?;
    let acting = form.get("actor_token");
    // An agent's own token is all that it needs.
    let proved = match acting {
        Some(_) => client::proved_if_shown(state, beside.headers, form, now).await?,
        None if form.contains_key("actor_token_type") => {
            return Err(OAuthError::new(
                "invalid_request",
                "actor_token_type: leave it out without an actor_token",
            ));
        }
        None => Some(client::proved(state, beside.headers, form, now).await?),
    };
    let subject = judged(state, field(form, "subject_token")?, beside.binding.as_ref(), now).await?;
    let Some(Token::Grant(subject)) = subject else {
        return Err(Refused::Subject.into());
    };
    let actor = match acting {
        Some(text) => {
            field(form, "actor_token_type")?;
            match judged(state, text, beside.binding.as_ref(), now).await? {
                Some(Token::Agent(agent)) => Some(agent),
                _ => return Err(Refused::Subject.into()),
            }
        }
        None => None,
    };
    let by = match (&actor, &proved) {
        (Some(agent), _) => By::Agent(agent),
        (None, Some(client)) => By::Client(client),
        (None, None) => return Err(OAuthError::client()),
    };
    let asked = Asked {
        subject: &subject,
        by,
        scopes: beside.scopes,
        binding: beside.binding,
        request_id: beside.request_id,
    };
    Ok(exchange::exchange(state.tokens(), asked, now).await?)
}

/// Each of these fields, if it is there, names the one kind.
fn are_access_tokens(form: &Parameters, names: &[&str]) -> Result<(), OAuthError> {
    let is_other = |name: &&&str| form.get(**name).is_some_and(|kind| kind != ACCESS_TOKEN);
    match names.iter().find(is_other) {
        None => Ok(()),
        Some(name) => Err(OAuthError::new(
            "invalid_request",
            format!("{name}: write {ACCESS_TOKEN}"),
        )),
    }
}

/// A token for one of the system before, to a client alone.
async fn of_legacy(
    state: &AppState,
    legacy: &Legacy,
    beside: Beside<'_>,
    now: Timestamp,
) -> Result<Issued, OAuthError> {
    let form = beside.form;
    are_access_tokens(form, &["requested_token_type"])?;
    if form.contains_key("actor_token") {
        return Err(OAuthError::new(
            "invalid_request",
            "actor_token: leave it out: nobody acts by a token of the system before but the client",
        ));
    }
    for_us(form, "audience", &state.issuer)?;
    let client = client::proved(state, beside.headers, form, now).await?;
    let said = legacy
        .read(field(form, "subject_token")?, now)
        .ok_or(Refused::Subject)?;
    let asked = exchange::legacy::Asked {
        issuer: &legacy.issuer,
        said: &said,
        client: &client,
        scopes: beside.scopes,
        binding: beside.binding,
        request_id: beside.request_id,
    };
    Ok(exchange::legacy::exchange(state.tokens(), asked, now).await?)
}

/// The token that it is, if it is in force. One that is bound to a key counts with a proof of that, as everywhere.
async fn judged(
    state: &AppState,
    text: &str,
    binding: Option<&Binding>,
    now: Timestamp,
) -> Result<Option<Token>, OAuthError> {
    let Some(read) = shown::read(state, text, now) else {
        return Ok(None);
    };
    if read.jkt.is_some() && read.jkt.as_ref() != binding.map(|binding| &binding.jkt) {
        return Ok(None);
    }
    let stands = Caller::of(read.token.clone()).stands(state).await?;
    Ok(stands.then_some(read.token))
}
