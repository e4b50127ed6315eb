//! `GET /openapi.json`: this description.

use std::sync::LazyLock;

use axum::{http::header, response::IntoResponse};

use crate::router;

/// Read the description of this API.
#[utoipa::path(
    get,
    path = "/openapi.json",
    responses((status = 200, description = "OpenAPI 3.1.", body = Object)),
    security(())
)]
pub async fn openapi() -> impl IntoResponse {
    // Made once: it is the same for everybody.
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| router::document().to_json().unwrap_or_default());
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}
