//! A token for other tokens (RFC 8693).

use jiff::Timestamp;
use resource_server::check::Binding;

use crate::{
    app::AppState,
    auth::{authorization::Parameters, token::Token},
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
    for name in ["subject_token_type", "requested_token_type", "actor_token_type"] {
        if form.get(name).is_some_and(|kind| kind != ACCESS_TOKEN) {
            return Err(OAuthError::new(
                "invalid_request",
                format!("{name}: write {ACCESS_TOKEN}"),
            ));
        }
    }
    field(form, "subject_token_type")?;
    for_us(form, "audience", &state.issuer)?;
    let subject = judged(state, field(form, "subject_token")?, beside.binding.as_ref(), now).await?;
    let Some(Token::Grant(subject)) = subject else {
        return Err(Refused::Unproven.into());
    };
    let actor = match form.get("actor_token") {
        Some(text) => {
            field(form, "actor_token_type")?;
            match judged(state, text, beside.binding.as_ref(), now).await? {
                Some(Token::Agent(agent)) => Some(agent),
                _ => return Err(Refused::Unproven.into()),
            }
        }
        None => None,
    };
    let proved = match actor {
        Some(_) => None,
        None => Some(client::proved(state, beside.headers, form, now).await?),
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
