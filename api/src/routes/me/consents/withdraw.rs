//! `DELETE /v1/me/consents/{consent}`.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use domain::ConsentId;

use crate::{
    app::AppState,
    http::{caller::Person, error::ApiError, parse, request_id::RequestId},
    service::grants,
    store::consents,
};

/// Take back what I agreed to.
///
/// The client's tokens for that tenant are refused from their next request on, and it asks me again.
#[utoipa::path(
    delete,
    path = "/v1/me/consents/{consent}",
    tag = "people",
    params(("consent" = String, Path, format = "uuid", description = "The consent.")),
    responses((status = 204, description = "It is taken back.")),
    security(("session" = []))
)]
pub async fn withdraw(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Person(login): Person,
    Path(consent): Path<String>,
) -> Result<StatusCode, ApiError> {
    let id: ConsentId = parse::id("consent", &consent)?;
    let found = consents::find(state.database.pool(), login.overseer(), id).await?;
    let tenant = found.ok_or(ApiError::NotFound)?;
    let mut tx = state.database.tenant(tenant).await?;
    if !grants::withdraw(&mut tx, login.overseer(), id, &request_id, state.clock.now()).await? {
        return Err(ApiError::NotFound);
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
