//! `GET /v1/me/api-keys`.

use axum::extract::State;

use crate::{
    app::AppState,
    http::{
        caller::Person,
        error::ApiError,
        query::{Paging, Query},
    },
    routes::tenants::api_keys::Keys,
};

/// List my API keys.
#[utoipa::path(
    get,
    path = "/v1/me/api-keys",
    tag = "people",
    params(Paging),
    responses((status = 200, description = "The keys, revoked ones among them.", body = Keys)),
    security(("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    Person(login): Person,
    Query(which): Query<Paging>,
) -> Result<axum::Json<Keys>, ApiError> {
    let mut tx = state.database.platform().await?;
    Ok(axum::Json(Keys::read(&mut tx, Some(login.overseer()), &which).await?))
}
