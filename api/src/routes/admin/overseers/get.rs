//! `GET /v1/admin/overseers/{overseer}`.

use axum::extract::{Path, State};

use crate::{
    app::AppState,
    http::{caller::Admin, error::ApiError, parse},
    routes::admin::overseers::Overseer,
    store::accounts,
};

/// See a person.
///
/// For those who run the platform.
#[utoipa::path(
    get,
    path = "/v1/admin/overseers/{overseer}",
    tag = "admin",
    params(("overseer" = String, Path, format = "uuid", description = "The person.")),
    responses((status = 200, description = "The person.", body = Overseer)),
    security(("session" = []))
)]
pub async fn get(
    State(state): State<AppState>,
    _: Admin,
    Path(overseer): Path<String>,
) -> Result<axum::Json<Overseer>, ApiError> {
    let id = parse::id("overseer", &overseer)?;
    let mut tx = state.database.platform().await?;
    let person = accounts::find(&mut tx, id).await?.ok_or(ApiError::NotFound)?;
    Ok(axum::Json(Overseer::from(person)))
}
