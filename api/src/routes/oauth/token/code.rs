//! A code that a person's browser brought (RFC 6749, section 4.1.3).

use resource_server::check::Binding;

use crate::{
    app::AppState,
    auth::authorization::Parameters,
    routes::oauth::{error::OAuthError, form::field},
    service::{
        client_proof::Proved,
        grants::tokens::{self, Brought, Refused, Tokens},
    },
};

/// Tokens for the code.
pub(super) async fn redeem(
    state: &AppState,
    client: &Proved,
    form: &Parameters,
    binding: Option<Binding>,
    request_id: &str,
) -> Result<Tokens, OAuthError> {
    let brought = Brought {
        client,
        code: field(form, "code")?,
        verifier: field(form, "code_verifier")?,
        redirect_uri: form.get("redirect_uri").map(String::as_str),
        binding,
        request_id,
    };
    let made = tokens::redeem(state.tokens(), brought, state.clock.now()).await;
    told(state, made).await
}

/// What ended meanwhile every replica knows before the answer leaves.
pub(super) async fn told(state: &AppState, made: Result<Tokens, Refused>) -> Result<Tokens, OAuthError> {
    if matches!(made, Err(Refused::Reused | Refused::Unproven)) {
        state.standing.catch_up().await;
    }
    Ok(made?)
}
