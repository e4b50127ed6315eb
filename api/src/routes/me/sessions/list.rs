//! `GET /v1/me/sessions`.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    http::{caller::Person, error::ApiError},
    routes::me::sessions::Session,
    store::sessions,
};

/// The caller's logins.
#[derive(Debug, Serialize, ToSchema)]
pub struct Sessions {
    /// The newest first.
    sessions: Vec<Session>,
}

/// List my logins.
#[utoipa::path(
    get,
    path = "/v1/me/sessions",
    tag = "people",
    responses((status = 200, description = "The logins in force.", body = Sessions)),
    security(("session" = []))
)]
pub async fn list(State(state): State<AppState>, Person(login): Person) -> Result<axum::Json<Sessions>, ApiError> {
    let found = sessions::list(state.database.pool(), login.overseer(), state.clock.now()).await?;
    let own = login.session().ok().map(|session| session.id);
    let sessions = found.into_iter().map(|session| Session::of(session, own)).collect();
    Ok(axum::Json(Sessions { sessions }))
}
