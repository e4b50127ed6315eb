//! A device that a person let in (RFC 8628, section 3.4).

use super::code::told;
use resource_server::check::Binding;

use crate::{
    app::AppState,
    auth::authorization::Parameters,
    routes::oauth::{error::OAuthError, form::field},
    service::{
        client_proof::Proved,
        grants::tokens::{self, Asking, Tokens},
    },
};

/// Tokens for the device.
pub(super) async fn ask(
    state: &AppState,
    client: &Proved,
    form: &Parameters,
    binding: Option<Binding>,
    request_id: &str,
) -> Result<Tokens, OAuthError> {
    let asking = Asking {
        client,
        device_code: field(form, "device_code")?,
        binding,
        request_id,
    };
    let made = tokens::of_device(state.tokens(), asking, state.clock.now()).await;
    told(state, made).await
}
