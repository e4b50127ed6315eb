//! `DELETE /v1/me`.

use axum::{
    extract::State,
    http::StatusCode,
    response::{AppendHeaders, IntoResponse},
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    http::{
        caller::Person,
        error::{ApiError, Problem},
        json::Json,
        request_id::RequestId,
    },
    routes::{me::password, sessions::cookies, tenants::members},
    service::{
        farewell::{self, Refused},
        members::By,
    },
};

#[cfg(test)]
mod tests;

/// What shows that the account's owner wants it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccountDeletion)]
pub struct Farewell {
    /// The account's password, if it has one.
    #[schema(example = "a long password of your own", format = Password, max_length = 1024)]
    current_password: Option<String>,
}

impl std::fmt::Debug for Farewell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Farewell").finish_non_exhaustive()
    }
}

/// Delete my account.
///
/// Every tenant is left, the tenant of one's own ends with everything that runs there, all logins and API keys end, those made for a tenant too, and address, name, password and second
/// factor are erased. What others may read of what was done names an id that says nothing. The address can open another account.
#[utoipa::path(
    delete,
    path = "/v1/me",
    tag = "people",
    request_body = Farewell,
    responses(
        (status = 204, description = "The account is gone."),
        (status = 409, description = "A tenant would have no owner (`last_owner`); the message names it.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("session" = []))
)]
pub async fn delete(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Person(login): Person,
    Json(given): Json<Farewell>,
) -> Result<impl IntoResponse, ApiError> {
    let place = state.accounts_place();
    password::proved(&state, &login, given.current_password).await?;
    let by = By::person(login.overseer(), &request_id);
    farewell::delete(place, by, state.clock.now()).await.map_err(refused)?;
    state.bell.ring();
    Ok((StatusCode::NO_CONTENT, AppendHeaders(cookies(&state, None, None))))
}

fn refused(why: Refused) -> ApiError {
    match why {
        Refused::LastOwner(tenants) => ApiError::Conflict {
            code: "last_owner",
            message: format!(
                "make somebody else an owner of {}, or end it, and ask again",
                tenants.join(", ")
            ),
        },
        Refused::Members(error) => members::refused(error),
        Refused::Store(error) => error.into(),
    }
}
