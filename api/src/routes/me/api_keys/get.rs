//! `GET /v1/me/api-keys/{key}`.

use axum::{
    extract::{Path, State},
    response::Response,
};

use crate::{
    app::AppState,
    http::{caller::Person, error::ApiError, parse},
    routes::tenants::api_keys::{self, Key},
};

/// See an API key of mine.
#[utoipa::path(
    get,
    path = "/v1/me/api-keys/{key}",
    tag = "people",
    params(
        ("key" = String, Path, format = "uuid", description = "The key's id.")
    ),
    responses((status = 200, description = "The key, without the secret.", body = Key, headers(("ETag" = String, description = "Its version, for `If-Match`.")))),
    security(("session" = []))
)]
pub async fn get(
    State(state): State<AppState>,
    Person(login): Person,
    Path(key): Path<String>,
) -> Result<Response, ApiError> {
    let id = parse::id("key", &key)?;
    let mut tx = state.database.platform().await?;
    api_keys::read(&mut tx, Some(login.overseer()), id).await
}
