//! A refresh token (RFC 6749, section 6).

use super::code::told;
use resource_server::check::Binding;

use crate::{
    app::AppState,
    auth::authorization::Parameters,
    routes::oauth::{error::OAuthError, form::field},
    service::{
        client_proof::Proved,
        grants::tokens::{self, Refreshing, Tokens},
    },
};

/// Another access token.
pub(super) async fn refresh(
    state: &AppState,
    client: &Proved,
    form: &Parameters,
    scopes: Option<Vec<&str>>,
    binding: Option<Binding>,
    request_id: &str,
) -> Result<Tokens, OAuthError> {
    let asked = Refreshing {
        client,
        token: field(form, "refresh_token")?,
        scopes,
        binding,
        request_id,
    };
    let made = tokens::refresh(state.tokens(), asked, state.clock.now()).await;
    told(state, made).await
}
