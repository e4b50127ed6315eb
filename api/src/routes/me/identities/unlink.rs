//! `DELETE /v1/me/identities/{identity}`.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};

use crate::{
    app::AppState,
    http::{
        caller::Person,
        error::{ApiError, Problem},
        parse,
        request_id::RequestId,
    },
    routes::me::identities::refused,
    service::{members::By, outside},
};

/// Take an identity from my account.
///
/// Its tokens are yours no longer; the next one opens another account.
#[utoipa::path(
    delete,
    path = "/v1/me/identities/{identity}",
    tag = "people",
    params(("identity" = String, Path, format = "uuid", description = "The identity's id.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 409, description = "Nothing else proves who you are (`last_proof`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("session" = []))
)]
pub async fn unlink(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Person(login): Person,
    Path(identity): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id = parse::id("identity", &identity)?;
    let by = By::person(login.overseer(), &request_id);
    outside::unlink(&state.database, &state.issuers, id, by, state.clock.now())
        .await
        .map_err(refused)?;
    Ok(StatusCode::NO_CONTENT)
}
