//! `DELETE /v1/me/grants/{grant}`.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use domain::GrantId;

use crate::{
    app::AppState,
    http::{caller::Person, error::ApiError, parse, request_id::RequestId},
    service::grants::{self, Because},
    store::{audit::Actor, grants as store},
};

/// End an authorization of mine.
///
/// Every token that came of it is refused from its next request on. The consent stays: the client need not ask again.
#[utoipa::path(
    delete,
    path = "/v1/me/grants/{grant}",
    tag = "people",
    params(("grant" = String, Path, format = "uuid", description = "The authorization.")),
    responses((status = 204, description = "It has ended.")),
    security(("session" = []))
)]
pub async fn revoke(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Person(login): Person,
    Path(grant): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id: GrantId = parse::id("grant", &grant)?;
    let found = store::find_given(state.database.pool(), login.overseer(), id).await?;
    let tenant = found.ok_or(ApiError::NotFound)?;
    let mut tx = state.database.tenant(tenant).await?;
    let by = Actor::Overseer(login.overseer());
    if !grants::end(&mut tx, id, Because::Withdrawn, by, &request_id, state.clock.now()).await? {
        return Err(ApiError::NotFound);
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
