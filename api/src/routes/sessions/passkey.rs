//! `POST /v1/sessions/passkey`: the second half of a login.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};

use crate::{
    app::AppState,
    auth::webauthn,
    http::{
        error::{ApiError, LoginRefused, Problem},
        json::Json,
        passkey::{self, PasskeyAssertion},
        request_id::RequestId,
    },
    routes::sessions::{self, NewSession},
    service::passkeys::{self, Refused, Shown},
};

/// Log in with a passkey.
///
/// After the password: `POST /v1/sessions` answers `second_factor_required` with `passkey`, which goes into
/// `PublicKeyCredential.parseRequestOptionsFromJSON`; what `toJSON` of the browser's credential gives is sent here within five minutes. The
/// answer is that of `POST /v1/sessions`.
#[utoipa::path(
    post,
    path = "/v1/sessions/passkey",
    tag = "people",
    request_body = PasskeyAssertion,
    responses(
        (status = 201, description = "Logged in.", body = NewSession),
        (status = 401, description = "It answers no challenge of ours that is open, or is not the passkey that was asked for (`invalid_passkey`).", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The service's address has a number in place of a name (`passkeys_unavailable`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(())
)]
pub async fn create(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    headers: HeaderMap,
    Json(shown): Json<PasskeyAssertion>,
) -> Result<impl IntoResponse, ApiError> {
    let party = passkey::party(&state)?;
    let said = &shown.response;
    let shown = Shown {
        credential_id: &shown.id.0,
        user: said.user_handle.as_ref().map(|handle| &handle.0[..]),
        answer: webauthn::Answer {
            authenticator_data: &said.authenticator_data.0,
            client_data: &said.client_data_json.0,
            signature: &said.signature.0,
        },
    };
    let entry = sessions::entry(&state, &headers, "password", &request_id);
    let done = passkeys::login(sessions::judge(&state), party, shown, entry, state.clock.now())
        .await
        .map_err(refused)?;
    let body = sessions::logged_in(&state, &done.opened, &done.device);
    Ok((StatusCode::CREATED, body))
}

/// All that is not the right passkey is answered alike.
fn refused(why: Refused) -> ApiError {
    match why {
        Refused::Store(error) => error.into(),
        Refused::Challenge | Refused::Unbelieved(_) | Refused::Unknown | Refused::Known | Refused::Full => {
            ApiError::Login(LoginRefused::Passkey)
        }
    }
}
