//! `POST /v1/sign-ups/complete`: whoever got a link opens the account.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    config::SignUp,
    http::{
        error::{ApiError, Problem},
        json::Json,
        parse,
        request_id::RequestId,
    },
    routes::{
        sessions::{self, NewSession},
        sign_ups::begin::closed,
    },
    service::{
        login,
        sign_up::{self, Choice, Refused},
    },
};

/// What a person chooses.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAccount)]
pub struct Account {
    /// What stands in the link after the `#`: of a sign-up, or of an invitation to a tenant.
    #[schema(example = "FvAKd7FzQkGzFkUAoV6H1T2oG0sY0o1cQe9mA1cXh2E", max_length = 128)]
    pub(in crate::routes) token: String,
    /// The person's name: 1 to 100 characters.
    #[schema(example = "Ada Lovelace", min_length = 1, max_length = 100)]
    pub(in crate::routes) name: String,
    /// The password: 12 characters or more.
    #[schema(example = "a long password of your own", format = Password, min_length = 12, max_length = 1024)]
    password: String,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").finish_non_exhaustive()
    }
}

/// Open an account.
///
/// The person is logged in, and has a tenant of their own. Whoever comes by an invitation joins its tenant as well.
#[utoipa::path(
    post,
    path = "/v1/sign-ups/complete",
    tag = "people",
    request_body = Account,
    responses(
        (status = 201, description = "The account is open.", body = NewSession),
        (status = 409, description = "The link was used, has ended, or is none (`link_ended`), or no accounts are opened (`sign_up_closed`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(())
)]
pub async fn complete(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    headers: HeaderMap,
    Json(chosen): Json<Account>,
) -> Result<impl IntoResponse, ApiError> {
    if state.accounts.sign_up == SignUp::Off {
        return Err(closed());
    }
    let name = parse::name("name", &chosen.name)?.to_owned();
    let choice = Choice {
        name,
        password: chosen.password,
    };
    let entry = sessions::entry(&state, &headers, "sign_up", &request_id);
    let opened = sign_up::complete(state.accounts_place(), &chosen.token, choice, entry, state.clock.now())
        .await
        .map_err(refused)?;
    state.bell.ring();
    let device = login::device_cookie(&state.keys.device, opened.session.overseer)?;
    Ok((StatusCode::CREATED, sessions::logged_in(&state, &opened, &device)))
}

fn refused(why: Refused) -> ApiError {
    match why {
        Refused::Link => link_ended(),
        Refused::Password(error) => ApiError::invalid("password", error.to_string()),
        Refused::Hashing(error) => error.into(),
        Refused::Store(error) => error.into(),
    }
}

/// A link that is not good any more, or never was.
pub fn link_ended() -> ApiError {
    ApiError::Conflict {
        code: "link_ended",
        message: "this link was used, has ended or was never sent; ask for another".to_owned(),
    }
}
