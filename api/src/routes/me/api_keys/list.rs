//! `GET /v1/me/api-keys`.

use axum::extract::State;

use crate::{
    app::AppState,
    http::{caller::Person, error::ApiError},
    routes::tenants::api_keys::Keys,
    store::api_keys,
};

/// List my API keys.
#[utoipa::path(
    get,
    path = "/v1/me/api-keys",
    tag = "people",
    responses((status = 200, description = "The keys, revoked ones among them.", body = Keys)),
    security(("session" = []))
)]
pub async fn list(State(state): State<AppState>, Person(login): Person) -> Result<axum::Json<Keys>, ApiError> {
    let mut tx = state.database.platform().await?;
    let found = api_keys::list(&mut tx, Some(login.overseer())).await?;
    Ok(axum::Json(Keys::from(found)))
}
