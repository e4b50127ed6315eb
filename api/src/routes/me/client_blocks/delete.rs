//! `DELETE /v1/me/client-blocks/{block}`.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};

use super::named;
use crate::{
    app::AppState,
    http::{caller::Person, error::ApiError, parse, request_id::RequestId},
    service::{client_blocks, members::By},
    store::client_blocks as store,
};

/// Let an OAuth client in again.
///
/// What has ended stays ended; what I agreed to before is not asked about again.
#[utoipa::path(
    delete,
    path = "/v1/me/client-blocks/{block}",
    tag = "people",
    params(("block" = String, Path, format = "uuid", description = "The block.")),
    responses((status = 204, description = "It is let in.")),
    security(("session" = []))
)]
pub async fn delete(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Person(login): Person,
    Path(block): Path<String>,
) -> Result<StatusCode, ApiError> {
    let wanted = parse::id("block", &block)?;
    let blocks = store::of_person(state.database.pool(), login.overseer()).await?;
    let client_id = named(blocks, wanted)?;
    let by = By::person(login.overseer(), &request_id);
    let mut tx = state.database.platform().await?;
    if !client_blocks::unblock_for_person(&mut tx, &client_id, by, state.clock.now()).await? {
        return Err(ApiError::NotFound);
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
