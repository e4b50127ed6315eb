//! `GET /openapi.json`: this description.

use axum::response::IntoResponse;

use crate::router;

/// Read the description of this API.
#[utoipa::path(
    get,
    path = "/openapi.json",
    responses((status = 200, description = "OpenAPI 3.1.", body = Object)),
    security(())
)]
pub async fn openapi() -> impl IntoResponse {
    axum::Json(router::document())
}
