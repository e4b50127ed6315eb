//! `POST /v1/me/passkeys`.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::AppState,
    http::{
        caller::{Login, Person},
        error::{ApiError, Problem},
        once::{IdempotencyKey, Once},
        parse,
        passkey::{self, PasskeyRegistration},
        request_id::RequestId,
    },
    routes::me::{
        passkeys::{Passkey, refused},
        password,
    },
    service::passkeys::{self, New, Place},
    store::PlatformTransaction,
};

/// A passkey that the browser has made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasskeyWanted)]
pub struct Wanted {
    /// What to call it.
    #[schema(example = "laptop", min_length = 1, max_length = 100)]
    pub(in crate::routes) name: String,
    /// What `toJSON` of the browser's credential gives.
    pub(in crate::routes) credential: PasskeyRegistration,
    /// The account's password, if it has one.
    #[schema(example = "a long password of your own", format = Password, max_length = 1024)]
    pub(in crate::routes) current_password: Option<String>,
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wanted").finish_non_exhaustive()
    }
}

/// A new passkey.
#[derive(Serialize, ToSchema)]
#[schema(as = NewPasskey)]
pub struct Made {
    /// The passkey.
    passkey: Passkey,
    /// With the person's first second factor: ten codes, each of which counts once in place of it. They are shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(["mzxw-6ytb-oi2a-bcde"]))]
    pub(in crate::routes) recovery_codes: Option<Vec<String>>,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Made").finish_non_exhaustive()
    }
}

/// Add a passkey.
///
/// From then on a login with the password needs it, or another second factor, besides: `POST /v1/sessions` tells what to ask the browser for, and
/// `POST /v1/sessions/passkey` takes its answer. It is not asked who made the authenticator.
#[utoipa::path(
    post,
    path = "/v1/me/passkeys",
    tag = "people",
    params(IdempotencyKey),
    request_body = Wanted,
    responses(
        (status = 201, description = "Logins need a second factor from now on.", body = Made),
        (status = 409, description = "The passkey is known already (`passkey_exists`), the account has twenty (`too_many_passkeys`), or the service's address has a number in place of a name (`passkeys_unavailable`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("session" = []))
)]
pub async fn create(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Person(login): Person,
    Once { body: wanted, claim }: Once<Wanted>,
) -> Result<Response, ApiError> {
    let (tx, made) = make(&state, &request_id, &login, wanted).await?;
    claim.commit(tx, StatusCode::CREATED, &made).await
}

/// Makes it, in a transaction that is still to be stored.
pub async fn make(
    state: &AppState,
    request_id: &str,
    login: &Login,
    wanted: Wanted,
) -> Result<(PlatformTransaction, Made), ApiError> {
    let place = Place {
        database: &state.database,
        party: passkey::party(state)?,
    };
    let shown = &wanted.credential.response;
    let new = New {
        name: parse::name("name", &wanted.name)?,
        client_data: &shown.client_data_json.0,
        attestation: &shown.attestation_object.0,
    };
    password::proved(state, login, wanted.current_password).await?;
    let (tx, made, recovery_codes) = passkeys::create(place, login.overseer(), new, request_id, state.clock.now())
        .await
        .map_err(refused)?;
    let passkey = Passkey::from(made);
    let made = Made {
        passkey,
        recovery_codes,
    };
    Ok((tx, made))
}
