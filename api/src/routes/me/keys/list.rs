//! `GET /v1/me/keys`.

use axum::{extract::State, http::header, response::IntoResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    http::{caller::Agent, error::ApiError},
    routes::me::keys::Key,
    service::agent_keys,
    store::agent_keys::Key as Stored,
};

/// The caller's keys.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentKeys)]
pub struct Keys {
    /// The oldest first. There are few, so there is one page.
    keys: Vec<Key>,
}

impl From<Vec<Stored>> for Keys {
    fn from(keys: Vec<Stored>) -> Self {
        Self {
            keys: keys.into_iter().map(Key::from).collect(),
        }
    }
}

/// List my keys.
#[utoipa::path(
    get,
    path = "/v1/me/keys",
    tag = "agents",
    responses(
        (status = 200, description = "The keys, revoked ones among them.", body = Keys),
    ),
    security(("access_token" = []))
)]
pub async fn list(State(state): State<AppState>, Agent(agent): Agent) -> Result<impl IntoResponse, ApiError> {
    let keys = agent_keys::list(&state.database, &agent).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], axum::Json(Keys::from(keys))))
}
