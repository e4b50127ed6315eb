//! `GET /v1/me`: who the token says one is.

use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{
    caller::Caller,
    error::{ApiError, Problem},
};

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// `agent`.
    #[schema(example = "agent")]
    kind: &'static str,
    /// The agent.
    id: String,
    /// Its tenant.
    tenant_id: String,
    /// Its owner.
    owner_id: String,
    /// The key that it proved.
    key_id: String,
    /// What the token may be used for.
    #[schema(example = json!(["self"]))]
    scopes: Vec<String>,
    /// The token's end (RFC 3339).
    expires_at: String,
}

/// Say who I am.
#[utoipa::path(
    get,
    path = "/v1/me",
    tag = "agents",
    responses(
        (status = 200, description = "The caller.", body = Me),
        (status = 401, description = "A valid access token is needed.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Come again.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("access_token" = []))
)]
pub async fn get(Caller(agent): Caller) -> Result<impl IntoResponse, ApiError> {
    let me = Me {
        kind: "agent",
        id: agent.agent.to_string(),
        tenant_id: agent.tenant.to_string(),
        owner_id: agent.owner.to_string(),
        key_id: agent.key.to_string(),
        scopes: agent.scopes,
        expires_at: agent.expires_at.to_string(),
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], axum::Json(me)))
}

#[cfg(test)]
mod tests;
